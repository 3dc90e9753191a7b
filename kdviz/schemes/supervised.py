"""Learning from labels alone: the teacher's own schooling, and the baseline of every comparison."""

import copy
import hashlib

import torch

from kdviz.knowledge.response import CrossEntropy
from kdviz.measure.predictions import accuracy
from kdviz.models.mlp import mlp
from kdviz.tracing import trace
from kdviz.training.batches import batches
from kdviz.training.loop import Run
from kdviz.training.store import Store

# Fields of a data set's settings that change what its training part holds; the others
# concern only the student, so teachers are shared between them.
_TRAIN_SETTINGS = ("name", "label_noise", "shift", "seed")


def train(
    student,
    data,
    objective=None,
    *,
    on="labelled",
    steps=600,
    learning_rate=5e-3,
    batch_size=64,
    seed=None,
    record_every=None,
):
    """Train on labels only: the baseline that a distilled student is compared with.

    Parameters
    ----------
    student : torch.nn.Module
        Where to start from. It is copied, not changed.
    data : Dataset
    objective : default ``CrossEntropy()``
        Any sum of losses that needs no teacher.
    on : {"labelled", "train"}
        Which part of the data to learn from.
    steps, learning_rate, batch_size
        Adam, its learning rate falling along a cosine to 2 % of its start.
    seed : int, default the data's
        Draws the order of the batches.
    record_every : int, default steps // 20
        Steps between two records.

    Returns
    -------
    Run
    """
    if on not in ("labelled", "train"):
        raise ValueError(f"on must be 'labelled' or 'train'; got {on!r}")
    objective = CrossEntropy() if objective is None else objective
    samples = getattr(data, on)
    rows = batches(len(samples), batch_size, data.seed if seed is None else seed)

    def lesson(student, step):
        batch = next(rows)
        return trace(student, samples.inputs[batch]), None, samples.labels[batch]

    def examine(student):
        with torch.no_grad():
            logits = trace(student, data.validation.inputs).logits
        return {"accuracy": accuracy(logits, data.validation.labels)}

    run = Run(
        student,
        lesson,
        objective,
        steps=steps,
        learning_rate=learning_rate,
        record_every=record_every or max(1, steps // 20),
        examine=examine,
    )
    if run.objective.needs_teacher:
        raise ValueError(
            f"{run.objective} needs a teacher; use kdviz.distill(teacher, student, ...)"
        )
    return run


def teacher(data, model=None, *, on="train", steps=1000, learning_rate=3e-3, seed=None, store=None):
    """A trained teacher, frozen and in eval mode; from the store the second time.

    It is trained on the training part of this split only. ``on="labelled"`` gives the control "a
    teacher that saw no more labels than the student". ``model`` is where to start from, by default
    ``mlp(64, 256, 10)`` with initial weights of the data's seed.
    """
    seed = data.seed if seed is None else seed
    model = mlp(64, 256, 10, seed=seed) if model is None else model
    recipe = {"on": on, "steps": steps, "learning_rate": learning_rate, "seed": seed}
    known = _TRAIN_SETTINGS if on == "train" else tuple(data.settings)
    settings = {
        "recipe": "teacher",
        "data": {name: data.settings[name] for name in known},
        "start": _fingerprint(model),
        **recipe,
    }

    def make():
        return train(model, data, **recipe, record_every=steps).finish().student.state_dict()

    trained = _copy_with(model, (store or Store()).fetch(settings, make))
    return trained.eval().requires_grad_(False)


def _copy_with(model, weights):
    trained = copy.deepcopy(model)
    trained.load_state_dict(weights)
    return trained


def _fingerprint(model):
    """Architecture and initial weights in one word."""
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
