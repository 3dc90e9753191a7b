"""Notebook 10: the gap that is closed, where two students tie, efficient operations, and two scores."""

import math
from numbers import Real
from typing import Any

import torch

from kdviz.course.exercises.asking import as_number
from kdviz.course.exercises.base import NotYet
from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.measure import distillation_score

# --- 10.1 the part of the gap that a student recovers


def _recovered(distilled, baseline, teacher):
    """The fraction of the gap between baseline and teacher that the distilled student closes."""
    return (distilled - baseline) / (teacher - baseline)


grade_recovered = NumberGrader(
    _recovered,
    calls=[
        {"distilled": 92.0, "baseline": 86.0, "teacher": 98.0},
        {"distilled": 81.0, "baseline": 84.0, "teacher": 97.0},
        {"distilled": 99.0, "baseline": 95.0, "teacher": 97.5},
    ],
)


@grade_recovered.mistake
def retained(distilled, baseline, teacher):
    """That is the share of the teacher's accuracy. Most of it the student has without any teacher."""
    return distilled / teacher


@grade_recovered.mistake
def gain(distilled, baseline, teacher):
    """That is the gain in points. Divide it by the gap that there was to close."""
    return distilled - baseline


@grade_recovered.mistake
def gap_left(distilled, baseline, teacher):
    """That is the part of the gap that is *left*. The part that was closed is asked."""
    return 1 - _recovered(distilled, baseline, teacher)


@grade_recovered.mistake
def gap_from_nothing(distilled, baseline, teacher):
    """You divide by the teacher's accuracy. The gap begins at the baseline, not at 0."""
    return (distilled - baseline) / teacher


@grade_recovered.mistake
def clipped(distilled, baseline, teacher):
    """Your share stops at 0 or 1. A student can lose, and it can pass its teacher; both should show."""
    return min(1.0, max(0.0, _recovered(distilled, baseline, teacher)))


# --- 10.2 where two students tie


def _tie(size, accuracy, other_size, other_accuracy):
    """The weight of size at which two students have the same distillation score."""
    return (other_accuracy - accuracy) / ((other_accuracy - accuracy) + (other_size - size))


grade_tie = NumberGrader(
    _tie,
    calls=[
        {"size": 0.05, "accuracy": 0.96, "other_size": 0.20, "other_accuracy": 0.99},
        {"size": 0.01, "accuracy": 0.70, "other_size": 0.40, "other_accuracy": 0.97},
    ],
)


def _first_tie(size, accuracy, **other):
    """The weight and the score at which the first pair ties."""
    weight = _tie(size, accuracy, **other)
    return {"weight": weight, "score": distillation_score(size, 1.0, accuracy, 1.0, weight)}


grade_tie.praise_numbers = _first_tie(**grade_tie.calls[0])


@grade_tie.mistake
def weight_of_accuracy(size, accuracy, other_size, other_accuracy):
    """That is the weight of *accuracy* at the tie. Alpha weighs the size."""
    return 1 - _tie(size, accuracy, other_size, other_accuracy)


@grade_tie.mistake
def ratio(size, accuracy, other_size, other_accuracy):
    """That is alpha / (1 - alpha) at the tie. One step is left: solve it for alpha."""
    return (other_accuracy - accuracy) / (other_size - size)


@grade_tie.mistake
def sign(size, accuracy, other_size, other_accuracy):
    """Check a sign: a larger student loses by its size and wins by its accuracy, so the two differences
    work against each other."""
    return (other_accuracy - accuracy) / ((other_accuracy - accuracy) - (other_size - size))


@grade_tie.mistake
def inverse(size, accuracy, other_size, other_accuracy):
    """You have the two differences the wrong way round."""
    return (other_size - size) / (other_accuracy - accuracy)


# --- 10.3 efficient operations


def _saving(inputs, outputs, kernel):
    """How many times fewer weights a depth-wise separable convolution has than a full one."""
    return inputs * outputs * kernel**2 / (inputs * kernel**2 + inputs * outputs)


grade_saving = NumberGrader(
    _saving,
    calls=[{"inputs": 16, "outputs": 32, "kernel": 3}, {"inputs": 8, "outputs": 8, "kernel": 5}],
)
grade_saving.praise_numbers = {"times": _saving(**grade_saving.calls[0])}


@grade_saving.mistake
def upside_down(inputs, outputs, kernel):
    """That is the share of the weights that is left. How many times *fewer* is asked."""
    return 1 / _saving(inputs, outputs, kernel)


@grade_saving.mistake
def kernel_not_squared(inputs, outputs, kernel):
    """Your kernel has k weights for each channel. It is k wide and k high."""
    return _saving(inputs, outputs, kernel**0.5)


@grade_saving.mistake
def no_mixing(inputs, outputs, kernel):
    """The separable one lacks its second part: the 1 x 1 convolution that mixes the channels."""
    return outputs


@grade_saving.mistake
def one_kernel_for_all(inputs, outputs, kernel):
    """Your depth-wise part has one kernel for all channels. Each input channel has its own."""
    return inputs * outputs * kernel**2 / (kernel**2 + inputs * outputs)


@grade_saving.mistake
def kernel_for_each_output(inputs, outputs, kernel):
    """Depth-wise, each *input* channel has a kernel. The outputs come from the 1 x 1 convolution."""
    return inputs * outputs * kernel**2 / (outputs * kernel**2 + inputs * outputs)


# --- 10.4 a score in two units

RIGHT_SCORES = {"parameters": 0.51, "bytes": 0.5 * 2 / 32 + 0.01}
_NO_HALF = "Size and accuracy count half each: both terms have a factor of 0.5."
_ACCURACY = "The second term is what the copy *lacks* of the teacher's accuracy, 0.02, times 0.5."
WRONG_SCORES = {
    "parameters": {
        0.5 * 2 / 32
        + 0.01: "Count the weights, not their bits: how many has the copy, how many the teacher?",
        0.5: "That is the size's part. What the copy lacks of the accuracy costs something, too.",
        1.02: _NO_HALF,
        0.99: _ACCURACY,
    },
    "bytes": {
        0.51: "In bytes the copy is smaller than its teacher. By how much, with 2 bits in the place of 32?",
        0.5 * 2 / 32: "That is the size's part. What the copy lacks of the accuracy costs something, too.",
        2 / 32 + 0.02: _NO_HALF,
        0.5 * 2 / 32 + 0.49: _ACCURACY,
        0.5 / 4 + 0.01: "Two bits are not a quarter of 32. Or did you count in bytes a weight?",
    },
}
REASONS = {
    "A": "Neither score counts operations. And torch computes with the rounded weights in floats anyhow.",
    "C": "A weight of 0 is a weight: in section 6 the copy has all the parameters of its teacher.",
    "D": "Compare the second term of the two scores.",
}


def grade_scores(answer: dict[str, Any]) -> None:
    if not isinstance(answer, dict) or set(answer) != {*RIGHT_SCORES, "because"}:
        raise NotYet('Hand in a dictionary: {"parameters": …, "bytes": …, "because": "…"}.')
    for unit, right in RIGHT_SCORES.items():
        if not isinstance(answer[unit], (Real, torch.Tensor)):
            raise NotYet(f"{unit.capitalize()}: hand in a number; got {answer[unit]!r}.")
        given = as_number(answer[unit], {})
        if math.isclose(given, right, abs_tol=6e-4):
            continue
        for wrong, message in WRONG_SCORES[unit].items():
            if math.isclose(given, wrong, abs_tol=6e-4):
                raise NotYet(f"In {unit}: {message}")
        size = "large" if given > right else "small"
        raise NotYet(f"In {unit}: {given:.4g} is too {size}. Write down both terms of the score.")
    reason = str(answer["because"]).strip().upper()
    if reason in REASONS:
        raise NotYet(f"Both scores are right. {reason} is not why they differ: {REASONS[reason]}")
    if reason != "B":
        raise NotYet(f"Both scores are right. Give the letter of a reason, from A to D; got {reason!r}.")
