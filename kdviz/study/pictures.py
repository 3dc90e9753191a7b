"""What a reader looks at of a sample: an image, a sound, or a text; and images that fit into a page."""

import base64
import io
import wave
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

NO_IMAGES = "this explorer draws images; pass kdviz.compare(show=...) that makes images of inputs"
# From so many numbers in a row of one channel on, inputs are waves.
_WAVE = 256


@dataclass(frozen=True)
class Sound:
    """A wave from -1 to 1, with its samples a second where they are known."""

    samples: np.ndarray
    rate: int | None

    def image(self, height=60, width=180):
        """The wave as an image with dark ink: from the lowest to the highest value of each column."""
        found, end = np.zeros((height, width)), []
        for x, part in enumerate(np.array_split(self.samples, width)):
            # From where the column before ended, so that the line has no gaps.
            values = [*end, *part]
            low, high = ((1 - value) / 2 * (height - 1) for value in (max(values), min(values)))
            found[int(low) : int(high) + 1, x] = 1
            end = part[-1:]
        return found

    def uri(self):
        """The sound as a data URI, where it can be played."""
        stream = io.BytesIO()
        with wave.open(stream, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes((self.samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
        return f"data:audio/wav;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def look_at(comparison, inputs):
    """What a reader looks at: for each sample an image from 0 to 1, a sound, or a text."""
    show = comparison.show
    if hasattr(show, "decode"):
        return [_decoded(show, _single(one)) for one in inputs]
    if show is not None:
        return [_checked(show(_single(one))) for one in inputs]
    if not inputs:
        return []
    parts = [_only_part(one) for one in inputs]
    if all(_is_image(one) for one in parts):
        return _stretched(parts)
    if all(_is_wave(one) for one in parts):
        return [_sound(one, comparison.sample_rate) for one in parts]
    if comparison.columns is not None:
        return _unusual(comparison, torch.cat(list(inputs)).double())
    return [_text(_single(one)) for one in inputs]


def drawn(comparison, inputs):
    """The samples as images, a sound as its wave; ValueError where they are texts."""
    shown = [one.image() if isinstance(one, Sound) else one for one in look_at(comparison, inputs)]
    if not shown or any(not isinstance(one, np.ndarray) for one in shown):
        raise ValueError(NO_IMAGES)
    return shown


def images_of(comparison, inputs, side=None):
    """The samples as images (n, height, width) or (n, height, width, 3), as the explorers draw them.

    Images of several sizes are brought to the smallest, and all to at most ``side`` pixels.
    """
    shown = drawn(comparison, inputs)
    height, width = (min(image.shape[axis] for image in shown) for axis in (0, 1))
    if side is not None and max(height, width) > side:
        height, width = (max(1, round(length * side / max(height, width))) for length in (height, width))
    return np.stack([resized(image, height, width) for image in shown])


def resized(image, height, width):
    """An image, or a map of numbers, with each pixel the mean of what it covers."""
    if image.shape[:2] == (height, width):
        return image
    pixels = torch.from_numpy(np.ascontiguousarray(image, dtype=float)).reshape(*image.shape[:2], -1)
    small = torch.nn.functional.interpolate(pixels.permute(2, 0, 1)[None], (height, width), mode="area")[0]
    return small.permute(1, 2, 0).reshape(height, width, *image.shape[2:]).numpy()


def plan(count, height, width, bytes_a_pixel, budget, least=5):
    """How many images, and of which side at most, stay within a budget: first fewer, then smaller ones."""
    side = max(height, width)
    wanted = min(side, 64)
    count = int(min(count, max(least, budget / (wanted**2 * bytes_a_pixel))))
    return count, int(min(side, max(8, (budget / (count * bytes_a_pixel)) ** 0.5)))


def uri(image, most=160):
    """A grey image, high as ink, or a colour image, as a data URI of at most so many pixels a side."""
    side = max(image.shape[:2])
    if side > most:
        image = resized(image, *(max(1, round(length * most / side)) for length in image.shape[:2]))
    pixels = 1 - image if image.ndim == 2 else image
    stream = io.BytesIO()
    Image.fromarray(np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def map_uri(classes, count):
    """A map of classes as a data URI, each class in its own colour; unlabelled pixels are white."""
    hues = np.arange(count) * 0.618034 % 1
    palette = np.stack([0.5 + 0.45 * np.cos(2 * np.pi * (hues + shift)) for shift in (0, 1 / 3, 2 / 3)], 1)
    colours = np.where((classes >= 0)[..., None], palette[classes.clip(min=0)], 1.0)
    return uri(colours)


def _only_part(one):
    """The tensor of inputs by name that hold no other, as image processors give it."""
    parts = [part for part in one.values() if isinstance(part, torch.Tensor)] if isinstance(one, dict) else []
    return parts[0] if len(parts) == 1 else one


def _is_image(one):
    return isinstance(one, torch.Tensor) and one.ndim == 4 and one.shape[1] in (1, 3)


def _is_wave(one):
    if not isinstance(one, torch.Tensor) or not one.is_floating_point():
        return False
    return one.shape[-1] >= _WAVE and (one.ndim == 3 and one.shape[1] == 1)


def _stretched(inputs):
    """Images from 0 to 1, all by one scale."""
    finite = [one.double().nan_to_num(nan=torch.nan, posinf=torch.nan, neginf=torch.nan) for one in inputs]
    known = torch.cat([one.flatten()[one.flatten().isfinite()] for one in finite])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    pixels = (((one[0] - low) / max(high - low, 1e-12)).nan_to_num(0.0) for one in finite)
    return [image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).numpy() for image in pixels]


def _sound(one, rate):
    samples = one.flatten().double().nan_to_num().numpy()
    return Sound(samples / max(1e-12, np.abs(samples).max()), rate)


def _decoded(tokenizer, sample):
    tokens = sample.get("input_ids", next(iter(sample.values()))) if isinstance(sample, dict) else sample
    mask = sample.get("attention_mask") if isinstance(sample, dict) else None
    tokens = tokens if mask is None else tokens[mask.bool()]
    return str(tokenizer.decode(tokens.tolist()))


def _unusual(comparison, rows, most=6):
    """Of each row of a table the values furthest from the mean of the samples, in standard deviations."""
    every = comparison.samples.tensor().double()
    mean = every.nanmean(0)
    spread = (every - mean).square().nanmean(0).sqrt().clamp(min=1e-12)
    return [_of_row(comparison.columns, row, (row - mean) / spread, most) for row in rows]


def _of_row(names, row, far, most):
    # A value that is missing is not far from anything.
    order = [n for n in far.abs().nan_to_num(-1.0).argsort(descending=True).tolist() if not far[n].isnan()]
    lines = (f"{names[n]} {float(row[n]):.3g} ({float(far[n]):+.1f} sd)" for n in order[:most])
    return "\n".join(lines).replace("-", "−")


def _single(inputs):
    """One sample out of a batch of one."""
    if isinstance(inputs, dict):
        return {
            name: part[0] for name, part in inputs.items() if isinstance(part, torch.Tensor) and part.ndim
        }
    return tuple(part[0] for part in inputs) if isinstance(inputs, tuple) else inputs[0]


def _checked(shown):
    if isinstance(shown, (str, Sound)):
        return shown
    shown = np.asarray(shown.detach().cpu() if isinstance(shown, torch.Tensor) else shown, float)
    if shown.ndim not in (2, 3) or (shown.ndim == 3 and shown.shape[2] != 3):
        raise ValueError(
            "show must return a text, or an image (height, width) or (height, width, 3) from 0 to 1; got "
            f"shape {shown.shape}"
        )
    return shown


def _text(sample):
    if isinstance(sample, dict):
        return "; ".join(f"{name}: {_text(part)}" for name, part in sample.items())
    if isinstance(sample, tuple):
        return "; ".join(map(_text, sample))
    values = sample.flatten()[:24]
    numbers = ", ".join(f"{float(value):.3g}" for value in values)
    return numbers + (", …" if sample.numel() > len(values) else "")
