"""Small in other ways: cut, factorise and quantise a network, and distil into one with few bits.

What takes a network gives a copy that can go on learning, in any order: a cut weight stays 0, a rounded one
stays rounded. :func:`kdviz.models.quantised` rounds; the methods below it train what it gives.
"""

import copy
from typing import Unpack

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils import prune as torch_prune

from kdviz.datasets.dataset import Dataset
from kdviz.losses.response import CrossEntropy
from kdviz.models import low_rank, quantised
from kdviz.schemes.chain import Chain, Stage
from kdviz.schemes.offline import distill
from kdviz.schemes.online.peers import mutual
from kdviz.schemes.supervised import train
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training
from kdviz.training.stages import Stages


def pruned(network: nn.Module, share: float) -> nn.Module:
    """A copy of a network without its smallest weights: of all layers together, ``share`` of them become 0.

    They stay 0 while the copy learns. Biases stay as they are. The cut is torch's own
    (``torch.nn.utils.prune``, global, by size). Source: Han et al. 2015, *Learning both Weights and
    Connections for Efficient Neural Networks*, section 3; there each layer has a threshold of its own.

    >>> network = pruned(nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2)), 0.5)
    >>> sum(int((layer.weight == 0).sum()) for layer in network)
    15

    Parameters
    ----------
    share : float from 0 to below 1
    """
    if not 0 <= share < 1:
        raise ValueError(f"share must be from 0 to below 1; got {share!r}")
    twin = copy.deepcopy(network)
    held = [_held(layer) for layer in _layers(twin)]
    torch_prune.global_unstructured(held, torch_prune.L1Unstructured, amount=float(share))
    for place in held:
        torch_prune.remove(*place)
    for layer in _layers(twin):
        if not parametrize.is_parametrized(layer, "weight"):
            parametrize.register_parametrization(layer, "weight", Kept())
        elif not isinstance(layer.parametrizations.weight[0], Kept):
            # Before it is rounded: what is rounded to 0 goes on learning, what is cut does not.
            layer.parametrizations.weight.insert(0, Kept())
    return twin


class Kept(nn.Module):
    """Weights as they are, of which those that are exactly 0 get no gradient."""

    def forward(self, weight):
        return torch.where(weight == 0, 0.0, weight)


def factorised(network: nn.Sequential, rank: int) -> nn.Sequential:
    """A copy whose layers are products of two thinner ones, the nearest that there are of this rank.

    A weight matrix W, O × I, becomes U S and V, cut after the ``rank`` largest singular values; that of a
    kernel is outputs by all else. The last layer, and layers that would not become smaller, stay.
    Source: Denton et al. 2014, *Exploiting Linear Structure Within Convolutional Networks for Efficient
    Evaluation*, section 3; the form of the two layers is that of :func:`kdviz.models.low_rank`.
    """
    twin = low_rank(network, rank)
    with torch.no_grad():
        for name, thin in twin.named_children():
            layer = network.get_submodule(name)
            if type(thin) is type(layer):
                continue
            left, strengths, right = torch.linalg.svd(layer.weight.flatten(1), full_matrices=False)
            roots = strengths[:rank].sqrt()
            thin[0].weight.copy_((roots[:, None] * right[:rank]).view_as(thin[0].weight))
            thin[1].weight.copy_((left[:, :rank] * roots).view_as(thin[1].weight))
            thin[0].bias.zero_()
            thin[1].bias.copy_(layer.bias)
    return twin


def stored_bytes(network: nn.Module) -> int:
    """What a network takes in a file: 4 bytes a number, its few bits where it is rounded.

    Of a pruned layer only what is left is kept, and one bit a weight that says where it was.
    """
    bits = 0
    for module in network.modules():
        for name, values in module.named_parameters(recurse=False):
            parts = list(module) if isinstance(module, parametrize.ParametrizationList) else []
            each = next((part.bits for part in parts if hasattr(part, "bits")), 8 * values.element_size())
            cut = name == "original" and any(isinstance(part, Kept) for part in parts)
            bits += int((values != 0).sum()) * each + values.numel() if cut else values.numel() * each
    return -(-bits // 8)


# --- Methods that teach a quantised student


def quantised_distillation(
    teacher: nn.Module,
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike,
    bits: int,
    **training: Unpack[Training],
) -> Run:
    """Quantised distillation: a student with few bits learns from a teacher with all of them, from scratch.

    The gradient of the rounded weights moves the full ones, which are rounded again at the next step. Source:
    Polino et al. 2018, *Model compression via distillation and quantization*, section 3, algorithm 1.

    Parameters
    ----------
    bits : int
        As in :func:`kdviz.models.quantised`.
    teacher, student, data, objective, **training
        As in :func:`kdviz.distill`.
    """
    return distill(teacher, quantised(student, bits), data, objective, **training)


def apprentice(
    teacher: nn.Module,
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike,
    bits: int,
    **training: Unpack[Training],
) -> Chain:
    """Apprentice: the student first learns with all bits from the labels, then with few from the teacher.

    Source: Mishra and Marr 2018, *Apprentice: Using Knowledge Distillation Techniques To Improve
    Low-Precision Network Accuracy*, section 5, scheme C. Their scheme B is :func:`quantised_distillation`; in
    scheme A both learn together from the start.

    Parameters
    ----------
    As in :func:`quantised_distillation`; each of the two stages takes ``steps``.
    """

    def link(index, before):
        return (
            Stage(None, student, CrossEntropy())
            if index == 0
            else Stage(teacher, quantised(before, bits), objective)
        )

    return Chain(link, 2, data, training)


def qkd(
    teacher: nn.Module,
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike,
    bits: int,
    **training: Unpack[Training],
) -> Stages:
    """Quantisation-aware distillation (QKD): self-studying, co-studying, tutoring.

    The student with few bits first learns from the labels. Then both learn together, each from the labels and
    from the other, so that the teacher becomes one that this student can follow. At last the teacher stands
    still and teaches. Source: Kim et al. 2019, *QKD: Quantization-aware Knowledge Distillation*, section 3.

    Parameters
    ----------
    As in :func:`quantised_distillation`; each of the three phases takes ``steps``, and ``objective`` is that
    of the last. The teacher is copied.

    Returns
    -------
    Stages
        ``stages.student`` is the last student; that of the second phase is the pair of teacher and student.
    """

    def begin(phase, before):
        if phase == 0:
            return train(quantised(student, bits), data, on="labelled", **training)
        if phase == 1:
            return mutual([copy.deepcopy(teacher).requires_grad_(), before], data, **training)
        return distill(before[0], before[1], data, objective, **training)

    return Stages(begin, 3)


def _layers(network):
    found = [layer for layer in network.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    if not found:
        raise ValueError(f"nothing to cut: {type(network).__name__} has no Linear and no Conv2d")
    return found


def _held(layer):
    """Where the weights of a layer are that learn: its own, or those behind its parametrisations."""
    if parametrize.is_parametrized(layer, "weight"):
        return layer.parametrizations.weight, "original"
    return layer, "weight"
