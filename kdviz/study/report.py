"""A comparison as one page that opens from a file and asks the network for nothing."""

from html import escape
from pathlib import Path

from plotly.offline import get_plotlyjs

from kdviz.study import pictures

_BUTTONS = Path(__file__).with_name("report.js")
_STYLE = """
body { margin: 0 auto; max-width: 940px; padding: 1rem 1.25rem 3rem; color: #222;
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; } h2 { font-size: 1.35rem; margin: 2.2rem 0 .4rem; }
pre { overflow-x: auto; background: #f7f8fa; border-left: 3px solid #c9ced6;
  padding: .6rem .8rem; font-size: .85rem; }
table { border-collapse: collapse; font-size: .92rem; } .wide { overflow-x: auto; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
.title { font-weight: 600; }
.save { display: flex; gap: .4rem; font-size: .85rem; }
.save button { font: inherit; padding: .15rem .6rem; background: #fff; color: #222;
  border: 1px solid #8a8f98; border-radius: 4px; cursor: pointer; }
:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:; font-src data:">
<title>{title}</title>
<style>{style}</style>
<script>{plotly}</script>
</head>
<body>
<main>
<h1>{title}</h1>
<pre>{numbers}</pre>
<ul>
{words}
</ul>
{sections}
</main>
<script type="module">{saving}</script>
</body>
</html>
"""


def to_html(comparison, path, title="Teacher and student compared"):
    """Write the page; its explorers and figures work without a kernel."""
    parts = [_section(*words, draw(comparison)) for *words, draw in pictures.sections(comparison)]
    if not comparison.per_class.empty:
        parts.append(_table("Numbers of each class", _PER_CLASS, comparison.per_class))
    page = _PAGE.format(
        title=escape(title),
        style=_STYLE,
        plotly=get_plotlyjs(),
        numbers=escape(comparison.numbers),
        words="\n".join(f"<li>{escape(sentence)}</li>" for sentence in comparison.sentences),
        sections="\n".join(parts),
        saving=_BUTTONS.read_text(encoding="utf-8"),
    )
    Path(path).write_text(page, encoding="utf-8")
    return Path(path)


def _section(heading, sentence, picture):
    drawn = _drawn(picture, sentence)
    return f"<section><h2>{escape(heading)}</h2>\n<p>{escape(sentence)}</p>\n{drawn}</section>"


def _drawn(picture, sentence):
    if hasattr(picture, "static_html"):
        return picture.static_html()
    if hasattr(picture, "_repr_html_") and isinstance(picture, pictures.Gallery):
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


_PER_CLASS = (
    "The share recognised by each network; gap is student minus teacher, and half the half width of its 95 % "
    "interval over samples."
)


def _table(heading, sentence, table):
    drawn = table.round(3).rename_axis(None).to_html(border=0).replace(">-", ">−")
    return f'<h2>{escape(heading)}</h2>\n<p>{escape(sentence)}</p>\n<div class="wide">{drawn}</div>'
