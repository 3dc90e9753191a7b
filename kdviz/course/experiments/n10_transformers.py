"""Two Transformers as students: DeiT's distillation token, and Patient-KD's class token."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from kdviz.course.experiments.arms import (
    fidelity,
    from_labels,
    from_teacher,
    right,
    rows,
    students,
    usual_teachers,
)
from kdviz.course.experiments.n04_features import ShuffledPairs, shuffled
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.feature import NormalisedHint
from kdviz.losses.feature.features import FeaturePair
from kdviz.losses.objective import Loss
from kdviz.losses.response import CrossEntropy, DeiTHard, SoftTargets, cross_entropy, deit_hard
from kdviz.seeding import seeded

WIDTH = 24


class Block(nn.Module):
    """Attention among the tokens, then an MLP for each."""

    def __init__(self):
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.queries = nn.Linear(WIDTH, 3 * WIDTH)
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, tokens):
        query, key, value = self.queries(self.before(tokens)).chunk(3, -1)
        weights = (query @ key.transpose(-1, -2) / WIDTH**0.5).softmax(-1)
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
            self.patches = nn.Linear(4, WIDTH)
            self.tokens = nn.Parameter(0.1 * torch.randn(heads, WIDTH))
            self.places = nn.Parameter(0.1 * torch.randn(heads + 16, WIDTH))
            self.blocks = nn.ModuleList(Block() for _ in range(blocks))
            self.last = nn.LayerNorm(WIDTH)
            for number in range(1, heads + 1):
                self.add_module(f"head{number}", nn.Linear(WIDTH, 10))
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


SOFT = 0.1 * CrossEntropy() + 0.9 * SoftTargets(4.0)
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
    one, two = _starts(seeds), _starts(seeds, heads=2)

    def learned(start, taught_by, objective):
        return from_teacher(data, start, taught_by, objective, steps=steps, **RECIPE)

    arms = {
        "50 labels": from_labels(data, one, steps=steps, **RECIPE),
        "one token, hard answers": learned(one, taught_by, HARD),
        "two tokens, no division": learned(two, taught_by, HARD),
        "distillation token": learned(two, taught_by, divided()),
        "distillation token, shuffled answers": learned(two, wrong, divided("shuffled")),
        "one token, soft targets": learned(one, taught_by, SOFT),
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
        return from_teacher(data, _starts(seeds), taught_by, objective, steps=steps, **RECIPE)

    arms = {"hard labels": from_labels(data, _starts(seeds), steps=steps, **RECIPE)}
    arms["soft targets"] = learned(taught_by, SOFT)
    found = rows(data, arms, _validated, taught_by, labels=labels, weight=0.0)
    for weight in PATIENCE:
        arms = {
            arm: learned(taught_by, SOFT + weight * NormalisedHint(*pair)) for arm, pair in PATIENT.items()
        }
        arms["skip, shuffled"] = learned(mixed, SOFT + weight * NormalisedHint("state1", "shuffled"))
        found += rows(data, arms, _validated, taught_by, labels=labels, weight=weight)
    return found


def _starts(seeds, **form):
    return [Transformer(seed=seed, **form) for seed in seeds]


def _shuffled_pairs(teachers, layer, data):
    return [
        ShuffledPairs(teacher, layer, shuffled(part)) for teacher, part in zip(teachers, data, strict=True)
    ]


def _validated(network, data, teacher):
    chosen_by = {"validation_accuracy": right(network, data.validation)}
    return {**chosen_by, "teacher_accuracy": right(teacher, data.test), **fidelity(network, data, teacher)}
