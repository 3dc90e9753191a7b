"""An angle as an answer: what a teacher's noise and its bias do to those who learn from it."""

import math

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from kdviz.course.experiments.arms import short
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.answers import NumberLabels, NumberTargets, TeacherBounded
from kdviz.measure import paired
from kdviz.models import mlp
from kdviz.schemes import distill, train
from kdviz.tracing import answer

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


def angle_teacher(told, seed, steps=1200):
    start = mlp(SIDE**2, 256, 256, 1, seed=seed)
    run = train(
        start, told["teacher"], NumberLabels(BETA), answers="numbers", steps=steps, seed=seed,
        learning_rate=3e-3,
    )  # fmt: skip
    return run.finish().student


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
    return [row for seed in seeds for row in of_seed(seed, regime)]


def of_seed(seed, regime, steps=800):
    told = drawn(seed, regime)
    arms = learned(told, angle_teacher(told, seed), seed, steps)
    rows = []
    for arm, network in arms.items():
        seen = told["test_upright"] if arm == "upright images" else told["test"][0]
        rows.append(
            {"seed": seed, "regime": regime, "arm": arm, "degrees": off(network, seen, told["test"][1])}
        )
    return rows


def learned(told, teacher, seed, steps=800):
    """Every arm by name: they share the start and, where they see the same images, the batches."""
    start = mlp(SIDE**2, 32, 1, seed=seed)
    settings = {"answers": "numbers", "steps": steps, "seed": seed, "learning_rate": 5e-3}
    (inputs, angles), known, labels = told["transfer"], told["known"], NumberLabels(BETA)
    few, said = (inputs[known], angles[known]), answer(teacher, inputs).logits
    both = labels + NumberTargets(BETA)
    # Chen et al. weigh it by a half, beside the smooth loss of the labels.
    bounded = labels + 0.5 * TeacherBounded()

    def taught(answers, data, objective):
        return distill(answers, start, data, objective, **settings).finish().student

    wrong = spoilt(said, seed)
    return {
        "teacher": teacher,
        "50 angles": train(start, few, labels, **settings).finish().student,
        "all angles": train(start, told["all"], labels, **settings).finish().student,
        "teacher's answers": taught(said, (inputs, angles), both),
        **{name: taught(answers, (inputs, angles), both) for name, answers in wrong.items()},
        "upright images": taught(said, (told["upright"], angles), both),
        "imitate on the 50": taught(said[known], few, both),
        "imitate on the 50, biased": taught(wrong["biased teacher"][known], few, both),
        "bounded on the 50": taught(said[known], few, bounded),
        "bounded on the 50, biased": taught(wrong["biased teacher"][known], few, bounded),
        # A teacher that is never off leaves the bound always open: the same loss without any teacher.
        "bounded by the angles": taught(few[1], few, bounded),
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


def scattered(network, told):
    """True angles and a network's, in degrees, of the test images."""
    true = told["test"][1][:, 0] * WIDEST
    return np.asarray(true), np.asarray(answer(network, told["test"][0]).logits[:, 0] * WIDEST)
