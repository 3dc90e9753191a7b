"""The drawings of the course, made as code: SVG pictures in one style, which notebooks show as files.

``make pages`` writes them to ``notebooks/pictures``. A drawing is put together from parts: each returns the
SVG of one thing at a place, in the colours that teacher, student and labels have in every figure. Those of
methods and schemes are declared in ``drawings.toml``, and :func:`scheme` draws them all.
"""

import tomllib
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path

from kdviz.figures.template import BASELINE, GRID, INK, STUDENT, TEACHER

# A test image of an 8, in sixteenths of black, and what the teacher of page 00 answers to it, in percent.
EIGHT = (
    "0 1 14 16 16 11 2 0  0 0 14 9 2 10 11 0  0 0 5 16 5 14 5 0  0 0 0 12 16 16 5 0 "
    "0 0 7 14 14 8 0 0  0 1 14 3 6 11 0 0  0 4 8 0 8 11 0 0  0 2 13 12 15 2 0 0"
)
ANSWER = {8: 58, 9: 42}


def text(x, y, words, color=INK, anchor="middle", size=15, weight="normal"):
    return (
        f'<text x="{x}" y="{y}" fill="{color}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{words}</text>'
    )


def box(x, y, width, height, look, name, below=""):
    """A network: a box with its name, and a line of explanation in it."""
    middle = x + width / 2
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="10" fill="{look.color}"/>'
        + text(middle, y + height / 2 - (2 if below else -5), name, "white", size=17, weight="600")
        + text(middle, y + height / 2 + 17, below, "white", size=13)
    )


def image(x, y, size, pixels=EIGHT):
    """A grey image of 8 × 8 pixels."""
    side = size / 8
    squares = "".join(
        f'<rect x="{x + i % 8 * side:g}" y="{y + i // 8 * side:g}" width="{side:g}" height="{side:g}" '
        f'fill="rgb({grey},{grey},{grey})"/>'
        for i, value in enumerate(pixels.split())
        if (grey := 255 - 15 * int(value)) < 255
    )
    frame = f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="white" stroke="{INK}"/>'
    return frame + f'<g shape-rendering="crispEdges">{squares}</g>'


def bars(x, y, percent, look, height=44, width=15):
    """Ten classes with their probabilities as bars; those that are not named have none."""
    drawn = [f'<path d="M{x} {y + height}h{10 * width}" stroke="{INK}"/>']
    for digit in range(10):
        here, tall = x + digit * width, height * percent.get(digit, 0) / 100
        drawn.append(text(here + width / 2, y + height + 14, digit, size=12))
        drawn.append(
            f'<rect x="{here + 2}" y="{y + height - tall:g}" width="{width - 4}" height="{tall:g}" '
            f'fill="{look.color}"/>'
        )
    return "".join(drawn)


def arrow(x, y, to_x, to_y, look):
    return (
        f'<path d="M{x} {y}L{to_x} {to_y}" stroke="{look.color}" stroke-width="2.5" fill="none" '
        f'marker-end="url(#head-{look.color[1:]})"/>'
    )


def drawing(width, height, label, *parts):
    """The whole picture, on white, so that it is seen on a dark page too."""
    heads = "".join(
        f'<marker id="head-{look.color[1:]}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" '
        f'markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z" fill="{look.color}"/></marker>'
        for look in (TEACHER, STUDENT, BASELINE)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif"><title>{label}</title><defs>{heads}</defs>'
        f'<rect width="{width}" height="{height}" rx="8" fill="white" stroke="{GRID}"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def what_distillation_is():
    """An image with two answers, that of its label and that of the teacher: the student learns from both."""
    return drawing(
        *(880, 206),
        "The label of an image says 8. The teacher says 8 or 9. The student learns from both.",
        image(22, 46, 112),
        text(78, 180, "one image"),
        *(
            arrow(142, 82, 404, 58, BASELINE),
            arrow(142, 124, 216, 146, TEACHER),
            arrow(342, 148, 404, 148, TEACHER),
        ),
        box(222, 118, 118, 60, TEACHER, "teacher", "large, trained"),
        bars(414, 24, {8: 100}, BASELINE),
        text(489, 18, "its label: an 8, and nothing else", size=13),
        bars(414, 122, ANSWER, TEACHER),
        text(489, 114, "the teacher: an 8, perhaps a 9", size=13),
        *(arrow(580, 58, 694, 86, BASELINE), arrow(580, 150, 694, 118, TEACHER)),
        box(700, 66, 150, 72, STUDENT, "student", "learns from both"),
    )


LOOKS = {"teacher": TEACHER, "student": STUDENT, "labels": BASELINE}
COLUMN, ROW, BORDER, HEIGHT = 170, 88, 22, 54


def node(x, y, width, kind, name, below):
    """A box around a middle: filled for networks and labels, an outline for what is no network."""
    left, top = x - width / 2, y - HEIGHT / 2
    if kind in LOOKS:
        return box(left, top, width, HEIGHT, LOOKS[kind], escape(name), escape(below))
    gone, round_corner = kind == "gone", 27 if kind == "loss" else 10
    dashes = ' stroke-dasharray="6 4"' if gone else ""
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{HEIGHT}" rx="{round_corner}" '
        f'fill="white" stroke="{INK}" stroke-width="1.5"{dashes}/>'
        + text(f"{x:g}", f"{y - 2 if below else y + 5:g}", escape(name), size=16, weight="600")
        + text(f"{x:g}", f"{y + 17:g}", escape(below), size=13)
    )


def width_of(name, below):
    return max(96, 9.2 * len(name) + 24, 7.1 * len(below) + 20)


def flow(start, end, look, words):
    """An arrow between two boxes, each (x, y, width), from edge to edge, with words on it."""
    (x, y, wide), (to_x, to_y, to_wide) = start, end
    across, down = to_x - x, to_y - y

    def edge(width, room):
        # The fraction of the way at which the line leaves a box of that width.
        return min((width / 2 + room) / abs(across or 1e-9), (HEIGHT / 2 + room) / abs(down or 1e-9))

    first, last = edge(wide, 2), 1 - edge(to_wide, 4)
    ends = [
        f"{start + part * step:.0f}" for part in (first, last) for start, step in ((x, across), (y, down))
    ]
    middle = (first + last) / 2
    # Beside an arrow that goes down, above any other.
    aside, up = (12, 5) if abs(across) < abs(down) else (0, -6)
    label = text(
        f"{x + middle * across + aside:.0f}", f"{y + middle * down + up:.0f}", escape(words), look.color
    )
    return arrow(*ends, look) + label


def scheme(label, nodes, flows):
    """Who teaches whom: ``nodes`` as [column, row, kind, name, line below], ``flows`` between them.

    What is thrown away after training has a dashed outline, a loss has round ends.
    """
    widths = {name: width_of(*words) for name, (_, _, _, *words) in nodes.items()}
    left = max(width / 2 - nodes[name][0] * COLUMN for name, width in widths.items())
    at = {
        name: (BORDER + left + column * COLUMN, BORDER + HEIGHT / 2 + row * ROW, widths[name])
        for name, (column, row, *_) in nodes.items()
    }
    right = max(x + width / 2 for x, _, width in at.values())
    bottom = max(y for _, y, _ in at.values()) + HEIGHT / 2
    gone = any(kind == "gone" for _, _, kind, *_ in nodes.values())
    legend = text(BORDER, f"{bottom + 30:g}", "dashed: not kept after the training", anchor="start", size=13)
    return drawing(
        f"{right + BORDER:.0f}",
        f"{bottom + (42 if gone else BORDER):.0f}",
        escape(label),
        *(flow(at[start], at[end], LOOKS[look], words) for start, end, look, words in flows),
        *(node(*at[name], *words) for name, (_, _, *words) in nodes.items()),
        legend if gone else "",
    )


def declared():
    """The drawings of methods and schemes by name, as ``drawings.toml`` declares them."""
    return tomllib.loads(files("kdviz.course").joinpath("drawings.toml").read_text(encoding="utf-8"))


DRAWINGS = {
    "what_distillation_is": what_distillation_is,
    **{name: partial(scheme, **one) for name, one in declared().items()},
}


def write(folder: Path):
    """Write every drawing as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in DRAWINGS.items():
        (folder / f"{name}.svg").write_text(draw(), encoding="utf-8")
