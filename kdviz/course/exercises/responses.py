"""The exercises of notebook 03: the other direction, the muted half, a correlation, and five pushes."""

import torch

from kdviz.course.exercises.base import Exercise
from kdviz.course.exercises.diagnosis import (
    Mistake,
    Slip,
    averaged_over_classes,
    check_letters,
    check_numbers,
    summed_over_samples,
)
from kdviz.losses.response import (
    cross_entropy,
    logit_matching,
    other_classes,
    prediction_correlation,
    reverse_kl,
    soft_targets,
)


def _logits(samples, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(samples, classes, generator=generator, dtype=torch.float64)


def _softmax(logits, temperature=1.0):
    return torch.softmax(logits / temperature, -1)


# --- 3.1 the other direction


def _direction_calls():
    return [
        {"student_logits": _logits(4, 3, 0), "teacher_logits": _logits(4, 3, 1), "temperature": 4.0},
        {"student_logits": _logits(6, 10, 2), "teacher_logits": _logits(6, 10, 3), "temperature": 1.5},
    ]


def _at_one(student_logits, teacher_logits, temperature):
    return temperature**2 * reverse_kl(student_logits, teacher_logits, 1.0)


def _only_surprise(student_logits, teacher_logits, temperature):
    p, q = _softmax(student_logits, temperature), _softmax(teacher_logits, temperature)
    return temperature**2 * (p.log() - q.log()).sum(-1).mean()


def _cross(student_logits, teacher_logits, temperature):
    p, q = _softmax(student_logits, temperature), _softmax(teacher_logits, temperature)
    return -(temperature**2) * (p * q.log()).sum(-1).mean()


DIRECTION_MISTAKES = (
    Mistake(
        "forward",
        "That is the forward direction, the soft targets of notebook 01. Which of the two distributions "
        "takes the mean of the logarithms here?",
        soft_targets,
    ),
    Mistake(
        "temperature forgotten",
        "Both distributions are at temperature 1 in your answer. Divide the logits by T first.",
        _at_one,
    ),
    Mistake(
        "no mean over p",
        "The logarithms of the ratio are added unweighted. Each class counts by the student's probability.",
        _only_surprise,
    ),
    Mistake(
        "cross-entropy",
        "That is the cross-entropy of the student with the teacher. In this direction the student's own "
        "entropy does depend on the student, so it must stay in.",
        _cross,
    ),
)
DIRECTION_SLIPS = (
    Slip(
        "no square",
        "The factor T² is missing.",
        lambda student_logits, teacher_logits, temperature: temperature**-2,
    ),
    Slip(
        "one temperature",
        "There is a factor T; it should be T².",
        lambda student_logits, teacher_logits, temperature: 1 / temperature,
    ),
    Slip("sign", "The sign is the wrong way round: a divergence is never negative.", lambda **call: -1),
    averaged_over_classes("student_logits"),
    summed_over_samples("student_logits"),
)


def _grade_direction(answer):
    check_numbers(answer, reverse_kl, _direction_calls(), DIRECTION_MISTAKES, DIRECTION_SLIPS)
    return "It is `kdviz.losses.response.reverse_kl`."


# --- 3.2 what reaches the student


def _share_calls():
    # On these images the teacher is not always right.
    labels = torch.tensor([0, 2, 1, 1, 0])
    return [
        {"teacher_logits": _logits(5, 3, 4), "labels": labels, "temperature": 4.0},
        {"teacher_logits": _logits(5, 6, 5), "labels": labels, "temperature": 2.0},
    ]


def share_of_others(teacher_logits, labels, temperature):
    """The mean factor with which soft targets pass on what DKD calls NCKD."""
    q = _softmax(teacher_logits, temperature)
    return 1 - q.gather(1, labels[:, None]).mean()


def _multiplied(teacher_logits, labels, temperature):
    return share_of_others(teacher_logits, labels, 1 / temperature)


SHARE_MISTAKES = (
    Mistake(
        "the label's",
        "That is the mean probability of the label itself. What is left for the others?",
        lambda teacher_logits, labels, temperature: 1 - share_of_others(teacher_logits, labels, temperature),
    ),
    Mistake(
        "first choice",
        "You take away the teacher's first choice. Take away the class of the label: the two differ where "
        "the teacher is wrong.",
        lambda teacher_logits, labels, temperature: (
            1 - _softmax(teacher_logits, temperature).max(-1).values.mean()
        ),
    ),
    Mistake(
        "temperature forgotten",
        "The teacher is at temperature 1 in your answer. The identity holds at the temperature of the loss.",
        lambda teacher_logits, labels, temperature: share_of_others(teacher_logits, labels, 1.0),
    ),
    Mistake(
        "temperature multiplied",
        "You multiply the logits by the temperature. Divide: a higher T is softer.",
        _multiplied,
    ),
    Mistake(
        "each other class",
        "That is the share of each other class on average. All the others together are asked.",
        lambda teacher_logits, labels, temperature: (
            share_of_others(teacher_logits, labels, temperature) / (teacher_logits.shape[-1] - 1)
        ),
    ),
)


def _grade_share(answer):
    check_numbers(answer, share_of_others, _share_calls(), SHARE_MISTAKES)
    return "By this factor soft targets turn NCKD down; DKD puts its own weight there instead."


# --- 3.3 a correlation


def _correlation_calls():
    return [
        {"student_logits": _logits(5, 4, 6), "teacher_logits": _logits(5, 4, 7)},
        {"student_logits": _logits(3, 10, 8), "teacher_logits": _logits(3, 10, 9)},
    ]


def inter_class(student_logits, teacher_logits):
    """The first half of DIST at temperature 1."""
    return prediction_correlation(student_logits, teacher_logits, 1.0, 1.0, 0.0)


def _mean_cosine(p, q):
    return torch.nn.functional.cosine_similarity(p, q, dim=-1).mean()


def _centred(values):
    return values - values.mean(-1, keepdim=True)


CORRELATION_MISTAKES = (
    Mistake(
        "between the samples",
        "That is the other half of DIST: the correlation over the samples, within each class. Here go along "
        "a row: over the classes, within each sample.",
        lambda student_logits, teacher_logits: prediction_correlation(
            student_logits, teacher_logits, 1.0, 0.0, 1.0
        ),
    ),
    Mistake(
        "logits",
        "You correlate the logits. DIST correlates the probabilities.",
        lambda student_logits, teacher_logits: (
            1 - _mean_cosine(_centred(student_logits), _centred(teacher_logits))
        ),
    ),
    Mistake(
        "cosine",
        "That is the cosine of the probabilities. For Pearson's correlation take each row's mean away first.",
        lambda student_logits, teacher_logits: (
            1 - _mean_cosine(_softmax(student_logits), _softmax(teacher_logits))
        ),
    ),
    Mistake(
        "correlation",
        "That is the mean correlation, which grows as the student gets better. A loss should fall.",
        lambda student_logits, teacher_logits: 1 - inter_class(student_logits, teacher_logits),
    ),
    Mistake(
        "all at once",
        "You correlate all numbers at once. One correlation for each sample, then the mean of them.",
        lambda student_logits, teacher_logits: (
            1
            - _mean_cosine(
                _centred(_softmax(student_logits).flatten()), _centred(_softmax(teacher_logits).flatten())
            )
        ),
    ),
)
CORRELATION_SLIPS = (summed_over_samples("student_logits"),)


def _grade_correlation(answer):
    check_numbers(answer, inter_class, _correlation_calls(), CORRELATION_MISTAKES, CORRELATION_SLIPS)
    return "It is `prediction_correlation` with `intra_weight=0`."


# --- 3.4 five pushes

SENDERS = {
    "A": "reverse KL",
    "B": "hard labels",
    "C": "NCKD",
    "D": "logit matching",
    "E": "soft targets",
}
_TEACHER, _STUDENT, _LABEL = (3.0, 2.5, 0.0, -2.0), (2.0, -2.0, 1.0, 1.5), 0
_LOSSES = {
    "hard labels": lambda z, teacher, label: cross_entropy(z, label),
    "soft targets": lambda z, teacher, label: soft_targets(z, teacher, 1.0),
    "reverse KL": lambda z, teacher, label: reverse_kl(z, teacher, 1.0),
    "NCKD": lambda z, teacher, label: other_classes(z, teacher, label, 1.0),
    "logit matching": lambda z, teacher, label: logit_matching(z, teacher),
}
_SIGNS = {
    "A": "The student gives the second class almost nothing. Which loss hardly cares about such a class?",
    "B": "Which loss knows one class, and treats all the others alike but for the student's own mistake?",
    "C": "One logit gets no push at all. Which loss never looks at the label's class?",
    "D": "Add the four numbers up. Which loss minds a constant added to all logits?",
    "E": "Take the student's probabilities from the teacher's, class by class, and look for that row.",
}


def pushes(name):
    """Minus the gradient of the loss of that name by the student's logits, on the exercise's one image."""
    z = torch.tensor([_STUDENT], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([_TEACHER], dtype=torch.float64)
    loss = _LOSSES[name](z, teacher, torch.tensor([_LABEL]))
    return (-torch.autograd.grad(loss, z)[0][0]).tolist()


def _row(values, form):
    # Adding 0 turns a rounded −0 into 0.
    return " | ".join(format(round(value, 2) + 0.0, form).replace("-", "−") for value in values)


def _table():
    p, q = (_softmax(torch.tensor(z, dtype=torch.float64)).tolist() for z in (_STUDENT, _TEACHER))
    lines = [f"| teacher | {_row(q, '.2f')} |", f"| student | {_row(p, '.2f')} |"]
    lines += [f"| push **{letter}** | {_row(pushes(name), '+.2f')} |" for letter, name in SENDERS.items()]
    return "\n".join(
        ["| | class 0, the label | class 1 | class 2 | class 3 |", "|---|---|---|---|---|", *lines]
    )


def _grade_senders(answer):
    check_letters(answer, SENDERS, _LOSSES, _SIGNS, one="loss", each="push")
    return "You can now read a gradient that somebody else's code sends."


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="3.1",
        title="The other direction",
        question=(
            "Write `reverse_kl(student_logits, teacher_logits, temperature)`: the divergence from the "
            "student's probabilities $p$ to the teacher's $q$, $\\frac{T^2}{N} \\sum_n \\sum_c p_{nc} \\log "
            "\\frac{p_{nc}}{q_{nc}}$, both at temperature $T$. Logits are tensors of shape (N, C). Call no "
            "loss function of a library."
        ),
        answer="reverse_kl",
        minutes=5,
        difficulty="easy",
        hints=(
            "Start from the soft-target loss of notebook 01. Two letters change their places.",
            "`torch.log_softmax(logits / temperature, -1)` gives log p; its exponential is p.",
        ),
        source="""
import torch

def reverse_kl(student_logits, teacher_logits, temperature):
    log_p = torch.log_softmax(student_logits / temperature, -1)
    log_q = torch.log_softmax(teacher_logits / temperature, -1)
    divergence = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * divergence.mean()
""",
        grade=_grade_direction,
    ),
    Exercise(
        name="3.2",
        title="How much is muted?",
        question=(
            "Soft targets hear NCKD with the factor $1 - q_{n, y_n}$. Write `share_of_others(teacher_logits, "
            "labels, temperature)`: the mean of that factor over the samples. Logits have shape (N, C), "
            "labels shape (N,)."
        ),
        answer="share_of_others",
        minutes=5,
        difficulty="easy",
        hints=(
            "Three steps: the teacher's probabilities, one entry of each row, the mean of what it leaves.",
            "`q[torch.arange(len(labels)), labels]` picks from each row the entry of its label.",
        ),
        source="""
import torch

def share_of_others(teacher_logits, labels, temperature):
    q = torch.softmax(teacher_logits / temperature, -1)
    of_label = q[torch.arange(len(labels)), labels]
    return (1 - of_label).mean()
""",
        grade=_grade_share,
    ),
    Exercise(
        name="3.3",
        title="Half of DIST",
        question=(
            "Write `inter_class(student_logits, teacher_logits)`: 1 minus the mean, over the samples, of "
            "Pearson's correlation between the student's and the teacher's probabilities of that sample, at "
            "temperature 1. Both are tensors of shape (N, C)."
        ),
        answer="inter_class",
        minutes=10,
        difficulty="medium",
        hints=(
            "Pearson's correlation is the cosine of two vectors from which their own means were taken away.",
            "Work along the last dimension throughout: `mean(-1, keepdim=True)`, then "
            "`torch.nn.functional.cosine_similarity(…, dim=-1)`, and one mean over the samples at the end.",
        ),
        source="""
import torch

def inter_class(student_logits, teacher_logits):
    p, q = torch.softmax(student_logits, -1), torch.softmax(teacher_logits, -1)
    p, q = p - p.mean(-1, keepdim=True), q - q.mean(-1, keepdim=True)
    return 1 - torch.nn.functional.cosine_similarity(p, q, dim=-1).mean()
""",
        grade=_grade_correlation,
    ),
    Exercise(
        name="3.4",
        title="Who sent it?",
        question=f"""One image with four classes, everything at T = 1. Five losses each sent a push (minus the
gradient) to the student's logits. Which row is whose? Choose from {", ".join(f'`"{n}"`' for n in _LOSSES)}.

{_table()}

Hand in `{{"A": "…", …, "E": "…"}}`. No code is needed, and little arithmetic.""",
        answer="senders",
        minutes=10,
        difficulty="hard",
        hints=(
            "Two give themselves away: one leaves a logit alone, and one does not add up to 0.",
            "Of the other three, two ask what the *teacher* says about class 1. Only one of them can push "
            "it where the student's own probability is almost 0.",
        ),
        source="""
senders = {"A": "reverse KL", "B": "hard labels", "C": "NCKD"}
senders |= {"D": "logit matching", "E": "soft targets"}
""",
        grade=_grade_senders,
    ),
)
