"""The exercises of notebook 11: mistakes in common, and the class that loses most."""

import torch

from kdviz.course.exercises.base import Exercise
from kdviz.course.exercises.diagnosis import Mistake, check_numbers


def _shared(student, teacher, labels):
    ours, theirs = student.argmax(-1), teacher.argmax(-1)
    return (ours == theirs)[theirs != labels].double().mean()


def _of_all_images(student, teacher, labels):
    ours, theirs = student.argmax(-1), teacher.argmax(-1)
    return ((ours == theirs) & (theirs != labels)).double().mean()


def _both_wrong(student, teacher, labels):
    ours, theirs = student.argmax(-1), teacher.argmax(-1)
    return (ours != labels)[theirs != labels].double().mean()


def _of_the_students(student, teacher, labels):
    ours, theirs = student.argmax(-1), teacher.argmax(-1)
    return (ours == theirs)[ours != labels].double().mean()


def _agreement(student, teacher, labels):
    return (student.argmax(-1) == teacher.argmax(-1)).double().mean()


SHARED_MISTAKES = (
    Mistake(
        "of all images",
        "You divide by all images. Ask only of those on which the teacher is wrong.",
        _of_all_images,
    ),
    Mistake(
        "both wrong",
        "You count images on which both are wrong. Two networks can be wrong in different ways: the answers "
        "must be the same.",
        _both_wrong,
    ),
    Mistake(
        "of the student's mistakes",
        "You divide by the student's mistakes. The question is about the images on which the *teacher* is "
        "wrong.",
        _of_the_students,
    ),
    Mistake(
        "plain agreement",
        "That is the agreement on all images. Most of these are right answers, which need no teacher.",
        _agreement,
    ),
)


def _recalls(logits, labels):
    right = (logits.argmax(-1) == labels).double()
    return torch.stack([right[labels == c].mean() for c in range(logits.shape[-1])])


def _worst(student, teacher, labels):
    return (_recalls(student, labels) - _recalls(teacher, labels)).min()


def _mean_gap(student, teacher, labels):
    return (_recalls(student, labels) - _recalls(teacher, labels)).mean()


def _turned(student, teacher, labels):
    return -_worst(student, teacher, labels)


def _best(student, teacher, labels):
    return (_recalls(student, labels) - _recalls(teacher, labels)).max()


def _of_all(student, teacher, labels):
    apart = [
        ((student.argmax(-1) == labels).double() - (teacher.argmax(-1) == labels).double())[labels == c].sum()
        for c in range(student.shape[-1])
    ]
    return torch.stack(apart).min() / len(labels)


def _two_worst(student, teacher, labels):
    return _recalls(student, labels).min() - _recalls(teacher, labels).min()


WORST_MISTAKES = (
    Mistake("the mean over classes", "That is the mean over the classes. Take the worst of them.", _mean_gap),
    Mistake(
        "the sign",
        "Right size, wrong sign: take student minus teacher, so that a loss is negative.",
        _turned,
    ),
    Mistake("the best class", "That is the class which gains most, not the one which loses most.", _best),
    Mistake(
        "of all images",
        "You divide by all images. Then a rare class can lose everything and hardly show. Divide by the "
        "images of the class.",
        _of_all,
    ),
    Mistake(
        "two different classes",
        "You subtract the teacher's worst class from the student's worst class, which may be two different "
        "classes. Subtract class by class first.",
        _two_worst,
    ),
)


def _tries():
    """Student, teacher and labels of 60 images in 4 classes of very different sizes, three times."""
    for seed in range(3):
        generator = torch.Generator().manual_seed(110 + seed)
        labels = torch.cat([torch.full((n,), c) for c, n in enumerate((30, 18, 8, 4))])
        truth = 2.0 * torch.nn.functional.one_hot(labels, 4)
        teacher = truth + torch.randn(60, 4, generator=generator)
        student = truth / 2 + teacher / 2 + 1.5 * torch.randn(60, 4, generator=generator)
        yield {"student": student, "teacher": teacher, "labels": labels}


def _grade_shared(answer):
    check_numbers(answer, _shared, list(_tries()), SHARED_MISTAKES)
    return (
        "On right answers two good networks agree without knowing each other. A mistake in common is better "
        "evidence, if label-only students share fewer of them: `comparison.table.shared_errors` has all."
    )


def _grade_worst(answer):
    check_numbers(answer, _worst, list(_tries()), WORST_MISTAKES)
    return (
        "Now you see what a mean hides. Mind that the worst of many classes looks bad by luck alone: its "
        "interval must allow for the choice."
    )


EXERCISES = (
    Exercise(
        name="11.1",
        title="Mistakes in common",
        question=(
            "Write `shared_mistakes(student, teacher, labels)`. Take the images on which the **teacher is "
            "wrong**, and return the share of them on which the student gives the *same* answer. `student` "
            "and `teacher` are logits of shape (N, C), `labels` has shape (N,)."
        ),
        answer="shared_mistakes",
        minutes=8,
        difficulty="easy",
        hints=(
            "`teacher.argmax(-1)` are the teacher's answers. `answers != labels` is a mask of shape (N,).",
            "A tensor indexed with a mask keeps the rows where it is true; the mean of yes and no, as "
            "numbers, is a share.",
        ),
        source="""
def shared_mistakes(student, teacher, labels):
    ours, theirs = student.argmax(-1), teacher.argmax(-1)
    wrong = theirs != labels
    return (ours == theirs)[wrong].double().mean()
""",
        grade=_grade_shared,
    ),
    Exercise(
        name="11.2",
        title="The class that loses most",
        question=(
            "Write `worst_class(student, teacher, labels)`. The *recall* of a class is the share of its "
            "images that are recognised. Return the student's recall minus the teacher's for the class where "
            "this difference is **lowest**. Arguments as in exercise 11.1; every class has images."
        ),
        answer="worst_class",
        minutes=8,
        difficulty="medium",
        hints=(
            "Make one number for each class first: the mean of `answers == labels` over the images whose "
            "label is that class.",
            "Go through the classes with `for c in range(student.shape[-1])`; choose the images of each by "
            "their label, collect the differences in a list and take the smallest.",
        ),
        source="""
def worst_class(student, teacher, labels):
    gaps = []
    for c in range(student.shape[-1]):
        own = labels == c
        ours, theirs = ((z.argmax(-1) == c)[own].double().mean() for z in (student, teacher))
        gaps.append(ours - theirs)
    return min(gaps)
""",
        grade=_grade_worst,
    ),
)
