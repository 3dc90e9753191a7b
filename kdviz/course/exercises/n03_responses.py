"""Notebook 03: the other direction, the muted half, a correlation, five pushes and a rule."""

from functools import partial

import torch
from torch.nn.functional import cosine_similarity

from kdviz.course.exercises.diagnosis import (
    AVERAGED_OVER_CLASSES,
    SUMMED_OVER_SAMPLES,
    LetterGrader,
    NumberGrader,
)
from kdviz.course.exercises.draws import logits, logits_of_both
from kdviz.losses.response import prediction_correlation, reverse_kl, soft_targets


def _softmax(logits, temperature=1.0):
    return torch.softmax(logits / temperature, -1)


# --- 3.1 the other direction

grade_reverse_kl = NumberGrader(
    partial(reverse_kl, form="scaled"),
    calls=[logits_of_both(4, 3, seed=0) | {"temperature": 4.0}]
    + [logits_of_both(6, 10, seed=1) | {"temperature": 1.5}],
    gradient_for="student_logits",
    forbidden=(
        r"torch\.nn\.functional\.(kl_div|\w*cross_entropy|\w*loss)|torch\.distributions\..*|kdviz\.losses\..*",
        "The value is right, but a library made it. Write the sums yourself, from log-probabilities.",
    ),
)


@grade_reverse_kl.mistake
def forward_direction(student, teacher, temperature):
    """That is KL(q ‖ p), the soft targets of notebook 01: the teacher's probabilities are the weights.
    Whose are the weights here?"""
    return soft_targets(student, teacher, temperature)


@grade_reverse_kl.mistake
def both_at_one(student, teacher, temperature):
    """Both distributions are at temperature 1 in your answer. Divide the logits by T first."""
    return temperature**2 * reverse_kl(student, teacher, 1.0)


@grade_reverse_kl.mistake
def unweighted(student, teacher, temperature):
    """The logarithms of the ratio are added unweighted. Each class counts by the student's probability."""
    p, q = _softmax(student, temperature), _softmax(teacher, temperature)
    return temperature**2 * (p.log() - q.log()).sum(-1).mean()


@grade_reverse_kl.mistake
def cross_entropy_with_the_teacher(student, teacher, temperature):
    """That is the cross-entropy of the student with the teacher. In this direction the student's own
    entropy does depend on the student, so it must stay in."""
    p, q = _softmax(student, temperature), _softmax(teacher, temperature)
    return -(temperature**2) * (p * q.log()).sum(-1).mean()


grade_reverse_kl.slip(lambda student, teacher, temperature: temperature**-2, "The factor T² is missing.")
grade_reverse_kl.slip(
    lambda student, teacher, temperature: 1 / temperature, "There is a factor T; it should be T²."
)
grade_reverse_kl.slip(-1, "The sign is the wrong way round: a divergence is never negative.")
grade_reverse_kl.slip(lambda student, *rest: 1 / student.shape[1], AVERAGED_OVER_CLASSES)
grade_reverse_kl.slip(lambda student, *rest: len(student), SUMMED_OVER_SAMPLES)


# --- 3.2 what reaches the student


def _share_of_others(teacher_logits, labels, temperature):
    """The mean factor with which soft targets pass on what DKD calls NCKD."""
    q = _softmax(teacher_logits, temperature)
    return 1 - q.gather(1, labels[:, None]).mean()


# On these images the teacher is not always right.
_labels = torch.tensor([0, 2, 1, 1, 0])
grade_share_of_others = NumberGrader(
    _share_of_others,
    calls=[
        {"teacher_logits": logits(5, 3, seed=4), "labels": _labels, "temperature": 4.0},
        {"teacher_logits": logits(5, 6, seed=5), "labels": _labels, "temperature": 2.0},
    ],
)


@grade_share_of_others.mistake
def share_of_the_label(teacher_logits, labels, temperature):
    """That is the mean probability of the label itself. What is left for the others?"""
    return 1 - _share_of_others(teacher_logits, labels, temperature)


@grade_share_of_others.mistake
def first_choice_taken_away(teacher_logits, labels, temperature):
    """You take away the teacher's first choice. Take away the class of the label: the two differ where
    the teacher is wrong."""
    return 1 - _softmax(teacher_logits, temperature).max(-1).values.mean()


@grade_share_of_others.mistake
def share_at_one(teacher_logits, labels, temperature):
    """The teacher is at temperature 1 in your answer. The identity holds at the temperature of the loss."""
    return _share_of_others(teacher_logits, labels, 1.0)


@grade_share_of_others.mistake
def multiplied_by_the_temperature(teacher_logits, labels, temperature):
    """You multiply the logits by the temperature. Divide: a higher T is softer."""
    return _share_of_others(teacher_logits, labels, 1 / temperature)


@grade_share_of_others.mistake
def share_of_each_other_class(teacher_logits, labels, temperature):
    """That is the share of each other class on average. All the others together are asked."""
    return _share_of_others(teacher_logits, labels, temperature) / (teacher_logits.shape[-1] - 1)


# --- 3.3 a correlation


def _inter_class(student_logits, teacher_logits):
    """The first half of DIST at temperature 1."""
    return prediction_correlation(student_logits, teacher_logits, 1.0, 1.0, 0.0)


grade_inter_class = NumberGrader(
    _inter_class,
    gradient_for="student_logits",
    calls=[logits_of_both(5, 4, seed=6), logits_of_both(3, 10, seed=7)],
)


def _centred(values):
    return values - values.mean(-1, keepdim=True)


@grade_inter_class.mistake
def between_the_samples(student, teacher):
    """That is the other half of DIST: the correlation over the samples, within each class. Here go along
    a row: over the classes, within each sample."""
    return prediction_correlation(student, teacher, 1.0, 0.0, 1.0)


@grade_inter_class.mistake
def logits_correlated(student, teacher):
    """You correlate the logits. DIST correlates the probabilities."""
    return 1 - cosine_similarity(_centred(student), _centred(teacher), dim=-1).mean()


@grade_inter_class.mistake
def not_centred(student, teacher):
    """That is the cosine of the probabilities. For Pearson's correlation take each row's mean away first."""
    return 1 - cosine_similarity(_softmax(student), _softmax(teacher), dim=-1).mean()


@grade_inter_class.mistake
def the_correlation_itself(student, teacher):
    """That is the mean correlation, which grows as the student gets better. A loss should fall."""
    return 1 - _inter_class(student, teacher)


@grade_inter_class.mistake
def all_at_once(student, teacher):
    """You correlate all numbers at once. One correlation for each sample, then the mean of them."""
    p, q = (_centred(_softmax(each).flatten()) for each in (student, teacher))
    return 1 - cosine_similarity(p, q, dim=-1)


grade_inter_class.slip(lambda student, teacher: len(student), SUMMED_OVER_SAMPLES)


# --- 3.4 five pushes: their table stands in the question, and a test works it out anew

grade_senders = LetterGrader(
    {"A": "reverse KL", "B": "hard labels", "C": "NCKD", "D": "logit matching", "E": "soft targets"},
    choices=("hard labels", "soft targets", "reverse KL", "NCKD", "logit matching"),
    questions={
        "A": "The student gives the second class almost nothing. Which loss hardly cares about such a class?",
        "B": "Which loss knows one class, and treats all the others alike but for the student's own mistake?",
        "C": "One logit gets no push at all. Which loss never looks at the label's class?",
        "D": "Add the four numbers up. Which loss minds a constant added to all logits?",
        "E": "Take the student's probabilities from the teacher's, class by class, and look for that row.",
    },
    one="loss",
    each="push",
)


# --- 3.5 a conditional loss


def _both_losses(student, teacher, labels):
    """What each image costs by the teacher's answer, and by its label."""
    log_p, log_q = torch.log_softmax(student, -1), torch.log_softmax(teacher, -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1), -log_p.gather(1, labels[:, None])[:, 0]


def _conditional(student, teacher, labels, where):
    soft, hard = _both_losses(student, teacher, labels)
    return torch.where(where, soft, hard).mean()


def _half_right(call):
    """Labels that are the teacher's first choice on every second image, and another class elsewhere."""
    first = call["teacher_logits"].argmax(-1)
    return call | {"labels": (first + torch.arange(len(first)) % 2) % call["teacher_logits"].shape[1]}


def _conditional_loss(student, teacher, labels):
    return _conditional(student, teacher, labels, teacher.argmax(-1) == labels)


grade_conditional_loss = NumberGrader(
    _conditional_loss,
    gradient_for="student_logits",
    calls=[_half_right(logits_of_both(6, 4, seed=8)), _half_right(logits_of_both(5, 10, seed=9))],
)


@grade_conditional_loss.mistake
def other_way_round(student, teacher, labels):
    """You learn the label where the teacher agrees with it, and the teacher where it does not. The rule is
    the other way round."""
    return _conditional(student, teacher, labels, teacher.argmax(-1) != labels)


@grade_conditional_loss.mistake
def where_the_student_is_right(student, teacher, labels):
    """You ask where the *student* gives the label. The rule asks about the teacher."""
    return _conditional(student, teacher, labels, student.argmax(-1) == labels)


@grade_conditional_loss.mistake
def where_both_agree(student, teacher, labels):
    """You ask where student and teacher agree. The rule asks where the teacher agrees with the label."""
    return _conditional(student, teacher, labels, student.argmax(-1) == teacher.argmax(-1))


@grade_conditional_loss.mistake
def teacher_only(student, teacher, labels):
    """Images on which the teacher is wrong cost nothing in your answer. There the label is learned."""
    soft, _ = _both_losses(student, teacher, labels)
    return (soft * (teacher.argmax(-1) == labels)).mean()


@grade_conditional_loss.mistake
def each_by_its_own_mean(student, teacher, labels):
    """You add the mean of one group of images to the mean of the other. Take one mean over all images."""
    soft, hard = _both_losses(student, teacher, labels)
    agrees = teacher.argmax(-1) == labels
    return soft[agrees].mean() + hard[~agrees].mean()


@grade_conditional_loss.mistake
def soft_targets_everywhere(student, teacher, labels):
    """Every image learns from the teacher in your answer. Where it is wrong, the label is to be learned."""
    return soft_targets(student, teacher, 1.0)


@grade_conditional_loss.mistake
def cross_entropies(student, teacher, labels):
    """Where the teacher is right you take the cross-entropy with its answer. The value asked for is the KL
    divergence, which is smaller by the teacher's entropy."""
    entropy = torch.special.entr(_softmax(teacher)).sum(-1)
    right = teacher.argmax(-1) == labels
    return _conditional_loss(student, teacher, labels) + (entropy * right).mean()


@grade_conditional_loss.mistake
def reversed_divergence(student, teacher, labels):
    """Your divergence has the student's probabilities as its weights. The teacher's q are asked for."""
    soft, _ = _both_losses(teacher, student, labels)
    _, hard = _both_losses(student, teacher, labels)
    return torch.where(teacher.argmax(-1) == labels, soft, hard).mean()


grade_conditional_loss.slip(lambda student, *rest: len(student), SUMMED_OVER_SAMPLES)
