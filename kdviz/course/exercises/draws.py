"""Random tensors to call answers with, in double precision so that a comparison loses no digits."""

import torch


def normal(*shape: int, seed: int) -> torch.Tensor:
    """Standard normal numbers, the same ones for the same shape and seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def logits(samples: int, classes: int, seed: int) -> torch.Tensor:
    """Logits of shape (samples, classes) that are rather sure at temperature 1."""
    return 3 * normal(samples, classes, seed=seed)


def logits_of_both(samples: int, classes: int, seed: int) -> dict[str, torch.Tensor]:
    """A student's and a teacher's logits for the same samples."""
    student, teacher = 3 * normal(2, samples, classes, seed=seed)
    return {"student_logits": student, "teacher_logits": teacher}
