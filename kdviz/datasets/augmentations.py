"""Random changes of images that keep their class, drawn by a generator."""

import torch


def noisy(deviation: float = 0.1):
    """Gaussian noise on every pixel, with this standard deviation."""
    if not deviation >= 0:
        raise ValueError(f"the deviation of noise must be 0 or more; got {deviation!r}")

    def augment(inputs, generator):
        _check_tensor(inputs)
        return inputs + deviation * torch.randn(inputs.shape, generator=generator).to(inputs)

    return augment


def shifted(pixels: int = 1):
    """Each image moved by up to so many whole pixels down or up, right or left; its edge is repeated.

    Images, of shape (n, channels, height, width).
    """
    if not isinstance(pixels, int) or pixels < 0:
        raise ValueError(f"images are shifted by whole pixels, 0 or more; got {pixels!r}")

    def augment(inputs, generator):
        _check_tensor(inputs)
        count, _, height, width = inputs.shape
        padded = torch.nn.functional.pad(inputs, (pixels,) * 4, mode="replicate")
        down, right = torch.randint(2 * pixels + 1, (2, count, 1), generator=generator).to(inputs.device)
        rows = (torch.arange(height, device=inputs.device) + down)[:, None, :, None]
        columns = (torch.arange(width, device=inputs.device) + right)[:, None, None, :]
        samples = torch.arange(count, device=inputs.device)[:, None, None, None]
        channels = torch.arange(inputs.shape[1], device=inputs.device)[None, :, None, None]
        return padded[samples, channels, rows, columns]

    return augment


def _check_tensor(inputs):
    if not isinstance(inputs, torch.Tensor):
        raise TypeError(
            "images are augmented as one tensor; for inputs by name write a function of inputs and generator "
            "that changes the ones you mean"
        )


SLIGHT_NOISE = noisy(0.1)
