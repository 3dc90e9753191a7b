"""Notebook 01: the loss, the temperature for an entropy, the limit, the control and the conventions."""

import math
from collections.abc import Callable
from numbers import Real

import torch
from scipy import stats
from torch.nn.functional import log_softmax, softmax

from kdviz.course.exercises.asking import as_number, ask, check_finite, copied
from kdviz.course.exercises.base import NotYet
from kdviz.course.exercises.diagnosis import Grader, NumberGrader
from kdviz.course.exercises.draws import logits, logits_of_both
from kdviz.losses.response import logit_matching, soft_targets

# --- 1.1 the loss

grade_soft_targets = NumberGrader(
    soft_targets,
    calls=[logits_of_both(7, 5, seed=0) | {"temperature": 3.0}]
    + [logits_of_both(4, 6, seed=1) | {"temperature": 1.7}],
    gradient_for="student_logits",
    no_gradient_for="teacher_logits",
)


def _divergence(log_p, q):
    """KL(q ‖ p), summed over the classes and averaged over the samples."""
    return (torch.xlogy(q, q) - q * log_p).sum(-1).mean()


def _loss(student, teacher, temperature, *, student_at, teacher_at):
    """The loss with a temperature for each side, but the factor in front of the one that was asked for."""
    q = softmax(teacher / teacher_at, -1)
    return temperature**2 * _divergence(log_softmax(student / student_at, -1), q)


@grade_soft_targets.mistake
def reversed_divergence(student, teacher, temperature):
    """The KL divergence is the wrong way round. The teacher's probabilities are the weights: where the
    teacher says nearly 0, the student's answer should hardly count."""
    return soft_targets(teacher, student, temperature)


@grade_soft_targets.mistake
def student_softened_only(student, teacher, temperature):
    """The temperature softens only the student. The teacher's logits need it too."""
    return _loss(student, teacher, temperature, student_at=temperature, teacher_at=1)


@grade_soft_targets.mistake
def teacher_softened_only(student, teacher, temperature):
    """The temperature softens only the teacher. The student's logits need it too."""
    return _loss(student, teacher, temperature, student_at=1, teacher_at=temperature)


@grade_soft_targets.mistake
def nobody_softened(student, teacher, temperature):
    """The temperature does not reach the softmax: both sides are at T = 1."""
    return _loss(student, teacher, temperature, student_at=1, teacher_at=1)


@grade_soft_targets.mistake
def multiplied_by_the_temperature(student, teacher, temperature):
    """You multiply the logits by T, which makes the probabilities sharper. A higher temperature should
    make them softer."""
    return _loss(student, teacher, temperature, student_at=1 / temperature, teacher_at=1 / temperature)


@grade_soft_targets.mistake
def softmax_twice(student, teacher, temperature):
    """A softmax is taken of a softmax. The temperature divides the logits, not probabilities."""
    return soft_targets(softmax(student, -1), softmax(teacher, -1), temperature)


@grade_soft_targets.mistake
def log_forgotten(student, teacher, temperature):
    """The student's probabilities stand where their logarithm should. (torch's `kl_div` wants
    log-probabilities as its first argument.)"""
    q = softmax(teacher / temperature, -1)
    return temperature**2 * _divergence(softmax(student / temperature, -1), q)


@grade_soft_targets.mistake
def softmax_over_the_samples(student, teacher, temperature):
    """The softmax runs over the samples, which are dimension 0. The classes are the last dimension."""
    q = softmax(teacher / temperature, 0)
    return temperature**2 * _divergence(log_softmax(student / temperature, 0), q)


@grade_soft_targets.mistake
def cross_entropy_of_both(student, teacher, temperature):
    """That is the cross-entropy, not the KL divergence. Its gradient is the same, but it is too large
    by the teacher's entropy, so it is not 0 when the student matches the teacher."""
    q = softmax(teacher / temperature, -1)
    return -(temperature**2) * (q * log_softmax(student / temperature, -1)).sum(-1).mean()


@grade_soft_targets.slip
def no_factor(student, teacher, temperature):
    """The factor T² is missing: the higher the temperature, the more the gradient fades."""
    return temperature**-2


@grade_soft_targets.slip
def temperature_once(student, teacher, temperature):
    """The factor in front is T. Both the gradient of the softmax and the difference of the
    probabilities shrink with T, so one T is not enough."""
    return 1 / temperature


@grade_soft_targets.slip
def averaged_over_classes(student, teacher, temperature):
    """You average over the classes too, so the loss is C times too small. (torch's `reduction='mean'`
    does that.) Sum over the classes."""
    return 1 / student.shape[1]


@grade_soft_targets.slip
def summed_over_samples(student, teacher, temperature):
    """You sum over the samples, so the loss grows with the batch. Take their mean."""
    return len(student)


grade_soft_targets.slip(-1, "The sign is wrong: this loss is never below 0.")


# --- 1.2 the temperature that gives an entropy

_ENTROPY_CALLS = [
    {"teacher_logits": logits(30, 10, seed=2), "bits": 2.0},
    {"teacher_logits": 2 * logits(20, 6, seed=3), "bits": 1.2},
]


@Grader
def grade_temperature_for(answer: Callable) -> None:
    given = [as_number(ask(answer, **copied(call)), call) for call in _ENTROPY_CALLS]
    for temperature in given:
        check_finite(temperature)
        if temperature <= 0:
            raise NotYet(f"A temperature is above 0; your function returned {temperature:.4g}.")
    reached = [
        _mean_entropy(call["teacher_logits"], t) for call, t in zip(_ENTROPY_CALLS, given, strict=True)
    ]
    missed = [
        index for index, call in enumerate(_ENTROPY_CALLS) if abs(reached[index] - call["bits"]) >= 0.01
    ]
    if not missed:
        return
    for mistake in grade_temperature_for.mistakes:
        would_be = [mistake.function(**call) for call in _ENTROPY_CALLS]
        if all(math.isclose(a, b, rel_tol=0.01) for a, b in zip(given, would_be, strict=True)):
            raise NotYet(mistake.message)
    index = missed[0]
    bits = _ENTROPY_CALLS[index]["bits"]
    raise NotYet(
        f"Asked for {bits} bits, your function returned T = {given[index]:.4g}. There the mean entropy is "
        f"{reached[index]:.3f} bits, which is too {'low' if reached[index] < bits else 'high'}."
    )


def _entropies(probabilities):
    """Entropies in bits; ``xlogy`` is 0 where a probability is 0."""
    return -torch.xlogy(probabilities, probabilities).sum(-1) / math.log(2)


def _mean_entropy(teacher_logits, temperature):
    """The mean over the samples of the entropy in bits."""
    return float(_entropies(softmax(teacher_logits / temperature, -1)).mean())


def _halve(entropy, bits):
    """The temperature at which a rising function of it reaches ``bits``."""
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if entropy(middle) < bits else (low, middle)
    return middle


@grade_temperature_for.mistake
def entropy_in_nats(teacher_logits, bits):
    """Your temperature gives that number in nats. For bits use the logarithm to base 2."""
    return _halve(lambda t: _mean_entropy(teacher_logits, t) * math.log(2), bits)


@grade_temperature_for.mistake
def inverse_temperature(teacher_logits, bits):
    """You multiply the logits by T; a temperature divides them."""
    return 1 / _halve(lambda t: _mean_entropy(teacher_logits, t), bits)


@grade_temperature_for.mistake
def entropy_of_the_mean(teacher_logits, bits):
    """You average the probabilities of all images and take the entropy of that. Take the entropy of
    each image first, then the mean."""
    return _halve(lambda t: float(_entropies(softmax(teacher_logits / t, -1).mean(0))), bits)


@grade_temperature_for.mistake
def first_image_only(teacher_logits, bits):
    """That is right for the first image only. The mean over all images is asked."""
    return _halve(lambda t: _mean_entropy(teacher_logits[:1], t), bits)


# --- 1.3 the limit


def _limit(student_logits, teacher_logits):
    return logit_matching(student_logits, teacher_logits, form="limit")


def _shifted(call):
    """A constant added to the student's logits keeps apart what is centred and what is not."""
    return call | {"student_logits": call["student_logits"] + 2}


grade_limit_loss = NumberGrader(
    _limit,
    gradient_for="student_logits",
    forbidden=(
        r".*\.((log_)?softmax|logsumexp|exp)|kdviz\.losses\..*",
        "The value is right, but it comes from a softmax at a high temperature. The limit needs none: which "
        "simple function of the logits is left of it?",
    ),
    calls=[_shifted(logits_of_both(7, 5, seed=4)), _shifted(logits_of_both(4, 6, seed=5))],
)
grade_limit_loss.praise_numbers = {
    "limit": float(_limit(**grade_limit_loss.calls[0])),
    "hot": float(soft_targets(**grade_limit_loss.calls[0], temperature=1000.0)),
}


@grade_limit_loss.mistake
def not_centred(student, teacher):
    """The logits are not centred. A constant added to all logits of an image changes no probability, so
    it must not change this loss either; it changes yours."""
    return logit_matching(student, teacher) / student.shape[1]


@grade_limit_loss.mistake
def centred_over_samples(student, teacher):
    """You subtract the mean over the images. Subtract, for each image, the mean over its classes."""
    difference = student - teacher
    return (difference - difference.mean(0)).square().sum(-1).mean() / (2 * difference.shape[1])


@grade_limit_loss.mistake
def absolute_differences(student, teacher):
    """You add up distances. The limit has their squares."""
    difference = student - teacher
    difference = difference - difference.mean(-1, keepdim=True)
    return difference.abs().sum(-1).mean() / (2 * difference.shape[1])


grade_limit_loss.slip(2, "A factor 1/2 is missing.")
grade_limit_loss.slip(
    lambda student, teacher: student.shape[1],
    "The division by the number of classes is missing, or is there once too few.",
)
grade_limit_loss.slip(lambda student, teacher: len(student), "You sum over the images. Take their mean.")


# --- 1.4 the control


def _control_call(seed=0):
    """Three labels, eight images each, so that permutations of images with one label can be compared."""
    drawn = torch.randn(24, 10, generator=torch.Generator().manual_seed(6))
    return {
        "probabilities": softmax(2 * drawn, -1),
        "labels": torch.tensor([2, 5, 9]).repeat(8),
        "generator": torch.Generator().manual_seed(seed),
    }


def grade_permute_dark_knowledge(answer: Callable) -> None:
    call, before = _control_call(), _control_call()["probabilities"]
    permuted = ask(answer, **call)
    if not isinstance(permuted, torch.Tensor) or permuted.shape != before.shape:
        got = tuple(permuted.shape) if isinstance(permuted, torch.Tensor) else type(permuted).__name__
        raise NotYet(f"Return a tensor of the same shape, {tuple(before.shape)}; your function gave {got}.")
    if not torch.equal(call["probabilities"], before):
        raise NotYet("Your function changed the tensor it was given. Work on a copy: `.clone()`.")
    labels = call["labels"][:, None]
    if torch.equal(permuted, before):
        raise NotYet("Nothing was permuted: the result equals the input.")
    if not torch.equal(permuted.gather(1, labels), before.gather(1, labels)):
        raise NotYet(
            "The label's probability moved. It must stay where it is: only the probabilities of the wrong "
            "classes are shuffled."
        )
    if not torch.equal(permuted.sort(-1).values, before.sort(-1).values):
        raise NotYet(
            "Some image no longer holds the same probabilities as before. Shuffle the values that the "
            "image has; make no new ones, and take none from other images."
        )
    _check_permutations(permuted, before, call["labels"])
    if not torch.equal(ask(answer, **_control_call()), permuted):
        raise NotYet(
            "Two calls with equally seeded generators gave different results. Draw from the generator that "
            "is handed in, and from nothing else."
        )
    if torch.equal(ask(answer, **_control_call(seed=1)), permuted):
        raise NotYet("Generators with different seeds gave the same result. Draw from the generator.")
    draws = [_sources(ask(answer, **_control_call(seed)), _control_call()) for seed in range(60)]
    _check_fairness(*map(torch.cat, zip(*draws, strict=True)))


def _check_permutations(permuted, before, labels):
    """Each image has its own permutation: ranks show where every value went."""
    went = before.argsort(-1).gather(1, permuted.argsort(-1).argsort(-1))
    groups = [went[labels == label] for label in labels.unique()]
    if all((group == group[0]).all() for group in groups):
        raise NotYet(
            "All images share one permutation. A student could learn it as a fixed renaming of the classes; "
            "draw a new permutation for each image."
        )


def _sources(permuted, call):
    """For each image, which of its wrong classes each got its probability from: by place, and by size."""
    wrong = torch.ones_like(permuted, dtype=torch.bool).scatter(1, call["labels"][:, None], False)
    before = call["probabilities"][wrong].view(len(permuted), -1)
    after = permuted[wrong].view(before.shape)
    ordered, ranks = before.argsort(-1), after.argsort(-1).argsort(-1)
    return ordered.gather(1, ranks), ranks.gather(1, ordered)


def _check_fairness(by_place, by_size):
    """Over many generators every order of the wrong classes comes about as often as any other."""
    classes = by_place.shape[1]
    kept = (by_place == torch.arange(classes)).all(1).double().mean()
    if kept > 0.01:  # of a fair shuffle's images one in 362,880 does
        raise NotYet(
            f"{kept:.0%} of the images keep all probabilities where they were. Each image's must be shuffled."
        )
    found = len(by_place.unique(dim=0))
    if found < 0.9 * len(by_place):
        raise NotYet(
            f"In {len(by_place)} images with different generators only {found} different orders occur. "
            "Every order of the wrong classes must be possible, as in `torch.randperm`."
        )
    counts, fair = _counts(by_size)
    if not fair:
        raise NotYet(
            "Over many generators some probabilities go to some classes more often than to others: the "
            f"largest of the wrong classes, for instance, stays in {counts[-1, -1] / len(by_size):.0%} of "
            f"the images, and fair is {1 / classes:.0%}. A student still learns what resembles the image."
        )
    counts, fair = _counts(by_place)
    if not fair:
        low, high = (float(counts.aminmax()[index]) / len(by_place) for index in (0, 1))
        raise NotYet(
            f"Over many generators some classes get the probability of some others in {high:.0%} of the "
            f"images, and that of others in {low:.0%}; fair is {1 / classes:.0%}. Every order must be as "
            "likely as any. (Exchanging each with *any* of them, for instance, does not make it so.)"
        )


def _counts(orders):
    """How often each class gets the probability of each, and whether that is as a fair shuffle has it."""
    classes = orders.shape[1]
    counts = torch.nn.functional.one_hot(orders, classes).double().sum(0)
    expected = len(orders) / classes
    # Chi-square with (classes - 1)² degrees of freedom: a fair shuffle passes the bound once in a million.
    surprise = ((counts - expected).square() / expected).sum()
    return counts, surprise <= stats.chi2.isf(1e-6, (classes - 1) ** 2)


# --- 1.5 the conventions

_CLASSES, _TEMPERATURE = 10, 4.0


def _soft_weight(hard, soft):
    """Only the ratio of the two weights matters; their sum is part of the learning rate."""
    return soft / (hard + soft)


RIGHT_WEIGHTS = {
    "A": _soft_weight(0.1, 0.9),
    "B": _soft_weight(0.1, 0.9 / _TEMPERATURE**2),
    "C": _soft_weight(0.1, 0.9 / _CLASSES),
}
WRONG_WEIGHTS = {
    "A": {
        0.1: "In recipe A, α multiplies the hard term. soft_weight belongs to the soft one.",
        _soft_weight(0.1, 0.9 / _TEMPERATURE**2): (
            "Recipe A already has its T², as `SoftTargets` has. Nothing is to be converted there."
        ),
    },
    "B": {
        0.9: (
            "Recipe B has no T², but kdviz's `SoftTargets` has. With the same number you would give the "
            "soft term a weight T² times as large as the recipe does."
        ),
        0.9 / _TEMPERATURE**2: (
            "In recipe B the soft term is now right, but kdviz takes 1 − soft_weight for the hard term. "
            "Scale both weights so that they add up to 1."
        ),
        _soft_weight(0.1, 0.9 * _TEMPERATURE**2): (
            "In recipe B you multiply by T². `SoftTargets` does so already; the weight must undo that."
        ),
        _soft_weight(0.1, 0.9 / _TEMPERATURE): (
            "In recipe B you divide by T. The missing factor is its square."
        ),
    },
    "C": {
        0.9: (
            "Recipe C averages over the classes too, which makes its soft term C times smaller than "
            "`SoftTargets`. The weight must say so."
        ),
        0.9 / _CLASSES: (
            "In recipe C the soft term is now right, but kdviz takes 1 − soft_weight for the hard term. "
            "Scale both weights so that they add up to 1."
        ),
        _soft_weight(0.1, 0.9 * _CLASSES): (
            "In recipe C you multiply by C. The mean over the classes makes the soft term smaller."
        ),
        _soft_weight(0.1, 0.9 / _CLASSES / _TEMPERATURE**2): (
            "Recipe C already has its T². Only the mean over the classes is to be converted."
        ),
    },
}


def grade_soft_weights(answer: dict[str, float]) -> None:
    if not isinstance(answer, dict) or set(answer) != set(RIGHT_WEIGHTS):
        raise NotYet('Hand in a dictionary with one number for each recipe: {"A": …, "B": …, "C": …}.')
    for name, right in RIGHT_WEIGHTS.items():
        if not isinstance(answer[name], (Real, torch.Tensor)):
            raise NotYet(f"Recipe {name}: hand in a number; got {answer[name]!r}.")
        given = as_number(answer[name], {})
        check_finite(given)
        if math.isclose(given, right, abs_tol=0.005):
            continue
        for wrong, message in WRONG_WEIGHTS[name].items():
            if math.isclose(given, wrong, abs_tol=0.005):
                raise NotYet(message)
        if not 0 <= given <= 1:
            raise NotYet(f"Recipe {name}: soft_weight is a share from 0 to 1; got {given:.4g}.")
        raise NotYet(
            f"Recipe {name}: {given:.4g} is too {'small' if given < right else 'large'}. Write down how "
            "many times the hard term's weight the soft term `SoftTargets` gets."
        )
