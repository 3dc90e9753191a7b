"""Students that learn relations only. What relations add to labels is in :mod:`.n04_features`."""

from functools import partial

import torch

from kdviz.course.experiments.arms import from_labels, from_teacher, rows, students, usual_teachers
from kdviz.course.experiments.n04_features import layer_of, shuffled_teacher
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses import relation
from kdviz.losses.response import SoftTargets
from kdviz.measure import cka
from kdviz.models import mlp

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
