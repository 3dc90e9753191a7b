import pytest
import torch

from kdviz import knowledge
from kdviz.course.loss_card import loss_card, losses
from kdviz.knowledge.objective import as_objective
from kdviz.tracing import Trace


def test_holds_every_loss_that_can_be_imported_from_knowledge():
    offered = {
        value
        for room in (knowledge, knowledge.response)
        for value in vars(room).values()
        if isinstance(value, type) and issubclass(value, knowledge.Loss) and value is not knowledge.Loss
    }
    assert offered and offered <= set(losses())


def test_every_row_is_filled():
    card = loss_card()
    assert len(card) == len(losses()) and card.index.is_unique
    assert (card != "").all(axis=None) and card.notna().all(axis=None)


@pytest.mark.parametrize(
    "loss", [loss for loss in losses() if loss.kind == "response"], ids=lambda loss: loss.name
)
@pytest.mark.parametrize("change", ["shift", "scale"])
def test_responses_see_what_the_card_says(loss, change):
    generator = torch.Generator().manual_seed(0)
    z_student, z_teacher = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
    by_sample = 0.5 + torch.rand(6, 1, generator=generator, dtype=torch.float64)
    changed = z_student + by_sample if change == "shift" else z_student * by_sample
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    objective = as_objective(loss())
    learned = objective.initial(Trace(z_student), Trace(z_teacher))
    before, after = (
        float(objective(Trace(z), Trace(z_teacher), labels, learned)[0]) for z in (z_student, changed)
    )
    assert (before == pytest.approx(after, rel=1e-9)) == (change in loss.invariant_to)
