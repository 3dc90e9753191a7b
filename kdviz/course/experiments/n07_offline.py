"""Offline: what must be kept of a teacher that is gone, how old it may be, and detours to a tiny student."""

from functools import partial

import torch

from kdviz.course.experiments.arms import (
    answers,
    fidelity,
    from_labels,
    from_teacher,
    logits,
    new_teachers,
    permuted,
    right,
    rows,
    starts,
    stopped,
    usual_teachers,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.response import SoftTargets
from kdviz.schemes import assistants, route_constrained, stack_chains

# --- answers that were kept


@result({"regime": ("50 images", "1,200 images")})
def cached_answers(seeds, regime, temperature=4.0):
    """A teacher that is gone: what must have been kept of its answers, on few images or on many?

    The students learn from the kept answers alone; only "hard labels" has the 50 labels, and no answers.
    """
    transfer = {"50 images": "labelled", "1,200 images": "all"}[regime]
    data = [digits(labels=50, transfer=transfer, seed=seed) for seed in seeds]
    begin, said = starts(data, 16), answers(usual_teachers(data), data)
    arms = {
        arm: from_teacher(data, begin, [kept(logits) for logits in said], SoftTargets(temperature))
        for arm, kept in KEPT.items()
    }
    return rows(data, {**arms, "hard labels": from_labels(data, begin)}, regime=regime)


def in_bytes(logits):
    """Each row's logits on 256 levels between its smallest and its largest: one byte for each."""
    low, high = logits.amin(-1, keepdim=True), logits.amax(-1, keepdim=True)
    return low + (high - low) * ((logits - low) / (high - low) * 255).round() / 255


def largest_three(logits):
    """The three largest logits; the others all get their mean, one number."""
    kept = logits.topk(3).indices
    rest = torch.ones_like(logits).scatter_(-1, kept, 0.0)
    mean = (logits * rest).sum(-1, keepdim=True) / rest.sum(-1, keepdim=True)
    return torch.where(rest.bool(), mean.expand_as(logits), logits)


def first_choice(logits):
    """The first choice as a target that stays hard at any temperature of the course."""
    return 1000.0 * torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits)


KEPT = {
    "all logits": torch.clone,
    "in bytes": in_bytes,
    "largest three": largest_three,
    "first choice": first_choice,
}

# --- teachers stopped early and late

TEACHER_STEPS = (50, 100, 200, 400, 1000, 3000)


@result({}, tolerance=5.0)
def teacher_age(seeds, noise=0.4, width=64, temperature=4.0):
    """Wrong labels, and teachers stopped early and late: is the most accurate one the best teacher?

    The students of a teacher of ``teacher_steps`` learn from its answers alone. Controls: hard labels, hard
    labels stopped at the best validation accuracy, and the wide teacher's answers with their dark knowledge
    permuted. Teacher and student have the same labels, right ones on validation and test.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    begin = starts(data, width)
    alone = dict(zip(("hard labels", "hard labels, stopped"), stopped(from_labels(data, begin)), strict=True))
    found = rows(data, alone, teacher_steps=0)
    for steps in TEACHER_STEPS:
        wide, narrow = (new_teachers(data, width, steps) for width in (256, 16))
        said = answers(wide, data)
        for arm, taught_by, given in (
            ("wide teacher", wide, said),
            ("permuted", wide, permuted(said, data)),
            ("narrow teacher", narrow, answers(narrow, data)),
        ):
            learned = from_teacher(data, begin, given, SoftTargets(temperature))
            found += rows(data, {arm: learned}, _beliefs, taught_by, teacher_steps=steps)
    return found


def _beliefs(student, data, teacher):
    return {
        **fidelity(student, data, teacher),
        "believed": 100 * fraction_believed(logits(student, data.train), data),
        "teacher_accuracy": right(teacher, data.test),
        "teacher_validation": right(teacher, data.validation),
        "teacher_believed": 100 * fraction_believed(logits(teacher, data.train), data),
    }


def fraction_believed(logits, data):
    """Of the wrong training labels, the fraction with a larger logit than the right digit's."""
    given, truth = data.train.labels, digits(seed=data.seed).train.labels
    told, right = (logits.gather(1, labels[:, None])[:, 0] for labels in (given, truth))
    return float((told > right)[given != truth].double().mean())


# --- detours


@result({}, tolerance=4.0)
def assistant_chains(seeds, width=4, temperature=2.0, steps=600):
    """A tiny student and a large teacher: straight, by way of assistants, or along the teacher's route.

    The route's student learns in four stages. Its controls are "straight, 4 × steps" and "straight, four
    stages": the same stages, each with its own falling learning rate, and the finished teacher in all.
    """
    data = [digits(seed=seed) for seed in seeds]
    begin, best = starts(data, width), new_teachers(data, 1024)
    objective = SoftTargets(temperature)

    def chain(scheme, taught_by, learners):
        each = zip(taught_by, learners, data, strict=True)
        return stack_chains([scheme(*one, objective, steps=steps) for one in each])

    def by_way_of(*widths):
        between = [starts(data, width) for width in widths]
        return chain(assistants, best, [list(links) for links in zip(*between, begin, strict=True)])

    arms = {
        "hard labels": from_labels(data, begin, steps=steps),
        "straight": by_way_of(),
        "by way of 64": by_way_of(64),
        "by way of 16": by_way_of(16),
        "by way of 8": by_way_of(8),
        "five assistants": by_way_of(256, 64, 32, 16, 8),
        "along the route": chain(route_constrained, _routes(data, 1024, stops=4), begin),
        "straight, four stages": chain(route_constrained, [[one] * 4 for one in best], begin),
        "straight, 4 × steps": from_teacher(data, begin, best, objective, steps=4 * steps),
        "hard labels, 4 × steps": from_labels(data, begin, steps=4 * steps),
    }
    return rows(data, arms, partial(fidelity, kl_temperature=temperature), best)


def _routes(data, width, stops, steps=1000):
    """Checkpoints of each seed's teacher along its own training, early to late."""
    training = {"on": "train", "steps": steps, "learning_rate": 3e-3}
    run = from_labels(data, starts(data, width), record_every=steps // stops, **training)
    kept = [[run.student.student(row, 0) for row in range(len(data))] for _ in run]
    return list(zip(*kept, strict=True))
