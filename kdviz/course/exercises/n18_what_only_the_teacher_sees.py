"""Notebook 18: the formula of generalized distillation, and what a linear student does not take over."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 18.1 one formula


def _blended(student_logits, teacher_logits, labels, soft_weight, temperature):
    soft = (teacher_logits / temperature).sigmoid()
    return binary_cross_entropy_with_logits(student_logits, (1 - soft_weight) * labels + soft_weight * soft)


def _drawn(count, soft_weight, temperature, seed):
    student, teacher, label = normal(3, count, seed=seed)
    settings = {"soft_weight": soft_weight, "temperature": temperature}
    labels = (label > 0).double()
    return {"student_logits": 2 * student, "teacher_logits": 4 * teacher, "labels": labels, **settings}


grade_generalized_loss = NumberGrader(
    _blended,
    calls=[_drawn(6, 0.7, 4.0, seed=181), _drawn(5, 0.2, 2.0, seed=182), _drawn(7, 0.9, 3.0, seed=183)],
    gradient_for="student_logits",
    samples_and_classes=False,
)


@grade_generalized_loss.mistake
def weights_exchanged(student_logits, teacher_logits, labels, soft_weight, temperature):
    """Your weights are exchanged: soft_weight belongs to the teacher's answers, and what is left to the
    labels."""
    return _blended(student_logits, teacher_logits, labels, 1 - soft_weight, temperature)


@grade_generalized_loss.mistake
def temperature_forgotten(student_logits, teacher_logits, labels, soft_weight, temperature):
    """You do not divide the teacher's logits by the temperature."""
    return _blended(student_logits, teacher_logits, labels, soft_weight, 1.0)


@grade_generalized_loss.mistake
def multiplied_by_temperature(student_logits, teacher_logits, labels, soft_weight, temperature):
    """You multiply the teacher's logits by the temperature. Divide them: a high one makes answers softer."""
    return _blended(student_logits, teacher_logits, labels, soft_weight, 1 / temperature)


@grade_generalized_loss.mistake
def student_divided_too(student_logits, teacher_logits, labels, soft_weight, temperature):
    """You divide the student's logits by the temperature too, as Hinton does. Here only the teacher's are."""
    soft = _blended(student_logits / temperature, teacher_logits, labels, 1.0, temperature)
    return (1 - soft_weight) * _blended(student_logits, teacher_logits, labels, 0.0, 1.0) + soft_weight * soft


@grade_generalized_loss.mistake
def hinton_in_full(student_logits, teacher_logits, labels, soft_weight, temperature):
    """That is Hinton's loss: the student divided by the temperature too, and T². Here neither is wanted."""
    soft = _blended(student_logits / temperature, teacher_logits, labels, 1.0, temperature) * temperature**2
    return (1 - soft_weight) * _blended(student_logits, teacher_logits, labels, 0.0, 1.0) + soft_weight * soft


@grade_generalized_loss.mistake
def squared_temperature(student_logits, teacher_logits, labels, soft_weight, temperature):
    """You multiply the soft term by T². That belongs to a student that is divided by T; this one is not."""
    soft = _blended(student_logits, teacher_logits, labels, 1.0, temperature) * temperature**2
    return (1 - soft_weight) * _blended(student_logits, teacher_logits, labels, 0.0, 1.0) + soft_weight * soft


@grade_generalized_loss.mistake
def both_added(student_logits, teacher_logits, labels, soft_weight, temperature):
    """You give the labels the weight 1. Theirs is 1 - soft_weight."""
    hard = _blended(student_logits, teacher_logits, labels, 0.0, 1.0)
    return hard + soft_weight * _blended(student_logits, teacher_logits, labels, 1.0, temperature)


@grade_generalized_loss.mistake
def what_the_teacher_decides(student_logits, teacher_logits, labels, soft_weight, temperature):
    """You take the class that the teacher decides for. Its *soft* answer is asked: the sigmoid."""
    decided = (teacher_logits > 0).to(student_logits)
    targets = (1 - soft_weight) * labels + soft_weight * decided
    return binary_cross_entropy_with_logits(student_logits, targets)


@grade_generalized_loss.mistake
def labels_alone(student_logits, teacher_logits, labels, soft_weight, temperature):
    """That is the loss on labels alone. Where does the teacher come in?"""
    return _blended(student_logits, teacher_logits, labels, 0.0, 1.0)


@grade_generalized_loss.mistake
def teacher_alone(student_logits, teacher_logits, labels, soft_weight, temperature):
    """That is the soft term alone. The labels have their share too."""
    return _blended(student_logits, teacher_logits, labels, 1.0, temperature)


grade_generalized_loss.slip(
    lambda student_logits, *others: len(student_logits), "You sum over the samples; take their mean."
)


# --- 18.2 what is not handed over


def _cosine(student, teacher):
    return student @ teacher / student.norm() / teacher.norm()


def _spanned(samples, teacher):
    return torch.linalg.pinv(samples) @ (samples @ teacher)


def _other_class(samples, teacher):
    return _cosine(_spanned(samples, teacher), teacher).arccos() / torch.pi


grade_other_class = NumberGrader(
    _other_class,
    calls=[
        {"samples": normal(3, 8, seed=184), "teacher": normal(1, 8, seed=185)[0]},
        {"samples": 2 * normal(6, 9, seed=186), "teacher": 3 * normal(1, 9, seed=187)[0]},
        {"samples": normal(4, 20, seed=188), "teacher": normal(1, 20, seed=189)[0]},
    ],
    samples_and_classes=False,
)


@grade_other_class.mistake
def the_cosine(samples, teacher):
    """That is the cosine. The angle is its arccos; divide it by pi."""
    return _cosine(_spanned(samples, teacher), teacher)


@grade_other_class.mistake
def one_minus_the_cosine(samples, teacher):
    """That is one minus the cosine. The angle is the arccos of the cosine; divide it by pi."""
    return 1 - _cosine(_spanned(samples, teacher), teacher)


@grade_other_class.mistake
def same_class(samples, teacher):
    """That is how often both name the same class. The other ones are asked."""
    return 1 - _other_class(samples, teacher)


@grade_other_class.mistake
def what_is_left(samples, teacher):
    """You take the part of the teacher that the samples do *not* span. The student is the other part."""
    return _cosine(teacher - _spanned(samples, teacher), teacher).arccos() / torch.pi


@grade_other_class.mistake
def lengths_forgotten(samples, teacher):
    """You forget to divide by the two lengths; only then is the product a cosine."""
    return (_spanned(samples, teacher) @ teacher).clamp(-1, 1).arccos() / torch.pi


@grade_other_class.mistake
def first_step(samples, teacher):
    """Your student is the sum of the samples, weighted by the teacher's answers: that is the direction of one
    step. At the end of the training it solves samples @ student = samples @ teacher."""
    return _cosine(samples.T @ (samples @ teacher), teacher).arccos() / torch.pi


@grade_other_class.mistake
def from_hard_answers(samples, teacher):
    """Your student fits the signs of the teacher's answers. It learns the soft ones: how far, not only on
    which side."""
    return _cosine(torch.linalg.pinv(samples) @ (samples @ teacher).sign(), teacher).arccos() / torch.pi


@grade_other_class.mistake
def missing_samples(samples, teacher):
    """You count the missing samples. How much is missing depends on how the samples lie to the teacher."""
    return 1 - samples.shape[0] / samples.shape[1] + 0 * teacher.sum()


grade_other_class.slip(torch.pi, "You forget to divide the angle by pi.")
grade_other_class.slip(2, "You divide by pi / 2: the angle may go up to pi.")
grade_other_class.slip(100, "You give percent; a fraction is asked.")
