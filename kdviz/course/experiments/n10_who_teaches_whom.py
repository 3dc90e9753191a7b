"""Who teaches whom: sizes, the capacity gap, assistants, noisy teachers, kinds of student, Transformers."""

import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from kdviz.course.experiments.arms import (
    answers,
    fidelity,
    from_labels,
    from_teacher,
    new_teachers,
    permuted,
    right,
    rows,
    starts,
    stopped,
    students,
    usual_teachers,
)
from kdviz.course.experiments.n04_features import ShuffledPairs, shuffled
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.feature import Hint, NormalisedHint
from kdviz.losses.feature.features import FeaturePair
from kdviz.losses.objective import Loss
from kdviz.losses.response import CrossEntropy, DeiTHard, SoftTargets, cross_entropy, deit_hard
from kdviz.models import Ensemble, cost, low_rank, mlp, quantised, separable_convnet
from kdviz.schemes import assistants, block_wise, residual, stack_chains
from kdviz.seeding import seeded

MIXTURE = 0.1 * CrossEntropy() + 0.9 * SoftTargets(4.0)
REGIMES = {"all labels": digits, "50 labels": partial(digits, labels=50, transfer="labelled")}
WIDTHS = (2, 4, 8, 16, 32, 64, 128)


def with_teacher(network, data, teacher):
    """Accuracies of a student and of what it listens to, and how near they are."""
    return {"teacher_accuracy": right(teacher, data.test), **fidelity(network, data, teacher)}


@result({"regime": ("all labels", "50 labels")}, tolerance=4.0)
def sizes(seeds, regime, steps=600):
    """Students of seven widths under one teacher, each beside its twin on labels alone."""
    data = [REGIMES[regime](seed=seed) for seed in seeds]
    taught_by, found = usual_teachers(data), []
    for width in WIDTHS:
        begin = starts(data, width)
        arms = {
            "hard labels": from_labels(data, begin, steps=steps),
            "soft targets": from_teacher(data, begin, taught_by, MIXTURE, steps=steps),
        }
        columns = {"regime": regime, "width": width, "parameters": 75 * width + 10}
        found += rows(data, arms, fidelity, taught_by, **columns)
    return found


TEACHER_WIDTHS = (8, 16, 64, 256, 1024)


@result({"steps": (600, 3000)}, tolerance=5.0)
def capacity_gap(seeds, width=4, temperature=2.0, steps=600):
    """A tiny student under teachers of five widths, on their answers alone; and its twin on hard labels."""
    data = [digits(seed=seed) for seed in seeds]
    begin = starts(data, width)
    columns = {"width": width, "temperature": temperature, "steps": steps}
    found = rows(data, {"hard labels": from_labels(data, begin, steps=steps)}, teacher_width=0, **columns)
    for teacher_width in TEACHER_WIDTHS:
        taught_by = new_teachers(data, teacher_width)
        arm = from_teacher(data, begin, taught_by, SoftTargets(temperature), steps=steps)
        columns["teacher_width"] = teacher_width
        found += rows(data, {f"teacher of {teacher_width:,}": arm}, with_teacher, taught_by, **columns)
    return found


CHAINS = {"direct": (), "by way of 16": (16,), "by way of 64, 32, 16, 8": (64, 32, 16, 8)}


@result({"steps": (600, 3000)}, tolerance=5.0)
def chains(seeds, width=4, temperature=2.0, steps=600):
    """Teacher assistants between a teacher of 256 units and a student of 4.

    Controls: the student on hard labels, and both with as many steps as the longest chain takes in all.
    """
    data = [digits(seed=seed) for seed in seeds]
    begin, big = starts(data, width), usual_teachers(data)
    objective, long = SoftTargets(temperature), steps * (1 + max(map(len, CHAINS.values())))
    arms = {
        "hard labels": from_labels(data, begin, steps=steps),
        "hard labels, as many steps": from_labels(data, begin, steps=long),
        "direct, as many steps": from_teacher(data, begin, big, objective, steps=long),
    }
    for arm, widths in CHAINS.items():
        links = zip(*(starts(data, one) for one in widths), begin, strict=True)
        arms[arm] = stack_chains(
            [
                assistants(teacher, list(own), part, objective, steps=steps)
                for teacher, own, part in zip(big, links, data, strict=True)
            ]
        )
    return rows(data, arms, fidelity, big, steps=steps)


NOISY_TEACHERS = {
    "large, by heart": (256, 3000),
    "large, stopped early": (256, 200),
    "small": (8, 600),
}


@result({"noise": (0.4,)}, tolerance=6.0)
def noisy_teachers(seeds, noise=0.4, width=64, steps=600):
    """40 % wrong labels: three teachers, and what a student of 64 units makes of their answers.

    The student hears the answers alone, at temperature 4. Controls: hard labels, the same stopped at the best
    validation accuracy, and each teacher's answers with their dark knowledge permuted.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    begin = starts(data, width)
    alone = stopped(from_labels(data, begin, steps=steps))
    found = rows(data, dict(zip(("hard labels", "hard labels, stopped"), alone, strict=True)))
    for arm, (teacher_width, teacher_steps) in NOISY_TEACHERS.items():
        taught_by = new_teachers(data, teacher_width, teacher_steps)
        said = answers(taught_by, data)
        for name, given in ((arm, said), (f"{arm}, permuted", permuted(said, data))):
            learned = from_teacher(data, begin, given, SoftTargets(4.0), steps=steps)
            found += rows(data, {name: learned}, _with_doubts, taught_by)
    return found


def _with_doubts(network, data, teacher):
    return {
        "teacher_accuracy": right(teacher, data.test),
        "accuracy": right(network, data.test),
        "doubted": 100 - right(teacher, data.train),
    }


# --- five kinds of student

SEARCHED = ((16,), (20,), (12, 12), (8, 32), (32, 4), (10, 10, 10))


def kinds_of_student(teacher, seed):
    """The five kinds of Gou et al., section 4, as networks to start from; the searched one is a list."""
    return {
        "simplified": mlp(64, 16, 10, seed=seed),
        "quantised copy": quantised(copy.deepcopy(teacher).requires_grad_(), 2),
        "efficient operations": separable_convnet(16, 32, seed=seed),
        "searched": [mlp(64, *widths, 10, seed=seed) for widths in SEARCHED],
        "same": mlp(64, 256, 10, seed=seed),
    }


# Parameters, bytes and MACs are in the table too: another network chosen is another size.
@result({"labels": (50,)}, tolerance=6.0)
def kinds(seeds, labels=50, steps=400):
    """Five kinds of student of one teacher, each with what it costs and beside its twin on labels alone.

    A quantised copy starts from the teacher's weights, rounded to 2 bits: the arm "as copied" does not learn
    at all. Of the searched ones each seed takes the one with the best validation accuracy; ``network`` says
    which.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    taught_by = usual_teachers(data)
    every = [kinds_of_student(teacher, part.seed) for teacher, part in zip(taught_by, data, strict=True)]
    learn = {
        "hard labels": lambda begin: from_labels(data, begin, steps=steps),
        "soft targets": lambda begin: from_teacher(data, begin, taught_by, MIXTURE, steps=steps),
    }
    found = []
    for kind in every[0]:
        begin = [own[kind] if kind == "searched" else [own[kind]] for own in every]
        arms = {arm: searched(data, begin, lesson) for arm, lesson in learn.items()}
        if kind == "quantised copy":
            arms["as copied"] = [(start, 0) for (start,) in begin]
        found += rows(data, arms, partial(_with_cost, kind=kind), taught_by, student=kind)
    return found


def searched(data, begin, learn):
    """For each seed the student with the best validation accuracy, and its index among the candidates."""
    tried = list(zip(*(students(learn(list(own))) for own in zip(*begin, strict=True)), strict=True))
    scores = [[right(one, part.validation) for one in own] for own, part in zip(tried, data, strict=True)]
    return [(own[best], best) for own, best in zip(tried, map(int, map(np.argmax, scores)), strict=True)]


def _with_cost(chosen, data, teacher, kind):
    network, index = chosen
    spent = cost(network, data.test.inputs)
    return {
        "network": "-".join(map(str, SEARCHED[index])) if kind == "searched" else kind,
        "parameters": spent.parameters,
        "bytes": spent.bytes,
        "macs": spent.macs,
        **fidelity(network, data, teacher),
    }


# --- several teachers, and how faithful a student is


@result({"labels": (50,)}, tolerance=5.0)
def several_teachers(seeds, labels=50, count=5, steps=600):
    """Teachers with 50 labels each, and their student of 16 units, on all images and without labels.

    Five teachers with five initial weights on the same labels, five on others, or one with all 250.
    """
    data = [digits(seed=seed) for seed in seeds]
    shards = [_shards(part, labels, count) for part in data]
    other = _schools(data, shards)
    same = _schools(data, [own[:1] * count for own in shards])
    union = _schools(data, [[torch.cat(own)] for own in shards])
    listened = {
        "one teacher": [own[0] for own in same],
        "five, same labels": [Ensemble(own) for own in same],
        "five, other labels": [Ensemble(own) for own in other],
        "one, all their labels": [own[0] for own in union],
    }
    begin, found = starts(data, 16), []
    for arm, taught_by in listened.items():
        learned = from_teacher(data, begin, taught_by, SoftTargets(1.0), steps=steps)
        found += rows(data, {arm: learned}, with_teacher, taught_by)
    return found


def _shards(data, labels, count):
    """Rows of the training part in disjoint groups."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(data.seed))
    return list(order[: labels * count].split(labels))


def _schools(data, shards):
    """For each seed one teacher for each of its shards, with initial weights of its own."""
    count = len(shards[0])
    narrowed = [
        replace(part, labelled=part.train[own])
        for part, shard in zip(data, shards, strict=True)
        for own in shard
    ]
    begin = [mlp(64, 256, 10, seed=1000 * number + part.seed) for part in data for number in range(count)]
    trained = students(from_labels(narrowed, begin, steps=300, learning_rate=3e-3))
    return [trained[row : row + count] for row in range(0, len(trained), count)]


SHOWN = (50, 100, 200, 400, 1200)


@result({"steps": (600,)}, tolerance=4.0)
def faithful(seeds, steps=600):
    """A student of its teacher's size, taught by its answers at temperature 4 on 50 to 1,200 images.

    The twin with hard labels sees all, in another order than its teacher.
    """
    data = [digits(seed=seed) for seed in seeds]
    taught_by, begin = usual_teachers(data), [mlp(64, 256, 10, seed=1000 + seed) for seed in seeds]
    alone = from_labels(data, begin, steps=steps)
    found = rows(data, {"hard labels": alone}, fidelity, taught_by, images=1200)
    for images in SHOWN:
        fewer = [digits(labels=images, transfer="labelled", seed=seed) for seed in seeds]
        learned = from_teacher(fewer, begin, taught_by, SoftTargets(4.0), steps=steps)
        found += rows(data, {"soft targets": learned}, fidelity, taught_by, images=images)
    return found


# --- two more bridges

THIN = 4
HINTS = CrossEntropy() + Hint("hidden1") + Hint("logits")


@result({"labels": (50,)}, tolerance=6.0)
def bridges(seeds, labels, steps=600):
    """A residual assistant, and a thin copy of the teacher built block by block; each with its rival.

    "residual": a student of 4 units, then a second of 4 that learns what the first one's answers lack. Its
    rival is one student of 8 units, with the steps of both. "block by block": the teacher's hidden layer
    gives way to one of rank 4, and then its last layer learns. Its rivals are the same thin network all at
    once, with as many steps: on the teacher's answers, on the hints of both stages, on the labels alone.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    taught_by = usual_teachers(data)
    soft, small, other = SoftTargets(2.0), starts(data, 4), [mlp(64, 4, 10, seed=1000 + s) for s in seeds]
    thin = [low_rank(teacher, THIN, seed=s) for teacher, s in zip(taught_by, seeds, strict=True)]
    each = list(zip(taught_by, small, other, data, strict=True))
    arms = {
        "4 units": from_teacher(data, small, taught_by, soft, steps=steps),
        "residual": [residual(*own, soft, steps=steps).finish().student for own in each],
        "8 units": from_teacher(data, starts(data, 8), taught_by, soft, steps=2 * steps),
        "8 units, labels alone": from_labels(data, starts(data, 8), steps=2 * steps),
        "block by block": [
            block_wise(teacher, own, part, steps=steps).finish().student
            for teacher, own, part in zip(taught_by, thin, data, strict=True)
        ],
        "all at once": from_teacher(data, thin, taught_by, MIXTURE, steps=2 * steps),
        "all at once, the same hints": from_teacher(data, thin, taught_by, HINTS, steps=2 * steps),
        "all at once, labels alone": from_labels(data, thin, steps=2 * steps),
        "as copied": thin,
    }
    return rows(data, arms, _sized, taught_by, labels=labels)


def _sized(network, data, teacher):
    return {"parameters": cost(network, data.test.inputs).parameters, **fidelity(network, data, teacher)}


# --- two Transformers: DeiT's distillation token, and Patient-KD's states of the class token

TOKEN_WIDTH = 24


class Block(nn.Module):
    """Attention among the tokens, then an MLP for each."""

    def __init__(self):
        super().__init__()
        self.before, self.between = nn.LayerNorm(TOKEN_WIDTH), nn.LayerNorm(TOKEN_WIDTH)
        self.queries = nn.Linear(TOKEN_WIDTH, 3 * TOKEN_WIDTH)
        self.attended = nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH)
        self.wide, self.narrow = (
            nn.Linear(TOKEN_WIDTH, 2 * TOKEN_WIDTH),
            nn.Linear(2 * TOKEN_WIDTH, TOKEN_WIDTH),
        )

    def forward(self, tokens):
        query, key, value = self.queries(self.before(tokens)).chunk(3, -1)
        weights = (query @ key.transpose(-1, -2) / TOKEN_WIDTH**0.5).softmax(-1)
        tokens = tokens + self.attended(weights @ value)
        return tokens + self.narrow(F.gelu(self.wide(self.between(tokens))))


class Transformer(nn.Module):
    """A vision Transformer for 8 × 8 digits in 16 patches, with one or two tokens that give an answer.

    ``state1``, ``state2`` ... are the first token after each block. With two tokens each has a head,
    ``head1`` and ``head2``, and the logits are those of the mean of both heads' probabilities.
    """

    def __init__(self, blocks=2, heads=1, seed=0):
        super().__init__()
        with seeded(seed):
            self.patches = nn.Linear(4, TOKEN_WIDTH)
            self.tokens = nn.Parameter(0.1 * torch.randn(heads, TOKEN_WIDTH))
            self.places = nn.Parameter(0.1 * torch.randn(heads + 16, TOKEN_WIDTH))
            self.blocks = nn.ModuleList(Block() for _ in range(blocks))
            self.last = nn.LayerNorm(TOKEN_WIDTH)
            for number in range(1, heads + 1):
                self.add_module(f"head{number}", nn.Linear(TOKEN_WIDTH, 10))
        self.heads = heads
        for number in range(1, blocks + 1):
            self.add_module(f"state{number}", nn.Identity())

    def forward(self, images):
        patches = self.patches(F.unfold(images, 2, stride=2).transpose(1, 2))
        tokens = torch.cat([self.tokens.expand(len(images), -1, -1), patches], 1) + self.places
        for number, block in enumerate(self.blocks, 1):
            tokens = block(tokens)
            self.get_submodule(f"state{number}")(tokens[:, 0])
        answers = [
            self.get_submodule(f"head{number + 1}")(self.last(tokens[:, number]))
            for number in range(self.heads)
        ]
        if self.heads == 1:
            return answers[0]
        return torch.stack(answers).log_softmax(-1).logsumexp(0)


@dataclass(frozen=True)
class AtHead(FeaturePair, Loss):
    """Cross-entropy at one head of the student: with the labels, or with the teacher's answers as labels."""

    hears_teacher: bool = False
    name = "cross-entropy at a head"
    paper = "DeiT, Touvron et al. 2021, section 4"
    formula = r"-\frac{1}{N} \sum_n \log p_{n y_n}"
    reads = "embeddings and logits"
    scale = "nats"
    memory = "N × C"
    cost = "one softmax"
    needs_labels = True

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.features(student, teacher)
        return deit_hard(ours, theirs) if self.hears_teacher else cross_entropy(ours, labels)


HARD = 0.5 * CrossEntropy() + 0.5 * DeiTHard()


def divided(layer="logits"):
    """The first token's head learns from the labels, the second's from the teacher's answers."""
    return 0.5 * AtHead("head1", layer) + 0.5 * AtHead("head2", layer, hears_teacher=True)


RECIPE = {"learning_rate": 3e-3}


@result({"labels": (50,)}, tolerance=6.0)
def tokens(seeds, labels, steps=600):
    """A Transformer that hears a teacher's most likely class at a token of its own, or where it says its own.

    Fifty labels, and the answers for all 1,200 training images. "two tokens, no division" is the rival: as
    large, and both tokens learn from labels and answers alike. In the control that should fail each answer
    is another image's.
    """
    data = [digits(labels=labels, seed=seed) for seed in seeds]
    taught_by = usual_teachers(data)
    wrong = _shuffled_pairs(taught_by, "logits", data)
    one, two = _transformers(seeds), _transformers(seeds, heads=2)

    def learned(start, taught_by, objective):
        return from_teacher(data, start, taught_by, objective, steps=steps, **RECIPE)

    arms = {
        "50 labels": from_labels(data, one, steps=steps, **RECIPE),
        "one token, hard answers": learned(one, taught_by, HARD),
        "two tokens, no division": learned(two, taught_by, HARD),
        "distillation token": learned(two, taught_by, divided()),
        "distillation token, shuffled answers": learned(two, wrong, divided("shuffled")),
        "one token, soft targets": learned(one, taught_by, MIXTURE),
    }
    return rows(data, arms, fidelity, taught_by, labels=labels)


PATIENT = {"skip": ("state1", "state2"), "last": ("state1", "state3")}
PATIENCE = (0.1, 1.0, 10.0)


# Fifty images teach a Transformer little that is stable: rounding alone moves a student by ten points.
@result({"labels": (50,)}, tolerance=15.0)
def patient(seeds, labels, steps=600):
    """A Transformer of two blocks and its teacher of four: answers alone, or the class token's states too.

    As Patient-KD has it, the state after the student's first block follows the teacher's second ("skip") or
    third ("last"); the last blocks answer. The control that should fail hears states of other images.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    begin = [Transformer(blocks=4, seed=1000 + seed) for seed in seeds]
    taught_by = students(from_labels(data, begin, on="train", steps=1000, **RECIPE))
    mixed = _shuffled_pairs(taught_by, "state2", data)

    def learned(taught_by, objective):
        return from_teacher(data, _transformers(seeds), taught_by, objective, steps=steps, **RECIPE)

    arms = {"hard labels": from_labels(data, _transformers(seeds), steps=steps, **RECIPE)}
    arms["soft targets"] = learned(taught_by, MIXTURE)
    found = rows(data, arms, _validated, taught_by, labels=labels, weight=0.0)
    for weight in PATIENCE:
        arms = {
            arm: learned(taught_by, MIXTURE + weight * NormalisedHint(*pair)) for arm, pair in PATIENT.items()
        }
        arms["skip, shuffled"] = learned(mixed, MIXTURE + weight * NormalisedHint("state1", "shuffled"))
        found += rows(data, arms, _validated, taught_by, labels=labels, weight=weight)
    return found


def _transformers(seeds, **form):
    return [Transformer(seed=seed, **form) for seed in seeds]


def _shuffled_pairs(teachers, layer, data):
    return [
        ShuffledPairs(teacher, layer, shuffled(part)) for teacher, part in zip(teachers, data, strict=True)
    ]


def _validated(network, data, teacher):
    chosen_by = {"validation_accuracy": right(network, data.validation)}
    return {**chosen_by, **with_teacher(network, data, teacher)}
