"""The static course: every notebook executed and turned into one page that needs nothing else.

A page opens from the file system. It holds its formulas as MathML, which browsers draw themselves, its
figures with plotly's own script, and its explorers with their modules. It asks the network for nothing.

Executing and drawing are apart: :func:`execute_all` keeps the executed notebooks in a folder, and
:func:`write` makes the site of them.
"""

import json
import logging
import os
import re
import tempfile
import time
import warnings
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from html import escape
from pathlib import Path

import nbformat
from filelock import FileLock
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

from kdviz.course import guide, shipped, templates
from kdviz.course.claims.checks import cell_for
from kdviz.course.claims.sentences import predictions
from kdviz.course.concept_test import questions
from kdviz.course.formulas import mathml
from kdviz.course.glossary import DEFINITIONS, anchor, with_links
from kdviz.course.kernels import ENCRYPTED
from kdviz.course.loss_card import loss_card
from kdviz.course.pages import Page, following, pages
from kdviz.course.paths import course_folder
from kdviz.course.reference import Chapter, chapters
from kdviz.course.references import references
from kdviz.course.search import Place, places
from kdviz.course.stylesheet import slimmed
from kdviz.course.survey_map import survey_map
from kdviz.course.thumbnails import thumbnail
from kdviz.explorers.base import STATIC_PAGES, allowed
from kdviz.explorers.language_explorer import language_page
from kdviz.explorers.playground_explorer import playground_page
from kdviz.figures import plotly_bundle
from kdviz.files import write_whole

MARKER = ".kdviz-site.json"
WIDGET = "application/vnd.jupyter.widget-view+json"
PLOTLY = "application/vnd.plotly.v1+json"
DRAWABLE = {"text/html", "text/markdown", "text/plain", "image/svg+xml", "image/png", "image/jpeg"}


class SiteError(ValueError):
    """A page cannot be made as it should be; the message names the notebook and the cell."""


def build(notebooks, output, course: list[Page] | None = None):
    """Execute the course's notebooks, which are in one folder, and write the static course to another.

    The new site replaces the old one only when every page of it is done. Of the old one only the pages that
    it listed itself are deleted; what lies beside them stays.
    """
    output = Path(output).resolve()
    old = _old_pages(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".building-") as folder:
        executed = execute_all(notebooks, Path(folder) / "executed", course)
        write(executed, Path(folder) / "site")
        _replace(old, Path(folder) / "site", output)


def _old_pages(output):
    """The pages of the site that was built there before; a folder with other work is refused."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return []
    try:
        pages = json.loads((output / MARKER).read_text(encoding="utf-8"))["pages"]
        if all(Path(name).name == name and name.endswith(".html") for name in pages):
            return pages
    except (OSError, ValueError, KeyError, TypeError):
        pass
    first = min((path.name for path in output.iterdir()), default="") if output.is_dir() else output.name
    raise SiteError(
        f"{output} is not a site that was built before (it holds {first!r}, and no {MARKER} that lists its "
        "pages); name a new or empty folder"
    )


def _replace(old, new, output):
    """Put the new pages where the old ones are, each whole or not at all."""
    output.mkdir(exist_ok=True)
    pages = sorted(path.name for path in new.glob("*.html"))
    foreign = [name for name in pages if name not in old and (output / name).exists()]
    if foreign:
        raise SiteError(f"{output / foreign[0]} is no page of the old site; move it, or name an empty folder")
    # Listed before they are there: a build that is killed now leaves a site that the next one replaces.
    write_whole(output / MARKER, json.dumps({"pages": sorted({*old, *pages})}, indent=1).encode())
    for name in pages:
        os.replace(new / name, output / name)
    for name in set(old) - set(pages):
        if (output / name).is_file() or (output / name).is_symlink():
            (output / name).unlink()
    write_whole(output / MARKER, json.dumps({"pages": pages}, indent=1).encode())


# --- Executing


def execute_all(notebooks, folder, course: list[Page] | None = None) -> dict:
    """The executed notebooks by page, half as many at once as there are cores.

    They are kept in ``folder``: what is there already is not executed again, also where several processes
    share it.
    """
    course = pages() if course is None else course
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2)) as pool:
        try:
            done = pool.map(lambda page: execute_once(Path(notebooks) / page.notebook, folder), course)
            return dict(zip(course, done, strict=True))
        except BaseException:
            # The notebooks that wait need not begin any more.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def execute_once(path, folder):
    """The executed notebook, which is kept in ``folder`` for whoever asks next."""
    kept = Path(folder) / Path(path).name
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            start = time.perf_counter()
            nbformat.write(execute(path), kept.with_suffix(".part"))
            kept.with_suffix(".part").rename(kept)
            print(f"{kept.name}: executed in {time.perf_counter() - start:.0f} s", flush=True)
    return nbformat.read(kept, as_version=4)


def execute(path):
    """A notebook with fresh outputs. An error in a cell, or anything on its standard error, is an error.

    What its live claims say, see :mod:`kdviz.course.claims`, is kept in its metadata.
    """
    if not Path(path).exists():
        raise SiteError(f"there is no notebook {path}")
    notebook = nbformat.read(path, as_version=4)
    if looks := cell_for(Path(path).stem):
        notebook.cells.append(nbformat.v4.new_code_cell(looks))
    # Saved widget state would hide the explorers' static twins.
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        store_widget_state=False,
        config=ENCRYPTED,
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
    if looks:
        notebook.metadata["claims"] = json.loads(notebook.cells.pop().outputs[0].text)
    return notebook


# --- Drawing


def write(executed: dict, folder):
    """Write the static course, of executed notebooks by page, to a new folder."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    written = {page.name: render(notebook, page, list(executed)) for page, notebook in executed.items()}
    written |= {"index": index(list(executed)), "playground": playground_page(), "glossary": glossary_page()}
    written["language"] = language_page()
    papers = references(executed)
    written["references"] = _plain("references.html.j2", references=papers)
    written |= {"concept_test": concept_test_page(), "guide": guide_page(), "loss_card": loss_card_page()}
    written |= {chapter.file: reference_page(chapter) for chapter in chapters()}
    written["search"] = search_page(places(executed, papers))
    for name, text in written.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
        print(f"{name}.html: {len(text.encode()) / 1e6:.2f} MB", flush=True)


def render(notebook, page: Page, course: list[Page] | None = None) -> str:
    """An executed notebook as the text of one self-contained HTML page."""
    ways = {"previous": following(page, -1, course), "next": following(page, 1, course)}
    return rendered(notebook, page, "lab", "page", find=_part("find.html"), **ways)


def rendered(notebook, page: Page, base: str, kind: str, library: str = "", **more) -> str:
    """An executed notebook in our template ``kind``, which extends nbconvert's ``base``, with its script."""
    met, script = set(), _part(f"{kind}.js")
    exporter = HTMLExporter(
        template_name=base,
        extra_template_basedirs=[],
        template_file=str(templates.FOLDER / f"{kind}.html.j2"),
        filters={"markdown2html": lambda source: with_links(_markdown(page.name, source), met)},
        preprocessors=[CoalesceStreamsPreprocessor, _made_drawable],
        log=_strict_log(),
    )
    resources = {
        "kdviz": {
            "name": page.name,
            "title": page.label,
            "style": _style(),
            "library": library,
            "script": script,
            "scripts": [allowed(library, script)],
            "figures": plotly_bundle.before(_part("figures.js")),
            "attribution": _part("attribution.html"),
            **more,
        }
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            text, _ = exporter.from_notebook_node(notebook, resources)
    except UserWarning as warning:
        raise SiteError(f"{page.name}: nbconvert warns: {warning}") from warning
    return _to_pages(slimmed(text))


def _strict_log():
    """A log that raises: what nbconvert only warns of, such as an output it leaves out, stops the build."""

    class Strict(logging.Handler):
        def emit(self, record):
            raise UserWarning(record.getMessage())

    log = logging.Logger("site", logging.WARNING)
    log.addHandler(Strict())
    return log


def _to_pages(text):
    """Links to notebooks as links to their pages."""
    return re.sub(r'(href="[^":#]*?)\.ipynb(?=["#])', r"\1.html", text)


def _style():
    return _part("style.css")


def _part(name):
    return (templates.FOLDER / name).read_text(encoding="utf-8")


def _plain(template, **values):
    return templates.render(template, style=_style(), **values)


def index(course: list[Page]) -> str:
    """The first page: the map of the course and the list of its pages."""
    picture = b64encode((templates.FOLDER / "playground.webp").read_bytes()).decode()
    return _plain(
        "index.html.j2",
        pages=course,
        labels={page.name: page.label for page in course},
        pictures={page.name: thumbnail(page) for page in course},
        map=_to_pages(survey_map()._repr_html_()),
        picture=f"data:image/webp;base64,{picture}",
    )


def glossary_page() -> str:
    """The words of the course, each where the pages link to it."""
    return _plain("glossary.html.j2", definitions=DEFINITIONS, anchor=anchor)


def concept_test_page() -> str:
    """The questions for before and after the course; what a learner answers stays in her browser."""
    script, asked = _part("concept_test.js"), questions()
    key = [
        {name: getattr(one, name) for name in ("right", "misconceptions", "label", "link")} for one in asked
    ]
    return _plain("concept_test.html.j2", questions=asked, key=key, script=script, allowed=allowed(script))


def guide_page() -> str:
    """What a teacher needs beside the pages."""
    return _plain("guide.html.j2", chapters=guide.chapters(), plans=guide.plans())


def loss_card_page() -> str:
    """All losses, each in a row."""
    return _plain("loss_card.html.j2", card=loss_card()._repr_html_())


def reference_page(chapter: Chapter) -> str:
    """A chapter of the reference."""
    return _plain("api.html.j2", chapter=chapter, chapters=chapters())


def search_page(found: list[Place]) -> str:
    """One search over all that the course has."""
    script, library = _part("search.js"), shipped.text("minisearch.js")
    return _plain(
        "search.html.j2",
        places=list(map(asdict, found)),
        script=script,
        library=library,
        allowed=allowed(library, script),
    )


class _Renderer(IPythonRenderer):
    """nbconvert's own renderer, with formulas drawn instead of left to a script from the network."""

    def __init__(self, name):
        super().__init__(
            escape=False,
            exclude_anchor_links=True,
            embed_images=True,
            path=str(course_folder() / "notebooks"),
        )
        self.name = name

    def _html_embed_images(self, html):
        # nbconvert would parse each piece of HTML alone, and close a <details> before what it folds.
        return html

    def heading(self, text, level, **attrs):
        # The name that JupyterLab gives it, too.
        name = escape(re.sub(r"<[^>]+>", "", text).replace(" ", "-"), quote=True)
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def block_math(self, body):
        return _drawn(body.strip(), True, self.name)

    def inline_math(self, body):
        return _drawn(body.strip(), False, self.name)


def _markdown(name, source):
    return MarkdownWithMath(renderer=_Renderer(name)).render(source)


def _drawn(tex, display, where):
    """A formula as MathML; one that cannot be converted stops the build."""
    try:
        return mathml(tex, display)
    except ValueError as problem:
        raise SiteError(f"{where}: {problem}") from problem


def _made_drawable(notebook, resources):
    """Every output in a form that a page without kernel can show."""
    page = resources["kdviz"]
    for cell in notebook.cells:
        if predictions(cell.source):  # Its code tells the answer.
            cell.metadata["transient"] = {"remove_source": True}
        for result in cell.get("outputs", []):
            where = f"{page['name']}, cell {cell.get('id')!r}"
            if result.output_type == "error":
                raise SiteError(f"{where} raised {result.ename}: {result.evalue}")
            if PLOTLY in result.get("data", {}) and "plotly" not in page:
                page["plotly"] = plotly_bundle.element()
                page["scripts"].append(allowed(plotly_bundle.text(), page["figures"]))
            page["scripts"] += filter(None, [result.get("metadata", {}).get("text/html", {}).get("script")])
            if "data" in result:
                result.data = nbformat.from_dict(_drawable(result.data, where))
    return notebook, resources


def _drawable(data, where):
    if PLOTLY in data:
        unknown = {trace.get("type", "scatter") for trace in data[PLOTLY]["data"]} - plotly_bundle.traces()
        if unknown:
            drawn = ", ".join(sorted(plotly_bundle.traces()))
            raise SiteError(f"{where} draws {', '.join(sorted(unknown))}; a static page can draw {drawn}")
        return {"text/html": _figure(data[PLOTLY])}
    if "text/latex" in data:
        return {"text/html": _drawn("".join(data["text/latex"]).strip().strip("$"), True, where)}
    if WIDGET in data and "text/html" not in data:
        raise SiteError(f"{where} shows a widget that has no static twin; derive it from Explorer")
    data = {kind: value for kind, value in data.items() if kind != WIDGET}
    if not DRAWABLE & set(data):
        raise SiteError(f"{where} has an output that a page cannot show: {', '.join(data)}")
    return data


def _figure(figure):
    figure = {**figure, "config": {"displaylogo": False, "showSendToCloud": False, "responsive": True}}
    content = json.dumps(figure).replace("<", "\\u003c")
    height = figure.get("layout", {}).get("height", 450)
    label = escape(figure.get("layout", {}).get("title", {}).get("text") or "Figure", quote=True)
    return (
        f'<div class="figure" role="img" aria-label="{label}" style="min-height:{height}px" data-plotly>'
        f'<script type="application/json">{content}</script></div>'
    )
