"""The map of the course: knowledge distillation as the surveys tell it, as one picture to click.

Sections are those of Gou, Yu, Maybank and Tao 2021, *Knowledge Distillation: A Survey*.
"""

from dataclasses import dataclass
from html import escape

from kdviz.course.paths import course_folder

WIDTH, HEIGHT = 900, 1034
TEACHER, STUDENT, INK, QUIET, LINE = "#0072B2", "#D55E00", "#222222", "#5F5F5F", "#B8BEC4"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Topic:
    """A place on the map. ``page`` is its notebook's name without number, if it will have its own."""

    title: str
    section: str
    says: str = ""
    page: str = ""

    @property
    def notebook(self):
        """The name of its notebook, or None while there is none."""
        return next((name for name in notebooks() if self.page and name[3:-6] == self.page), None)

    @property
    def status(self):
        return f"notebook {self.notebook[:2]}" if self.notebook else "planned"

    @property
    def heading(self):
        return f"{self.section}  {self.title}".strip()


@dataclass(frozen=True)
class Region:
    """A part of the survey: its question, its name, its section and its topics."""

    question: str
    title: str
    section: str
    topics: tuple[Topic, ...]


START = Topic("Start here", "", "what distillation is", "start_here")
INGREDIENTS = (
    Region(
        "What is transferred?",
        "Knowledge",
        "2",
        (
            Topic("Response", "2.1", "what the last layer says", "soft_targets"),
            Topic("Temperature", "", "how soft it is, and its weight", "temperature_and_weight"),
            Topic("Other losses", "", "beyond soft targets", "responses"),
            Topic("Feature", "2.2", "what the layers inside see", "features"),
            Topic("Relation", "2.3", "how samples and layers relate", "relations"),
            Topic("Museum", "", "when losses lie", "when_losses_lie"),
        ),
    ),
    Region(
        "How is it transferred?",
        "Distillation scheme",
        "3",
        (
            Topic("Offline", "3.1", "the teacher is trained first", "offline"),
            Topic("Online", "3.2", "both learn at the same time", "online"),
            Topic("Self", "3.3", "a network teaches itself", "self_distillation"),
        ),
    ),
    Region(
        "Who teaches whom?",
        "Teacher-student architecture",
        "4",
        tuple(
            Topic(title, "", "", "who_teaches_whom")
            for title in (
                "Simplified",
                "Quantised",
                "Efficient layers",
                "Searched",
                "Same network",
            )
        ),
    ),
)
FAMILIES = Region(
    "Which families of algorithms are there?",
    "Distillation algorithms",
    "5",
    tuple(
        Topic(title, f"5.{number}")
        for number, title in enumerate(
            (
                "Adversarial",
                "Multi-teacher",
                "Cross-modal",
                "Graph-based",
                "Attention-based",
                "Data-free",
                "Quantised",
                "Lifelong",
                "NAS-based",
            ),
            start=1,
        )
    ),
)
OUTLOOK = (
    Topic("Performance comparison", "6", "what the papers report"),
    Topic("Applications", "7", "vision, language, speech and more"),
    Topic("What was transferred", "", "compare, attribute, calibrate", "see_what_was_transferred"),
    Topic("Your own models", "", "a report and a doctor for them", "your_own_models"),
)


def notebooks():
    """The file names of the course's notebooks, in order."""
    return sorted(path.name for path in (course_folder() / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def survey_map():
    """The map of the course as a picture; what has a notebook links to it."""
    return SurveyMap()


def survey_map_svg():
    """The picture alone, as SVG without links."""
    drawn = "".join([_hero(), *(_panel(box, region) for box, region in _panels())])
    chips = "".join(_chip(box, topic) for box, topic in _places())
    source = _text(_MARGIN, HEIGHT - 12, "Section numbers are those of Gou et al. 2021.", 13, QUIET)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(_description())}" font-family="{escape(_FONT)}" '
        f'style="display:block;width:100%;height:auto">{drawn}{chips}{source}</svg>'
    )


class SurveyMap:
    """The map, as a notebook shows it.

    The links are HTML anchors laid over the picture: JupyterLab opens those in a tab of its own, which
    it cannot do for links inside an SVG.
    """

    def _repr_html_(self):
        links = "".join(_link(box, topic) for box, topic in _places() if topic.notebook)
        return (
            f"<style>{_STYLE}</style>"
            '<div class="kdviz-map" role="region" aria-label="Map of the course" tabindex="0">'
            f'<div class="picture">{survey_map_svg()}'
            f'<nav aria-label="Notebooks on the map">{links}</nav></div></div>'
        )

    def __repr__(self):
        lines = [_told(START)]
        for region in (*INGREDIENTS, FAMILIES):
            lines.append(f"{region.section}  {region.title}. {region.question}")
            lines += [f"    {_told(topic)}" for topic in region.topics]
        return "\n".join([*lines, *map(_told, OUTLOOK)])


def _told(topic):
    return f"{topic.heading} ({topic.status})"


# The least width keeps the smallest text, 13 units of 900, at 12 pixels; a narrow screen scrolls.
_STYLE = """
.kdviz-map { max-width: 900px; overflow-x: auto; background: #fff; color-scheme: light; }
.kdviz-map .picture { position: relative; min-width: 832px; }
.kdviz-map a { position: absolute; border-radius: 8px; text-decoration: none; }
.kdviz-map a:hover { background: rgba(255, 255, 255, 0.18); }
.kdviz-map:focus-visible, .kdviz-map a:focus-visible { outline: 3px solid #222; outline-offset: 2px; }
"""


# --- where everything is: boxes are (left, top, width, height) in the units of the picture

_MARGIN, _GAP = 16, 16
_INNER = WIDTH - 2 * _MARGIN
_COLUMN = (_INNER - 2 * _GAP) / 3
_TOP, _TALL, _HEAD, _PAD, _FOOT = 220, 420, 62, 12, 38


def _panels():
    """The box of each region: three columns, and the families below them."""
    columns = [
        ((_MARGIN + i * (_COLUMN + _GAP), _TOP, _COLUMN, _TALL), region)
        for i, region in enumerate(INGREDIENTS)
    ]
    return [*columns, ((_MARGIN, _TOP + _TALL + _GAP, _INNER, 206), FAMILIES)]


def _places():
    """The box of each topic."""
    places = [((WIDTH / 2 - 132, 150, 264, 50), START)]
    for box, region in _panels():
        places += _grid(_inside(box), region.topics, columns=3 if region is FAMILIES else 1)
    bottom = HEIGHT - _FOOT - 120
    return places + _grid((_MARGIN, bottom, _INNER, 120), OUTLOOK, columns=2)


def _inside(box):
    left, top, width, height = box
    return left + _PAD, top + _HEAD, width - 2 * _PAD, height - _HEAD - _PAD


def _grid(box, topics, columns):
    left, top, width, height = box
    gap, rows = 8, len(topics) // columns
    wide, high = (width - (columns - 1) * gap) / columns, (height - (rows - 1) * gap) / rows
    return [
        ((left + i % columns * (wide + gap), top + i // columns * (high + gap), wide, high), topic)
        for i, topic in enumerate(topics)
    ]


# --- how it is drawn


def _rect(box, fill="none", stroke="none", radius=8, extra=""):
    left, top, width, height = (f"{value:.1f}" for value in box)
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="{radius}" fill="{fill}" '
        f'stroke="{stroke}" {extra}/>'
    )


def _text(x, y, words, size=14, fill=INK, weight=400, anchor="start"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def _panel(box, region):
    left, top, _, _ = box
    return (
        _rect(box, fill="#F4F6F8", radius=12)
        + _text(left + _PAD, top + 26, region.question, 18, weight=650)
        + _text(left + _PAD, top + 47, f"{region.section} · {region.title}", 14, QUIET)
    )


def _chip(box, topic):
    """A topic: filled with an arrow where there is a notebook, else outlined and called planned."""
    left, top, width, height = box
    there = topic.notebook
    fill, ink, quiet = (TEACHER, "#FFFFFF", "#FFFFFF") if there else ("#FFFFFF", INK, QUIET)
    frame = "" if there else 'stroke-width="1.25" stroke-dasharray="4 4"'
    middle = top + height / 2
    first = middle - 4 if topic.says else middle + 5
    drawn = _rect(box, fill, "none" if there else LINE, extra=frame)
    drawn += _text(left + 14, first, topic.heading, 15, ink, 600)
    arrow = " →" if there else ""
    drawn += _text(left + width - 14, first, topic.status + arrow, 13, quiet, anchor="end")
    if topic.says:
        drawn += _text(left + 14, middle + 16, topic.says, 13, quiet)
    return drawn


def _hero():
    """A big teacher, a small student, and between them the soft targets that pass."""
    return (
        _network((40, 22, 232, 120), (5, 7, 7, 4), TEACHER, dashes="")
        + _text(156, 172, "Teacher", 18, TEACHER, 700, "middle")
        + _text(156, 192, "large, already trained", 14, QUIET, anchor="middle")
        + _network((668, 42, 152, 80), (4, 3, 4), STUDENT, dashes="5 4")
        + _text(744, 172, "Student", 18, STUDENT, 700, "middle")
        + _text(744, 192, "small, learns from it", 14, QUIET, anchor="middle")
        + _soft_targets()
    )


def _network(box, layers, color, dashes):
    left, top, width, height = box
    columns = [
        [(left + i * width / (len(layers) - 1), top + (j + 0.5) * height / nodes) for j in range(nodes)]
        for i, nodes in enumerate(layers)
    ]
    lines = "".join(
        f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}"
        for near, far in zip(columns, columns[1:], strict=False)
        for a, b in near
        for c, d in far
    )
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="#FFFFFF" stroke="{color}" stroke-width="2.5" '
        f'stroke-dasharray="{dashes and "3 2"}"/>'
        for column in columns
        for x, y in column
    )
    return (
        f'<path d="{lines}" stroke="{color}" stroke-opacity="0.32" fill="none" '
        f'stroke-dasharray="{dashes}"/>{dots}'
    )


def _soft_targets():
    """Ten bars, one clearly highest and two that resemble it, on an arrow from teacher to student."""
    heights = (3, 5, 9, 58, 3, 24, 3, 4, 34, 12)
    bars = "".join(
        _rect((358 + 18 * i, 92 - high, 12, high), TEACHER, radius=2) for i, high in enumerate(heights)
    )
    digits = "".join(
        _text(364 + 18 * i, 107, str(i), 13, QUIET, anchor="middle") for i in range(len(heights))
    )
    arrow = (
        f'<path d="M294 82H342M544 82H640M630 74L642 82L630 90" fill="none" stroke="{INK}" '
        'stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>'
    )
    caption = _text(450, 132, "its answer to one image of a 3", 14, QUIET, anchor="middle")
    return arrow + bars + digits + caption


def _link(box, topic):
    left, top, width, height = box
    place = (
        f"left:{100 * left / WIDTH:.3f}%;top:{100 * top / HEIGHT:.3f}%;"
        f"width:{100 * width / WIDTH:.3f}%;height:{100 * height / HEIGHT:.3f}%"
    )
    label = f"{topic.title}: open notebook {topic.notebook[:2]}"
    return f'<a href="{topic.notebook}" style="{place}" aria-label="{label}"></a>'


def _description():
    """The whole map in words, for a reader who hears it."""
    regions = " ".join(
        f"{region.question} {region.title}: {', '.join(map(_told, region.topics))}."
        for region in (*INGREDIENTS, FAMILIES)
    )
    return (
        "Map of the course: a large teacher passes its knowledge to a small student. "
        f"{regions} {', '.join(map(_told, OUTLOOK))}."
    )
