"""A comparison as one page that opens from a file and asks the network for nothing."""

import json
from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from kdviz.explorers.base import allowed
from kdviz.figures import plotly_bundle
from kdviz.study import sentences
from kdviz.study.comparison import FEW
from kdviz.study.sections import Table, sections
from kdviz.training.store import write_whole

_HERE = Path(__file__).parent
# Rows of a table of classes that a page shows; all of them are in comparison.per_class.
_ROWS = 50


def to_html(comparison, path, title="Teacher and student compared"):
    """Write the page by ``report.html``; its explorers and figures work without a kernel."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name the file of the page in it, such as report.html")
    # Before any work is done: a folder that cannot be made says so now.
    path.parent.mkdir(parents=True, exist_ok=True)
    template = Environment(loader=FileSystemLoader(_HERE), autoescape=True).get_template("report.html")
    made = [_made(part, comparison) for part in sections(comparison)]
    script = plotly_bundle.before((_HERE / "report.js").read_text(encoding="utf-8"))
    explorers = [picture.static_script() for *_, picture in made if hasattr(picture, "static_script")]
    page = template.render(
        title=title,
        comparison=comparison,
        sections=[given[:3] for given in made],
        tables=list(_tables(comparison)),
        scripts=Markup(allowed(plotly_bundle.text(), script, *explorers)),
        plotly=Markup(plotly_bundle.element()),
        script=Markup(script),
    )
    # Half of a pair of surrogates, as a broken name may hold, is no text.
    write_whole(path, page.encode("utf-8", "replace"))
    return path


def _made(part, comparison):
    sentence, picture = part.made(comparison)
    try:
        drawn = "" if picture is None else _drawn(picture, sentence)
    except Exception as problem:
        sentence, drawn = f"This part could not be drawn: {problem}", ""
    return part, sentence, Markup(drawn), picture


def _tables(comparison):
    """Headings, sentences and tables of numbers."""
    if len(comparison.models) > 2:
        text = "Each student minus each other model; null is what lies within its intervals."
        yield (
            "Differences",
            text,
            Markup(Table(comparison.differences.set_index(["student", "minus"]))._repr_html_()),
        )
    if len(comparison.runs) > len(comparison.table):
        yield "Each seed", "A row for each model.", Markup(Table(comparison.runs)._repr_html_())
    table, text = comparison.per_class, sentences.per_class(comparison)
    if len(table) > _ROWS:
        enough = table[table.samples >= FEW] if (table.samples >= FEW).any() else table
        worst = enough.sort_values("gap", ascending=comparison.kind.has_numbers is False).head(_ROWS)
        text += (
            f" Here are {len(worst)} of {len(table):,}: the largest losses of those that have {FEW} samples."
        )
        table = worst
    if not table.empty:
        yield "Numbers of each class", text, Markup(Table(table.rename_axis(None))._repr_html_())


def _drawn(picture, sentence):
    if hasattr(picture, "static_html"):
        return picture.static_html()
    if not hasattr(picture, "layout"):
        return picture._repr_html_()
    settings = {
        "displaylogo": False,
        "showSendToCloud": False,
        "modeBarButtonsToRemove": ["toImage"],
        "responsive": True,
    }
    # On a narrow screen a title inside the figure would run into its legend.
    title = escape(picture.layout.title.text or "")
    picture.update_layout(title=None, margin={"t": 60})
    # As data, not as the script that plotly would write: with names of the reader's in it, it could be any.
    figure = json.dumps({**json.loads(picture.to_json()), "config": settings}).replace("<", "\\u003c")
    drawn = f'<div data-plotly><script type="application/json">{figure}</script></div>'
    named = f'<div class="title">{title}</div>'
    return f'{named}<div class="drawn" role="img" aria-label="{escape(sentence, quote=True)}">{drawn}</div>'
