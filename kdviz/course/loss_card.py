"""The reference card of all losses, read from the code: what each compares, needs, costs and does not see."""

from html import escape

import pandas as pd

import kdviz.losses
from kdviz.course.formulas import mathml

KINDS = ("response", "feature", "relation")
_STYLE = """<style>
.kdviz-card { border-collapse: collapse; font-size: 0.85em; }
.kdviz-card caption { text-align: left; padding: 0.4em 0; }
.kdviz-card th, .kdviz-card td { text-align: left; vertical-align: top; padding: 0.4em 0.6em;
  border-bottom: 1px solid #B8BEC4; }
.kdviz-card td.formula { white-space: nowrap; }
.kdviz-card small { display: block; font-weight: normal; color: #5F5F5F; }
.kdviz-scroll { overflow-x: auto; }
</style>"""
_CAPTION = (
    "N samples, C classes or channels, D width, H × W places, T temperature; p and s belong to the student, "
    "q and t to the teacher. The formula is that of the default form. A form called “paper” is what the "
    "paper prints, with T² or without; “scaled” is times a T² that it does not print. “Does not see”: what "
    "may be done to the student's logits or features without changing the value."
)


def losses(kind=None):
    """All loss classes of kdviz, by kind of knowledge and name."""
    if kind not in (None, *KINDS):
        raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}, or None for all; got {kind!r}")
    every = [getattr(kdviz.losses, name) for name in kdviz.losses.LOSSES]
    found = [loss for loss in every if kind in (None, loss.kind)]
    return sorted(found, key=lambda loss: (KINDS.index(loss.kind), loss.__name__.lower()))


def loss_card(kind=None):
    """The reference card of all losses, or of one kind: "response", "feature" or "relation"."""
    return LossCard(losses(kind))


class LossCard:
    """One row a loss, with its formula drawn. ``table`` is the same as a data frame, formulas in LaTeX."""

    def __init__(self, losses):
        self.table = pd.DataFrame(map(_row, losses)).set_index("loss")

    def __repr__(self):
        return self.table.drop(columns="formula").to_string()

    def _repr_html_(self):
        headings = "".join(f'<th scope="col">{name}</th>' for name in ("loss", *self.table.columns))
        rows = "".join(_drawn(name, row) for name, row in self.table.iterrows())
        return (
            f'{_STYLE}<div class="kdviz-scroll" tabindex="0"><table class="kdviz-card">'
            f"<caption>{_CAPTION}</caption>"
            f"<thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table></div>"
        )


def _row(loss):
    needs = [loss.reads]
    acronyms = [acronym for acronym, name in kdviz.losses.ACRONYMS.items() if name == loss.__name__]
    needs += ["teacher"] if loss.needs_teacher else []
    needs += ["labels"] if loss.needs_labels else []
    return {
        "loss": loss.__name__,
        "known as": ", ".join(acronyms) or "–",
        "kind": loss.kind,
        "formula": loss.formula,
        "needs": "; ".join(needs),
        "scale": loss.scale,
        "does not see": ", ".join(loss.invariant_to) or "sees all",
        "memory": loss.memory,
        "cost": loss.cost,
        "paper": loss.paper,
    }


def _drawn(name, row):
    cells = "".join(
        f'<td class="formula">{_formula(text)}</td>' if column == "formula" else f"<td>{escape(text)}</td>"
        for column, text in row.items()
    )
    return f'<tr id="loss-{name}"><th scope="row"><code>{name}</code></th>{cells}</tr>'


def _formula(tex):
    # Within a line, but with fractions and sums as large as on a line of their own.
    return mathml(tex).replace("<math ", '<math displaystyle="true" ', 1)
