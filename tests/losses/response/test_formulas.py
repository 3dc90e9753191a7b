"""Every form of every response loss against its formula, worked sample by sample in plain numpy."""

import math

import numpy as np
import pytest
import torch

from kdviz.losses import response

LABELS = [3, 0, 1, 1, 4, 2, -1]


def logits(seed, samples=7, classes=5):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(samples, classes, generator=generator, dtype=torch.float64)


def softmax(z, temperature=1.0):
    powers = np.exp(z / temperature)
    return powers / powers.sum()


def kl(q, p):
    return sum(qc * math.log(qc / pc) for qc, pc in zip(q, p, strict=True) if qc > 0)


def cross(q, p):
    return -sum(qc * math.log(pc) for qc, pc in zip(q, p, strict=True))


def mean_of_labelled(value):
    """The mean over the labelled samples of value(student, teacher, label)."""

    def loss(student, teacher, **settings):
        rows = [row for row in zip(student, teacher, LABELS, strict=True) if row[2] >= 0]
        return sum(value(*row, **settings) for row in rows) / len(rows)

    return loss


def mean_of_all(value):
    def loss(student, teacher, **settings):
        return sum(value(s, t, **settings) for s, t in zip(student, teacher, strict=True)) / len(student)

    return loss


@mean_of_labelled
def target_class(s, t, y, temperature):
    p, q = softmax(s, temperature)[y], softmax(t, temperature)[y]
    return temperature**2 * kl([q, 1 - q], [p, 1 - p])


@mean_of_labelled
def other_classes(s, t, y, temperature):
    p, q = softmax(np.delete(s, y), temperature), softmax(np.delete(t, y), temperature)
    return temperature**2 * kl(q, p)


def decoupled(student, teacher, target_weight, other_weight, temperature):
    target = target_weight * target_class(student, teacher, temperature=temperature)
    return target + other_weight * other_classes(student, teacher, temperature=temperature)


@mean_of_all
def reverse_kl(s, t, temperature, form):
    square = temperature**2 if form == "scaled" else 1
    return square * kl(softmax(s, temperature), softmax(t, temperature))


@mean_of_all
def jensen_shannon(s, t, beta, temperature, form):
    p, q = softmax(s, temperature), softmax(t, temperature)
    m = beta * q + (1 - beta) * p
    value = beta * kl(q, m) + (1 - beta) * kl(p, m)
    if form == "paper":
        return value
    return temperature**2 * value / (1 if form == "scaled" else beta * (1 - beta))


@mean_of_labelled
def virtual_teacher(s, _, y, confidence, temperature, form):
    classes = len(s)
    u = np.full(classes, (1 - confidence) / (classes - 1))
    u[y] = confidence
    if form == "authors":
        return kl(softmax(u, temperature), softmax(s)) / classes
    divergence = kl(softmax(np.log(u), temperature), softmax(s, temperature))
    return divergence * (temperature**2 if form == "scaled" else 1)


def pearson(a, b, epsilon):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (math.sqrt((a * a).sum() * (b * b).sum()) + epsilon)


def prediction_correlation(student, teacher, temperature, inter_weight, intra_weight, form):
    p = np.array([softmax(row, temperature) for row in student])
    q = np.array([softmax(row, temperature) for row in teacher])
    epsilon = 1e-8 if form == "authors" else 0
    inter = 1 - np.mean([pearson(a, b, epsilon) for a, b in zip(p, q, strict=True)])
    intra = 1 - np.mean([pearson(a, b, epsilon) for a, b in zip(p.T, q.T, strict=True)])
    total = inter_weight * inter + intra_weight * intra
    return total * temperature**2 if form == "authors" else total


@mean_of_all
def standardised_soft_targets(s, t, temperature, form):
    def standardise(z):
        deviation = z.std(ddof=0 if form == "paper" else 1)
        return (z - z.mean()) / (deviation + (1e-7 if form == "authors" else 0))

    return temperature**2 * kl(softmax(standardise(t), temperature), softmax(standardise(s), temperature))


@mean_of_labelled
def conditional_targets(s, t, y, temperature, form):
    if t[y] < t.max():
        return -math.log(softmax(s)[y])
    if form == "scaled":
        return temperature**2 * kl(softmax(t, temperature), softmax(s, temperature))
    return cross(softmax(t, temperature), softmax(s, temperature))


def weighted_soft_labels(student, teacher, temperature, form):
    compare, total = kl if form == "divergence" else cross, 0.0
    for s, start, t, y in zip(student, START, teacher, LABELS, strict=True):
        if y >= 0:
            # The weight is a constant for the gradient, so it does not follow when the student is moved.
            weight = 1 - math.exp(math.log(softmax(start)[y]) / (1e-7 - math.log(softmax(t)[y])))
            total += weight * compare(softmax(t, temperature), softmax(s, temperature))
    return temperature**2 * total / sum(y >= 0 for y in LABELS)


def multi_level(student, teacher, temperatures, instance_weight, batch_weight, class_weight):
    total, (samples, classes) = 0.0, student.shape
    for temperature in temperatures:
        p = np.array([softmax(row, temperature) for row in student])
        q = np.array([softmax(row, temperature) for row in teacher])
        total += instance_weight * temperature**2 * sum(map(kl, q, p)) / samples
        for i in range(samples):
            for j in range(samples):
                total += batch_weight * (p[i] @ p[j] - q[i] @ q[j]) ** 2 / samples
        for i in range(classes):
            for j in range(classes):
                total += class_weight * (p[:, i] @ p[:, j] - q[:, i] @ q[:, j]) ** 2 / classes
    return total


@mean_of_all
def deit_soft(s, t, temperature, form):
    divergence = temperature**2 * kl(softmax(t, temperature), softmax(s, temperature))
    return divergence / (len(s) if form == "authors" else 1)


@mean_of_all
def deit_hard(s, t):
    return -math.log(softmax(s)[int(np.argmax(t))])


START, TEACHER = logits(1).numpy(), logits(2).numpy()


CASES = [
    ("target_class", {"temperature": 4.0}),
    ("other_classes", {"temperature": 1.5}),
    ("decoupled", {"target_weight": 1.0, "other_weight": 8.0, "temperature": 4.0}),
    ("decoupled", {"target_weight": 0.3, "other_weight": 0.5, "temperature": 1.0}),
    *[
        ("reverse_kl", {"temperature": temperature, "form": form})
        for temperature in (1.0, 3.0)
        for form in ("paper", "scaled")
    ],
    *[
        ("jensen_shannon", {"beta": beta, "temperature": temperature, "form": form})
        for beta in (0.05, 0.5, 0.9)
        for temperature in (1.0, 2.0)
        for form in ("normalised", "scaled", "paper")
    ],
    *[
        ("virtual_teacher", {"confidence": confidence, "temperature": temperature, "form": form})
        for confidence in (0.9, 0.99)
        for temperature in (1.0, 20.0)
        for form in ("paper", "scaled", "authors")
    ],
    *[
        (
            "prediction_correlation",
            {"temperature": temperature, "inter_weight": 2.0, "intra_weight": 0.7, "form": form},
        )
        for temperature in (1.0, 4.0)
        for form in ("paper", "authors")
    ],
    *[
        ("standardised_soft_targets", {"temperature": 2.0, "form": form})
        for form in ("paper", "sample", "authors")
    ],
    *[
        ("conditional_targets", {"temperature": temperature, "form": form})
        for temperature in (1.0, 3.0)
        for form in ("scaled", "paper")
    ],
    *[("weighted_soft_labels", {"temperature": 2.0, "form": form}) for form in ("divergence", "authors")],
    (
        "multi_level",
        {"temperatures": (2.0, 5.0), "instance_weight": 1.0, "batch_weight": 0.5, "class_weight": 2.0},
    ),
    ("deit_soft", {"temperature": 3.0, "form": "paper"}),
    ("deit_soft", {"temperature": 3.0, "form": "authors"}),
    ("deit_hard", {}),
]
BY_HAND = {
    "target_class": target_class,
    "other_classes": other_classes,
    "decoupled": decoupled,
    "reverse_kl": reverse_kl,
    "jensen_shannon": jensen_shannon,
    "virtual_teacher": virtual_teacher,
    "prediction_correlation": prediction_correlation,
    "standardised_soft_targets": standardised_soft_targets,
    "conditional_targets": conditional_targets,
    "weighted_soft_labels": weighted_soft_labels,
    "multi_level": multi_level,
    "deit_soft": deit_soft,
    "deit_hard": deit_hard,
}
NEEDS_LABELS = {"target_class", "other_classes", "decoupled", "conditional_targets", "weighted_soft_labels"}


def kdviz_loss(name, student, settings):
    teacher, labels = torch.tensor(TEACHER), torch.tensor(LABELS)
    function = getattr(response, name)
    if name == "virtual_teacher":
        return function(student, labels, **settings)
    if name in NEEDS_LABELS:
        return function(student, teacher, labels, **settings)
    return function(student, teacher, **settings)


@pytest.mark.parametrize(
    "name, settings",
    CASES,
    ids=str,
)
def test_value_and_gradient_are_those_of_the_formula(name, settings):
    by_hand = BY_HAND[name]
    student = torch.tensor(START, requires_grad=True)
    loss = kdviz_loss(name, student, settings)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(by_hand(START, TEACHER, **settings), rel=1e-10)
    loss.backward()
    expected = slopes(lambda z: by_hand(z, TEACHER, **settings), START)
    np.testing.assert_allclose(student.grad.numpy(), expected, rtol=1e-6, atol=2e-8)


def slopes(function, at, step=1e-5):
    """Central differences by each entry."""
    found = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        move = np.zeros_like(at)
        move[place] = step
        found[place] = (function(at + move) - function(at - move)) / (2 * step)
    return found


def test_one_case_hears_a_right_and_a_wrong_teacher():
    # Otherwise the conditional targets above would be half untested.
    right = [t[y] == t.max() for t, y in zip(TEACHER, LABELS, strict=True) if y >= 0]
    assert any(right) and not all(right)


def test_sample_temperatures_are_those_of_the_formula():
    def norm(z):
        return z / (np.linalg.norm(z) + 1e-4)

    difference = np.array([(1 - norm(s) @ norm(t)) ** 2 for s, t in zip(START, TEACHER, strict=True)])
    doubt = np.array([1 / (softmax(s).max() + 1e-3) for s in START])
    for form, hard in (("difference", difference), ("confidence", doubt)):
        found = response.sample_temperature(
            torch.tensor(START), torch.tensor(TEACHER), temperature=4.0, strength=0.7, form=form
        )
        np.testing.assert_allclose(found.numpy(), 4 + 0.7 * (hard.mean() - hard), rtol=1e-12)


def test_soft_targets_by_sample_are_those_of_the_formula():
    temperatures = np.array([1.0, 2.0, 0.5, 4.0, 8.0, 3.0, 1.5])
    student = torch.tensor(START, requires_grad=True)

    def by_hand(z):
        rows = zip(z, TEACHER, temperatures, strict=True)
        return sum(T**2 * kl(softmax(t, T), softmax(s, T)) for s, t, T in rows) / len(z)

    loss = response.soft_targets_by_sample(student, torch.tensor(TEACHER), torch.tensor(temperatures))
    assert loss.item() == pytest.approx(by_hand(START), rel=1e-10)
    loss.backward()
    np.testing.assert_allclose(student.grad.numpy(), slopes(by_hand, START), rtol=1e-6, atol=2e-8)
