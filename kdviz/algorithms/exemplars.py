"""Exemplars: of each class that was learned a few images are kept, to be shown again and to answer with."""

from dataclasses import dataclass
from typing import Unpack

import torch
from torch import nn

from kdviz.algorithms.lifelong import by_class, old_and_new, with_images
from kdviz.datasets.dataset import Dataset, Samples
from kdviz.losses.checks import check_whole
from kdviz.losses.response.logits import ResponseLoss, is_label
from kdviz.schemes.chain import Chain, Stage
from kdviz.tracing import answer, check_model
from kdviz.training.options import Training


@dataclass(frozen=True)
class BinaryTargets(ResponseLoss):
    r"""iCaRL's loss: each class for itself, the old ones after the teacher and the new ones after the label.

    .. math:: \frac{1}{N} \sum_n \Big( \sum_{c \in \text{old}} H(q_{nc}, g_{nc}) +
              \sum_{c \in \text{new}} H([c = y_n], g_{nc}) \Big), \qquad H(q, g) = -q \ln g - (1-q) \ln (1-g)

    with the sigmoids q of the teacher's logits and g of the student's, in nats. Classes that are in neither
    say nothing. Source: Rebuffi et al. 2017, *iCaRL*, algorithm 3.

    >>> BinaryTargets((), (0, 1))(torch.zeros(1, 5), labels=torch.tensor([1]))
    tensor(1.3863)
    """

    old: tuple[int, ...]
    new: tuple[int, ...]
    name = "binary_targets"
    paper = "Rebuffi et al. 2017, algorithm 3"
    formula = r"\frac{1}{N} \sum_n \sum_c -q_{nc} \ln g_{nc} - (1 - q_{nc}) \ln (1 - g_{nc})"
    scale = "nats; (old and new classes) × log 2 for even answers"
    cost = "a sigmoid for each class"
    invariant_to = ()
    needs_labels = True

    def __post_init__(self):
        if not self.new or set(self.old) & set(self.new):
            raise ValueError(f"there must be new classes, none of them old; got {self.old} and {self.new}")

    @property
    def needs_teacher(self):
        return bool(self.old)

    def value(self, student, teacher, labels, learned):
        old, new = list(self.old), list(self.new)
        targets = is_label(labels, student.logits.shape[-1])[..., new].to(student.logits)
        if old:
            targets = torch.cat([teacher.logits[..., old].detach().sigmoid(), targets], -1)
        said = student.logits[..., old + new]
        costs = nn.functional.binary_cross_entropy_with_logits(said, targets, reduction="none")
        return costs.sum(-1).mean()

    def latex(self):
        return r"\sum_c H(q_c,\, g_c)"


class Icarl(Chain):
    """Incremental classifier and representation learning (iCaRL): a few images of each class are kept.

    They are shown again beside the new task, under :class:`BinaryTargets`, and they are how it answers: the
    class whose kept images have the nearest mean (:class:`NearestMean`). Which are kept is decided by
    :func:`herded`. Source: Rebuffi et al. 2017, *iCaRL: Incremental Classifier and Representation Learning*.

    >>> import kdviz as kd
    >>> from kdviz.algorithms.lifelong import of_classes
    >>> whole = kd.datasets.digits()
    >>> tasks = [of_classes(whole, range(5)), of_classes(whole, range(5, 10))]
    >>> stages = Icarl(kd.models.mlp(64, 16, 10), tasks, 100, "activation1", steps=100).finish()
    >>> answers = stages.classifier(stages.student)(whole.test.inputs)
    >>> kd.measure.accuracy(answers, whole.test.labels) > 0.7
    True

    Parameters
    ----------
    network, tasks, **training
        As in :func:`learning_without_forgetting`.
    budget : int
        How many images are kept in all; each class has an equal share, which shrinks with every task.
    layer : str
        Whose features are compared.
    """

    def __init__(
        self,
        network: nn.Module,
        tasks: list[Dataset],
        budget: int,
        layer: str,
        **training: Unpack[Training],
    ):
        check_model("the network", network)
        orders = old_and_new(tasks, ())
        check_whole("budget", budget, sum(map(len, orders[-1])))
        self.tasks, self.budget, self.layer, self.kept, self.at = tasks, budget, layer, [], 0

        def link(index, before):
            start = network if before is None else before
            if index > 0:
                self.kept = self._kept_after(index - 1, before)
            self.at, (old, new) = index, orders[index]
            return Stage(
                start if old else None, start, BinaryTargets(old, new), with_images(tasks[index], self.kept)
            )

        super().__init__(link, len(tasks), training=training)

    def _kept_after(self, index, network):
        """The images of each class that are left once a task has been learned."""
        groups = by_class(self.tasks[index].labelled)
        share = self.budget // (len(self.kept) + len(groups))
        return [part[:share] for part in self.kept] + [
            herded(network, part, share, self.layer) for part in groups
        ]

    def classifier(self, network: nn.Module) -> "NearestMean":
        """How a network of this chain answers after the task in hand, by its own student or a stack's."""
        return NearestMean(network, self._kept_after(self.at, network), self.layer)


def herded(network: nn.Module, samples: Samples, count: int, layer: str) -> Samples:
    """Herding: the images that are kept of one class, the most telling first.

    Each is the one with which the mean of all kept so far comes nearest to the mean of the class, in features
    of length 1. Source: Rebuffi et al. 2017, *iCaRL*, algorithm 4.
    """
    check_whole("count", count, 1)
    found = _unit_features(network, samples.inputs, layer)
    mean, total, order, free = found.mean(0), torch.zeros_like(found[0]), [], torch.ones(len(found))
    for size in range(1, min(count, len(found)) + 1):
        far = (mean - (total + found) / size).norm(dim=-1)
        order.append(int(torch.where(free > 0, far, torch.inf).argmin()))
        total, free[order[-1]] = total + found[order[-1]], 0
    return samples[torch.tensor(order)]


class NearestMean(nn.Module):
    """A network that answers with the class whose kept images are nearest in the mean.

    Its logits are minus the distances, in features of length 1, in the order of the classes' numbers.
    Source: Rebuffi et al. 2017, *iCaRL*, algorithm 1.

    Parameters
    ----------
    kept : list of Samples, of one class each, together 0 to C - 1
    """

    def __init__(self, network: nn.Module, kept: list[Samples], layer: str):
        super().__init__()
        kept = sorted(kept, key=lambda part: int(part.labels[0]))
        if [int(part.labels[0]) for part in kept] != list(range(len(kept))):
            raise ValueError("there must be kept images of the classes 0, 1, 2 ..., each once")
        means = torch.stack([_unit_features(network, part.inputs, layer).mean(0) for part in kept])
        self.network, self.layer = network, layer
        self.register_buffer("means", nn.functional.normalize(means, dim=-1))

    def forward(self, inputs):
        return -torch.cdist(_unit_features(self.network, inputs, self.layer), self.means)


def _unit_features(network, inputs, layer):
    return nn.functional.normalize(answer(network, inputs, [layer]).features[layer].flatten(1), dim=-1)
