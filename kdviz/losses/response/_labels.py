"""What the losses that look at a sample's own class share: picking it out, and hiding it."""

import torch

from kdviz.losses.checks import check_labels
from kdviz.losses.response.logits import tempered


def at_own_label(values, labels):
    """The entry of each sample's label, where logits and labels may each lack axes of the stack."""
    shape = torch.broadcast_shapes(values.shape[:-1], labels.shape)
    where = labels.clamp(min=0).expand(shape).unsqueeze(-1)
    return values.expand(*shape, values.shape[-1]).gather(-1, where).squeeze(-1)


def is_label(labels, classes):
    """True at each sample's label; nowhere for an unlabelled sample."""
    return labels.unsqueeze(-1) == torch.arange(classes, device=labels.device)


def tempered_with_labels(student_logits, teacher_logits, labels, temperature):
    """The log-probabilities of both at a temperature, and T² to go with (..., N)."""
    log_p, log_q, _ = tempered(student_logits, teacher_logits, temperature)
    check_labels(student_logits, labels)
    return log_p, log_q, for_each_sample(temperature, student_logits) ** 2


def soft_loss(log_p, log_q, form):
    """Each sample's KL(q ‖ p) in the form "divergence", else the cross-entropy of p under q."""
    compared = log_q - log_p if form == "divergence" else -log_p
    return (log_q.exp() * compared).sum(-1)


def check_other_classes(logits, what):
    """Some losses compare a class with the others, so there must be others."""
    if logits.shape[-1] < 2:
        raise ValueError(
            f"{what} needs at least two classes; the logits have shape {tuple(logits.shape)}, "
            "samples by classes in the last two axes"
        )


def for_each_sample(value, logits):
    """A number, or a tensor with one for each student, shaped to go with (..., N)."""
    return value.to(logits)[..., None] if isinstance(value, torch.Tensor) else value


def for_each_loss(value, logits):
    """A number, or a tensor with one for each student, to go with their losses (...)."""
    return value.to(logits) if isinstance(value, torch.Tensor) else value


def as_tensor(value, logits):
    """A number, or a tensor with one for each student, as a tensor to go with (..., N, C)."""
    return (
        value.to(logits)[..., None, None]
        if isinstance(value, torch.Tensor)
        else logits.new_full((1, 1), value)
    )
