"""The loss anatomy: which logits each loss pushes up and which down, on one image, at any temperature."""

from collections.abc import Mapping

import torch
import traitlets

from kdviz.explorers.base import ImageExplorer
from kdviz.explorers.selection import best_start, logits_of, most_informative
from kdviz.explorers.validation import Index, check_count, check_data, checked_images
from kdviz.explorers.wire import Array
from kdviz.losses.objective import as_objective
from kdviz.losses.response import (
    CrossEntropy,
    Decoupled,
    JensenShannon,
    LogitMatching,
    PredictionCorrelation,
    ReverseKL,
    SoftTargets,
    StandardisedSoftTargets,
)
from kdviz.tracing import Trace

STOPS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0)
LOSSES = {
    "soft targets": SoftTargets(),
    "decoupled (DKD)": Decoupled(),
    "correlation (DIST)": PredictionCorrelation(),
    "reverse KL": ReverseKL(form="scaled"),
    "Jensen-Shannon": JensenShannon(form="normalised"),
    "logit standardisation": StandardisedSoftTargets(),
    "logit matching": LogitMatching(),
    "hard labels": CrossEntropy(),
}


class Anatomy(ImageExplorer):
    """The push of a loss on each logit, beside that of one or two others. Made by :func:`anatomy`.

    What a reader can set, Python can set and read: ``loss``, ``against`` and ``also`` (names; the last
    may be empty), ``index`` (the image), ``temperature`` (one of ``temperatures``) and ``raw``.
    """

    loss = traitlets.Unicode().tag(sync=True)
    against = traitlets.Unicode().tag(sync=True)
    also = traitlets.Unicode().tag(sync=True)
    index = Index("labels")
    temperature = traitlets.Float().tag(sync=True)
    raw = traitlets.Bool(False).tag(sync=True)

    temperatures = traitlets.List(traitlets.Float()).tag(sync=True)
    teacher_logits = Array("float32").tag(sync=True)
    student_logits = Array("float32").tag(sync=True)
    # Losses by temperatures by images by classes; the losses in the order of `scales`.
    gradients = Array("float32").tag(sync=True)
    # By name: what a unit of the loss is, and whether a temperature changes it.
    scales = traitlets.Dict().tag(sync=True)
    tempered = traitlets.Dict().tag(sync=True)

    @traitlets.validate("loss", "against", "also")
    def _check_name(self, proposal):
        if proposal.value or proposal.trait.name != "also":
            _check_known(proposal.trait.name, proposal.value, self.scales)
        return proposal.value

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal):
        return _check_stop(proposal.value)

    def __repr__(self):
        return f"Anatomy({len(self.scales)} losses, {len(self.labels)} images)"


def anatomy(
    teacher, student, data, losses=None, *, loss=None, against=None, also=None, temperature=4.0, count=30
):
    """See which logits a loss pushes up and which down, on one image, and what another loss does instead.

    The bars are pushes: minus the gradient of the image's own loss by each of the student's logits. They
    are computed here, by automatic differentiation of the losses themselves, at every temperature of the
    slider. Where a loss compares the images of a batch with each other (DIST), the batch is the whole test
    set. Nothing is trained or chosen on these images.

    Parameters
    ----------
    teacher, student : torch.nn.Module
        Any two models that take ``data.test.inputs``. Their train or eval mode is left as it was.
    data : Dataset
    losses : dictionary of name to Loss or Objective, on logits only
        By default eight of :mod:`kdviz.losses.response`. The slider sets every temperature in them,
        so it is the same for all; other settings stay.
    loss, against, also : str
        The names to begin with: a loss, the one to compare it with, and a third; ``also=""`` for none.
    temperature : one of 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 32, 64
    count : int
        How many images to choose from: of each class alike, those on which the teacher gives most to a
        wrong class.
    """
    losses = _as_objectives(LOSSES if losses is None else losses)
    names = list(losses)
    chosen = {
        "loss": names[0] if loss is None else loss,
        "against": names[1] if against is None else against,
        "also": also or "",
    }
    for argument, name in chosen.items():
        if name or argument != "also":
            _check_known(argument, name, losses)
    check_data(data)
    test = data.test
    count = check_count("count", count, 1, len(test), of="test images")
    labels = test.labels.numpy()
    z_teacher, z_student = (logits_of(model, test.inputs) for model in (teacher, student))
    if z_teacher.shape != z_student.shape:
        raise ValueError(
            f"teacher and student must answer with the same classes; got logits {z_teacher.shape} and "
            f"{z_student.shape}"
        )
    rows = most_informative(z_teacher, labels, count)
    return Anatomy(
        classes=[str(name) for name in data.classes],
        labels=labels[rows].tolist(),
        temperatures=list(STOPS),
        teacher_logits=z_teacher[rows],
        student_logits=z_student[rows],
        gradients=[
            gradients(objective, z_student, z_teacher, labels)[:, rows] for objective in losses.values()
        ],
        scales={name: _scale(objective) for name, objective in losses.items()},
        tempered={name: bool(_temperatures(objective)) for name, objective in losses.items()},
        images=checked_images(data.pixels(test.inputs[rows]), len(rows)),
        index=best_start(z_teacher[rows], labels[rows]),
        temperature=_check_stop(temperature),
        **chosen,
    )


def gradients(loss, student_logits, teacher_logits, labels, temperatures=STOPS):
    """The gradient of each sample's own loss by its logits, at each temperature: (temperatures, N, C).

    A loss is a mean over its N samples; here each sample's part of it counts in full, times N.
    """
    z, teacher, labels = (torch.as_tensor(values) for values in (student_logits, teacher_logits, labels))
    objective, found = as_objective(loss), []
    for temperature in temperatures:
        at = objective.replace(dict.fromkeys(_temperatures(objective), float(temperature)))
        student = Trace(z.detach().double().requires_grad_())
        teacher_trace = Trace(teacher.detach().double())
        total, _ = at(student, teacher_trace, labels, at.initial(student, teacher_trace))
        (gradient,) = torch.autograd.grad(total, student.logits)
        found.append(len(student) * gradient)
    return torch.stack(found).numpy()


def _temperatures(objective):
    """The addresses of all temperatures in an objective."""
    return [address for address in objective.settings() if address.endswith(".temperature")]


def _as_objectives(losses):
    if not isinstance(losses, Mapping) or len(losses) < 2:
        raise TypeError(
            'losses must be a dictionary of two or more, {"a name": a Loss or Objective, ...}; '
            f"got {type(losses).__name__}"
        )
    objectives = {str(name): as_objective(loss) for name, loss in losses.items()}
    for name, objective in objectives.items():
        layers = (*objective.student_layers, *objective.teacher_layers)
        if layers:
            raise ValueError(
                f"the anatomy shows what a loss sends to the logits; {name!r} reads the layers "
                f"{', '.join(dict.fromkeys(layers))}. Leave it out"
            )
    return objectives


def _scale(objective):
    if len(objective.parts) == 1:
        return objective.parts[0].loss.scale
    return " + ".join(term.loss.name.replace("_", " ") for term in objective.parts)


def _check_known(argument, name, known):
    if name not in known:
        raise ValueError(f"{argument} must be one of the losses {', '.join(known)}; got {name!r}")


def _check_stop(value):
    if value not in STOPS:
        raise ValueError(
            f"temperature must be a stop of the slider, {', '.join(f'{t:g}' for t in STOPS)}; got {value!r}"
        )
    return float(value)
