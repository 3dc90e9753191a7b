"""Every gradient that is written out is the one that automatic differentiation finds."""

import pytest
import torch

from kdviz.course.loss_card import losses
from kdviz.losses import response
from kdviz.losses.objective import Loss, as_objective
from kdviz.tracing import Trace
from kdviz.training.mapped import each_gradient, each_value

WRITTEN_OUT = [loss for loss in losses() if loss.logit_gradient is not Loss.logit_gradient]
FORMS = [response.LogitMatching(form) for form in ("paper", "mean", "limit")]
FORMS += [response.SoftTargets(3.0, form) for form in ("scaled", "paper", "divergence", "mean")]
FORMS += [response.VirtualTeacher(0.99, 2.0, form) for form in ("paper", "scaled", "authors")]
LOSSES = FORMS + [loss() for loss in WRITTEN_OUT if loss not in {type(form) for form in FORMS}]


def logits(*shape, seed):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("samples_last", [False, True], ids=["samples first", "samples last"])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_is_the_gradient_of_the_loss(loss, samples_last):
    student, teacher = logits(2, 3, 6, 5, seed=0), logits(2, 1, 6, 5, seed=1)
    if samples_last:
        student, teacher = (z.mT.contiguous().mT for z in (student, teacher))
    labels = torch.tensor([[[0, 1, 4, -1, 2, 0]], [[3, -1, -1, 2, 1, 0]]])
    student.requires_grad_()
    objective = 0.7 * as_objective(loss)
    found = each_gradient(objective, Trace(student.detach()), Trace(teacher), labels)
    value = each_value(loss, Trace(student), Trace(teacher), labels)
    (expected,) = torch.autograd.grad(0.7 * value.sum(), student)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_there_are_losses_to_test():
    assert {response.CrossEntropy, response.SoftTargets, response.LabelSmoothing} <= set(WRITTEN_OUT)
