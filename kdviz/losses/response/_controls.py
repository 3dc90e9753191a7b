"""Teachers that should fail: the same logits with one kind of knowledge destroyed."""

import torch

from kdviz.losses.checks import check_labels


def permute_dark_knowledge(teacher_logits, labels, seed=0):
    """A control that should fail: shuffle, for each sample, the teacher's logits of the wrong classes.

    The logit of the label stays in its place; the others are permuted by a random permutation that
    belongs to the sample and the seed. Each sample keeps its confidence and entropy; only the knowledge
    of which wrong class resembles it is destroyed.
    """
    check_labels(teacher_logits, labels)
    if teacher_logits.ndim != 2 or (labels < 0).any():
        raise ValueError("permuting needs logits of shape (N, C) and a label for each sample")
    generator = torch.Generator().manual_seed(seed)
    keys = torch.rand(teacher_logits.shape, generator=generator).to(teacher_logits.device)
    keys.scatter_(1, labels[:, None], 2.0)
    # Both orders end with the label, so it maps onto itself and the rest are shuffled.
    shuffled = keys.argsort(1)
    ordered = torch.zeros_like(keys).scatter_(1, labels[:, None], 1.0).argsort(dim=1, stable=True)
    return torch.empty_like(teacher_logits).scatter_(1, ordered, teacher_logits.gather(1, shuffled))
