"""Jacobian matching: both models answer a small change of the input alike."""

from torch import Tensor

from kdviz.losses.checks import check_form
from kdviz.losses.feature.features import check_same_features
from kdviz.losses.vectors import unit

FORMS = ("paper", "plain")


def jacobian_matching(student_gradients: Tensor, teacher_gradients: Tensor, form: str = "paper") -> Tensor:
    r"""Jacobian matching: the gradients of the two models' outputs with respect to the input are the same.

    form="paper"
        :math:`\frac{1}{N} \sum_n \Big\lVert \frac{J_S}{\lVert J_S \rVert_2} - \frac{J_T}{\lVert J_T \rVert_2}
        \Big\rVert_2^2`, with a sample's whole Jacobian of length 1 (Srinivas and Fleuret 2018, *Knowledge
        Transfer with Jacobian Matching*, equation 10, where the output is the largest value of an attention
        map). From 0 to 4. Blind to a positive scale.
    form="plain"
        :math:`\frac{1}{N} \sum_n \lVert J_S - J_T \rVert_2^2`: what a squared difference of the outputs adds
        to first order when noise of variance :math:`\sigma^2` is added to the input, divided by
        :math:`\sigma^2` (their section 3).

    It is a function and no term of an objective: a trace holds no gradients. They come from the model, for
    each sample's largest logit for example, which the paper takes in place of all of them::

        inputs.requires_grad_()
        largest = model(inputs).max(-1).values.sum()
        (gradients,) = torch.autograd.grad(largest, inputs, create_graph=True)

    ``create_graph`` lets the loss reach the student's weights; the teacher needs none.

    Parameters
    ----------
    student_gradients, teacher_gradients : (N, ...), or with an axis of outputs after N

    Memory: N × input; with ``create_graph``, a second backward pass. Errors: ValueError for unequal shapes or
    an unknown form.

    >>> jacobian_matching(torch.tensor([[3.0, 4.0]]), torch.tensor([[5.0, 0.0]]))
    tensor(0.8000)
    """
    check_form(form, FORMS)
    check_same_features(student_gradients, teacher_gradients)
    ours, theirs = student_gradients.flatten(1), teacher_gradients.detach().flatten(1)
    if form == "paper":
        ours, theirs = unit(ours), unit(theirs)
    return (ours - theirs).square().sum() / len(ours)
