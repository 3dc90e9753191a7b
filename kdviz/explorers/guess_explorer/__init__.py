"""A guess, committed before the result is seen."""

import traitlets

from kdviz.explorers.base import Explorer


class Guess(Explorer):
    """A question with choices; once committed, the choice is locked. Made by :func:`guess`."""

    question = traitlets.Unicode().tag(sync=True)
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    reveal = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    choice = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    committed = traitlets.Bool(False).tag(sync=True)

    @traitlets.validate("choice")
    def _check_choice(self, proposal):
        if proposal.value is not None and proposal.value not in self.choices:
            raise ValueError(f"choice must be one of {self.choices}; got {proposal.value!r}")
        return proposal.value

    @traitlets.validate("committed")
    def _check_committed(self, proposal):
        if proposal.value and self.choice is None:
            raise ValueError("there is nothing to commit yet: set choice first")
        return proposal.value

    def __repr__(self):
        said = f"you said {self.choice!r}" if self.committed else "not committed"
        return f"Guess({self.question!r}, {said})"


def guess(question, choices, reveal=None):
    """Ask for a guess before the result.

    Parameters
    ----------
    question : str
    choices : list of str
        Two or more different answers.
    reveal : str, optional
        Shown once the guess is committed. Leave it out where the next cell shows the result.

    Returns
    -------
    Guess
        Its ``choice`` and ``committed`` can be read by later cells.
    """
    choices = _check_choices(question, choices)
    if reveal is not None and not isinstance(reveal, str):
        raise TypeError(f"reveal must be a text or None; got {reveal!r}")
    return Guess(question=question, choices=choices, reveal=reveal)


def _check_choices(question, choices):
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"question must be a text that is not empty; got {question!r}")
    if isinstance(choices, str):
        raise TypeError(f"choices must be a list of texts, not one text; got {choices!r}")
    choices = list(choices)
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise TypeError(f"every choice must be a text that is not empty; got {choices!r}")
    if len(choices) < 2 or len(set(choices)) != len(choices):
        raise ValueError(f"choices must be two or more different texts; got {choices!r}")
    return choices
