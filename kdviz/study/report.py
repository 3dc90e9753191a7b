"""A comparison as one page that opens from a file and asks the network for nothing."""

from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from kdviz.study import sentences
from kdviz.study.sections import sections

_HERE = Path(__file__).parent


def to_html(comparison, path, title="Teacher and student compared"):
    """Write the page by ``report.html``; its explorers and figures work without a kernel."""
    template = Environment(loader=FileSystemLoader(_HERE), autoescape=True).get_template("report.html")
    page = template.render(
        title=title,
        comparison=comparison,
        sections=[
            (part, Markup(_drawn(part.draw(comparison), part.sentence))) for part in sections(comparison)
        ],
        per_class=(sentences.PER_CLASS, Markup(_table(comparison.per_class))),
        plotly=Markup(get_plotlyjs()),
        saving=Markup((_HERE / "report.js").read_text(encoding="utf-8")),
    )
    Path(path).write_text(page, encoding="utf-8")
    return Path(path)


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
    drawn = picture.to_html(full_html=False, include_plotlyjs=False, config=settings)
    named = f'<div class="title">{title}</div>'
    return f'{named}<div role="img" aria-label="{escape(sentence, quote=True)}">{drawn}</div>'


def _table(table):
    return table.round(3).rename_axis(None).to_html(border=0).replace(">-", ">−")
