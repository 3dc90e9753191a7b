"""Multi-level logit distillation (MLKD): each sample, each pair of samples, each pair of classes."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.checks import check_same_shape, check_temperature, check_weight
from kdviz.losses.response._soft_targets import soft_targets
from kdviz.losses.response.logits import ResponseLoss, softmax

TEMPERATURES = (2.0, 3.0, 4.0, 5.0, 6.0)


def multi_level(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperatures: tuple[float, ...] = TEMPERATURES,
    instance_weight: float = 1.0,
    batch_weight: float = 1.0,
    class_weight: float = 1.0,
) -> Tensor:
    r"""Multi-level logit distillation (MLKD): the sum of three comparisons, over several temperatures.

    .. math:: \sum_T \big[ \lambda_1 \mathrm{ST}_T + \lambda_2 \mathrm{B}_T + \lambda_3 \mathrm{C}_T \big]

    ST is ``soft_targets`` (each sample; it alone has the factor T²), B is :func:`batch_level`, C is
    :func:`class_level`; their weights are ``instance_weight``, ``batch_weight`` and ``class_weight``.

    0 if and only if the probabilities agree (where instance_weight is above 0). The parts have different
    units, and two of them grow with the batch: twice the same batch doubles B and multiplies C by four.
    Memory N × C + N × N + C × C.

    Source: Jin et al. 2023, *Multi-level Logit Distillation*. Their code takes five temperatures, compares
    a weakly and a strongly augmented view of each image (add this loss for both), and hears the teacher
    only about some of the samples; there the three parts are already averaged when they are
    multiplied by the mask of those samples, so that it acts as a factor of about one half. Left out here.
    """
    _check(temperatures, (instance_weight, batch_weight, class_weight))
    total = 0.0
    for temperature in temperatures:
        total = total + instance_weight * soft_targets(student_logits, teacher_logits, temperature)
        total = total + batch_weight * batch_level(student_logits, teacher_logits, temperature)
        total = total + class_weight * class_level(student_logits, teacher_logits, temperature)
    return total


def batch_level(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 4.0) -> Tensor:
    r"""How alike two samples are: :math:`\frac{1}{N} \lVert P P^\top - Q Q^\top \rVert_F^2`.

    P and Q hold the student's and the teacher's probabilities at temperature T, samples by classes. No
    factor T². From 0 to 2 N. See :func:`multi_level`.
    """
    p, q = _probabilities(student_logits, teacher_logits, temperature)
    return (p @ p.mT - q @ q.mT).square().sum((-2, -1)) / p.shape[-2]


def class_level(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 4.0) -> Tensor:
    r"""How alike two classes are: :math:`\frac{1}{C} \lVert P^\top P - Q^\top Q \rVert_F^2`.

    P and Q as in :func:`batch_level`. The sums run over the samples, so it grows as N². No factor T².
    From 0 to 2 N² / C. See :func:`multi_level`.
    """
    p, q = _probabilities(student_logits, teacher_logits, temperature)
    return (p.mT @ p - q.mT @ q).square().sum((-2, -1)) / p.shape[-1]


def _probabilities(student_logits, teacher_logits, temperature):
    check_temperature(temperature)
    check_same_shape(student_logits, teacher_logits)
    return softmax(student_logits / temperature), softmax(teacher_logits.detach() / temperature)


def _check(temperatures, weights):
    if not isinstance(temperatures, (tuple, list)) or not temperatures:
        raise ValueError(f"temperatures must be a few numbers, such as (2, 4, 6); got {temperatures!r}")
    for temperature in temperatures:
        check_temperature(temperature)
    for weight in weights:
        check_weight(weight)


@dataclass(frozen=True)
class MultiLevel(ResponseLoss):
    """:func:`multi_level` as a term of an objective.

    >>> MultiLevel((1.0,))(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]]))
    tensor(0.5990)
    """

    temperatures: tuple[float, ...] = TEMPERATURES
    instance_weight: float = 1.0
    batch_weight: float = 1.0
    class_weight: float = 1.0
    function = staticmethod(multi_level)
    name = "multi_level"
    paper = "MLKD, Jin et al. 2023"
    formula = (
        r"\sum_T \left[ \lambda_1 \mathrm{ST}_T + \frac{\lambda_2}{N} \lVert P P^\top - Q Q^\top "
        r"\rVert_F^2 + \frac{\lambda_3}{C} \lVert P^\top P - Q^\top Q \rVert_F^2 \right]"
    )
    scale = "a sum over T; its parts on pairs grow as N and N²"
    memory = "N × C + N × N + C × C"
    cost = "two softmaxes and four matrix products for each T"

    def __post_init__(self):
        _check(self.temperatures, (self.instance_weight, self.batch_weight, self.class_weight))
        object.__setattr__(self, "temperatures", tuple(self.temperatures))

    def latex(self):
        parts = rf"{self.instance_weight:g}\, \mathrm{{ST}}_T + {self.batch_weight:g}\, \mathrm{{B}}_T"
        return rf"\sum_T \big({parts} + {self.class_weight:g}\, \mathrm{{C}}_T\big)"
