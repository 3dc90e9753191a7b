"""Seven losses on the teacher's responses, each at several weights and temperatures."""

from dataclasses import dataclass, replace
from functools import partial

from kdviz.course.experiments.arms import answers, permuted, swept, usual_teachers
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.response import (
    CrossEntropy,
    CurriculumTemperature,
    Decoupled,
    JensenShannon,
    LogitMatching,
    PredictionCorrelation,
    ReverseKL,
    SampleTemperature,
    SoftTargets,
    StandardisedSoftTargets,
    soft_targets_by_sample,
)
from kdviz.losses.response.logits import ResponseLoss

RESPONSE_LOSSES = {
    "soft targets": SoftTargets(),
    "decoupled (DKD)": Decoupled(),
    "correlation (DIST)": PredictionCorrelation(),
    "reverse KL": ReverseKL(form="scaled"),
    "Jensen-Shannon": JensenShannon(form="normalised"),
    "logit standardisation": StandardisedSoftTargets(),
    "logit matching": LogitMatching("limit"),
}


def response_mixture(arm, soft_weight=0.0, temperature=None):
    """Hard labels and a response loss by name; without a temperature the loss keeps its own."""
    if arm == "hard labels":
        return 1.0 * CrossEntropy()
    loss = RESPONSE_LOSSES[arm]
    if temperature is not None:
        loss = replace(loss, temperature=temperature)
    return (1 - soft_weight) * CrossEntropy() + soft_weight * loss


def response_points(temperatures=(1.0, 4.0, 16.0), soft_weights=(0.1, 0.5, 0.9)):
    """The hard-label baseline, and every loss at every weight and, where it has one, temperature."""
    points = [{"arm": "hard labels"}]
    for arm, loss in RESPONSE_LOSSES.items():
        for weight in soft_weights:
            here = {"arm": arm, "soft_weight": weight}
            tempered = hasattr(loss, "temperature")
            points += [{**here, "temperature": t} for t in temperatures] if tempered else [here]
    return points


def shuffled_teacher(data):
    """A control that should fail: the teacher's answers with their dark knowledge permuted."""
    return permuted(answers(usual_teachers([data]), [data]), [data])[0]


def half_mixture(temperature, target_weight, other_weight):
    """Half hard labels, half the two halves of DKD; with both weights 0 the hard-label baseline."""
    halves = Decoupled(target_weight, other_weight, temperature)
    return 0.5 * CrossEntropy() + 0.5 * halves


@result({"labels": (50,)})
def dkd_halves(seeds, labels):
    """Each half of DKD alone and both together, at two temperatures."""
    points = [
        {"temperature": t, "target_weight": target, "other_weight": other}
        for t in (1.0, 4.0)
        for target in (0.0, 1.0)
        for other in (0.0, 1.0, 8.0)
    ]
    few = partial(digits, labels=labels, transfer="labelled")
    return [{"labels": labels, **row} for row in swept(points, seeds, half_mixture, data=few)]


# Shuffled teachers magnify rounding: 1 point was seen on one machine.
@result({"regime": ("50 labels", "50 labels, shuffled", "all labels")}, tolerance=4.0)
def response_losses(seeds, regime):
    """Every response loss at several weights and temperatures, beside the hard-label baseline."""
    few = partial(digits, labels=50, transfer="labelled")
    settings = {
        "50 labels": {"data": few},
        "50 labels, shuffled": {"data": few, "teacher": shuffled_teacher},
        "all labels": {"data": digits},
    }[regime]
    found = swept(response_points(), seeds, response_mixture, **settings)
    return [{"regime": regime, **row} for row in found]


# --- a temperature for each image, and any other loss


@dataclass(frozen=True)
class LargestLogit(ResponseLoss):
    """Soft targets of each image at the teacher's largest logit, or of all at its mean in the batch."""

    form: str = "each"
    forms = ("each", "mean")
    name = "largest_logit"

    def value(self, student, teacher, labels, learned):
        centred = teacher.logits - teacher.logits.mean(-1, keepdim=True)
        largest = centred.amax(-1).detach().clamp(min=1)
        temperatures = largest.mean(-1, keepdim=True).expand_as(largest) if self.form == "mean" else largest
        return soft_targets_by_sample(student.logits, teacher.logits, temperatures)

    def latex(self):
        return r"T_n^2\, \mathrm{KL}(q^{T_n} \,\Vert\, p^{T_n}),\; T_n=\max_c z_{nc}"


BY_IMAGE = {
    "soft targets": SoftTargets(),
    "largest logit": LargestLogit(),
    "mean of the largest logits": LargestLogit("mean"),
    "colder where student and teacher differ": SampleTemperature(strength=4.0),
    "colder where the student doubts": SampleTemperature(form="confidence"),
    "learned (CTKD)": CurriculumTemperature(),
}


def any_mixture(arm, soft_weight=0.0, temperature=None, losses=BY_IMAGE):
    """As :func:`response_mixture`, of any losses by name."""
    if arm == "hard labels":
        return 1.0 * CrossEntropy()
    loss = losses[arm] if temperature is None else replace(losses[arm], temperature=temperature)
    return (1 - soft_weight) * CrossEntropy() + soft_weight * loss


def any_points(losses, temperatures=(4.0, 16.0), soft_weights=(0.1, 0.9)):
    """Hard labels, and every loss at every weight and, where it has one, temperature."""
    tried = [
        {"arm": arm, "soft_weight": weight, **({"temperature": t} if t else {})}
        for arm, loss in losses.items()
        for weight in soft_weights
        for t in (temperatures if hasattr(loss, "temperature") else (None,))
    ]
    return [{"arm": "hard labels"}, *tried]


def beside_soft_targets(seeds, losses, labels=50):
    """Rows of any losses by name, beside hard labels and soft targets: ``{"mine": ReverseKL()}``."""
    losses = {"soft targets": SoftTargets(), **losses}
    few, mixture = partial(digits, labels=labels, transfer="labelled"), partial(any_mixture, losses=losses)
    return swept(any_points(losses), seeds, mixture, data=few)


@result({"labels": (50,)}, tolerance=4.0)
def temperatures_by_image(seeds, labels=50):
    """Temperatures that differ from image to image, or that learn, beside one that was chosen.

    "mean of the largest logits" is the control of "largest logit": as high on average, and the same for all.
    """
    return [{"labels": labels, **row} for row in beside_soft_targets(seeds, BY_IMAGE, labels)]
