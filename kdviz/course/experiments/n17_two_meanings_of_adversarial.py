"""Two meanings of adversarial: a discriminator that sees a crowd, and attacks that a network withstands."""

from functools import partial

import plotly.graph_objects as go
import torch

from kdviz.algorithms.adversarial import AdversarialLoss, discriminator
from kdviz.algorithms.attacks import fgsm, masked, pgd
from kdviz.algorithms.under_attack import OneByOne, Tempered, under_attack_stack
from kdviz.course.experiments.arms import (
    answers,
    exchanged,
    from_labels,
    from_teacher,
    logits,
    starts,
    students,
    usual_teachers,
)
from kdviz.course.experiments.n08_online import SILENT, peers
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.figures.template import STUDENT, figure
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import accuracy, agreement
from kdviz.models import mlp
from kdviz.schemes import distill, mutual_stack
from kdviz.training.stacked import StackedModel

KNOWN = 50  # labels that the student has


# --- the first meaning


def adam(parameters):
    """Adam as generative networks like it: the mean of the gradients forgets faster."""
    return torch.optim.Adam(parameters, lr=1e-2, betas=(0.5, 0.9))


def fooling(data, said, weight=None, steps=800, **training):
    """A run of one student against a discriminator, alone or (``weight``) beside its labels."""
    adversarial = AdversarialLoss(width=8)
    objective = adversarial if weight is None else CrossEntropy() + weight * adversarial
    recipe = {"steps": steps, "optimizer": adam, "batch_size": 128, "record_every": steps}
    return distill(said, mlp(64, 16, 10, seed=data.seed), data, objective, **(recipe | training))


def told_apart(run, own, theirs):
    """How many answers of both the discriminator gives to whom they are from, in percent; 50 is chance."""
    learned = {name: part.detach() for name, part in run.learned["adversarial"].items()}
    right = [discriminator(learned, theirs) > 0, discriminator(learned, own) <= 0]
    return 100 * float(torch.cat(right).double().mean())


CRITICS = {
    "discriminator alone": (None, False, 1500),
    "labels and discriminator": (0.3, False, 800),
    "the same, answers exchanged": (0.3, True, 800),
}


@result({}, tolerance=12.0)
def fooled(seeds):
    """Students with 50 labels or none, taught by a discriminator, beside labels and soft targets.

    The discriminator sees answers to 1,200 images. In the control each answer of the teacher has gone to
    another image. ``told_apart`` is how many answers to test images it gives to whom they are from. Without
    labels the student learns for 1,500 steps, in which the discriminator is better fooled.
    """
    data = [digits(labels=KNOWN, seed=seed) for seed in seeds]
    taught, begin = usual_teachers(data), starts(data, 16)
    soft = 0.1 * CrossEntropy() + 0.9 * SoftTargets(4.0)
    plain = {
        "labels": students(from_labels(data, begin, steps=800)),
        "soft targets": students(from_teacher(data, begin, taught, soft, steps=800)),
    }
    found, said = [], answers(taught, data)
    others = exchanged(said, data)
    for index, (part, teacher) in enumerate(zip(data, taught, strict=True)):
        theirs = logits(teacher, part.test)
        runs = {
            arm: fooling(part, (others if other else said)[index], weight, steps).finish()
            for arm, (weight, other, steps) in CRITICS.items()
        }
        networks = {arm: own[index] for arm, own in plain.items()}
        for arm, network in (networks | {arm: run.student for arm, run in runs.items()}).items():
            own = logits(network, part.test)
            found.append(
                {
                    "seed": part.seed,
                    "arm": arm,
                    "accuracy": 100 * accuracy(own, part.test.labels),
                    "agreement": 100 * agreement(own, theirs),
                    "told_apart": told_apart(runs[arm], own, theirs) if arm in runs else None,
                }
            )
    return found


MUTUAL = CrossEntropy() + SoftTargets(1.0)
SEEN = AdversarialLoss("hidden1", width=8, form="squares")
PEERS = {
    "apart": SILENT,
    "mutual": MUTUAL,
    "mutual, discriminators": MUTUAL + 0.01 * SEEN,
    "the same, ten times": MUTUAL + 0.1 * SEEN,
}


@result({}, tolerance=8.0)
def adversarial_peers(seeds):
    """Two peers with 100 labels: what a discriminator of each one's features adds to learning together.

    The features are those of the hidden layer. The weight 0.01 is the best of 0.01, 0.03, 0.1, 0.3 and 1 on
    validation images of five other seeds.
    """
    data = [digits(labels=100, transfer="labelled", seed=seed) for seed in seeds]
    pairs, found = peers(seeds, 16), []
    for arm, objective in PEERS.items():
        networks = students(mutual_stack(pairs, data, objective, steps=600))
        for index, part in enumerate(data):
            one, other = (logits(own, part.test) for own in networks[2 * index : 2 * index + 2])
            right = (accuracy(own, part.test.labels) for own in (one, other))
            measures = {"accuracy": 50 * sum(right), "agreement": 100 * agreement(one, other)}
            found.append({"seed": part.seed, "arm": arm, **measures})
    return found


# --- the second meaning

EPSILON, HIDDEN, STEPS = 0.1, 32, 400


def bounds(data, each=1):
    """The lowest and highest that a number of an input may be, ink from none to full: a row for each image.

    Of several splits one after another, each with as many images.
    """
    low = torch.stack([-part.mean for part in data]).repeat_interleave(each, 0)
    return low, low + 1


def practice(data, batch=64):
    """The attack that networks of these splits are trained under, in batches of this size: four steps."""
    return partial(pgd, epsilon=EPSILON, steps=4, bounds=bounds(data, batch))


def attacks(data, others, epsilon=EPSILON):
    """The attacks of the page by name: what each makes of all test images, one split after another."""
    inputs, labels = tested(data)
    known = {"inputs": inputs, "labels": labels, "epsilon": epsilon}
    known["bounds"] = bounds(data, len(data[0].test))
    carried = pgd(others, steps=20, **known)
    return {
        "none": lambda model: inputs,
        "gradient sign": lambda model: fgsm(model, **known),
        "20 steps": lambda model: pgd(model, steps=20, **known),
        "20 steps, margin": lambda model: pgd(model, steps=20, goal="margin", **known),
        "transfer": lambda model: carried,
    }


def tested(data):
    """The test images of all splits, one after another, and their labels."""
    return torch.cat([part.test.inputs for part in data]), torch.cat([part.test.labels for part in data])


def ended(run):
    """The networks of a stack, as they are at its end."""
    return run.finish().student


def defensive(begin, data, temperature=40.0, steps=2 * STEPS):
    """:func:`defensive_distillation` for a stack: the networks as they are used.

    At fewer steps or a lower rate its logits are not yet large, and it reads clean images badly.
    """
    recipe = {"steps": steps, "learning_rate": 2e-2, "record_every": steps}
    start = [Tempered(network, temperature) for network in begin]
    hot = students(from_labels(data, start, **recipe))
    cold = students(from_teacher(data, start, hot, SoftTargets(1.0), **recipe))
    return StackedModel([network.network for network in cold])


def defended(data, steps=STEPS):
    """Stacks of networks of one size by how they were defended, and the robust teachers of two of them."""
    begin, attack = starts(data, HIDDEN), practice(data)
    recipe = {"steps": steps, "record_every": steps}
    large = under_attack_stack(StackedModel(starts(data, 256)), data, attack, **recipe)
    teachers = students(large)
    guarded = partial(under_attack_stack, StackedModel(begin), data, attack, **recipe)
    return {
        "undefended": ended(from_labels(data, begin, **recipe)),
        "defensive distillation": defensive(begin, data),
        "robust teacher": large.student,
        "from it, clean": ended(from_teacher(data, begin, teachers, SoftTargets(4.0), **recipe)),
        "from it, attacked (ARD)": ended(guarded(teachers=teachers)),
        "adversarial training": ended(guarded()),
    }


@result({}, tolerance=6.0)
def withstood(seeds):
    """Six networks under five attacks of 0.1 in each pixel, of full ink; all learn from 1,200 labels.

    The transfer attack is made against a network that has learned the same labels from another start. ARD is
    at temperature 1, the copy of clean answers at 4: the best of 1, 2 and 4 on validation images of three
    other seeds. ``masked`` is how many test images leave the cross-entropy no gradient.
    """
    data = [digits(seed=seed) for seed in seeds]
    others = [mlp(64, HIDDEN, 10, seed=500 + seed) for seed in seeds]
    ways = attacks(data, OneByOne(ended(from_labels(data, others, steps=STEPS))))
    inputs, labels = tested(data)
    found = []
    for arm, stack in defended(data).items():
        model = OneByOne(stack)
        silent = masked(model, inputs, labels).double().view(len(data), -1).mean(-1)
        for attack, change in ways.items():
            right = (model(change(model)).argmax(-1) == labels).double().view(len(data), -1).mean(-1)
            found += [
                {"seed": seed, "arm": arm, "attack": attack, "accuracy": 100 * own, "masked": 100 * none}
                for seed, own, none in zip(seeds, right.tolist(), silent.tolist(), strict=True)
            ]
    return found


# --- shown live on the page


def watched(data, teacher, at, digit=8, shown=200):
    """Against a discriminator alone, at some steps: points to be played, and two curves in percent.

    A point is the logit of one digit, the teacher's to the right and the student's upwards, scaled by the
    teacher's range: of one image, and of the two crowds, each sorted by itself.
    """
    said, theirs = logits(teacher, data.transfer), logits(teacher, data.test)
    low, high = theirs[:, digit].min(), theirs[:, digit].max()
    run, pairs, curves = fooling(data, said, steps=max(at), record_every=1), [], []
    for record in run:
        if record.step in at:
            own = logits(run.student, data.test)
            both = torch.stack([theirs[:shown, digit], own[:shown, digit]], -1)
            pairs.append(((both - low) / (high - low)).clamp(0, 1))
            curves.append((100 * agreement(own, theirs), told_apart(run, own, theirs)))
    pairs = torch.stack(pairs)
    panels = {"each image with itself": pairs, "crowd with crowd": pairs.sort(1).values}
    names = ("agreement", "told apart")
    return panels, dict(zip(names, zip(*curves, strict=True), strict=True))


def means(rows, by="attack"):
    """Means over the seeds: a row for each network, and a column for each attack."""
    return rows.groupby(["arm", by], sort=False).accuracy.mean().unstack(by, sort=False).round(1)


def picker(networks, data, ways):
    """Bars of what is still read rightly, one for each network; a menu picks the attack."""
    right = {
        attack: [
            accuracy(network(change(network)).detach(), data.test.labels) for network in networks.values()
        ]
        for attack, change in ways.items()
    }
    first, *_ = right.values()
    bars = go.Bar(
        x=[name.replace(" ", "<br>") for name in networks],
        y=first,
        texttemplate="%{y:.0%}",
        textposition="outside",
        cliponaxis=False,
    )
    bars.marker.color = STUDENT.color
    menu = {
        "buttons": [
            {"label": attack, "method": "restyle", "args": [{"y": [values]}]}
            for attack, values in right.items()
        ],
        "x": 0, "xanchor": "left", "y": 1.12, "yanchor": "bottom",
    }  # fmt: skip
    axes = {
        "yaxis": {
            "range": [0, 1.1],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "tickformat": ".0%",
            "title": "images read rightly",
        }
    }
    return figure(bars, title="Pick an attack", height=380, margin={"t": 120}, updatemenus=[menu], **axes)


def misread(network, image, data, attack):
    """One test image as it is and under attack, and what is read in each: pixels and captions."""
    seen = torch.stack([data.test.inputs[image], attack(network)[image]])
    said = network(seen).argmax(-1).tolist()
    names = (f"reads {said[0]}", f"now {said[1]}")
    return data.pixels(seen)[:, 0].numpy(), names
