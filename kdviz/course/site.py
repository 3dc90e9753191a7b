"""The static course: every notebook executed and turned into one page that needs nothing else.

A page opens from the file system. It holds its formulas as MathML, which browsers draw themselves, its
figures with plotly's own script, and its explorers with their modules. It asks the network for nothing.
"""

import json
import logging
import os
import re
import shutil
import tempfile
import time
import warnings
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from html import escape
from pathlib import Path

import nbformat
from jinja2 import Environment, FileSystemLoader
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from kdviz.course.formulas import mathml
from kdviz.explorers.base import STATIC_PAGES

TEMPLATES = Path(__file__).parent / "site_template"
WIDGET = "application/vnd.jupyter.widget-view+json"
PLOTLY = "application/vnd.plotly.v1+json"
DRAWABLE = {"text/html", "text/markdown", "text/plain", "image/svg+xml", "image/png", "image/jpeg"}


class SiteError(ValueError):
    """A page cannot be made as it should be; the message names the notebook and the place in it."""


def build(notebooks, output):
    """Execute all notebooks in a folder and write the static course to another.

    The new site replaces the old one only when every page of it is done.
    """
    paths = sorted(Path(notebooks).glob("*.ipynb"))
    if not paths:
        raise SiteError(f"no notebook was found in {notebooks}")
    output = Path(output).resolve()
    _refuse_to_replace_other_work(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".building-") as folder:
        fresh = Path(folder) / "site"
        fresh.mkdir()
        done = zip(paths, _executed(paths), strict=True)
        built = [_build_page(path, *executed, fresh, paths) for path, executed in done]
        (fresh / "index.html").write_text(index(built), encoding="utf-8")
        (fresh / "playground.html").write_text(playground(), encoding="utf-8")
        shutil.rmtree(output, ignore_errors=True)
        fresh.rename(output)


def _refuse_to_replace_other_work(output):
    """The old site is deleted, so a folder that holds anything else must not be taken for one."""
    others = [path for path in output.glob("*") if path.suffix != ".html"] if output.is_dir() else []
    if others or output.is_file():
        raise SiteError(
            f"{output} is not a site that was built before (it holds {(others or [output])[0].name!r}); "
            "name a new or empty folder"
        )


def _executed(paths):
    """Each notebook with its outputs and its seconds, in order; half as many at once as there are cores."""
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2)) as pool:
        try:
            yield from pool.map(_timed, paths)
        except BaseException:
            # The notebooks that wait need not begin any more.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _timed(path):
    start = time.perf_counter()
    return execute(path), time.perf_counter() - start


def _build_page(path, notebook, seconds, folder, paths):
    page = to_page(notebook, path.stem, [other.stem for other in paths])
    target = folder / f"{path.stem}.html"
    target.write_text(page, encoding="utf-8")
    print(f"{target.name}: executed in {seconds:.0f} s, {target.stat().st_size / 1e6:.2f} MB", flush=True)
    return path.stem, notebook


def execute(path):
    """A notebook with fresh outputs. An error in a cell, or anything on its standard error, is an error."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        # Saved widget state would hide the explorers' static twins.
        store_widget_state=False,
        resources={"metadata": {"path": str(Path(path).parent)}},
    )
    try:
        client.execute(env={**os.environ, STATIC_PAGES: "1"})
    except (CellControlSignal, DeadKernelError) as problem:
        raise SiteError(f"{Path(path).name} does not run: {strip_ansi(str(problem))}") from problem
    for cell in notebook.cells:
        for result in cell.get("outputs", []):
            if result.output_type == "stream" and result.name == "stderr":
                raise SiteError(f"{Path(path).name}, cell {cell.id!r} wrote to stderr: {result.text}")
        if cell.cell_type == "code":
            cell.outputs = _as_left_standing(cell.outputs)
    return notebook


def _as_left_standing(outputs):
    """Printed text in one piece, and of a line that was written over again and again its last state."""
    joined = []
    for result in outputs:
        if joined and "stream" == result.output_type == joined[-1].output_type:
            joined[-1].text += result.text
        else:
            joined.append(result)
    for result in joined:
        if result.output_type == "stream":
            result.text = re.sub(r"[^\n]*\r(?!\n)", "", result.text)
    return joined


def to_page(notebook, name, names=()):
    """An executed notebook as the text of one self-contained HTML page."""
    notebook = json.loads(json.dumps(notebook))
    has_figure = False
    for cell in notebook["cells"]:
        place = f"{name}, cell {cell.get('id')!r}"
        cell["outputs"] = [_drawable(result, place) for result in cell.get("outputs", [])]
        if cell["cell_type"] != "code":
            del cell["outputs"]
        has_figure |= any("data-plotly" in json.dumps(result) for result in cell.get("outputs", []))
    exporter = HTMLExporter(
        template_name="lab",
        extra_template_basedirs=[],
        template_file=str(TEMPLATES / "page.html.j2"),
        filters={"markdown2html": partial(_markdown, name)},
    )
    place = list(names).index(name) if name in names else 0
    resources = {
        "kdviz": {
            "title": title(notebook),
            "style": (TEMPLATES / "style.css").read_text(encoding="utf-8"),
            "plotly": _plotly_script() if has_figure else "",
            "previous": names[place - 1] if names and place else None,
            "next": names[place + 1] if place + 1 < len(names) else None,
        }
    }
    with _no_complaint(exporter.log, name):
        page, _ = exporter.from_notebook_node(nbformat.from_dict(notebook), resources)
    return re.sub(r'(href="[^":#]*?)\.ipynb(?=["#])', r"\1.html", page)


@contextmanager
def _no_complaint(log, name):
    """What nbconvert only warns of, such as an output it leaves out, stops the build."""
    heard = []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: heard.append(record.getMessage())
    log.addHandler(listener)
    try:
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always", UserWarning)
            yield
    finally:
        log.removeHandler(listener)
    heard += [str(warning.message) for warning in raised if issubclass(warning.category, UserWarning)]
    if heard:
        raise SiteError(f"{name}: nbconvert warns: {'; '.join(heard)}")


def index(built):
    """The first page: the map of the course and the list of its pages."""
    from kdviz.course.survey_map import survey_map

    pages = [
        {
            "name": name,
            "title": title(notebook),
            "about": _markdown(name, introduction(notebook)).replace(".ipynb", ".html"),
        }
        for name, notebook in built
    ]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    return environment.get_template("index.html.j2").render(
        pages=pages,
        map=survey_map()._repr_html_().replace(".ipynb", ".html"),
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        picture=f"data:image/webp;base64,{b64encode((TEMPLATES / 'playground.webp').read_bytes()).decode()}",
    )


def playground():
    """The page on which students learn in the browser; it comes from no notebook."""
    from kdviz.explorers.playground_explorer import playground_page

    return playground_page()


def title(notebook):
    """The first heading of a notebook."""
    first = "".join(notebook["cells"][0]["source"])
    return first.splitlines()[0].lstrip("# ").strip()


def introduction(notebook):
    """The paragraph under the first heading, which says how long a page takes and what it asks for."""
    _, *paragraphs = "".join(notebook["cells"][0]["source"]).split("\n\n")
    return paragraphs[0] if paragraphs else ""


def _drawn(tex, display, place):
    """A formula as MathML; one that cannot be converted stops the build."""
    try:
        return mathml(tex, display)
    except ValueError as problem:
        raise SiteError(f"{place}: {problem}") from problem


class _Renderer(IPythonRenderer):
    """nbconvert's own renderer, with formulas drawn instead of left to a script from the network."""

    def __init__(self, place):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.place = place

    def block_math(self, body):
        return _drawn(body.strip(), True, self.place)

    def inline_math(self, body):
        return _drawn(body.strip(), False, self.place)


def _markdown(place, source):
    return MarkdownWithMath(renderer=_Renderer(place)).render(source)


def _drawable(result, place):
    """An output in a form that a page without kernel can show."""
    if result["output_type"] == "error":
        raise SiteError(f"{place} raised {result['ename']}: {result['evalue']}")
    data = result.get("data")
    if data is None:
        return result
    if PLOTLY in data:
        data = {"text/html": _figure(data[PLOTLY])}
    elif "text/latex" in data:
        tex = "".join(data["text/latex"]).strip().strip("$")
        data = {"text/html": _drawn(tex, True, place)}
    elif WIDGET in data and "text/html" not in data:
        raise SiteError(f"{place} shows a widget that has no static twin; derive it from Explorer")
    data = {kind: value for kind, value in data.items() if kind != WIDGET}
    if not DRAWABLE & set(data):
        raise SiteError(f"{place} has an output that a page cannot show: {', '.join(data)}")
    return {**result, "data": data}


def _figure(figure):
    figure = {**figure, "config": {"displaylogo": False, "showSendToCloud": False, "responsive": True}}
    content = json.dumps(figure).replace("<", "\\u003c")
    height = figure.get("layout", {}).get("height", 450)
    label = escape(figure.get("layout", {}).get("title", {}).get("text") or "Figure", quote=True)
    return (
        f'<div class="figure" role="img" aria-label="{label}" style="min-height:{height}px" data-plotly>'
        f'<script type="application/json">{content}</script></div>'
    )


def _plotly_script():
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
