"""What a loss really is, read off its gradient at the student's logits.

The gradient is fitted by a weighted sum of a hard and a soft term, in the forms that public code has,
right ones and wrong ones. A fit that leaves nothing over says which form it is, with its weights and
its temperature.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch.nn.functional import cross_entropy, log_softmax, softmax

from kdviz.losses.response import logit_matching, reverse_kl, soft_targets

LEFT_OVER = 1e-3
_TEMPERATURES = np.geomspace(0.5, 50, 40)


def hard(z, t, y, temperature):
    known = y >= 0
    return cross_entropy(z[known], y[known]) if known.any() else z.sum() * 0


def hard_of_probabilities(z, t, y, temperature):
    return hard(softmax(z, 1), t, y, temperature)


def hard_tempered(z, t, y, temperature):
    return hard(z / temperature, t, y, temperature)


def soft(z, t, y, temperature):
    return soft_targets(z, t, temperature)


def matching(z, t, y, temperature):
    return logit_matching(z, t)


def reverse(z, t, y, temperature):
    return temperature**2 * reverse_kl(z, t, temperature)


def teacher_side_only(z, t, y, temperature):
    return -(softmax(t / temperature, 1) * log_softmax(z, 1)).sum(1).mean()


def student_side_only(z, t, y, temperature):
    return -(softmax(t, 1) * log_softmax(z / temperature, 1)).sum(1).mean()


def teacher_softmaxed_twice(z, t, y, temperature):
    return soft_targets(z, softmax(t, 1), temperature)


def student_softmaxed_twice(z, t, y, temperature):
    return soft_targets(softmax(z, 1), t, temperature)


def log_forgotten(z, t, y, temperature):
    return -(softmax(t / temperature, 1) * softmax(z / temperature, 1)).sum(1).mean()


# The simplest explanation comes first. Without a temperature the two sides are one form.
SOFT = (soft, matching, reverse)
MISTAKES = (
    teacher_side_only,
    student_side_only,
    teacher_softmaxed_twice,
    student_softmaxed_twice,
    log_forgotten,
)


@dataclass(frozen=True)
class Form:
    """A gradient as ``hard_weight`` × the hard term + ``soft_weight`` × the soft term at a temperature."""

    hard: object
    soft: object
    hard_weight: float
    soft_weight: float
    temperature: float
    left_over: float

    def __str__(self):
        names = {soft: f"soft targets at T = {self.temperature:.3g}", matching: "logit matching"}
        names[reverse] = f"reverse KL × T² at T = {self.temperature:.3g}"
        hard_name = "cross-entropy" + {
            hard_of_probabilities: " of probabilities",
            hard_tempered: " at that T",
        }.get(self.hard, "")
        parts = [f"{self.hard_weight:.3g} × {hard_name}"] if abs(self.hard_weight) > 1e-6 else []
        if self.soft is not None:
            name = names.get(self.soft, self.soft.__name__.replace("_", " "))
            parts.append(f"{self.soft_weight:.3g} × {name}")
        return " + ".join(parts) or "nothing"


def read(student, teacher, labels, gradient, limit=LEFT_OVER, temperatures=()):
    """The forms of a loss with this gradient, the simplest first; none where it is none of those known.

    ``limit`` is the fraction of the gradient that may be left over; ``temperatures`` are the only ones that
    come into question, where they are known. Several mistakes may fit where logits are near 0; where a right
    form fits, it stands alone.
    """
    given = (student, teacher, labels)
    if gradient.norm() == 0:
        return []
    alone = _fit(given, gradient, hard, None, 1.0)
    if alone.left_over < 1e-5:
        return [alone]
    enough = min(limit, 0.05 * max(alone.left_over, 1e-4))
    found = []
    for one_hard in (hard, hard_of_probabilities, hard_tempered):
        for one_soft in (None, *SOFT, *MISTAKES):
            if one_hard is hard_tempered and one_soft is not soft:
                continue
            form = _best(given, gradient, one_hard, one_soft, temperatures)
            # At a temperature of 1 and without weight, other forms are the same.
            plain = one_hard is hard_tempered and (abs(form.hard_weight) < 1e-6 or form.temperature < 1.05)
            if form.left_over < enough and not plain:
                found.append(form)
                if one_soft not in MISTAKES:
                    return found
        if found:
            return found
    return found


def sizes(form, student, teacher, labels):
    """The fractions of a gradient's length that both terms have, the soft one at the larger of two: with the
    teacher's answers, and with those of other samples. Where a student agrees, it feels no soft term.
    """
    ways = [(student, teacher, labels), (student, teacher.roll(1, 0), labels)]
    soft_term = max(
        float(abs(form.soft_weight) * gradient_of(form.soft, given, form.temperature).norm())
        for given in ways
    )
    hard_term = float(abs(form.hard_weight) * gradient_of(form.hard, ways[0], form.temperature).norm())
    whole = max(soft_term + hard_term, 1e-300)
    return {"hard": hard_term / whole, "soft": soft_term / whole}


def beside_labels(logits, labels, gradient):
    """What is left of a gradient at these logits beside all that a loss of the labels alone may leave.

    Any loss of a sample's logits and label that is a function of the label's probability, smoothed or
    weighted, has a gradient in the span of three vectors: the probabilities, the label, and all ones. None
    for fewer than five classes, where little else is left.
    """
    if logits.shape[1] < 5 or not logits.isfinite().all():
        return None
    known = torch.where(labels >= 0, labels, 0)
    one_hot = torch.zeros_like(logits).scatter_(1, known.unsqueeze(1), 1.0) * (labels >= 0).unsqueeze(1)
    span = torch.stack([softmax(logits, 1), one_hot, torch.ones_like(logits)], 2)
    weights = torch.linalg.lstsq(span, gradient.unsqueeze(2), driver="gelsd").solution
    return (gradient.unsqueeze(2) - span @ weights).norm()


def _best(given, gradient, one_hard, one_soft, temperatures=()):
    if one_soft in (None, matching):
        return _fit(given, gradient, one_hard, one_soft, 1.0)
    if temperatures:
        fits = [_fit(given, gradient, one_hard, one_soft, temperature) for temperature in temperatures]
        return min(fits, key=lambda form: form.left_over)

    def left(log_temperature):
        return _fit(given, gradient, one_hard, one_soft, float(np.exp(log_temperature))).left_over

    grid = np.log(_TEMPERATURES)
    best = int(np.argmin([left(point) for point in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = minimize_scalar(left, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return _fit(given, gradient, one_hard, one_soft, float(np.exp(found.x)))


def _fit(given, gradient, one_hard, one_soft, temperature):
    forms = [form for form in (one_hard, one_soft) if form is not None]
    columns = torch.stack([gradient_of(form, given, temperature).flatten() for form in forms], 1)
    columns = columns.nan_to_num()
    weights = np.linalg.lstsq(columns.numpy(), gradient.flatten().numpy(), rcond=1e-12)[0]
    fitted = columns @ torch.from_numpy(weights)
    return Form(
        hard=one_hard,
        soft=one_soft,
        hard_weight=float(weights[0]),
        soft_weight=float(weights[1]) if one_soft else 0.0,
        temperature=temperature,
        left_over=float((fitted - gradient.flatten()).norm() / gradient.norm()),
    )


def gradient_of(form, given, temperature=1.0):
    """The gradient of a term at the student's logits."""
    student, teacher, labels = given
    student = student.detach().clone().requires_grad_()
    loss = form(student, teacher, labels, temperature)
    return torch.autograd.grad(loss, student, allow_unused=True, materialize_grads=True)[0]
