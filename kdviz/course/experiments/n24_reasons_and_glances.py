"""Reasons and glances: what a text says on the way to its answer, and where a teacher looks."""

from functools import cache

import pandas as pd
import torch

from kdviz.algorithms.language import generate, learn
from kdviz.course.results import result
from kdviz.datasets import pairs, sums
from kdviz.datasets._pairs import PAIRS, TOKENS, asked_place
from kdviz.losses import CrossEntropy, SoftTargets
from kdviz.losses.encoders import AttentionDistribution, HiddenStates, ValueRelation
from kdviz.models import encoder, transformer
from kdviz.schemes import distill_stack, train_stack
from kdviz.schemes.stacked import Evaluator
from kdviz.tracing import answer
from kdviz.training.stacked import StackedModel

# --- sums

DIGITS, EXAMPLES = 4, 4000
# The five controls have as many words as the running sums, or leave them out.
WORKING = {
    "the answer alone": "none",
    "running sums": "running sums",
    "dots": "dots",
    "another's sums": "another's sums",
    "sums after the answer": "after",
    "sums in another order": "other order",
}
CONTROLS = tuple(arm for arm in WORKING if arm != "running sums")
LARGER = "the answer alone, two layers"
EVERY = 100


def task(arm, seed):
    """The sums of an arm; all arms of a seed are asked the same, and tested by the same."""
    working = "none" if arm == LARGER else WORKING[arm]
    return sums(EXAMPLES, digits=DIGITS, working=working, seed=seed)


def adder(seed, layers=1):
    """A small language model of sums."""
    sizes = {"width": 16, "layers": layers, "heads": 2, "length": 2 * DIGITS}
    return transformer(sums(1).tokens, len(sums(1).words), **sizes, seed=seed)


def learned_sums(arm, seeds, steps=800):
    """While an arm learns to add: the step, each seed's share of right answers, and the run."""
    data = [task(arm, seed) for seed in seeds]
    student = StackedModel([adder(seed, layers=2 if arm == LARGER else 1) for seed in seeds])
    how = {"steps": steps, "learning_rate": 1e-2, "batch_size": 32, "seed": seeds, "record_every": EVERY}
    run = learn(student, [one.texts for one in data], **how)
    for record in run:
        yield record.step, answered(run.student, data), run


def answered(student, data):
    """The share of right answers to sums that were not learned, read greedily: one number for each seed."""
    said = generate(student, [one.test for one in data], words=DIGITS, temperature=0.0)
    return [
        100 * float((one.answers(text) == one.answers(one.test)).double().mean())
        for one, text in zip(data, said, strict=True)
    ]


@result({"arm": (*WORKING, LARGER)}, tolerance=5.0)
def reasons(seeds, arm, steps=800):
    """Small language models that learn sums with and without what leads to the answer, as they learn."""
    return [
        {"seed": seed, "arm": arm, "step": step, "accuracy": right}
        for step, found, _ in learned_sums(arm, tuple(seeds), steps)
        for seed, right in zip(seeds, found, strict=True)
    ]


def looks(student, data, seed=0):
    """At which words a model looks when it writes each running sum, in the mean over sums and heads."""
    texts, model = data.test, student.student(seed, 0)
    maps = answer(model, texts.tokens[:, :-1], ["block1.maps"]).features["block1.maps"].mean((0, 1))
    names = [f"d{n}" for n in range(1, DIGITS + 1)] + ["="] + [f"s{n}" for n in range(2, DIGITS)]
    rows = {f"writes s{n}": maps[DIGITS + n - 2, : len(names)] for n in range(2, DIGITS + 1)}
    return pd.DataFrame({name: row.tolist() for name, row in rows.items()}, index=names).T.round(2)


# --- glances

HEADS, LABELS = 4, 300
WEIGHT = 5.0  # of 1, 5 and 20, on seeds 100 and 101
ATTENTION = WEIGHT * AttentionDistribution("block2.maps")
GLANCES = {
    "labels": CrossEntropy(),
    "logits": 0.5 * CrossEntropy() + 0.5 * SoftTargets(2.0),
    "last attention": CrossEntropy() + ATTENTION,
    "MiniLM": CrossEntropy() + ATTENTION + WEIGHT * ValueRelation("block2.values", heads=HEADS),
    "hidden states": CrossEntropy() + HiddenStates("block2", adapter="linear"),
}
# Of whom the last attention is, where it is not that of the teacher for this sequence.
STRANGERS = ("of other sequences", "of an untrained teacher", "of another teacher")
OTHER = CrossEntropy() + WEIGHT * AttentionDistribution("block2.maps", "network.block2.maps")


class Elsewhere(torch.nn.Module):
    """A control: a network that is asked about the next sequence in place of this."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, tokens):
        return self.network(tokens.roll(1, 0))


def reader(width, seed):
    return encoder(TOKENS, 6, width=width, layers=2, heads=HEADS, length=PAIRS + 1, seed=seed)


@cache
def sequences(seeds):
    return [pairs(LABELS, seed=seed) for seed in seeds]


@cache
def knowing(seeds, away=0):
    """A teacher of width 32 for each seed, on all sequences; ``away`` draws other first weights."""
    begin = StackedModel([reader(32, 1000 + away + seed) for seed in seeds])
    how = {"steps": 400, "learning_rate": 5e-3, "batch_size": 32, "threads": 1}
    run = train_stack(begin, sequences(seeds), on="train", **how).finish()
    return [run.student.student(row, 0) for row in range(len(seeds))]


def glancing(arm, seeds, steps=300, every=300):
    """The run of an arm of students of width 16 on a few labelled sequences."""
    begin = StackedModel([reader(16, seed) for seed in seeds])
    how = {"steps": steps, "learning_rate": 5e-3, "batch_size": 32, "record_every": every, "threads": 1}
    teachers, objective = knowing(seeds), GLANCES.get(arm, CrossEntropy() + ATTENTION)
    if arm == "labels":
        return train_stack(begin, sequences(seeds), **how)
    if arm == "of other sequences":
        teachers, objective = [Elsewhere(one) for one in teachers], OTHER
    elif arm == "of an untrained teacher":
        teachers = [reader(32, 1000 + seed) for seed in seeds]
    elif arm == "of another teacher":
        teachers = knowing(seeds, away=500)
    return distill_stack(teachers, begin, sequences(seeds), objective, **how)


@result({"arm": ("the teacher", *GLANCES, *STRANGERS)}, tolerance=4.0)
def glances(seeds, arm, steps=300):
    """Encoders that learn from labels, and from what a teacher does inside; and where they look."""
    seeds = tuple(seeds)
    teachers = StackedModel(knowing(seeds))
    student = teachers if arm == "the teacher" else glancing(arm, seeds, steps).finish().student
    right = 100 * Evaluator([data.test for data in sequences(seeds)]).accuracy(student)[:, 0]
    looked = [
        100 * float(at_the_asked(student.student(row, 0), data).mean())
        for row, data in enumerate(sequences(seeds))
    ]
    return [
        {"seed": seed, "arm": arm, "accuracy": float(found), "asked": look}
        for seed, found, look in zip(seeds, right, looked, strict=True)
    ]


def at_the_asked(model, data, layer="block2.maps", count=None):
    """How much of the question's attention the asked pair gets, in the mean over the heads: (n,)."""
    inputs = data.test.inputs[:count]
    maps = answer(model, inputs, [layer]).features[layer][:, :, -1].mean(1)
    return maps.gather(1, asked_place(inputs)[:, None])[:, 0]


def watched(arm, seed=0, every=15, count=300):
    """While a student learns: how much the teacher's question and its own look at the asked pair."""
    seeds = (seed,)
    data = sequences(seeds)[0]
    theirs = at_the_asked(knowing(seeds)[0], data, count=count)

    def beside(stack):
        return torch.stack([theirs, at_the_asked(stack.student(0, 0), data, count=count)], -1)

    run = glancing(arm, seeds, every=every)
    frames = [beside(run.student), *(beside(run.student) for _ in run)]
    return [0, *range(every, run.steps + 1, every)], torch.stack(frames)


def at_the_end(table):
    """The rows of the last step."""
    return table[table.step == table.step.max()]


def curves(table, arms):
    """The steps, and each arm's mean share of right answers at each of them."""
    means = table.groupby(["arm", "step"]).accuracy.mean()
    return sorted(set(table.step)), {arm: means[arm].tolist() for arm in arms}
