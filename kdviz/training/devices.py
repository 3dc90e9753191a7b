"""Where a training runs."""

import torch


def checked_device(device: torch.device | str | None) -> torch.device | None:
    """A device that is there, or None for wherever things are; ValueError with those that there are.

    >>> checked_device("cpu")
    device(type='cpu')
    """
    if device is None:
        return None
    try:
        found = torch.device(device)
        # Torch says only with the first tensor whether a device is there.
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError) as problem:
        raise ValueError(
            f"torch {torch.__version__} finds no device {str(device)!r} on this machine; there is: "
            f"{', '.join(_there())}. Leave device out to train where the student is. For an NVIDIA GPU torch "
            "has to be a build for CUDA, and the driver installed"
        ) from problem
    return found


def _there():
    kind = torch.accelerator.current_accelerator()
    return ["cpu", *(f"{kind.type}:{number}" for number in range(torch.accelerator.device_count()))]
