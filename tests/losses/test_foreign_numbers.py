"""Numbers, labels and answers in the types that other libraries and modes of torch give."""

import numpy as np
import pytest
import torch
from torch.nn.functional import kl_div

import kdviz as kd
from kdviz.losses import response

GENERATOR = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("number", [np.int64(4), np.float32(4), np.float64(4)])
def test_a_number_of_numpy_is_a_setting_of_a_loss(number):
    z, t = torch.randn(8, 10, generator=GENERATOR), torch.randn(8, 10, generator=GENERATOR)
    p, q = (z / 4).log_softmax(1), (t / 4).softmax(1)
    torch.testing.assert_close(response.soft_targets(z, t, number), 16 * kl_div(p, q, reduction="batchmean"))
    assert str(number * kd.SoftTargets(2.0)) == str(4.0 * kd.SoftTargets(2.0))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_labels_of_every_whole_type_are_labels_of_a_loss(dtype):
    z, y = torch.randn(8, 10, generator=GENERATOR), torch.arange(8)
    for loss in (response.cross_entropy, response.label_smoothing):
        torch.testing.assert_close(loss(z, y.to(dtype)), loss(z, y))


@pytest.mark.parametrize("name", ["CurriculumTemperature", "SampleTemperature"])
def test_a_learned_temperature_takes_answers_of_inference_mode(name):
    loss = getattr(kd.losses, name)()
    student = kd.Trace(torch.randn(8, 10, generator=GENERATOR).requires_grad_())
    with torch.inference_mode():
        teacher = kd.Trace(torch.randn(8, 10, generator=GENERATOR))
    learned = {key: part.requires_grad_() for key, part in loss.initial(student, teacher).items()}
    loss(student, teacher, torch.arange(8), learned).sum().backward()
    assert student.logits.grad.norm() > 0
