"""Students that learn relations only. What relations add to labels is in :mod:`.n04_features`."""

from dataclasses import replace
from functools import partial

import torch
from torch.nn.functional import avg_pool2d, cross_entropy

from kdviz.algorithms.graph import graph_distillation
from kdviz.course.experiments.arms import (
    from_labels,
    from_teacher,
    logits,
    right,
    rows,
    students,
    usual_teachers,
)
from kdviz.course.experiments.n04_features import layer_of, shuffled_teacher
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses import relation
from kdviz.losses.response import SoftTargets
from kdviz.measure import cka
from kdviz.models import Reads, mlp
from kdviz.schemes import train

EMBEDDING = ("hidden2", "activation1")
FROM_TEACHER = {
    "distances": partial(relation.DistanceRelation, *EMBEDDING),
    "angles": partial(relation.AngleRelation, *EMBEDDING),
    "similarities": partial(relation.SimilarityPreserving, *EMBEDDING),
    "neighbours": partial(relation.ProbabilisticTransfer, *EMBEDDING),
    "distances, shuffled pairs": partial(relation.DistanceRelation, EMBEDDING[0], "shuffled"),
    "soft targets": partial(SoftTargets, temperature=4),
}
RELATIONS_ONLY_ARMS = ("pixels", "teacher", "untrained", *FROM_TEACHER, "50 labels", "all labels")


def embedding_student(seed=0):
    """A network with an embedding of 8 numbers, ``hidden2``, before its logits."""
    return mlp(64, 64, 8, 10, seed=seed)


@result({"steps": (600,)}, tolerance=5.0)
def relations_only(seeds, steps=600, arms=RELATIONS_ONLY_ARMS):
    """Students that never see a label and only learn how images stand to each other in the teacher.

    Beside them: what needs no training, what soft targets on the same images do, and what labels do.
    ``accuracy`` is that of the nearest among 50 labelled images, ``vote_accuracy`` that of the vote of the
    5 nearest among all 1,200 training images. ``cka`` is that with the teacher's layer on the test images,
    times 100.
    """
    data = [digits(labels=50, seed=seed) for seed in seeds]
    taught_by, begin = usual_teachers(data), [embedding_student(seed) for seed in seeds]
    embeddings = {arm: _embeddings(arm, data, taught_by, begin, steps) for arm in arms}
    return rows(data, embeddings, _read_out, taught_by, steps=steps)


def _embeddings(arm, data, teachers, begin, steps):
    """For each seed a function from images to embeddings."""
    if arm == "pixels":
        return [lambda images: images.flatten(1)] * len(data)
    if arm == "teacher":
        return [layer_of(teacher, EMBEDDING[1]) for teacher in teachers]
    if arm == "untrained":
        learners = begin
    elif arm in FROM_TEACHER:
        taught_by = [shuffled_teacher(part) for part in data] if "shuffled" in arm else teachers
        learners = from_teacher(data, begin, taught_by, FROM_TEACHER[arm](), steps=steps)
    else:
        on = {"50 labels": "labelled", "all labels": "train"}[arm]
        learners = from_labels(data, begin, on=on, steps=steps)
    return [layer_of(student, EMBEDDING[0]) for student in students(learners)]


def _read_out(embed, data, teacher):
    seen = embed(data.test.inputs)
    few = nearest_neighbours(embed(data.labelled.inputs), data.labelled.labels, seen, count=1)
    every = nearest_neighbours(embed(data.train.inputs), data.train.labels, seen, count=5)
    few_right, every_right = (
        100 * float((said == data.test.labels).double().mean()) for said in (few, every)
    )
    similarity = 100 * cka(seen, layer_of(teacher, EMBEDDING[1])(data.test.inputs))
    return {"accuracy": few_right, "vote_accuracy": every_right, "cka": similarity}


def nearest_neighbours(known, labels, asked, count):
    """The labels that the nearest known embeddings give to the embeddings asked about."""
    from sklearn.neighbors import KNeighborsClassifier

    vote = KNeighborsClassifier(count).fit(known.numpy(), labels.numpy())
    return torch.from_numpy(vote.predict(asked.numpy()))


# --- more relations, and the graph of neighbours

TWO = {
    "student_first": "activation1",
    "student_second": "hidden2",
    "teacher_first": "hidden1",
    "teacher_second": "activation1",
}
MORE_RELATIONS = {
    "distances": relation.DistanceRelation(*EMBEDDING),
    "correlation congruence": relation.CorrelationCongruence(*EMBEDDING),
    "DarkRank": relation.DarkRank(*EMBEDDING),
    "locality preserving": relation.LocalityPreserving(*EMBEDDING),
    "IRG": relation.InstanceRelationshipGraph(**TWO),
    "InfoNCE": relation.InfoNCE(*EMBEDDING),
}


@result({"steps": (600,)}, tolerance=6.0)
def more_relations(seeds, steps=600, losses=MORE_RELATIONS):
    """As :func:`relations_only`, with any losses by name: what each leaves of the teacher's neighbours.

    ``edge_overlap`` is that of :func:`edge_overlap` with the teacher's layer, on the test images. Beside
    them stand the teacher itself, the untrained student, and students whose teacher has the features of
    other images.
    """
    data = [digits(labels=50, seed=seed) for seed in seeds]
    taught_by, begin = usual_teachers(data), [embedding_student(seed) for seed in seeds]
    wrong = [shuffled_teacher(part) for part in data]
    arms = {"teacher": [layer_of(teacher, EMBEDDING[1]) for teacher in taught_by]}
    arms["untrained"] = [layer_of(start, EMBEDDING[0]) for start in begin]
    for arm, loss in losses.items():
        arms[arm] = _learned(from_teacher(data, begin, taught_by, loss, steps=steps))
    for arm, loss in SHUFFLED_RELATIONS.items() if losses is MORE_RELATIONS else ():
        arms[f"{arm}, shuffled pairs"] = _learned(from_teacher(data, begin, wrong, loss, steps=steps))
    return rows(data, arms, _with_edges, taught_by, steps=steps)


SHUFFLED_RELATIONS = {
    arm: replace(MORE_RELATIONS[arm], teacher_layer="shuffled")
    for arm in ("distances", "DarkRank", "InfoNCE")
}


def _learned(arm):
    return [layer_of(student, EMBEDDING[0]) for student in students(arm)]


def _with_edges(embed, data, teacher):
    seen, theirs = embed(data.test.inputs), layer_of(teacher, EMBEDDING[1])(data.test.inputs)
    return {
        **_read_out(embed, data, teacher),
        "edge_overlap": 100 * edge_overlap(neighbour_graph(seen), neighbour_graph(theirs)),
    }


def neighbour_graph(embeddings, count=5):
    """Who is near: a symmetric (N, N) of booleans, true where one of two is among the other's nearest.

    >>> neighbour_graph(torch.tensor([[0.0], [1.0], [3.0]]), count=1).int().tolist()
    [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    apart = torch.cdist(embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist")
    near = apart.fill_diagonal_(float("inf")).topk(count, largest=False).indices
    edges = torch.zeros(apart.shape, dtype=torch.bool).scatter_(1, near, True)
    return edges | edges.T


def edge_overlap(one, other):
    """The edges that two graphs share, as a fraction of those that at least one of them has (Jaccard).

    >>> path = neighbour_graph(torch.tensor([[0.0], [1.0], [3.0]]), count=1)
    >>> edge_overlap(path, path), edge_overlap(path, ~path)
    (1.0, 0.0)
    """
    return float((one & other).sum() / (one | other).sum())


# --- a graph that controls: who listens to whom

SENSES = {"image": 64, "thumbnail": 16, "tone": 96, "noise": 64}


def senses(data):
    """A split in which each sample has an image, its 4 × 4 thumbnail, the key tone of its digit, and noise.

    A tone is two sines, 12 ms at 8 kHz, under noise twice as strong as each; noise alone says nothing.
    """
    parts = {name: getattr(data, name) for name in ("train", "labelled", "transfer", "validation", "test")}
    count = 1 + max(int(part.indices.max()) for part in parts.values())
    digit = torch.zeros(count, dtype=torch.long)
    for name in ("train", "validation", "test"):
        digit[parts[name].indices] = parts[name].labels
    random = torch.Generator().manual_seed(data.seed)
    low, high = torch.tensor(KEYS, dtype=torch.float32).T[:, digit]
    time = 2 * torch.pi * torch.arange(96) / 8000
    sines = torch.sin(low[:, None] * time) + torch.sin(high[:, None] * time)
    tones = sines + 2 * torch.randn(count, 96, generator=random)
    noise = torch.randn(count, 64, generator=random)

    def sensed(part):
        image = part.inputs
        own = {"image": image, "thumbnail": avg_pool2d(image, 2)}
        return replace(part, inputs=own | {"tone": tones[part.indices], "noise": noise[part.indices]})

    return replace(data, **{name: sensed(part) for name, part in parts.items()})


# The two frequencies of a key in hertz, from 0 to 9.
KEYS = [(941, 1336)] + [(low, high) for low in (697, 770, 852) for high in (1209, 1336, 1477)]


@result({"labels": (50,)}, tolerance=8.0)
def modalities(seeds, labels, steps=150):
    """Four networks, each with a sense of its own, that learn together from 50 labels and 1,200 samples.

    The network of noise can know nothing. Edges are all alike, or learned, or given by the losses of the
    networks alone on 50 validation samples. ``edge_from_noise`` is how much a network listens to noise.
    """
    found, recipe = [], {"steps": steps, "learning_rate": 1e-2, "record_every": steps}
    for seed in seeds:
        data = senses(digits(labels=labels, seed=seed))
        begin = [
            Reads(mlp(wide, 32, 10, seed=1000 * number + seed), sense)
            for number, (sense, wide) in enumerate(SENSES.items())
        ]
        alone = [train(one, data, **recipe).finish().student for one in begin]
        graphs = {"all alike": (None, 1.0), "learned": (None, 0.0)}
        graphs["given"] = by_worth(alone, data.validation[:50]), 1.0
        arms = {"alone": (alone, torch.full((4, 4), torch.nan))}
        for arm, (prior, trust) in graphs.items():
            run = graph_distillation(list(alone), data, prior=prior, trust=trust, **recipe).finish()
            arms[arm] = run.student, 100 * run.lesson.edges()
        for arm, (networks, edges) in arms.items():
            for sense, network, edge in zip(SENSES, networks, edges[:, -1].tolist(), strict=True):
                row = {"seed": seed, "labels": labels, "arm": arm, "sense": sense}
                found.append({**row, "accuracy": right(network, data.test), "edge_from_noise": edge})
    return found


def by_worth(networks, samples):
    """A prior graph: each listens to the others by the softmax of their losses on samples, negated."""
    losses = torch.stack([cross_entropy(logits(one, samples), samples.labels) for one in networks])
    graph = (-losses).expand(len(networks), -1).clone()
    return graph.fill_diagonal_(-torch.inf).softmax(1)
