"""Nothing but the teacher: what is shown to it when the data are gone, and how many bytes were kept."""

from dataclasses import replace
from functools import partial
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go
import torch
from torch import nn

from kdviz.algorithms.data_free import (
    by_kernel,
    condense,
    gaussian_noise,
    generated,
    impressions,
    invert,
    metadata,
    mixup,
    showing,
    uniform_noise,
)
from kdviz.course.experiments.arms import from_labels, from_teacher, logits, right, rows, starts, students
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.datasets.dataset import PARTS
from kdviz.explain import interval
from kdviz.figures.classes import image_row
from kdviz.figures.template import OTHERS, STUDENT, TEACHER, figure
from kdviz.losses.images import (
    Activation,
    AdaptiveJensenShannon,
    BatchNormStatistics,
    Disagreement,
    InformationEntropy,
    OneHot,
    TotalVariation,
)
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import accuracy
from kdviz.models import mlp
from kdviz.seeding import seeded

T, MADE, LAYERS = 4.0, 500, ("hidden1", "hidden2")
CLASSES = torch.arange(10)
NUMBER, PIXEL = 4, 1  # bytes


def plain(data):
    """The split with pixels as they are: the mean image, else subtracted, would be something kept."""
    parts = {name: getattr(data, name) for name in PARTS}
    bare = {name: replace(part, inputs=part.inputs + data.mean) for name, part in parts.items()}
    return replace(data, mean=torch.zeros_like(data.mean), **bare)


def splits(seeds):
    return [plain(digits(seed=seed)) for seed in seeds]


def trained(data):
    """A teacher of two hidden layers for each split."""
    begin = [mlp(64, 128, 128, 10, seed=1000 + part.seed) for part in data]
    return students(from_labels(data, begin, on="train", steps=600, learning_rate=3e-3))


def scores(network, part):
    return {"validation_accuracy": right(network, part.validation), "accuracy": right(network, part.test)}


def shown(images, data, teachers, steps=600):
    """Students of 32 units that learn what the teachers say of made images: (S, N, ...)."""
    made = [showing(part, own) for part, own in zip(data, images, strict=True)]
    return from_teacher(made, starts(data, 32), teachers, SoftTargets(T), steps=steps)


def counted(data, arms, kept, **columns):
    """The rows of some arms, with the bytes that each kept."""
    return [{**row, "kept": kept[row["arm"]]} for row in rows(data, arms, measure=scores, **columns)]


# --- what can be drawn from what was kept


def few(part, count):
    return part.train.inputs[:count]


def means(part):
    """The mean image of each digit."""
    truth = part.train.labels
    return torch.stack([part.train.inputs[truth == digit].mean(0) for digit in range(10)])


def moments(part):
    return part.train.inputs.mean(0), part.train.inputs.std(0, correction=0)


def shuffled(part):
    """The right numbers at the wrong pixels."""
    order = torch.randperm(64, generator=torch.Generator().manual_seed(part.seed))
    return [values.flatten()[order].view_as(values) for values in moments(part)]


def brightness(part):
    """One mean and one deviation for all pixels."""
    pixels = part.train.inputs
    return [torch.full_like(pixels[0], float(one)) for one in (pixels.mean(), pixels.std(correction=0))]


DRAWN = {
    "uniform noise": (lambda part: uniform_noise((MADE, 1, 8, 8), part.seed), 0),
    "one brightness": (lambda part: gaussian_noise(MADE, *brightness(part), part.seed), 2 * NUMBER),
    "a Gaussian a pixel": (lambda part: gaussian_noise(MADE, *moments(part), part.seed), 128 * NUMBER),
    "the same, shuffled": (lambda part: gaussian_noise(MADE, *shuffled(part), part.seed), 128 * NUMBER),
    "ten means, mixed": (lambda part: mixup(means(part), MADE, part.seed), 640 * PIXEL),
    "10 images": (lambda part: few(part, 10), 640 * PIXEL),
    "50 images": (lambda part: few(part, 50), 3200 * PIXEL),
    "50 images, mixed": (lambda part: mixup(few(part, 50), MADE, part.seed), 3200 * PIXEL),
    "all images": (lambda part: part.train.inputs, 76800 * PIXEL),
}


@result({}, tolerance=8.0)
def drawn_images(seeds, steps=600):
    """What a teacher is shown is drawn from what was kept; nothing is learned to make it."""
    data = splits(seeds)
    teachers = trained(data)
    arms = {
        arm: shown([draw(part) for part in data], data, teachers, steps) for arm, (draw, _) in DRAWN.items()
    }
    kept = {arm: size for arm, (_, size) in DRAWN.items()} | {"the teacher": 0}
    return counted(data, {"the teacher": teachers, **arms}, kept)


# --- images that follow the teacher's gradient

STATISTICS = 10.0
TERMS = {
    "the class": CrossEntropy(),
    "smoothness": 0.1 * TotalVariation(),
    "statistics": STATISTICS * BatchNormStatistics(LAYERS),
}
INVERTED = {
    "the class": (("the class",), 0),
    "+ smoothness": (("the class", "smoothness"), 0),
    "+ statistics": (("the class", "statistics"), 0),
    "+ statistics, jitter": (("the class", "statistics"), 1),
    "+ statistics of others": (("the class", "statistics"), 0),
}
KEPT_STATISTICS = 2 * 256 * NUMBER


def noise(data, count=MADE):
    return torch.stack([uniform_noise((count, 1, 8, 8), part.seed) for part in data])


def stored_of(teachers, data, units=False):
    """The mean and variance of each hidden unit of each teacher; as a control under other units' names."""
    found = [metadata(one, part.train.inputs, LAYERS) for one, part in zip(teachers, data, strict=True)]
    if not units:
        return found
    order = torch.randperm(128, generator=torch.Generator().manual_seed(16))
    return [{path: values[:, order] for path, values in own.items()} for own in found]


def dreams(arm, teachers, data, count=MADE, **training):
    """The run in which images learn to be what the teachers take for digits."""
    terms, jitter = INVERTED[arm]
    objective = sum(TERMS[name] for name in terms)
    wanted = (torch.arange(count) % 10).expand(len(data), count)
    stored = stored_of(teachers, data, arm.endswith("others")) if "statistics" in terms else None
    settings = {"targets": wanted, "stored": stored, "jitter": jitter, "steps": 100} | training
    return invert(teachers, noise(data, count), objective, **settings)


def imagined(teachers, data, spread, steps=100):
    """Images of which each teacher says what its own last layer makes likely (zero-shot)."""
    pairs = zip(teachers, data, strict=True)
    answers = torch.stack([impressions(one, MADE, spread, seed=part.seed) for one, part in pairs])
    return invert(teachers, noise(data), SoftTargets(1.0), targets=answers, steps=steps)


def pixels(run):
    return run.finish().student().detach()


@result({}, tolerance=8.0)
def inverted_images(seeds, steps=600):
    """Images that follow the teacher's gradient; "of others": the right statistics at the wrong units."""
    data = splits(seeds)
    teachers = trained(data)
    learn = partial(shown, data=data, teachers=teachers, steps=steps)
    arms = {arm: learn(pixels(dreams(arm, teachers, data, record_every=100))) for arm in INVERTED}
    arms |= {
        f"impressions, spread {spread:g}": learn(pixels(imagined(teachers, data, spread)))
        for spread in (0.1, 1.0)
    }
    kept = {arm: KEPT_STATISTICS if "statistics" in arm else 0 for arm in arms}
    return counted(data, arms, kept)


# --- a generator beside the student

DAFL = OneHot() + 5 * InformationEntropy() + 0.1 * Activation("activation2", form="authors")
GENERATORS = {
    "DAFL": (DAFL, 0),
    "DAFL without entropy": (OneHot() + 0.1 * Activation("activation2", form="authors"), 0),
    "adversary alone": (Disagreement("absolute"), 0),
    "DAFL + competition, bank": (DAFL + AdaptiveJensenShannon(), 60),
    "DAFL + statistics": (DAFL + BatchNormStatistics(LAYERS), 0),
}


def generator(seed):
    """From 32 numbers to an image."""
    with seeded(seed):
        return nn.Sequential(
            nn.Linear(32, 128),
            nn.LayerNorm(128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, 64),
            nn.Sigmoid(),
            nn.Unflatten(-1, (1, 8, 8)),
        )


def game(arm, teachers, data, **training):
    """The run of a generator and a student for each split."""
    making, bank = GENERATORS[arm]
    stored = stored_of(teachers, data) if "statistics" in arm else None
    makes = [generator(part.seed) for part in data]
    settings = {"stored": stored, "bank": bank, "making_rate": 1e-3} | training
    return generated(teachers, starts(data, 32), makes, data, making, SoftTargets(T), **settings)


def classes_made(images, teacher):
    """Of how many classes there is one image in a hundred or more, as the teacher names them."""
    named = teacher(images).argmax(-1)
    return int((named.bincount(minlength=10) >= len(images) / 100).sum())


@result({"arm": tuple(GENERATORS)}, tolerance=25.0)
def generators(seeds, arm, steps=600):
    """A generator and a student in turn; ``classes_made`` says into how few classes it fell."""
    data = splits(seeds)
    teachers = trained(data)
    run = game(arm, teachers, data, steps=steps, record_every=steps).finish()
    learned = [run.student.student(row, 0) for row in range(len(data))]
    kept = {arm: KEPT_STATISTICS if "statistics" in arm else 0}
    made = map(classes_made, run.lesson.images(MADE), teachers)
    found = counted(data, {arm: learned}, kept)
    return [{**row, "classes_made": many} for row, many in zip(found, made, strict=True)]


# --- ten images that stand for all

WIDTH = 3.0


def ten(data):
    """Ten images for each split, one a digit: the first found, the means, and the means condensed."""
    first = [
        torch.stack([part.train.inputs[part.train.labels == digit][0] for digit in range(10)])
        for part in data
    ]
    average = torch.stack([means(part) for part in data])
    run = condense(data, average, CLASSES, width=WIDTH, steps=400, batch_size=256, record_every=400)
    return {"real": torch.stack(first), "means": average, "condensed": pixels(run)}


def labelled_with(part, images):
    """The data with ten images, 0 to 9, as all that has a label."""
    return replace(part, labelled=replace(part.train[:10], inputs=images, labels=CLASSES))


@result({}, tolerance=6.0)
def ten_images(seeds, steps=300):
    """No teacher: ten labelled images, read by the kernel that they were made for and by a network."""
    data, found = splits(seeds), []
    for arm, images in ten(data).items():
        lessons = [labelled_with(part, own) for part, own in zip(data, images, strict=True)]
        arms = {arm: from_labels(lessons, starts(data, 32), steps=steps)}
        found += counted(data, arms, {arm: 640 * PIXEL}, student="network")
        for part, own in zip(data, images, strict=True):
            said = by_kernel(own, CLASSES, part.test.inputs, WIDTH)
            correct = 100 * accuracy(said, part.test.labels)
            row = {"seed": part.seed, "student": "kernel", "arm": arm, "accuracy": correct}
            found.append({**row, "kept": 640 * PIXEL})
    return found


# --- pictures

STEPS = [0, 1, 2, 4, 7, 10, 15, 20, 30, 40, 60, 80, 100]
NAMES = [str(digit) for digit in range(10)] * 2


def film(teacher, part, steps=STEPS):
    """Images while they are made, for every choice of terms: at each step the first twenty, and how sure.

    Bit k of a choice says whether the k-th of :data:`TERMS` is part of the loss. As in the table 500 images
    are made together, of which ``sure`` is the mean.
    """
    start, wanted = noise([part])[0], torch.arange(MADE) % 10
    settings = {"targets": wanted, "stored": metadata(teacher, part.train.inputs, LAYERS)}
    begun = [
        invert(teacher, start, sum(chosen), steps=max(steps), record_every=1, **settings)
        for choice in range(1, 2 ** len(TERMS))
        if (chosen := [term for bit, term in enumerate(TERMS.values()) if choice >> bit & 1])
    ]
    for step in range(max(steps) + 1):
        if step:
            for run in begun:
                next(run)
        if step in steps:
            with torch.no_grad():
                made = torch.stack([start, *(run.student() for run in begun)])
                said = teacher(made.flatten(0, 1)).softmax(-1).unflatten(0, made.shape[:2])
            yield made[:, :20].squeeze(2), said[:, torch.arange(MADE), wanted].mean(1)


KINDS = {
    "drawn from what was kept": [
        "uniform noise",
        "one brightness",
        "a Gaussian a pixel",
        "the same, shuffled",
        "ten means, mixed",
    ],
    "made by the teacher's gradient": [
        "the class",
        "+ statistics",
        "+ statistics of others",
        "impressions, spread 1",
    ],
    "made by a generator": ["DAFL", "DAFL + statistics"],
    "real images": ["10 images", "50 images", "50 images, mixed", "all images"],
    "no teacher, ten labelled images": ["real", "means", "condensed"],
}
SHOWN = {
    "uniform noise": ("noise", "top right"),
    "a Gaussian a pixel": ("Gaussian", "bottom left"),
    "the same, shuffled": ("shuffled", "bottom center"),
    "impressions, spread 1": ("impressions", "top right"),
    "+ statistics": ("statistics", "top center"),
    "DAFL": ("DAFL", "bottom right"),
    "50 images": ("50", "middle right"),
    "all images": ("all", "top center"),
    "means": ("means", "bottom left"),
    "real": ("real", "middle right"),
}


def by_bytes(tables):
    """Accuracy by the bytes that were kept, a point for each arm; what is at the left kept nothing."""
    means = pd.concat(tables).groupby("arm")[["kept", "accuracy"]].mean()
    marks = []
    for look, (kind, arms) in zip((STUDENT, TEACHER, *OTHERS), KINDS.items(), strict=True):
        own = means.loc[arms]
        at = [max(size, 1) for size in own.kept]
        marks.append(
            go.Scatter(
                x=at,
                y=own.accuracy,
                name=kind,
                mode="markers+text",
                text=[SHOWN.get(arm, ("",))[0] for arm in arms],
                textposition=[SHOWN.get(arm, ("", "top center"))[1] for arm in arms],
                hovertext=[f"{arm}: {size:,.0f} bytes" for arm, size in zip(arms, own.kept, strict=True)],
                marker={**look.marker, "size": 10},
            )
        )
    ticks = {"tickvals": [1, 10, 100, 1e3, 1e4, 1e5], "ticktext": "nothing 10 100 1k 10k 100k".split()}
    axis = {"title": "bytes kept, beside the teacher", "type": "log", "range": [-0.3, 5.4], **ticks}
    above = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    look = {"height": 560, "legend": above, "showlegend": True, "margin": {"t": 110}}
    return figure(*marks, xaxis=axis, yaxis={"title": "accuracy (%)"}, **look)


def table_of(rows, *columns):
    """Means over the seeds, an arm in each row, with 95 % intervals of the accuracy."""
    found = rows.groupby("arm", sort=False)
    told = found[list(columns)].mean().round(1)
    half = found.accuracy.agg(lambda values: values.mean() - interval(values)[1])
    return told.astype({"kept": int}).assign(**{"±": half.round(1)}).rename_axis(None)


def drawn_pictures(part, arms=("50 images", "uniform noise", "a Gaussian a pixel", "the same, shuffled")):
    """An image of what is drawn, each with what was kept for it."""
    made = torch.cat([DRAWN[arm][0](part)[:1, 0] for arm in arms])
    # A line each for a word or two, as wide as a picture.
    captions = ["<br>".join([*wrap(arm, 11), f"{DRAWN[arm][1]:,} bytes"]) for arm in arms]
    return image_row(made, captions, across=4)


def generated_pictures(arm, teacher, part, steps=300):
    """What a generator makes, each image with the teacher's first choice and its probability."""
    made = game(arm, [teacher], [part], steps=steps, record_every=steps).finish().lesson.images(16)[0]
    sure, named = logits(teacher, replace(part.test[:16], inputs=made)).softmax(-1).max(-1)
    captions = [f"{int(digit)}, {float(p):.2f}" for digit, p in zip(named, sure, strict=True)]
    return image_row(made[:, 0], captions)


def ten_pictures(part):
    """The mean of each digit, and what becomes of it."""
    both = ten([part])
    captions = [f"{arm} {digit}" for arm in ("mean", "made") for digit in range(10)]
    shown = torch.cat([both["means"][0], both["condensed"][0]])
    return image_row(shown[:, 0], captions, across=10)
