"""Many teachers: whom to believe, teachers that know different things, and teachers that only vote."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn

from kdviz.algorithms.multi_teacher import (
    Amalgam,
    LearnedWeights,
    Panel,
    RandomTeacher,
    by_confidence,
    by_loss,
    noisy_counts,
    privacy_spent,
    private_labels,
)
from kdviz.course.experiments.arms import (
    from_labels,
    from_teacher,
    logits,
    right,
    rows,
    starts,
    students,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.figures import class_bars
from kdviz.figures.template import figure, labelled_cells
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.models import mlp

T = 4.0
KNOWN = 50  # labels that the student has, and with which teachers may be weighed


def schools(data, lessons, classes=10, width=64, first=0, **recipe):
    """A network for each lesson, labelled samples of its split; all of them learn in one stack.

    What a stack learns from must be equally many samples, so all take as many as the smallest lesson has.
    ``first`` is added to the seeds of the initial weights: one number, or one for each lesson.
    """
    fewest, firsts = min(map(len, lessons)), np.broadcast_to(first, len(data)).tolist()
    narrowed = [replace(part, labelled=own[:fewest]) for part, own in zip(data, lessons, strict=True)]
    begin = [
        mlp(64, width, classes, seed=1000 + own + part.seed) for part, own in zip(data, firsts, strict=True)
    ]
    return students(from_labels(narrowed, begin, **{"steps": 300, **recipe}))


# --- whom to believe


def as_good(part):
    return part.train.labels


def at_random(part):
    return torch.randint(10, (len(part.train),), generator=torch.Generator().manual_seed(part.seed))


def renamed(part):
    """Every digit is called by the name of the next one."""
    return (part.train.labels + 1) % 10


def renamed_but_for_the_known(part):
    """The same, but right on the very images whose labels the student has."""
    known = torch.isin(part.train.indices, part.labelled.indices)
    return torch.where(known, part.train.labels, renamed(part))


SECOND = {
    "as good": as_good,
    "labels at random": at_random,
    "renamed": renamed,
    "renamed, right on the 50": renamed_but_for_the_known,
}
# To learn fifty exceptions by heart takes a larger network and more steps.
BY_HEART = {"renamed, right on the 50": {"width": 256, "steps": 1000}}


def good_and(second, data):
    """Two teachers for each split: one trained on the right labels, and one on others."""
    good = schools(data, [part.train for part in data])
    other = [part.train.with_labels(SECOND[second](part)) for part in data]
    bad = schools(data, other, first=500, **BY_HEART.get(second, {}))
    return [list(pair) for pair in zip(good, bad, strict=True)]


def panels(teachers, weigh=None):
    """The teachers of each split as one: weighed alike, by a function, or each split's by its own."""
    weigh = weigh if isinstance(weigh, list) else [weigh] * len(teachers)
    return [Panel(own, how, temperature=T) for own, how in zip(teachers, weigh, strict=True)]


def losses_on(teachers, samples):
    """The mean cross-entropy of each teacher on labelled samples."""
    each = [nn.functional.cross_entropy(logits(one, samples), samples.labels) for one in teachers]
    return torch.stack(each)


def mixed(soft):
    return 0.1 * CrossEntropy() + 0.9 * soft


WEIGHTS = {
    "equal": (lambda own, part: None, SoftTargets(T)),
    "a random one each step": (lambda own, part: None, RandomTeacher(T)),
    "by confidence": (lambda own, part: by_confidence, SoftTargets(T)),
    "by loss on the 50": (lambda own, part: by_loss(losses_on(own, part.labelled)), SoftTargets(T)),
    "by loss on 50 new ones": (
        lambda own, part: by_loss(losses_on(own, part.validation[:KNOWN])),
        SoftTargets(T),
    ),
    "learned": (lambda own, part: None, LearnedWeights(T)),
}


def learner(rule, teachers, data, begin, **training):
    """A student for each split that listens to its teachers by a rule: a run of a stack."""
    weigh, soft = WEIGHTS[rule]
    how = [weigh(own, part) for own, part in zip(teachers, data, strict=True)]
    return from_teacher(data, begin, panels(teachers, how), mixed(soft), **training)


def weight_of_first(run):
    """The weight that each student has learned to give its first teacher, from 0 to 1."""
    return run.learned["learned_weights"]["a"].detach()[:, 0].softmax(-1)[:, 0]


@result({"beside": tuple(SECOND)}, tolerance=8.0)
def two_teachers(seeds, beside, steps=400):
    """A good teacher and another one; a student with 50 labels that listens to both by six rules.

    All 1,200 images are shown, and 50 of them have labels. Controls: the labels alone, and the good teacher
    alone. ``teacher_weight`` is the learned weight of the good one, in percent.
    """
    data = [digits(labels=KNOWN, seed=seed) for seed in seeds]
    teachers, begin = good_and(beside, data), starts(data, 16)
    arms = {
        "labels alone": from_labels(data, begin, steps=steps),
        "the good one alone": from_teacher(
            data, begin, [own[0] for own in teachers], mixed(SoftTargets(T)), steps=steps
        ),
        **{rule: learner(rule, teachers, data, begin, steps=steps) for rule in WEIGHTS},
    }
    found = rows(data, arms, beside=beside, labels=KNOWN)
    learned = iter(100 * weight_of_first(arms["learned"]).numpy())
    return [
        {**row, "teacher_weight": float(next(learned)) if row["arm"] == "learned" else None} for row in found
    ]


def fork(second, at, seeds=range(20)):
    """Learned weights while they are learned: at each step the weight and the accuracy of each seed."""
    data = [digits(labels=KNOWN, seed=seed) for seed in seeds]
    teachers, begin = good_and(second, data), starts(data, 16)
    run = learner("learned", teachers, data, begin, steps=max(at), record_every=1)
    seen = [
        np.stack([weight_of_first(run).numpy(), record.measures["accuracy"][:, 0]], -1)
        for record in run
        if record.step in at
    ]
    return np.stack(seen)


# --- teachers that know different things


def blind_to(part, pair):
    """The training images without two of the digits: 0 and 1, 2 and 3, ..."""
    return part.train[part.train.labels // 2 != pair]


def blind_schools(data):
    """Five teachers for each split, each of which has never seen two of the digits."""
    five = [schools(data, [blind_to(part, pair) for part in data], first=100 * pair) for pair in range(5)]
    return [list(own) for own in zip(*five, strict=True)]


def half_schools(data):
    """Two teachers for each split, with five logits each: one knows 0 to 4, the other 5 to 9."""
    low = [part.train[part.train.labels < 5] for part in data]
    high = [part.train[part.train.labels >= 5] for part in data]
    high = [own.with_labels(own.labels - 5) for own in high]
    both = [schools(data, own, classes=5, first=500 * number) for number, own in enumerate((low, high))]
    return [list(own) for own in zip(*both, strict=True)]


HALVES = [list(range(5)), list(range(5, 10))]


def recalls(networks, samples):
    """Of the images of each digit those that each network finds, in percent: (networks, 10)."""
    found = [logits(one, samples).argmax(-1) == samples.labels for one in networks]
    return np.array(
        [[100 * float(own[samples.labels == c].float().mean()) for c in range(10)] for own in found]
    )


def who_knows_what(networks, samples):
    """A heat map: teacher by class, and how many images of it each teacher finds."""
    found = recalls(networks.values(), samples)
    text = [[f"{value:.0f}" for value in row] for row in found]
    heat = labelled_cells(
        list(range(10)), list(networks), found, text, colorscale="Blues", zmin=0, zmax=160, showscale=False
    )
    axes = {"xaxis": {"title": "digit", "dtick": 1, "showgrid": False}, "yaxis": {"autorange": "reversed"}}
    return figure(heat, title="Images that each finds (%)", height=130 + 40 * len(networks), **axes)


@result({"regime": ("blind to two", "half of the digits")}, tolerance=6.0)
def put_together(seeds, regime, steps=400):
    """Teachers that know different digits, and one student of all ten who gets no label.

    Controls: one of the teachers alone, five networks that know nothing, and one teacher with all the labels.
    """
    data = [digits(seed=seed) for seed in seeds]
    whole = schools(data, [part.train for part in data])
    learned, found = partial(from_teacher, data, starts(data, 16), steps=steps), []
    if regime == "blind to two":
        five = blind_schools(data)
        ignorant = [[mlp(64, 64, 10, seed=9000 + 10 * part.seed + k) for k in range(5)] for part in data]
        arms = {
            "one with all labels": learned(whole, SoftTargets(T)),
            "the first alone": learned([own[0] for own in five], SoftTargets(T)),
            "equal": learned(panels(five), SoftTargets(T)),
            "by confidence": learned(panels(five, by_confidence), SoftTargets(T)),
            "a random one each step": learned(panels(five), RandomTeacher(T)),
            "learned": learned(panels(five), LearnedWeights(T)),
            "five that know nothing": learned(panels(ignorant), SoftTargets(T)),
        }
        return rows(data, arms, regime=regime, temperature=T)
    both = half_schools(data)
    for temperature in (1.0, T):
        arms = {"one with all labels": learned(whole, SoftTargets(temperature))}
        for rule in Amalgam.RULES:
            one = [Amalgam(own, HALVES, rule) for own in both]
            arms[rule] = learned(one, SoftTargets(temperature))
        found += rows(data, arms, regime=regime, temperature=temperature)
    return found


# --- teachers that may not be shown

PRIVATE, TEACHERS, GAMMAS = 900, (5, 20, 60), (math.inf, 0.2, 0.05)


def voters(data, count):
    """So many teachers for each split, each trained on a share of its own of 900 images."""
    share, every = PRIVATE // count, [(part, k) for part in data for k in range(count)]
    lessons = [part.train[k * share : (k + 1) * share] for part, k in every]
    # Split s begins its k-th with the seed 1000 s + k.
    first = [999 * part.seed - 1000 + k for part, k in every]
    recipe = {"width": 16, "steps": 120, "learning_rate": 1e-2}
    trained = schools([part for part, _ in every], lessons, first=first, **recipe)
    return [trained[row : row + count] for row in range(0, len(trained), count)]


def public(data):
    """The data with the 300 images that no teacher has seen as its transfer set."""
    return replace(data, transfer=data.train[PRIVATE:].with_labels(torch.full((300,), -1)))


def votes_under_noise(counts, classes, scales=(0, 1, 2, 5, 10, 20)):
    """Bars of votes on one image, by name, and a slider for the scale of the noise on them."""
    drawn = class_bars(counts, classes, axis="votes", title="Votes on one image")
    noisy = {
        scale: [
            noisy_counts(own[None], 1 / scale if scale else math.inf)[0].tolist() for own in counts.values()
        ]
        for scale in scales
    }
    steps = [
        {"method": "restyle", "label": str(scale), "args": [{"y": heights}]}
        for scale, heights in noisy.items()
    ]
    slider = {"steps": steps, "currentvalue": {"prefix": "scale of the noise: "}, "pad": {"t": 80}}
    return drawn.update_layout(sliders=[slider], height=480).update_xaxes(dtick=1)


@result({"teachers": TEACHERS}, tolerance=10.0)
def private_votes(seeds, teachers, steps=400):
    """PATE: so many teachers share 900 private images, vote on 300 public ones, and noise is added.

    ``label_accuracy`` says how many of the voted labels are right, and ``epsilon`` what answering them spends
    at the most (delta is 1e-5); without noise there is no such number.
    """
    data = [digits(seed=seed) for seed in seeds]
    voting, found = voters(data, teachers), []
    mean = [
        float(np.mean([right(one, part.test) for one in own])) for own, part in zip(voting, data, strict=True)
    ]
    for gamma in GAMMAS:
        asked = [private_labels(own, public(part), gamma) for own, part in zip(voting, data, strict=True)]
        spent = math.inf if gamma == math.inf else privacy_spent(300, gamma)
        learned = rows(data, {"student": from_labels(asked, starts(data, 16), steps=steps)})
        for row, own, part, teacher in zip(learned, asked, data, mean, strict=True):
            truth = part.train[PRIVATE:].labels
            found.append(
                {
                    **row,
                    "teachers": teachers,
                    "noise_scale": 1 / gamma,
                    "teacher_accuracy": teacher,
                    "label_accuracy": 100 * float((own.labelled.labels == truth).double().mean()),
                    "epsilon": None if spent == math.inf else spent,
                }
            )
    return found


def table_of(rows, by, of="accuracy"):
    """Means over the seeds: an arm in each row, and a column for each value of ``by``."""
    means = rows.groupby(["arm", by], sort=False)[of].mean().unstack(by, sort=False)
    return means.round(1).rename_axis(None)


def by_noise(rows):
    """Means over the seeds: a row for each number of teachers and noise."""
    shown = {
        "teacher_accuracy": "one teacher",
        "label_accuracy": "right labels",
        "accuracy": "student",
        "epsilon": "epsilon",
    }
    means = rows.groupby(["teachers", "noise_scale"])[list(shown)].mean().round(1).rename(columns=shown)
    # Votes without noise are bounded by nothing.
    return means.rename_axis(["teachers", "noise"]).fillna({"epsilon": math.inf})
