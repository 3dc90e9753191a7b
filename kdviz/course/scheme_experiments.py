"""The experiments behind notebooks 07 and 08: offline and online schemes, over paired seeds.

As in ``experiments``: each takes seeds and returns rows. Within a seed all students share the split, the
initial weights and the order of the batches, unless an arm says otherwise. Shares are in percent.
"""

from functools import partial

import torch

from kdviz.datasets import digits
from kdviz.datasets.augmentations import SLIGHT_NOISE
from kdviz.losses.response import CrossEntropy, LabelSmoothing, SoftTargets, permute_dark_knowledge
from kdviz.measure import accuracy, agreement, kl_to_teacher
from kdviz.models import gated_branches, mlp
from kdviz.schemes import (
    assistants,
    codistillation,
    collaborative,
    distill_stack,
    mutual_stack,
    native_ensemble,
    route_constrained,
    stack_chains,
    teachers,
    train_stack,
)
from kdviz.schemes.stacked import Evaluator
from kdviz.tracing import answer
from kdviz.training.stacked import StackedModel

# --- 07: offline


def cached_answers(seeds, regime, temperature=4.0):
    """A teacher that is gone: what must have been kept of its answers, on few images or on many?

    The students learn from the kept answers alone; only "hard labels" has the 50 labels, and no answers.
    """
    transfer = {"50 images": "labelled", "1,200 images": "all"}[regime]
    data = [digits(labels=50, transfer=transfer, seed=seed) for seed in seeds]
    starts = StackedModel([mlp(64, 16, 10, seed=seed) for seed in seeds])
    answers = [_answer(teacher, part.transfer) for teacher, part in zip(teachers(data), data, strict=True)]

    def taught(kept):
        return distill_stack([kept(logits) for logits in answers], starts, data, SoftTargets(temperature))

    runs = {name: partial(taught, kept) for name, kept in KEPT.items()}
    runs["hard labels"] = lambda: train_stack(starts, data)
    return [
        {"regime": regime, "seed": seed, "arm": arm, "accuracy": found}
        for arm, run in runs.items()
        for seed, found in zip(seeds, _tested(run().finish().student, data), strict=True)
    ]


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

TEACHER_STEPS = (50, 100, 200, 400, 1000, 3000)
TEACHER_WIDTHS = {"wide teacher": 256, "narrow teacher": 16}


def teacher_age(seeds, noise=0.4, width=64, temperature=4.0):
    """Wrong labels, and teachers stopped early and late: is the most accurate one the best teacher?

    ``step`` is how long the teacher trained; its students learn from its answers alone. Controls: hard
    labels, hard labels stopped at the best validation accuracy, and the wide teacher's answers with their
    dark knowledge permuted. Teacher and student have the same labels, right ones on validation and test.
    ``believed`` is the share of the wrong labels that the student finds likelier than the right digit.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    rows = _hard_labels(data, width)
    for step in TEACHER_STEPS:
        for arm, wide in TEACHER_WIDTHS.items():
            asked = _trained([mlp(64, wide, 10, seed=seed) for seed in seeds], data, step)
            answers = [_answer(teacher, part.transfer) for teacher, part in zip(asked, data, strict=True)]
            rows += _taught(arm, step, answers, asked, data, width, temperature)
            if arm == "wide teacher":
                answers = [
                    permute_dark_knowledge(logits, part.transfer.labels, part.seed)
                    for logits, part in zip(answers, data, strict=True)
                ]
                rows += _taught("permuted", step, answers, asked, data, width, temperature)
    return rows


def _trained(starts, data, steps):
    """Teachers from the starts given, by the recipe of ``kdviz.teacher``."""
    students = StackedModel(starts)
    run = train_stack(
        students, data, on="train", steps=steps, learning_rate=3e-3, record_every=steps
    ).finish()
    return [run.student.student(row, 0) for row in range(len(data))]


def _taught(arm, step, answers, asked, data, width, temperature):
    """The rows of students that learn from these answers, beside the teachers who gave them."""
    starts = StackedModel([mlp(64, width, 10, seed=part.seed) for part in data])
    students = distill_stack(answers, starts, data, SoftTargets(temperature)).finish().student
    rows = _beside_teacher(students, data, asked, arm, temperature)
    for place, (row, teacher, part) in enumerate(zip(rows, asked, data, strict=True)):
        row["step"] = step
        row["believed"] = 100 * share_believed(_answer(students.student(place, 0), part.train), part)
        row["teacher_accuracy"] = 100 * accuracy(_answer(teacher, part.test), part.test.labels)
        row["teacher_believed"] = 100 * share_believed(_answer(teacher, part.train), part)
    return rows


def share_believed(logits, data):
    """Of the wrong training labels, the share with a larger logit than the right digit's."""
    given, truth = data.train.labels, digits(seed=data.seed).train.labels
    told, right = (logits.gather(1, labels[:, None])[:, 0] for labels in (given, truth))
    return float((told > right)[given != truth].double().mean())


def _hard_labels(data, width):
    """Students on hard labels: at the end, and at the step with the best validation accuracy."""
    run = train_stack(StackedModel([mlp(64, width, 10, seed=part.seed) for part in data]), data)
    chosen, stopped = [-1.0] * len(data), [0.0] * len(data)
    for record in run:
        tested = _tested(run.student, data)
        for place, found in enumerate(record.measures["accuracy"][:, 0]):
            if found > chosen[place]:
                chosen[place], stopped[place] = found, tested[place]
    return [
        {"seed": part.seed, "arm": arm, "step": 0, "accuracy": accuracies[place]}
        for arm, accuracies in {"hard labels": tested, "hard labels, stopped": stopped}.items()
        for place, part in enumerate(data)
    ]


def assistant_chains(seeds, width=4, temperature=2.0, steps=600):
    """A tiny student and a large teacher: straight, by way of assistants, or along the teacher's route.

    The route's student learns in four stages. Its controls are "straight, 4 × steps" and "straight, four
    stages": the same stages, each with its own falling learning rate, and the finished teacher in all.
    """
    data = [digits(seed=seed) for seed in seeds]
    starts, large = ([mlp(64, w, 10, seed=seed) for seed in seeds] for w in (width, 1024))
    best, objective = _trained(large, data, 1000), SoftTargets(temperature)

    def chain(scheme, taught_by, students):
        each = zip(taught_by, students, data, strict=True)
        return stack_chains([scheme(*one, objective, steps=steps) for one in each])

    def by_way_of(*widths):
        return chain(assistants, best, [[mlp(64, w, 10, seed=s) for w in (*widths, width)] for s in seeds])

    runs = {
        "hard labels": lambda: train_stack(StackedModel(starts), data, steps=steps),
        "straight": by_way_of,
        "by way of 64": lambda: by_way_of(64),
        "by way of 16": lambda: by_way_of(16),
        "by way of 8": lambda: by_way_of(8),
        "five assistants": lambda: by_way_of(256, 64, 32, 16, 8),
        "along the route": lambda: chain(route_constrained, _routes(large, data, stops=4), starts),
        "straight, four stages": lambda: chain(route_constrained, [[one] * 4 for one in best], starts),
        "straight, 4 × steps": lambda: distill_stack(
            best, StackedModel(starts), data, objective, steps=4 * steps
        ),
        "hard labels, 4 × steps": lambda: train_stack(StackedModel(starts), data, steps=4 * steps),
    }
    return [
        row
        for arm, run in runs.items()
        for row in _beside_teacher(run().finish().student, data, best, arm, temperature)
    ]


def _routes(starts, data, stops, steps=1000):
    """Checkpoints of each seed's teacher along its own training, early to late."""
    run = train_stack(
        StackedModel(starts), data, on="train", steps=steps, learning_rate=3e-3, record_every=steps // stops
    )
    kept = [[run.student.student(row, 0) for row in range(len(data))] for _ in run]
    return list(zip(*kept, strict=True))


def _beside_teacher(students, data, asked, arm, temperature):
    """Accuracy, and how true each student is to its seed's teacher."""
    said = [_answer(students.student(row, 0), part.test) for row, part in enumerate(data)]
    told = [_answer(teacher, part.test) for teacher, part in zip(asked, data, strict=True)]
    return [
        {
            "seed": part.seed,
            "arm": arm,
            "accuracy": 100 * accuracy(own, part.test.labels),
            "agreement": 100 * agreement(own, other),
            "divergence": kl_to_teacher(own, other, temperature),
        }
        for own, other, part in zip(said, told, data, strict=True)
    ]


# --- 08: online

REGIMES = {
    "all labels": (digits, 16, 600),
    "100 labels": (partial(digits, labels=100, transfer="labelled"), 16, 600),
    "40 % wrong labels": (partial(digits, label_noise=0.4), 64, 1500),
}


# Peers see each other and do not listen.
SILENT = CrossEntropy() + 0.0 * SoftTargets(1.0)


def mutual_learning(seeds, regime):
    """Two peers that teach each other, along their training, beside two that learn apart.

    "label smoothing" is a control: apart, with softer labels and nobody to teach.
    """
    make, width, steps = REGIMES[regime]
    data = [make(seed=seed) for seed in seeds]
    pairs = [[mlp(64, width, 10, seed=2 * seed + peer) for peer in range(2)] for seed in seeds]
    runs = {
        "apart": mutual_stack(pairs, data, SILENT, steps=steps),
        "mutual": mutual_stack(pairs, data, steps=steps),
        "label smoothing": mutual_stack(
            pairs, data, LabelSmoothing(0.1) + 0.0 * SoftTargets(1.0), steps=steps
        ),
    }
    return [
        {"regime": regime, "seed": part.seed, "arm": arm, "step": record.step, **measured}
        for arm, run in runs.items()
        for record in run
        for part, measured in zip(data, _pairs(run.student, record, data), strict=True)
    ]


def _pairs(students, record, data):
    """What is measured of the two peers of each seed, on validation and on test."""
    twice = [part.test for part in data for _ in range(2)]
    said = Evaluator(twice).logits(students)[:, 0].unflatten(0, (-1, 2))
    validation = record.measures["accuracy"][:, 0].reshape(-1, 2)
    return [
        {"validation_accuracy": 100 * float(chosen_by.mean()), **_two(own, part.test.labels)}
        for own, chosen_by, part in zip(said, validation, data, strict=True)
    ]


def _two(said, labels):
    """Of two networks: mean accuracy, that of their ensemble, how often they say the same or err alike."""
    one, other = said
    first, second = said.argmax(-1)
    alike = (first == second) & (first != labels)
    return {
        "accuracy": 100 * sum(accuracy(own, labels) for own in said) / 2,
        "ensemble_accuracy": 100 * accuracy(said.softmax(-1).mean(0), labels),
        "agreement": 100 * agreement(one, other),
        "same_mistake": 100 * float(alike.double().mean()),
        "divergence": (kl_to_teacher(one, other) + kl_to_teacher(other, one)) / 2,
    }


def online_schemes(seeds, regime):
    """Four online schemes with two students each. All deploy ``mlp(64, 16, 16, 10)``.

    Two arms are controls. "codistillation, no delay": the copies are as the others are now. "KDCL without
    teaching": the same distorted images, and the ensemble is not listened to.
    """
    make, _, _ = REGIMES[regime]
    data = [make(seed=seed) for seed in seeds]
    pairs = [[mlp(64, 16, 16, 10, seed=2 * seed + peer) for peer in range(2)] for seed in seeds]

    def one_by_one(scheme, *objective, **settings):
        return lambda: [
            scheme(pair, part, *objective, **settings).finish().student
            for pair, part in zip(pairs, data, strict=True)
        ]

    arms = {
        "apart": lambda: _pairs_of(mutual_stack(pairs, data, SILENT)),
        "mutual": lambda: _pairs_of(mutual_stack(pairs, data)),
        "codistillation": one_by_one(codistillation, exchange=50),
        "codistillation, no delay": one_by_one(codistillation, exchange=1),
        "KDCL": one_by_one(collaborative, augment=SLIGHT_NOISE),
        "KDCL without teaching": one_by_one(collaborative, SILENT, augment=SLIGHT_NOISE),
        "ONE": lambda: [_branches(pair[0], part) for pair, part in zip(pairs, data, strict=True)],
    }
    return [
        {"regime": regime, "seed": part.seed, "arm": arm, **_two(said, part.test.labels)}
        for arm, students in arms.items()
        for found, part in zip(students(), data, strict=True)
        for said in [torch.stack([_answer(one, part.test) for one in found])]
    ]


def _pairs_of(stack):
    """The two trained peers of each seed."""
    students = stack.finish().student
    return [[students.student(row + peer, 0) for peer in range(2)] for row in range(0, students.shape[0], 2)]


def _branches(network, data):
    gated = gated_branches(network, "activation1", 2, data.train.inputs, seed=data.seed)
    student = native_ensemble(gated, data).finish().student
    return [student.subnetwork(branch) for branch in student.branches]


def _tested(students, data):
    """Percent right of each seed's student, on test."""
    return (100 * Evaluator([part.test for part in data]).accuracy(students)[:, 0]).tolist()


def _answer(model, samples):
    return answer(model, samples.inputs).logits
