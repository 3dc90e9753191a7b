'''Claims: every sentence of a page that states a result, tied to a condition that its numbers must meet.

There is a file for each page, named after its notebook: a list ``CLAIMS`` and a dictionary ``EXEMPT``. To
write a claim, quote the sentence and say what must be so::

    CLAIMS = [
        Claim(
            "After 1,500 steps soft targets gain about twelve points, on thirty of thirty seeds.",
            stored="""gain("label_noise", "soft targets", minus="hard labels", steps=1500, step=1500)
                      .about(12, within=0.5, seeds=30)""",
        ),
        Claim(
            "They publish twenty different settings, and the favourite has four votes.",
            live=["best.nunique() == 20", "best.value_counts().max() == 4"],
        ),
    ]

* The quotation is one or more *whole* sentences; ``*``, `````, ``$`` and line breaks do not matter. Of a
  prediction the quotation is ``"question → right choice"``, and in a next line what its ``because`` says.
* A condition is Python that ends in true or false, or a list of such. ``stored`` is looked at in every run
  of the tests. ``live`` is evaluated in the page's own kernel after its last cell, and knows what the page
  knows; leave it room, as another processor rounds differently. Both know the names of the claims file (write
  helpers there), :func:`gain`, :func:`difference` and :func:`table`.
* Whether a difference is null, better or worse is decided in one place, :class:`Gain`.
* What the sentence says must stand in the condition: each of its numbers, ``null`` where it says null,
  ``better`` or ``>`` where it says that something gains, ``worse`` or ``<`` where it says that it loses.
  Where they differ for a reason, give the reason: ``differs="64 is the size of the grid"``.
* A sentence that the tests take for a result and that is none (a definition, an instruction) goes to
  ``EXEMPT``: the whole sentence, and the reason.

``python -m kdviz.course.claims 02_temperature_and_weight`` says what is missing on a page; with ``--run`` it
also executes the page and looks at the live conditions.
'''

from kdviz.course.claims.claim import Claim
from kdviz.course.claims.gains import Gain, difference, gain, table

__all__ = ["Claim", "Gain", "difference", "gain", "table"]
