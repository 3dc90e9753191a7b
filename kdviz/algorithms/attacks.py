"""Attacks: inputs changed a little so that a model misreads them. They measure it, and it may learn of them.

An attack knows the right answer and stays within ε of the input in each of its numbers. What it climbs is its
``goal``. A model with no gradient to climb seems strong and is only silent: attack it by the margin, or with
inputs that were made against another model, which is a **transfer attack**: ``model(pgd(other, ...))``.
"""

import torch
from torch import Tensor, nn

from kdviz.losses.checks import check_choice, check_from_zero, check_whole
from kdviz.tracing import evaluating, logits_of


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    r"""By how much the right logit is ahead of the next, :math:`z_y - \max_{c \ne y} z_c`, of each sample.

    Below 0 the answer is wrong. Its negative is f₆ of Carlini and Wagner 2017, *Towards Evaluating the
    Robustness of Neural Networks*, section V-A, without the floor. No softmax can flatten it.

    >>> margin(torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]]), torch.tensor([0, 1]))
    tensor([ 1., -2.])

    Parameters
    ----------
    logits : (N, C)
    labels : (N,), from 0 to C - 1
    """
    right = nn.functional.one_hot(labels, logits.shape[-1]).bool()
    return logits[right] - logits.masked_fill(right, -torch.inf).amax(-1)


GOALS = {
    "cross_entropy": lambda logits, labels: nn.functional.cross_entropy(logits, labels, reduction="none"),
    "margin": lambda logits, labels: -margin(logits, labels),
}


def fgsm(
    model: nn.Module, inputs: Tensor, labels: Tensor, epsilon: float, *, goal="cross_entropy", bounds=None
) -> Tensor:
    r"""The fast gradient sign method: one step, :math:`x + \varepsilon \, \mathrm{sign}(\nabla_x J)`.

    Of a linear model of two classes it is the strongest attack there is. Source: Goodfellow et al. 2015,
    *Explaining and Harnessing Adversarial Examples*, section 4. Parameters and result as those of
    :func:`pgd`.

    >>> model = nn.Linear(2, 2)
    >>> _ = model.load_state_dict({"weight": torch.tensor([[1.0, -2.0], [0.0, 0.0]]), "bias": torch.zeros(2)})
    >>> fgsm(model, torch.tensor([[5.0, 1.0]]), torch.tensor([0]), 0.5)
    tensor([[4.5000, 1.5000]])
    """
    return pgd(model, inputs, labels, epsilon, steps=1, step=epsilon, goal=goal, bounds=bounds)


def pgd(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    steps: int = 10,
    step: float | None = None,
    goal: str = "cross_entropy",
    bounds: tuple | None = None,
    random: bool = False,
) -> Tensor:
    r"""Projected gradient descent: several small steps of :func:`fgsm`, each put back within ε.

    Source: Madry et al. 2018, *Towards Deep Learning Models Resistant to Adversarial Attacks*, section 2.1.

    Parameters
    ----------
    model : network with logits (N, C)
        It is asked in eval mode, and nothing of it is changed.
    inputs : (N, ...) fractions
    labels : (N,) the right classes
    epsilon : how far each number of an input may move; 0 gives the inputs
    steps, step : how many steps, and how far each goes; by default 2.5 ε / steps
    goal : "cross_entropy", or "margin", the negative of :func:`margin`
    bounds : (lowest, highest) that a number may be, each a number or a tensor that broadcasts
        Of kdviz's digits, from whose pixels the mean image was taken, ``(-data.mean, 1 - data.mean)``.
    random : whether to begin somewhere within ε, drawn from torch's global generator, or at the input

    Returns
    -------
    Tensor
        The attacked inputs, without gradient.
    """
    check_from_zero("epsilon", epsilon)
    check_whole("steps", steps, 1)
    step = 2.5 * epsilon / steps if step is None else step
    check_from_zero("step", step)
    _check_samples(inputs, labels)
    low, high = (-torch.inf, torch.inf) if bounds is None else bounds
    low, high = (torch.as_tensor(end).to(inputs) for end in (low, high))
    if (low > high).any():
        raise ValueError(f"bounds must be (lowest, highest); got {bounds!r}")
    low, high = torch.maximum(inputs - epsilon, low), torch.minimum(inputs + epsilon, high)
    moved = torch.empty_like(inputs).uniform_(-epsilon, epsilon) + inputs if random else inputs
    for _ in range(steps):
        moved = moved + step * gradient(model, moved, labels, goal).sign()
        moved = torch.minimum(torch.maximum(moved, low), high)
    return moved.detach()


def gradient(model: nn.Module, inputs: Tensor, labels: Tensor, goal: str = "cross_entropy") -> Tensor:
    """The gradient of each sample's goal by its input, like the inputs; arguments as in :func:`pgd`."""
    check_choice("goal", goal, tuple(GOALS))
    _check_samples(inputs, labels)
    with evaluating(model), torch.enable_grad():
        here = inputs.detach().clone().requires_grad_()
        reached = GOALS[goal](logits_of(model(here)), labels).sum()
        return torch.autograd.grad(reached, here)[0]


def masked(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Whether the gradient of the cross-entropy is exactly 0 everywhere in an input, (N,): no way to climb.

    Where the right class has probability 1 up to rounding, single precision leaves nothing of a gradient
    that is (p - y) times the weights.
    """
    return (gradient(model, inputs, labels) == 0).flatten(1).all(1)


def _check_samples(inputs, labels):
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or inputs.ndim < 2:
        raise TypeError(f"an attack moves a tensor of fractions (N, ...); got {_said(inputs)}")
    whole = isinstance(labels, Tensor) and labels.dtype == torch.long
    if not whole or labels.shape != inputs.shape[:1] or (labels < 0).any():
        raise ValueError(
            "an attack must know the right class of each input: labels of shape "
            f"({len(inputs)},), whole numbers from 0 up; got {_said(labels)}"
        )


def _said(value):
    if not isinstance(value, Tensor):
        return repr(value)
    return (
        f"a tensor of shape {tuple(value.shape)}, {value.dtype}, lowest {value.min() if len(value) else '-'}"
    )
