"""The samples on which teacher and student differ most, with what each model answers."""

import numpy as np
from jinja2 import Template
from scipy.special import expit, softmax

from kdviz.study.pictures import Sound, look_at, map_uri, uri

_GALLERY = (
    '<div style="display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px;'
    'font:14px system-ui,sans-serif">{}</div>{}'
)
_CARD = Template(
    """\
<figure style="margin:0;min-width:0{{ ';grid-column:span 2' if wide }}">
{%- if text is not none -%}
<div style="white-space:pre-line;overflow-wrap:anywhere;margin:0 0 4px;padding:4px 8px;background:#f7f8fa;\
border-left:3px solid #c9ced6">{{ text }}</div>
{%- endif -%}
{%- for name, image in images.items() -%}
<span style="display:{{ 'inline-block' if images|length > 1 else 'block' }};margin-right:6px">\
<img src="{{ image }}" alt="{{ name }}: {{ said }}" width="{{ 100 if images|length > 1 else 120 }}" \
style="image-rendering:pixelated;display:block;max-width:100%">{{ name if images|length > 1 }}</span>
{%- endfor -%}
{%- if sound -%}
<audio controls preload="none" style="width:100%;height:32px" src="{{ sound }}"></audio>
{%- endif -%}
<figcaption>{{ head }}{% for name, answer in answers.items() %}<br>{{ name }}: {{ answer }}{% endfor %}\
</figcaption></figure>""",
    autoescape=True,
)
_HINT = (
    "<p>The inputs are token numbers. To read them pass <code>show=tokenizer</code>, or a function that "
    "makes words of them.</p>"
)


class Gallery:
    """Samples with what each model answers, as a notebook or a page shows it."""

    def __init__(self, cards, hint=""):
        self.cards, self.hint = cards, hint

    def __len__(self):
        return len(self.cards)

    def _repr_html_(self):
        return _GALLERY.format("".join(self.cards), self.hint)


def gallery(comparison, most=24):
    """The samples on which teacher and student differ most, furthest first."""
    chosen = comparison.disagreements[range(min(most, len(comparison.disagreements)))]
    answers = _answers(comparison, chosen)
    shown = look_at(comparison, chosen.inputs)
    cards = [_card(comparison, chosen, row, one, answers[row]) for row, one in enumerate(shown)]
    tokens = comparison.show is None and chosen.inputs and _are_tokens(chosen.inputs[0])
    return Gallery(cards, _HINT if tokens else "")


def _are_tokens(inputs):
    part = inputs.get("input_ids") if isinstance(inputs, dict) else inputs
    return hasattr(part, "is_floating_point") and not part.is_floating_point() and part.ndim == 2


def _card(comparison, chosen, row, shown, answers):
    head, label = f"sample {chosen.indices[row]:,}", chosen.labels[row]
    if label >= 0:
        head += f", label {comparison.classes[label]}"
    elif comparison.kind.name in ("labels", "numbers"):
        head += _several(comparison, chosen.targets["label"][row])
    text = shown if isinstance(shown, str) else None
    images, sound = {}, None
    if isinstance(shown, Sound):
        images, sound = {"wave": uri(shown.image(), 180)}, shown.uri() if shown.rate else None
    elif text is None:
        images = {"input": uri(shown)}
    if comparison.kind.name == "pixels":
        images |= _maps(comparison, chosen, row, shown)
    said = f"teacher {answers['teacher']}, student {answers[comparison.student]}"
    wide = text is not None and len(text) > 60 or len(images) > 1
    return _CARD.render(
        head=head, answers=answers, text=text, images=images, sound=sound, said=said, wide=wide
    )


def _answers(comparison, chosen):
    """For each sample what each model says, by name."""
    kind, classes, names = comparison.kind, comparison.classes, list(comparison.models)
    if kind.is_dense:
        return [
            {name: _differing(comparison, chosen, row, name) for name in names} for row in range(len(chosen))
        ]
    if kind.has_numbers:
        return [{name: _list(chosen.logits[name][row]) for name in names} for row in range(len(chosen))]
    if kind.name == "labels":
        p = {name: expit(chosen.logits[name]) for name in names}
        yes = {name: [[classes[n] for n in np.flatnonzero(row > 0.5)] for row in p[name]] for name in names}
        return [{name: ", ".join(yes[name][row]) or "none" for name in names} for row in range(len(chosen))]
    p = {name: softmax(chosen.logits[name], 1) for name in names}
    return [
        {name: f"{classes[p[name][row].argmax()]} ({p[name][row].max():.2f})" for name in names}
        for row in range(len(chosen))
    ]


def _differing(comparison, chosen, row, name):
    label, answer = chosen.targets["label"][row], chosen.targets[name][row]
    known = label >= 0
    if known.any():
        return f"{(answer == label)[known].mean():.0%} right"
    return f"{(answer == chosen.targets['teacher'][row]).mean():.0%} as the teacher"


def _several(comparison, label):
    if comparison.kind.has_numbers:
        return "" if np.isnan(label).all() else f", label {_list(label)}"
    known = label >= 0
    named = [comparison.classes[n] for n in np.flatnonzero(label == 1)]
    return f", labels {', '.join(named) or 'none'}" if known.any() else ""


def _list(values):
    return ", ".join(f"{value:.3g}" for value in np.ravel(values)).replace("-", "−")


def _maps(comparison, chosen, row, shown):
    """The maps of the labels and of each model, in the shape of the picture."""
    shape = shown.shape[:2] if hasattr(shown, "shape") else None
    maps = {"label": chosen.targets["label"][row]}
    maps |= {name: chosen.targets[name][row] for name in ("teacher", comparison.student)}
    found = {}
    for name, values in maps.items():
        if name == "label" and (values < 0).all():
            continue
        grid = _grid(values, shape)
        if grid is not None:
            found[name] = map_uri(grid, len(comparison.classes))
    return found


def _grid(values, shape):
    """A row of pixels as the picture it was: of the same ratio of sides as what was put in."""
    if shape is None:
        side = int(len(values) ** 0.5)
        return values.reshape(side, side) if side**2 == len(values) else None
    height = round((len(values) * shape[0] / shape[1]) ** 0.5)
    return values.reshape(height, -1) if height and len(values) % height == 0 else None
