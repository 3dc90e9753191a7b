"""Factor transfer: the teacher's map paraphrased to fewer channels, the student's translated to them."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from kdviz.losses import adapters
from kdviz.losses.checks import check_form
from kdviz.losses.feature.features import FeaturePair, check_maps
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import seeded, unit

FORMS = ("paper", "authors")
SLOPE = 0.1  # of the authors' leaky ReLU


def factor_transfer(student: Tensor, teacher: Tensor, form: str = "paper") -> Tensor:
    r"""Factor transfer: the student's factor, with length 1, is the teacher's.

    form="paper"
        :math:`\frac{1}{N} \sum_n \lVert \hat F_S - \hat F_T \rVert_1` with
        :math:`\hat F = F / \lVert F \rVert_2` of a sample's whole factor (Kim et al. 2018, *Paraphrasing
        Complex Network: Network Compression via Factor Transfer*, section 3.2, with p = 1).
    form="authors"
        the same divided by the D numbers of a factor: the authors' code, and torchdistill.

    From 0 to :math:`2 \sqrt D` in the paper's form, to :math:`2 / \sqrt D` in the authors'; hence their
    weight of 500. Blind to a positive scale of a sample's factor. RepDistiller averages a factor over its
    channels first, :math:`\frac{1}{C} \sum_c F_c^2`, which leaves attention and no factor: not offered.

    Shapes: student and teacher (N, C, H, W), the translated and the paraphrased factor. Memory: N × C × HW. A
    factor of zeros has length 0. Errors: ValueError for unequal shapes or an unknown form.
    """
    check_form(form, FORMS)
    check_maps(student, teacher)
    difference = unit(student.flatten(1)) - unit(teacher.detach().flatten(1))
    return difference.abs().mean() if form == "authors" else difference.abs().sum(1).mean()


def translate(maps: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """The student's factor: three convolutions of size 3, each with a leaky ReLU of slope 0.1."""
    return _convolved(maps, weights, "encoder")


def paraphrase(maps: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """The teacher's factor, from the weights of a paraphraser: the first half of what rebuilds its map."""
    return _convolved(maps, weights, "encoder")


def reconstruction_loss(maps: Tensor, weights: dict[str, Tensor]) -> Tensor:
    r"""What a paraphraser learns by: :math:`\frac{1}{N} \sum_n \lVert x - P(x) \rVert^2`, and no label.

    Source: Kim et al. 2018, section 3.1. The authors' code takes the mean absolute difference instead.
    Memory: six maps of the size of the teacher's.
    """
    rebuilt = _convolved(paraphrase(maps, weights), weights, "decoder")
    return (rebuilt - maps.detach()).square().sum() / len(maps)


def _convolved(maps, weights, part):
    for layer in (1, 2, 3):
        maps = adapters.convolution(maps, **adapters.under(f"{part}{layer}", weights))
        maps = leaky_relu(maps, SLOPE)
    return maps


def factor_channels(channels: int, rate: float = 0.5) -> int:
    """How many channels a factor has for a paraphrase rate; at least 1."""
    return max(1, round(channels * rate))


def initial_paraphraser(maps: Tensor, rate: float = 0.5, seed: int = 0) -> dict[str, Tensor]:
    """The weights of a paraphraser for these maps, before it learns."""
    channels = maps.shape[1]
    fewer, generator = factor_channels(channels, rate), seeded(seed)
    weights = _initial("encoder", (channels, channels, fewer, fewer), generator, maps)
    return weights | _initial("decoder", (fewer, fewer, channels, channels), generator, maps)


def _initial(part, widths, generator, like):
    weights = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        start = adapters.initial_convolution(inputs, outputs, generator, like, size=3)
        weights |= adapters.named(f"{part}{layer}", start)
    return weights


def train_paraphraser(
    maps: Tensor, rate: float = 0.5, steps: int = 200, learning_rate: float = 1e-3, seed: int = 0
) -> dict[str, Tensor]:
    """A paraphraser that has learned to rebuild the teacher's maps, as its weights.

    A short training with Adam on all the maps given, (N, C, H, W). It needs no labels and is done once,
    before the student's. For more data, step on :func:`reconstruction_loss` batch by batch.
    """
    maps = maps.detach()
    with torch.enable_grad():
        weights = initial_paraphraser(maps, rate, seed)
        weights = {name: part.requires_grad_() for name, part in weights.items()}
        optimiser = torch.optim.Adam(weights.values(), lr=learning_rate)
        for _ in range(steps):
            optimiser.zero_grad()
            reconstruction_loss(maps, weights).backward()
            optimiser.step()
    return {name: part.detach() for name, part in weights.items()}


class Paraphraser:
    """The weights of a paraphraser that has learned, as a setting of :class:`FactorTransfer`.

    >>> Paraphraser(initial_paraphraser(torch.zeros(1, 4, 3, 3)))(torch.ones(5, 4, 3, 3)).shape
    torch.Size([5, 2, 3, 3])
    """

    def __init__(self, weights: dict[str, Tensor]):
        self.weights = weights

    def __call__(self, maps: Tensor) -> Tensor:
        weights = {name: part.to(maps) for name, part in self.weights.items()}
        return paraphrase(maps, weights)

    def __repr__(self):
        # Two paraphrasers of one shape that learned other weights are told apart.
        total = sum(float(part.double().abs().sum()) for part in self.weights.values())
        inputs = self.weights["encoder1_weight"].shape[1]
        outputs = self.weights["encoder3_weight"].shape[0]
        return f"Paraphraser({inputs} to {outputs} channels, weights of absolute sum {total:.12g})"


@dataclass(frozen=True)
class FactorTransfer(FeaturePair, Loss):
    """:func:`factor_transfer` as a term of an objective.

    It learns the student's translator. ``paraphraser`` makes the teacher's factor; None takes its map as it
    is. ``pool=True`` averages the larger of the two maps down to the smaller.

    >>> FactorTransfer()(torch.ones(2, 3, 4, 4), torch.ones(2, 5, 4, 4)) > 0
    tensor(True)
    """

    paraphraser: Paraphraser | None = None
    pool: bool = False
    form: str = "paper"
    seed: int = 0
    forms = FORMS
    name = "factor_transfer"
    paper = "FT, Kim et al. 2018, section 3"
    formula = r"\frac{1}{N} \sum_n \lVert \hat F_S - \hat F_T \rVert_1"
    symbol = r"\mathrm{FT}(\hat F_S,\, \hat F_T)"
    reads = "maps"
    scale = "absolute differences of vectors of length 1, 0 to 2 √D"
    memory = "N × C × H W"
    cost = "three convolutions of size 3"

    def factors(self, student, teacher):
        """The student's map and the teacher's factor."""
        ours, theirs = self.pooled(student, teacher)
        with torch.no_grad():
            return ours, theirs if self.paraphraser is None else self.paraphraser(theirs)

    def initial(self, student, teacher):
        ours, theirs = self.factors(student, teacher)
        inputs, outputs = ours.shape[1], theirs.shape[1]
        return _initial("encoder", (inputs, inputs, outputs, outputs), seeded(self.seed), like=ours)

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.factors(student, teacher)
        return factor_transfer(translate(ours, learned), theirs, self.form)
