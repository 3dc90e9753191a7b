"""An angle as an answer: what a teacher's noise and its bias do to those who learn from it."""

import math

import pandas as pd
import torch
from torch.nn import functional

from kdviz.course.experiments.arms import short, students
from kdviz.course.results import result
from kdviz.datasets import Samples, digits
from kdviz.losses.answers import NumberLabels, NumberTargets, TeacherBounded
from kdviz.losses.objective import as_objective
from kdviz.measure import paired
from kdviz.models import mlp
from kdviz.tracing import Trace, answer
from kdviz.training.batches import StackedBatches
from kdviz.training.stacked import Stack, StackedModel

SIDE, WIDEST = 12, 60.0  # pixels; degrees to either side
BETA = 6 / WIDEST
NOISE, BIAS, WRONG_LABELS = 18 / WIDEST, 15 / WIDEST, 24 / WIDEST
REGIMES = ("exact angles", "noisy angles")
CONTROLS = ("answers shuffled", "upright images")


def turned(images, angles):
    """Digits of 8 × 8 pixels on 12 × 12, turned by so many degrees: (n, 1, 12, 12)."""
    margin = (SIDE - images.shape[-1]) // 2
    cosine, sine = torch.cos(torch.deg2rad(angles)), torch.sin(torch.deg2rad(angles))
    turn = torch.stack([cosine, -sine, 0 * sine, sine, cosine, 0 * sine], 1).view(-1, 2, 3)
    padded = functional.pad(images, (margin,) * 4)
    grid = functional.affine_grid(turn, padded.shape, align_corners=False)
    return functional.grid_sample(padded, grid, align_corners=False)


def drawn(seed, regime="exact angles", labels=50):
    """What there is to learn, of a seed: turned digits with their angles, in units of 60 degrees.

    ``transfer`` are inputs, the angles the student knows, NaN elsewhere, and the same images upright.
    """
    data, random = digits(labels=labels, seed=seed), torch.Generator().manual_seed(seed)

    def part(samples, copies=1):
        upright = data.pixels(samples).repeat(copies, 1, 1, 1)
        angles = (2 * torch.rand(len(upright), generator=random) - 1) * WIDEST
        return turned(upright, angles), (angles / WIDEST).unsqueeze(1), upright

    train_inputs, train_angles, _ = part(data.train, copies=4)
    inputs, angles, upright = part(data.transfer)
    test_inputs, test_angles, test_upright = part(data.test)
    noise = WRONG_LABELS * torch.randn(angles.shape, generator=random) if regime == "noisy angles" else 0.0
    known = (data.transfer.labels >= 0).unsqueeze(1)
    return {
        "teacher": (train_inputs, train_angles),
        "transfer": (inputs, torch.where(known, angles + noise, math.nan)),
        "all": (inputs, angles + noise),
        "test": (test_inputs, test_angles),
        "upright": functional.pad(upright, (2,) * 4),
        "test_upright": functional.pad(test_upright, (2,) * 4),
        "known": known[:, 0],
    }


def taught(starts, parts, objective, seeds, answers=None, steps=800, learning_rate=5e-3):
    """A network for each seed, in one stack: on inputs and angles, and a teacher's where there are any."""
    said = answers and [Trace(each) for each in answers]
    samples = [Samples(inputs, angles[:, 0], torch.arange(len(angles))) for inputs, angles in parts]
    lesson_batches = StackedBatches(samples, said, 64, seeds)

    def lesson(stack, step):
        inputs, teacher, angles = next(lesson_batches)
        return stack.trace(inputs), teacher, angles

    settings = {"steps": steps, "learning_rate": learning_rate, "record_every": steps}
    return students(Stack(StackedModel(starts), lesson, as_objective(objective), **settings))


def angle_teachers(told, seeds, steps=1000):
    """A teacher for each seed, with all angles of four times as many turned digits."""
    starts = [mlp(SIDE**2, 256, 256, 1, seed=seed) for seed in seeds]
    own = [each["teacher"] for each in told]
    return taught(starts, own, NumberLabels(BETA), seeds, steps=steps, learning_rate=3e-3)


def spoilt(said, seed):
    """What a teacher said, with noise on every answer, with one bias, or each with another image."""
    random = torch.Generator().manual_seed(1000 + seed)
    return {
        "noisy teacher": said + NOISE * torch.randn(said.shape, generator=random),
        "biased teacher": said + BIAS,
        "answers shuffled": said[torch.randperm(len(said), generator=random)],
    }


def off(network, inputs, angles):
    """The mean absolute error of a network's angles, in degrees."""
    return float((answer(network, inputs).logits - angles).abs().mean()) * WIDEST


@result({"regime": REGIMES}, tolerance=3.0)
def angles_taught(seeds, regime):
    """Students of 32 hidden units that know 50 angles, and what a teacher adds, right or spoilt."""
    seeds = list(seeds)
    told = [drawn(seed, regime) for seed in seeds]
    rows = []
    for arm, networks in learned(told, angle_teachers(told, seeds), seeds).items():
        for seed, own, network in zip(seeds, told, networks, strict=True):
            seen = own["test_upright"] if arm == "upright images" else own["test"][0]
            found = off(network, seen, own["test"][1])
            rows.append({"seed": seed, "regime": regime, "arm": arm, "degrees": found})
    return rows


def learned(told, teachers, seeds):
    """The networks of every arm by name. Of a seed all begin alike and see images in the same order."""
    starts, labels = [mlp(SIDE**2, 32, 1, seed=seed) for seed in seeds], NumberLabels(BETA)
    both = labels + NumberTargets(BETA)
    # Chen et al. weigh it by a half, beside the smooth loss of the labels.
    bounded = labels + 0.5 * TeacherBounded()
    whole = [each["transfer"] for each in told]
    few = [tuple(part[each["known"]] for part in each["transfer"]) for each in told]
    said = [answer(teacher, inputs).logits for teacher, (inputs, _) in zip(teachers, whole, strict=True)]
    wrong = [spoilt(each, seed) for each, seed in zip(said, seeds, strict=True)]
    upright = [(each["upright"], each["transfer"][1]) for each in told]

    def on_the_few(answers):
        return [each[own["known"]] for each, own in zip(answers, told, strict=True)]

    biased = on_the_few([each["biased teacher"] for each in wrong])

    def student(parts, objective, answers=None):
        return taught(starts, parts, objective, seeds, answers)

    return {
        "teacher": teachers,
        "50 angles": student(few, labels),
        "all angles": student([each["all"] for each in told], labels),
        "teacher's answers": student(whole, both, said),
        **{name: student(whole, both, [each[name] for each in wrong]) for name in wrong[0]},
        "upright images": student(upright, both, said),
        "imitate on the 50": student(few, both, on_the_few(said)),
        "imitate on the 50, biased": student(few, both, biased),
        "bounded on the 50": student(few, bounded, on_the_few(said)),
        "bounded on the 50, biased": student(few, bounded, biased),
        # A teacher that is never off leaves the bound always open: the same loss without any teacher.
        "bounded by the angles": student(few, bounded, [angles for _, angles in few]),
    }


def saved(table, regime, baseline="50 angles"):
    """What each arm saves of the baseline's error, in degrees: a table of texts."""
    wide = table[table.regime == regime].pivot(index="seed", columns="arm", values="degrees")
    order = [arm for arm in dict.fromkeys(table.arm) if arm != "teacher"]
    found = {
        arm: {
            "error in degrees": f"{wide[arm].mean():.1f}",
            "saved": "" if arm == baseline else short(paired(wide[baseline], wide[arm])),
        }
        for arm in order
    }
    return pd.DataFrame(found).T
