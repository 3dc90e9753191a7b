"""The drawings of the course, made as code: SVG pictures in one style, which notebooks show as files.

``make pages`` writes them to ``notebooks/pictures``. A drawing is put together from parts: each returns the
SVG of one thing at a place, in the colours that teacher, student and labels have in every figure.
"""

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


DRAWINGS = {"what_distillation_is": what_distillation_is}


def write(folder: Path):
    """Write every drawing as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in DRAWINGS.items():
        (folder / f"{name}.svg").write_text(draw(), encoding="utf-8")
