"""Samples as a reader can look at them: images, texts, or the unusual values of a table's rows."""

import base64
import io

import numpy as np
import torch
from jinja2 import Template
from PIL import Image
from scipy.special import softmax

_GALLERY = '<div style="display:flex;flex-wrap:wrap;gap:14px;font:14px system-ui,sans-serif">{}</div>'
_CARD = Template(
    """\
<figure style="margin:0;width:{{ 215 if text else 170 }}px">
{%- if text -%}
<div style="white-space:pre-line;overflow-wrap:anywhere;margin:0 0 4px;padding:4px 8px;background:#f7f8fa;\
border-left:3px solid #c9ced6">{{ text }}</div>
{%- else -%}
<img src="{{ image }}" alt="{{ head }}: teacher {{ answers.teacher }}, student {{ answers.student }}" \
width="120" style="image-rendering:pixelated;display:block">
{%- endif -%}
<figcaption>{{ head }}{% for name, answer in answers.items() %}<br>{{ name }}: {{ answer }}{% endfor %}\
</figcaption></figure>""",
    autoescape=True,
)


class Gallery:
    """Samples with what each model answers, as a notebook or a page shows it."""

    def __init__(self, cards):
        self.cards = cards

    def __len__(self):
        return len(self.cards)

    def _repr_html_(self):
        return _GALLERY.format("".join(self.cards))


def gallery(comparison, most=24):
    """The samples on which teacher and student differ most, furthest first."""
    chosen = comparison.disagreements[range(min(most, len(comparison.disagreements)))]
    logits = {name: softmax(chosen.logits[name], 1) for name in comparison.models}
    cards = []
    for row, shown in enumerate(look_at(comparison, chosen.inputs)):
        head, label = f"sample {chosen.indices[row]:,}", chosen.labels[row]
        if label >= 0:
            head += f", label {comparison.classes[label]}"
        answers = {
            name: f"{comparison.classes[p[row].argmax()]} ({p[row].max():.2f})" for name, p in logits.items()
        }
        body = {"text": shown} if isinstance(shown, str) else {"image": _uri(shown)}
        cards.append(_CARD.render(head=head, answers=answers, **body))
    return Gallery(cards)


def _uri(image):
    """A grey image, high as ink, or a colour image, as a data URI."""
    pixels = 1 - image if image.ndim == 2 else image
    stream = io.BytesIO()
    Image.fromarray(np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def look_at(comparison, inputs):
    """What a reader looks at: for each sample an image from 0 to 1, or a text."""
    if comparison.show is not None:
        return [_checked(comparison.show(_single(one))) for one in inputs]
    if not inputs:
        return []
    if all(isinstance(one, torch.Tensor) and one.ndim == 4 and one.shape[1] in (1, 3) for one in inputs):
        pixels = torch.cat(list(inputs)).double()
        pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()).clamp(min=1e-12)
        return [image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).numpy() for image in pixels]
    if comparison.columns is not None:
        return _unusual(comparison, torch.cat(list(inputs)).double())
    return [_text(_single(one)) for one in inputs]


def images_of(comparison, inputs):
    """The samples as images (n, height, width) or (n, height, width, 3), as the explorers draw them."""
    shown = look_at(comparison, inputs)
    if not shown or any(isinstance(one, str) for one in shown):
        raise ValueError(
            "this explorer draws images; pass kdviz.compare(show=...) that makes images of inputs"
        )
    return np.stack(shown)


def _unusual(comparison, rows, most=6):
    """Of each row of a table the values furthest from the mean of the samples, in standard deviations."""
    every = comparison.samples.tensor().double()
    away = (rows - every.mean(0)) / every.std(0, correction=0).clamp(min=1e-12)
    return [
        "\n".join(
            f"{comparison.columns[n]} {float(row[n]):.3g} ({float(far[n]):+.1f} sd)".replace("-", "−")
            for n in far.abs().argsort(descending=True)[:most].tolist()
        )
        for row, far in zip(rows, away, strict=True)
    ]


def _single(inputs):
    """One sample out of a batch of one."""
    if isinstance(inputs, dict):
        return {name: part[0] for name, part in inputs.items()}
    return tuple(part[0] for part in inputs) if isinstance(inputs, tuple) else inputs[0]


def _checked(shown):
    if isinstance(shown, str):
        return shown
    shown = np.asarray(shown, float)
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
