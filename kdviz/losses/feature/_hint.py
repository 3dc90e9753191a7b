"""Hints: the student's guided layer regresses on the teacher's hint layer."""

from dataclasses import dataclass

from kdviz.losses.checks import check_form
from kdviz.losses.feature.features import AdaptedPair, check_same_features, stack_axes
from kdviz.losses.objective import Loss

FORMS = ("paper", "repdistiller", "torchdistill", "mmrazor")


def hint(student, teacher, form="paper", stack=0):
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
    order of the channels. Published code also differs in the regressor: RepDistiller's ends in batch
    normalisation and ReLU, torchdistill's is a convolution of size 1, as here.

    Parameters
    ----------
    student : (..., N, D), (..., N, C, H, W) or with any axes after N, adapted to the teacher's shape
    teacher : as the student, with or without the leading axes
    stack : how many leading axes hold a stack of students

    Memory: N × D. Errors: ValueError for unequal shapes.
    """
    check_form(form, FORMS)
    check_same_features(student, teacher, stack)
    samples = student.shape[stack]
    squares = (student - teacher.detach()).square().flatten(stack)
    if form == "repdistiller":
        return squares.mean(-1)
    return squares.sum(-1) / {"paper": 2 * samples, "torchdistill": 1, "mmrazor": samples}[form]


@dataclass(frozen=True)
class Hint(AdaptedPair, Loss):
    """:func:`hint` as a term of an objective.

    With ``adapter="linear"`` or ``"convolution"`` the student's features first go through a regressor that
    is learned with it. FitNets uses this loss alone for a first stage, and drops it in a second.
    """

    form: str = "paper"
    name = "hint"
    kind = "feature"
    paper = "FitNets, Romero et al. 2015, section 2.2"
    formula = r"\frac{1}{2N} \sum_n \lVert r(v_n) - u_n \rVert^2"
    reads = "embeddings or maps"
    scale = "squared features, summed over a sample's"
    memory = "N × D"
    cost = "one difference, and the regressor"

    def __post_init__(self):
        super().__post_init__()
        check_form(self.form, FORMS)

    def __call__(self, student, teacher, labels, learned=None):
        return hint(*self.adapted(student, teacher, learned), self.form, stack_axes(student))

    def latex(self):
        regressed = "v" if self.adapter is None else "r(v)"
        return rf"\mathrm{{Hint}}({regressed},\, u)"
