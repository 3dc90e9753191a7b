"""What the losses on logits share: the softmax in either memory order and at a temperature, and sums."""

import torch

from kdviz.losses.checks import check_same_shape, check_temperature


def softmax(logits):
    """Probabilities over the last axis."""
    return _over_classes(torch.softmax, logits)


def log_softmax(logits):
    """Log-probabilities over the last axis."""
    return _over_classes(torch.log_softmax, logits)


def _over_classes(function, logits):
    # A stack keeps the samples together in memory and the classes apart. Over a last axis of few
    # classes torch is an order of magnitude slower than over the one before it.
    if logits.ndim > 2 and logits.stride(-1) != 1:
        return function(logits.transpose(-1, -2), -2).transpose(-1, -2)
    return function(logits, -1)


def tempered(student_logits, teacher_logits, temperature):
    """The log-probabilities of both at a temperature, and the temperature to go with (..., N, C)."""
    check_temperature(temperature)
    check_same_shape(student_logits, teacher_logits)
    temperature = for_each_student(temperature, student_logits)
    log_p = log_softmax(student_logits / temperature)
    return log_p, log_softmax(teacher_logits.detach() / temperature), temperature


def mean_over_samples(terms, temperature):
    """T² times the sum over the classes, averaged over the samples."""
    return (temperature**2 * terms.sum(-1, keepdim=True)).mean((-2, -1))


def soft_gradient(student, teacher, temperature):
    """p - q, the gradient of a sample's T KL(q ‖ p), and the temperature T to go with it."""
    temperature = for_each_student(temperature, student.logits)
    p = softmax(student.logits / temperature)
    return p.sub_(softmax(teacher.logits / temperature)), temperature


def soft_latex(temperature, target="p_T", guess="p_S"):
    """T² times the KL divergence of the two, both at the temperature."""
    at = rf"^{{T={temperature:g}}}"
    return rf"{temperature:g}^2\, \mathrm{{KL}}({target}{at} \,\Vert\, {guess}{at})"


def at_label(log_p, labels):
    """The entry of each sample's label; an unlabelled sample gets that of class 0."""
    where = labels.clamp(min=0).expand(log_p.shape[:-1])
    return log_p.gather(-1, where.unsqueeze(-1)).squeeze(-1)


def one_hot(labels, like):
    """Rows of 0 with a 1 at the label; the row of an unlabelled sample is all 0."""
    classes = like.shape[-1]
    # The last row, which is that of label -1, has no 1.
    return torch.eye(classes + 1, classes, dtype=like.dtype, device=like.device)[labels]


def shares_of_labelled(labels, dtype):
    """Each sample's share of the mean over the labelled samples: 1 / their number, or 0."""
    known = (labels >= 0).to(dtype)
    return known / known.sum(-1, keepdim=True).clamp(min=1)


def mean_over_labelled(values, labels):
    return (values * shares_of_labelled(labels, values.dtype)).sum(-1)


def for_each_student(value, logits):
    """A value for each student of a stack, shaped so that it multiplies (..., N, C)."""
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(logits)[..., None, None]
