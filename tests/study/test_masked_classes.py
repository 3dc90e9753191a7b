"""A teacher that masks classes by -inf: distilled, compared and diagnosed as torch's kl_div counts them."""

import copy

import pytest
import torch
from reviewed import INPUTS, OBJECTIVE, STUDENT, TEACHER, compared, diagnosed, distilled, right_loss, soft
from torch import nn
from torch.nn import functional as F

import kdviz as kd


class Masked(nn.Module):
    """Never gives one of the last two classes; its dropout is for a test of modes."""

    def __init__(self, inner, dropout=0.0):
        super().__init__()
        self.inner, self.drop = inner, nn.Dropout(dropout)

    def forward(self, x):
        logits = self.drop(self.inner(x)).clone()
        logits[:, 8:] = -torch.inf
        return logits


MASKED = Masked(TEACHER).eval()
with torch.no_grad():
    KEPT = MASKED(INPUTS)
SEEN = INPUTS, KEPT.argmax(1)


@pytest.mark.parametrize("teacher", [MASKED, KEPT], ids=["model", "kept logits"])
def test_masked_classes_are_distilled_and_compared_as_by_torch(teacher):
    with torch.no_grad():
        z = STUDENT(INPUTS)
    first = distilled(teacher, data=SEEN, steps=1, batch_size=200).records[0]
    assert first.total == pytest.approx(float(soft(z, KEPT, 4.0)), rel=1e-5)
    table = compared(teacher, data=SEEN).table
    assert table.kl["student"] == pytest.approx(float(soft(z.double(), KEPT.double())), rel=1e-5)
    assert table.accuracy["teacher"] == 1


MISTAKES = {
    "none": (right_loss, []),
    "no T²": (
        lambda z, t, y: 0.1 * F.cross_entropy(z, y) + 0.9 * soft(z, t, 4.0) / 16,
        ["temperature_squared"],
    ),
    "a mean over the classes": (
        lambda z, t, y: 0.1 * F.cross_entropy(z, y) + 0.9 * soft(z, t, 4.0) / 10,
        ["reduction"],
    ),
    "detached": (
        lambda z, t, y: 0.1 * F.cross_entropy(z, y) + 0.9 * soft(z.detach(), t, 4.0),
        ["teacher_has_no_effect", "other_weight"],
    ),
    "minus": (
        lambda z, t, y: 0.1 * F.cross_entropy(z, y) - 0.9 * soft(z, t, 4.0),
        ["soft_term_repels"],
    ),
    "the hard term tempered": (
        lambda z, t, y: 0.1 * F.cross_entropy(z / 4, y) + 0.9 * soft(z, t, 4.0),
        ["hard_tempered"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_faults_beside_a_masked_class_are_found_by_name(name):
    loss, wanted = MISTAKES[name]
    found = diagnosed(loss, MASKED, SEEN, objective=OBJECTIVE)
    # The labels are its own answers, so that it is surer, or less sure, than it need be.
    assert [one for one in found.names if one != "teacher_miscalibrated"] == wanted, str(found)


def test_the_form_of_a_loss_is_read_beside_a_masked_class():
    told = " ".join(str(diagnosed(right_loss, MASKED, SEEN)).split())
    assert "0.1 × cross-entropy + 0.9 × soft targets at T = 4" in told


def test_a_masked_teacher_with_dropout_is_found_in_training_mode():
    training = Masked(copy.deepcopy(TEACHER), 0.5).train()
    assert "teacher_in_training_mode" in kd.diagnose(training, STUDENT, SEEN).names


def test_kept_logits_may_be_masked_but_not_altogether():
    order = torch.arange(200)

    def names(kept, rows):
        parts = [slice(start, start + 50) for start in range(0, 200, 50)]
        batches = [(INPUTS[part], SEEN[1][part], rows[part]) for part in parts]
        found = kd.diagnose(MASKED, STUDENT, batches, cached_logits=kept).names
        return [name for name in found if name.startswith("cache")]

    assert names(KEPT, order) == []
    assert names(KEPT, order.roll(1)) == ["cache_order"]
    nothing = KEPT.clone()
    nothing[3] = -torch.inf
    assert names(nothing, order) == ["cache_not_finite"]
