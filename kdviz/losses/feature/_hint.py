"""Hints: the student's guided layer regresses on the teacher's hint layer."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.checks import check_form
from kdviz.losses.feature.features import AdaptedPair, check_same_features
from kdviz.losses.objective import Loss

FORMS = ("paper", "repdistiller", "torchdistill", "mmrazor")


def hint(student: Tensor, teacher: Tensor, form: str = "paper") -> Tensor:
    r"""Hints: the student's features, through their regressor, regress on the teacher's.

    With :math:`\Sigma = \sum_n \lVert r(v_n) - u_n \rVert^2` over N samples of D features each:

    form="paper"
        :math:`\Sigma / 2N` (Romero et al. 2015, *FitNets: Hints for Thin Deep Nets*, section 2.2).
    form="repdistiller"
        :math:`\Sigma / ND`, torch's ``mse_loss``; mdistiller too.
    form="torchdistill"
        :math:`\Sigma`. It grows with the batch: a weight belongs to one batch size.
    form="mmrazor"
        :math:`\Sigma / N`.

    0 if and only if the features are equal; not bounded. It sees everything: a shift, a scale, and the
    order of the channels. Published regressors differ: RepDistiller's is
    ``adapter="convolution_batch_norm_relu"``, torchdistill's ``"convolution"``. The squared distance is the
    paper's, and that of *Be Your Own Teacher* (BYOT), which uses it too; the root that mmrazor takes for
    BYOT is its own and not offered.

    Parameters
    ----------
    student : (N, D), (N, C, H, W) or with any axes after N, adapted to the teacher's shape
    teacher : as the student

    Memory: N × D. Errors: ValueError for unequal shapes or an unknown form.
    """
    check_form(form, FORMS)
    check_same_features(student, teacher)
    squares = (student - teacher.detach()).square()
    if form == "repdistiller":
        return squares.mean()
    samples = len(student)
    return squares.sum() / {"paper": 2 * samples, "torchdistill": 1, "mmrazor": samples}[form]


@dataclass(frozen=True)
class Hint(AdaptedPair, Loss):
    """:func:`hint` as a term of an objective.

    With an ``adapter`` the student's features first go through a regressor that is learned with it. FitNets
    uses this loss alone for a first stage, and drops it in a second.

    >>> Hint()(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(1.5000)
    """

    form: str = "paper"
    forms = FORMS
    name = "hint"
    paper = "FitNets, Romero et al. 2015, section 2.2"
    formula = r"\frac{1}{2N} \sum_n \lVert r(v_n) - u_n \rVert^2"
    reads = "embeddings or maps"
    scale = "squared features, summed over a sample's"
    memory = "N × D"
    cost = "one difference, and the regressor"

    def value(self, student, teacher, labels, learned):
        return hint(*self.adapted(student, teacher, learned), self.form)

    def latex(self):
        regressed = "v" if self.adapter is None else "r(v)"
        return rf"\mathrm{{Hint}}({regressed},\, u)"
