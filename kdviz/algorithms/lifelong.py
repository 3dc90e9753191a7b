"""Lifelong learning: one task after another, taught by the network that one was before the last task.

A task is a Dataset whose ``labelled`` and ``transfer`` parts hold classes of its own. The network has a logit
for every class from the start; those of one task are its head (:class:`Head`). For
kept images that also answer see :mod:`kdviz.algorithms.exemplars`, for networks that grow
:mod:`kdviz.algorithms.growing`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Unpack

import torch
from torch import nn

from kdviz.datasets.dataset import UNLABELLED, Dataset, Samples
from kdviz.losses.checks import check_whole
from kdviz.losses.objective import Loss, Objective, as_objective
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.losses.response.logits import ResponseLoss
from kdviz.schemes.chain import Chain, Stage
from kdviz.schemes.self_distillation.generations import born_again
from kdviz.tracing import Trace, check_model
from kdviz.training.options import ObjectiveLike, Training

# Li and Hoiem's: a cross-entropy of answers softened at temperature 2, without T².
ANSWERS = SoftTargets(2.0, form="divergence")


@dataclass(frozen=True)
class Head(ResponseLoss):
    r"""A loss on the logits of some classes, as if there were no others: that of one head of a network.

    >>> Head(CrossEntropy(), (0, 1))(torch.zeros(1, 10), labels=torch.tensor([1]))
    tensor(0.6931)

    An image of another class has no label for this head, and counts as an unlabelled one does.

    Parameters
    ----------
    loss : a loss on logits
    classes : their numbers, from 0 up, each once
    """

    loss: Loss
    classes: tuple[int, ...]
    paper = "Li and Hoiem 2016, section 3"
    formula = r"\mathcal{L}(z_{n c_1} \dots z_{n c_k})"
    scale = "that of its loss"
    cost = "that of its loss"

    def __post_init__(self):
        whole = all(isinstance(one, int) and one >= 0 for one in self.classes)
        if not self.classes or not whole or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"a head needs its classes, from 0 up, each once; got {self.classes!r}")
        if not isinstance(self.loss, ResponseLoss):
            raise TypeError(
                f"a head is one of logits, and {type(self.loss).__name__} reads other layers: add it to the "
                "objective as it is"
            )

    @property
    def name(self):
        return f"{self.loss.name}_of_{self.classes[0]}_to_{self.classes[-1]}"

    @property
    def needs_teacher(self):
        return self.loss.needs_teacher

    @property
    def needs_labels(self):
        return self.loss.needs_labels

    def value(self, student, teacher, labels, learned):
        own, count = list(self.classes), student.logits.shape[-1]
        if max(own) >= count:
            raise ValueError(f"a head of the classes {self.classes} does not fit a network of {count} logits")
        if self.needs_labels:
            # The last entry is that of -1, the label of what has none.
            place = torch.full((count + 1,), UNLABELLED, device=student.logits.device)
            place[own] = torch.arange(len(own), device=place.device)
            labels = place[labels]
        ours, theirs = (one and Trace(one.logits[..., own]) for one in (student, teacher))
        return self.loss.value(ours, theirs, labels, learned)

    def latex(self):
        return rf"{self.loss.latex()}_{{{self.classes[0]} \dots {self.classes[-1]}}}"


def learning_without_forgetting(
    network: nn.Module,
    tasks: list[Dataset],
    keep: ObjectiveLike = ANSWERS,
    *,
    known: tuple[int, ...] = (),
    one_head: bool = False,
    each: int = 0,
    **training: Unpack[Training],
) -> Chain:
    r"""Learning without forgetting (LwF): task after task, and yesterday's network teaches what it knew.

    On the images of the new task the student learns the new labels, and on the same images it keeps the
    answers that it gave before about the old classes:
    :math:`\mathrm{CE}_{\text{new}} + \lambda\, \mathcal{L}_{\text{old}}`, where ``keep`` is :math:`\lambda`
    times a loss. Source: Li and Hoiem 2016, *Learning without Forgetting*, section 3, equation 2. There a new
    head learns alone before the rest does; that is left out.

    >>> import kdviz as kd
    >>> whole = kd.datasets.digits()
    >>> tasks = [of_classes(whole, range(5)), of_classes(whole, range(5, 10))]
    >>> stages = learning_without_forgetting(kd.models.mlp(64, 8, 10), tasks, 3.0 * ANSWERS, steps=20)
    >>> [run.objective.needs_teacher for run in stages.finish().runs]
    [False, True]

    Parameters
    ----------
    network : where the first task starts from; it is copied
    tasks : list of Dataset, each with new classes
    keep : objective
        A loss on logits reads the old classes only; one on features or relations is taken as it is, such as
        ``Hint("hidden1")``. With the weight 0 this is plain fine-tuning.
    known : classes that the network knows already; then it teaches the first task too
    one_head : bool
        Whether the labels are learned among all classes so far, or among the task's own: its head alone.
    each : int
        How many labelled images of every old class are kept and shown again. They need ``one_head``.
    **training
        Of each task, as in :func:`kdviz.distill`.

    Returns
    -------
    Chain
        :func:`kdviz.schemes.stack_chains` trains those of many seeds as one.
    """
    check_model("the network", network)
    check_whole("each", each, 0)
    if each and not one_head:
        raise ValueError("a head of its own has no use for images of other tasks: say one_head=True")
    orders = old_and_new(tasks, known)

    def link(index, before):
        old, new = orders[index]
        start = network if before is None else before
        shown = [part[:each] for task in tasks[:index] for part in by_class(task.labelled)]
        return Stage(
            start if old else None,
            start,
            remembering(old, new, keep, one_head=one_head),
            with_images(tasks[index], shown if each else []),
        )

    return Chain(link, len(tasks), training=training)


def remembering(
    old: tuple[int, ...], new: tuple[int, ...], keep: ObjectiveLike = ANSWERS, *, one_head: bool = False
) -> Objective:
    """The objective of :func:`learning_without_forgetting`: the labels of a task, and what keeps the old.

    >>> list(remembering((0, 1), (2, 3), 0.5 * ANSWERS).named)
    ['cross_entropy_of_2_to_3', 'soft_targets_of_0_to_1']

    Parameters
    ----------
    old, new : classes that are known, and those of the task
    keep, one_head
        As there; where there are no old classes, nothing is kept.
    """
    labels = 1.0 * Head(CrossEntropy(), (*old, *new) if one_head else tuple(new))
    if not old:
        return labels
    kept = (
        replace(term, loss=Head(term.loss, tuple(old))) if isinstance(term.loss, ResponseLoss) else term
        for term in as_objective(keep).parts
    )
    return labels + Objective(tuple(kept))


# --- labels that are made better


def label_refinery(
    students: list[nn.Module],
    data: Dataset,
    augment: Callable | None = None,
    **training: Unpack[Training],
) -> Chain:
    """Label refinery: each network is trained on the labels that the one before it gives to every crop.

    The first learns from the labels, and they are not used again: a crop that shows no dog should not be
    called one. It is :func:`kdviz.schemes.born_again` without labels and with crops. Source: Bagherinezhad et
    al. 2018, *Label Refinery: Improving ImageNet Classification through Label Progression*, section 3.

    Parameters
    ----------
    augment : function of inputs and a generator
        What takes the crops, such as :func:`kdviz.datasets.augmentations.shifted`.
    students, data, **training
        As in :func:`kdviz.schemes.born_again`.
    """
    return born_again(students, data, SoftTargets(1.0), augment=augment, **training)


# --- tasks


def of_classes(data: Dataset, classes) -> Dataset:
    """A task: the data with the training images of some classes only, all of them labelled.

    Validation and test stay whole: what was learned before can be asked there.
    """
    wanted = torch.tensor(list(classes))
    train, labelled = (part[torch.isin(part.labels, wanted)] for part in (data.train, data.labelled))
    if not len(labelled):
        raise ValueError(f"no labelled image is of the classes {wanted.tolist()}")
    return replace(data, train=train, labelled=labelled, transfer=labelled)


def with_images(data: Dataset, kept: list[Samples]) -> Dataset:
    """The data with more labelled images, which are shown to student and teacher too."""
    return replace(data, labelled=_joined([data.labelled, *kept]), transfer=_joined([data.transfer, *kept]))


def _joined(parts):
    if len(parts) == 1:
        return parts[0]
    columns = ([getattr(part, name) for part in parts] for name in ("inputs", "labels", "indices"))
    return Samples(*map(torch.cat, columns))


def by_class(samples):
    return [samples[samples.labels == label] for label in _classes_of(samples)]


def _classes_of(samples):
    return tuple(label for label in samples.labels.unique().tolist() if label != UNLABELLED)


def old_and_new(tasks, known):
    """For each task the classes that are known before it, and its own."""
    if not isinstance(tasks, list) or not all(isinstance(task, Dataset) for task in tasks) or not tasks:
        raise TypeError(f"tasks must be a list of kdviz data sets, such as of_classes() gives; got {tasks!r}")
    old, orders = tuple(known), []
    for number, task in enumerate(tasks):
        new = _classes_of(task.labelled)
        if not new or set(new) & set(old):
            raise ValueError(
                f"each task needs labels of classes that are new; task {number} has {new or 'none'}, and "
                f"{old or 'none'} are known before it"
            )
        orders.append((old, new))
        old += new
    return orders
