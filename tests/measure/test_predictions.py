import math

import pytest
import torch

from kdviz.measure import (
    accuracy,
    agreement,
    calibration_error,
    class_bias,
    kl_to_teacher,
    negative_log_likelihood,
    recall,
)

LOGITS = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])
LABELS = torch.tensor([0, 1, 1, 1])


def test_shares_counted_by_hand():
    assert accuracy(LOGITS, LABELS) == 0.75
    assert recall(LOGITS, LABELS, 1) == pytest.approx(2 / 3)
    assert agreement(LOGITS, -LOGITS) == 0
    assert agreement(LOGITS, 3 * LOGITS) == 1


def test_negative_log_likelihood_worked_by_hand():
    right = math.log(1 + math.exp(-2.0))
    assert negative_log_likelihood(LOGITS, LABELS) == pytest.approx((3 * right + right + 2) / 4)


def test_kl_to_teacher_worked_by_hand():
    teacher = torch.tensor([[math.log(3.0), 0.0]])
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert kl_to_teacher(torch.zeros(1, 2), teacher) == pytest.approx(expected)
    assert kl_to_teacher(teacher, teacher) == pytest.approx(0, abs=1e-12)


def test_calibration_error_worked_by_hand():
    # One bin holds all four: confidence e²/(e² + 1), accuracy 0.75.
    confidence = 1 / (1 + math.exp(-2.0))
    assert calibration_error(LOGITS, LABELS) == pytest.approx(abs(confidence - 0.75))


def test_honest_probabilities_are_calibrated_and_boasting_ones_are_not():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 3, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    assert calibration_error(logits, labels) < 0.02
    assert calibration_error(5 * logits, labels) > 0.2


def test_a_class_bias_brings_the_mean_probability_to_the_rate():
    logits = torch.randn(500, 10, generator=torch.Generator().manual_seed(1))
    logits[:, 3] -= 20
    corrected = logits.double()
    corrected[:, 3] += class_bias(logits, 3, rate=0.1)
    assert corrected.softmax(1)[:, 3].mean().item() == pytest.approx(0.1, abs=1e-6)


def test_bad_questions_are_refused():
    with pytest.raises(ValueError, match="no sample has the label 0"):
        recall(LOGITS, torch.ones(4, dtype=torch.long), 0)
    with pytest.raises(ValueError, match="not all labelled"):
        accuracy(LOGITS, torch.tensor([0, -1, 1, 1]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        class_bias(LOGITS, 0, rate=1.0)
    with pytest.raises(ValueError, match=r"\(4, 2\).*\(3, 2\)"):
        agreement(LOGITS, LOGITS[:3])
