"""Another sense: digits teach tones and tones teach digits, by pairs that nobody has labelled."""

from dataclasses import replace

import pandas as pd
import torch

from kdviz.course.experiments.arms import (
    answers,
    from_labels,
    from_teacher,
    right,
    rows,
    short,
    students,
)
from kdviz.course.experiments.n05_relations import KEYS
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.datasets.dataset import PARTS, UNLABELLED
from kdviz.losses.response import SoftTargets
from kdviz.measure import paired
from kdviz.models import mlp

RATE, LENGTH, PAIRS, KNOWN = 8000, 96, 600, 50
WIDE = {"tone": LENGTH, "image": 64}
OTHER = {"image": "tone", "tone": "image"}

# Best of 100, 200 and 400 steps and of the temperatures 1, 2 and 4 on validation samples of five other seeds,
# in the mean of right pairs and half of them wrong, at a hiss of 2.
STEPS = {"tone": 100, "image": 400}
SOFT = SoftTargets(2.0)


# --- samples with two senses


def sines(digit, length=LENGTH):
    """The key tones of some digits, (n, length): two sines of amplitude 1, at 8,000 samples a second.

    >>> sines(torch.tensor([0, 7]))[:, 0].tolist()
    [0.0, 0.0]
    """
    low, high = torch.tensor(KEYS, dtype=torch.float32).T[:, digit]
    time = 2 * torch.pi * torch.arange(length) / RATE
    return torch.sin(low[:, None] * time) + torch.sin(high[:, None] * time)


def senses(seed, hiss, length=LENGTH):
    """A split whose samples have an image of a digit and its key tone, under noise of this deviation.

    The teacher's labels are those of one half of the training samples; the pairs of the other half, which the
    student learns from, have none. So no teacher says by heart what it was told of a pair.
    """
    data = digits(labels=KNOWN, seed=seed)
    digit = truth(data)
    random = torch.Generator().manual_seed(seed)
    tones = sines(digit, length) + hiss * torch.randn(len(digit), length, generator=random)
    order = torch.randperm(len(data.train), generator=random)
    pairs = data.train[order[-PAIRS:]]
    parts = {name: getattr(data, name) for name in PARTS}
    parts["train"] = data.train[order[:-PAIRS]]
    parts["transfer"] = pairs.with_labels(torch.full_like(pairs.labels, UNLABELLED))
    return replace(
        data,
        **{
            name: replace(part, inputs={"image": part.inputs, "tone": tones[part.indices]})
            for name, part in parts.items()
        },
    )


def truth(data):
    """The digit of every sample, by its index."""
    parts = (data.train, data.validation, data.test)
    digit = torch.zeros(1 + max(int(part.indices.max()) for part in parts), dtype=torch.long)
    for part in parts:
        digit[part.indices] = part.labels
    return digit


def labelled(data):
    """The same split with the labels of all pairs, which the students taught here never get."""
    digit = truth(digits(seed=data.seed))
    pairs = data.transfer.with_labels(digit[data.transfer.indices])
    return replace(data, labelled=pairs, transfer=pairs)


def only(data, sense):
    """The same split, read by one sense: a stack trains on one tensor."""
    return replace(
        data,
        **{name: replace(part, inputs=part.inputs[sense]) for name in PARTS if (part := getattr(data, name))},
    )


# --- wrong pairs


def partners(digit, wrong, way, seed):
    """Which sample stands in for each one, of which this fraction is wrongly paired.

    ``"at random"`` exchanges the pairs among each other, so that about one in ten is right after all;
    ``"next digit"`` takes a sample of the next digit, and of 0 after 9.

    >>> partners(torch.arange(10), 1.0, "next digit", seed=0).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    """
    random = torch.Generator().manual_seed(1000 + seed)
    chosen = torch.randperm(len(digit), generator=random)[: round(wrong * len(digit))]
    order = torch.arange(len(digit))
    if way == "at random":
        order[chosen] = chosen[torch.randperm(len(chosen), generator=random)]
        return order
    for of in range(10):
        pool = (digit == (of + 1) % 10).nonzero()[:, 0]
        own = chosen[digit[chosen] == of]
        order[own] = pool[torch.randint(len(pool), own.shape, generator=random)]
    return order


def mispaired(data, wrong, way="at random"):
    """The split with wrong pairs: what is heard beside an image belongs to another one."""
    pairs = labelled(data).transfer
    order = partners(pairs.labels, wrong, way, data.seed)
    inputs = {"image": pairs.inputs["image"][order], "tone": pairs.inputs["tone"]}
    return replace(data, transfer=replace(data.transfer, inputs=inputs))


# --- who teaches whom

HISSES, WRONG = (1.0, 2.0, 3.0, 4.0), (0.0, 0.25, 0.5, 0.75, 1.0)
WAYS = ("at random", "next digit")


def network(sense, *widths, seed):
    return mlp(WIDE[sense], *widths, 10, seed=seed)


def taught(data, sense, width=256):
    """A teacher for each split, by the labels of its half."""
    begin = [network(sense, width, seed=part.seed) for part in data]
    return students(from_labels(data, begin, on="train", steps=300, learning_rate=3e-3))


@result({"sense": tuple(WIDE), "hiss": HISSES}, tolerance=8.0)
def wrong_pairs(seeds, sense, hiss):
    """Students of one sense that learn from 600 unlabelled pairs what a teacher of the other one says.

    ``wrong`` is the fraction of wrong pairs, exchanged at random or always with the next digit. The rivals
    are labels: 50, or all 600 of the pairs. ``teacher_accuracy`` is on test samples.
    """
    both = [senses(seed, hiss) for seed in seeds]
    theirs, own = ([only(data, one) for data in both] for one in (OTHER[sense], sense))
    known = [only(labelled(data), sense) for data in both]
    teachers = taught(theirs, OTHER[sense])
    said, begin = answers(teachers, theirs), [network(sense, 32, seed=seed) for seed in seeds]
    recipe, found = {"steps": STEPS[sense], "record_every": STEPS[sense]}, []
    arms = {
        ("50 labels", 0.0): from_labels(own, begin, **recipe),
        ("all labels", 0.0): from_labels(known, begin, **recipe),
    }
    for way in WAYS:
        for wrong in WRONG:
            heard = [
                each[partners(data.transfer.labels, wrong, way, data.seed)]
                for each, data in zip(said, known, strict=True)
            ]
            arms[way, wrong] = from_teacher(own, begin, heard, SOFT, **recipe)
    for (arm, wrong), run in arms.items():
        found += rows(own, {arm: run}, sense=sense, hiss=hiss, wrong=wrong)
    right_of = {data.seed: right(one, data.test) for one, data in zip(teachers, theirs, strict=True)}
    return [row | {"teacher_accuracy": right_of[row["seed"]]} for row in found]


# --- shown on the page


def shown(seed=0):
    """Ten pairs for :func:`kdviz.explorers.senses`, one of each digit: the first of each in the pairs."""
    data = senses(seed, hiss=1.0)
    digit = labelled(data).transfer.labels
    first = torch.tensor([int((digit == of).nonzero()[0, 0]) for of in range(10)])
    chosen, every = data.transfer[first], torch.arange(10)
    ways = {way: torch.stack([partners(every, wrong, way, seed) for wrong in WRONG]) for way in WAYS}
    clean = sines(every)
    return {
        "images": (chosen.inputs["image"] + data.mean).clamp(0, 1),
        "sines": clean,
        "noise": chosen.inputs["tone"] - clean,
        "hertz": KEYS,
        "partners": ways,
    }


def accuracies(table):
    """Means over the seeds, in percent: a row for each student and noise, a column for each way to learn."""
    columns = ["accuracy", "teacher_accuracy"]
    means = table.groupby(["arm", "wrong", "sense", "hiss"])[columns].mean()
    ways = {
        "taught": ("at random", 0.0),
        "half wrong": ("at random", 0.5),
        "all wrong": ("at random", 1.0),
        "50 labels": ("50 labels", 0.0),
        "all labels": ("all labels", 0.0),
    }
    found = {"its teacher": means.teacher_accuracy["at random", 0.0]}
    return pd.DataFrame(found | {name: means.accuracy[way] for name, way in ways.items()}).round(1)


def gains(table, by, baseline):
    """What each arm gains over one of them, for each value of a column: a table of texts."""
    found = {}
    for value, own in table.groupby(by, sort=False):
        arms = {arm: rows.set_index("seed").accuracy for arm, rows in own.groupby("arm", sort=False)}
        base = arms.pop(baseline)
        found[f"{by} {value:g}"] = {baseline: f"{base.mean():.1f} %"} | {
            arm: short(paired(one, base)) for arm, one in arms.items()
        }
    return pd.DataFrame(found)
