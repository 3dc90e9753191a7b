"""Learning from labels alone: the teacher's own schooling, and the baseline of every comparison."""

import copy
import hashlib

from kdviz.losses.response import CrossEntropy
from kdviz.models._mlp import mlp
from kdviz.schemes.shared import begin, exam
from kdviz.tracing import trace
from kdviz.training.batches import batches
from kdviz.training.store import Store

# Fields of a data set's settings that concern only the student, and not what its training part holds:
# teachers are shared between them.
_STUDENT_SETTINGS = ("labels", "omit", "transfer")


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

    run = begin(
        student,
        lesson,
        objective,
        exam(data),
        steps=steps,
        learning_rate=learning_rate,
        record_every=record_every,
    )
    if run.objective.needs_teacher:
        raise ValueError(f"{run.objective} needs a teacher; use kdviz.distill(teacher, student, ...)")
    return run


def teacher(data, model=None, *, on="train", steps=1000, learning_rate=3e-3, seed=None, store=None):
    """A trained teacher, frozen and in eval mode; from the store the second time.

    It is trained on the training part of this split only. ``on="labelled"`` gives the control "a
    teacher that saw no more labels than the student". ``model`` is where to start from, by default
    ``mlp(64, 256, 10)`` with initial weights of the data's seed.
    """
    start, settings, recipe = described_teacher(data, model, on, steps, learning_rate, seed)

    def make():
        return train(start, data, on=on, record_every=steps, **recipe).finish().student.state_dict()

    start.load_state_dict((store or Store()).fetch(settings, make))
    return start.eval().requires_grad_(False)


def described_teacher(data, model=None, on="train", steps=1000, learning_rate=3e-3, seed=None):
    """Where a teacher starts, the settings under which the store keeps it, and how it is trained."""
    seed = data.seed if seed is None else seed
    start = mlp(64, 256, 10, seed=seed) if model is None else copy.deepcopy(model)
    start = start.to(data.train.inputs.device)
    recipe = {"steps": steps, "learning_rate": learning_rate, "seed": seed}
    known = [name for name in data.settings if on != "train" or name not in _STUDENT_SETTINGS]
    settings = {
        "recipe": "teacher",
        "data": {name: data.settings[name] for name in known},
        "start": fingerprint(start),
        "on": on,
        **recipe,
    }
    return start, settings, recipe


def fingerprint(model):
    """Architecture and initial weights in one word."""
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
