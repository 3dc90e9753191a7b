"""Rocket launching: a light net that shares its lower layers with a booster and follows its logits."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.checks import check_same_shape
from kdviz.losses.objective import Loss


def rocket_hint(light_logits: Tensor, booster_logits: Tensor) -> Tensor:
    r"""The hint of rocket launching: :math:`\frac{1}{N} \sum_n \lVert z_L - z_B \rVert_2^2`.

    The light net and the booster share their lower layers and learn together, each from the labels. The
    gradient of this hint is blocked on the booster's side: it moves the light net's own layers and, through
    the light net, the shared ones. Source: Zhou et al. 2018, *Rocket Launching: A Universal and Efficient
    Framework for Training Well-performing Light Net*, section "Hint Loss"; of the losses they compare, the
    one on the logits before the softmax was best. It is twice ``logit_matching``: what is new is who
    teaches.

    Parameters
    ----------
    light_logits, booster_logits : (N, C)

    Memory: N × C. Sees everything, a constant added to all logits too. Errors: ValueError for unequal shapes.
    """
    check_same_shape(light_logits, booster_logits)
    return (light_logits - booster_logits.detach()).square().sum(1).mean()


@dataclass(frozen=True)
class RocketHint(Loss):
    """:func:`rocket_hint` as a term of an objective: the light net is student, the booster teacher.

    >>> RocketHint()(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(3.)
    """

    name = "rocket_hint"
    kind = "feature"
    paper = "Rocket Launching, Zhou et al. 2018"
    formula = r"\frac{1}{N} \sum_n \lVert z_S - z_T \rVert^2"
    scale = "squared logits"
    memory = "N × C"
    cost = "one difference"

    def value(self, student, teacher, labels, learned):
        return rocket_hint(student.logits, teacher.logits)

    def logit_gradient(self, student, teacher, labels):
        return student.logits - teacher.logits, 2 / student.logits.shape[-2]

    def latex(self):
        return r"\lVert z_S - z_T \rVert^2"
