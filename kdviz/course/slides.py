"""Slides of a page: the same notebook, cut for a room.

A heading begins a slide; each picture, explorer and prediction has one of its own below it. On a slide stay
the first sentence, formulas, lists, tables and what is to be remembered. All other prose becomes the
speaker's notes, with what the teacher's guide says of the section. The file needs no network.
"""

import re
from pathlib import Path

from nbformat import from_dict
from nbformat.v4 import new_markdown_cell, new_notebook

from kdviz.course import guide, shipped
from kdviz.course.claims.sentences import predictions
from kdviz.course.pages import Page, pages
from kdviz.course.site import execute, rendered
from kdviz.files import write_whole

_BLOCK = re.compile(r"\n\s*\n(?=\S)")
_STAYS = re.compile(r"\$\$|!\[|\||[-*] |\d+\. |\*\*Remember|```|<(?:svg|img|figure)")
_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z*`$])")
# Of code, on one slide.
_LINES = 16
_LEFT_OUT = re.compile(r"\bexercise\(.*\)\.check\(|^import |\btally\(")


def slides(notebook, page: Page) -> str:
    """An executed notebook as one file of slides."""
    # Explorers have controls of their own.
    sheet = re.sub(r"\.reveal (?=\.(?:controls|progress)\b)", ".reveal > ", shipped.text("reveal.css"))
    reveal = shipped.text("reveal.js")
    return rendered(cut(notebook, page), page, "reveal", "slides", library=reveal, sheet=sheet)


def written(page: Page, notebooks: Path, folder: Path) -> Path:
    """Execute the page, and write its slides to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{page.name}.html"
    write_whole(file, slides(execute(notebooks / page.notebook), page).encode())
    return file


def page_meant(text: str) -> Page:
    """The page of that name, or whose name begins so: ``01`` is enough.

    >>> page_meant("01").name
    '01_soft_targets'
    """
    found = [one for one in pages() if one.name.startswith(text.removesuffix(".ipynb"))]
    if len(found) != 1:
        names = ", ".join(one.name for one in found or pages())
        raise ValueError(f"{text!r} names {len(found)} pages of the course; give one of: {names}")
    return found[0]


def cut(notebook, page: Page):
    """The notebook of the slides: each cell with its place in them, and notes for who speaks."""
    cells, heading, room = [], page.label, _LINES
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for level, found, text in _parts(cell.source):
                heading = found or heading
                cells += _written(page, level, heading, text)
                room = _LINES // 2 if level else room
        elif not _LEFT_OUT.search(cell.source):
            needs = _LINES if _is_drawn(cell) else len(cell.source.splitlines()) + 2
            if needs > room:
                cells.append(
                    _cell(f'<p class="where">{guide.Section(page, heading, ()).label}</p>', "subslide")
                )
                room = _LINES
            cells += _run(cell)
            room -= needs
    return from_dict(new_notebook(cells=cells, metadata=notebook.metadata))


def _parts(source):
    """The text of a cell between its headings: level (0 goes on with what was), heading and text."""
    begin, level, heading = 0, 0, ""
    for mark in re.finditer(r"^(#+) (.+)$", source, re.MULTILINE):
        if source[begin : mark.start()].strip():
            yield level, heading, source[begin : mark.start()]
        begin, level, heading = mark.end(), len(mark[1]), mark[2]
    if level or source[begin:].strip():
        yield level, heading, source[begin:]


def _written(page, level, heading, text):
    blocks = [block.strip() for block in _BLOCK.split(text) if block.strip()]
    stay = [block for block in blocks if _STAYS.match(block)]
    told = [block for block in blocks if not _STAYS.match(block)]
    if level > 1 and told:
        stay.insert(0, _SENTENCE.split(told[0], maxsplit=1)[0])
    notes = [*told, *(_of_the_guide(page, level, heading) if level else [])]
    if level:
        stay.insert(0, f"{'#' * level} {heading}")
    kind = {0: "-", 1: "slide", 2: "slide"}.get(level, "subslide")
    found = [_cell("\n\n".join(stay), kind)] if stay else []
    return found + ([_cell("\n\n".join(notes), "notes")] if notes else [])


def _of_the_guide(page, level, heading):
    """What the guide says of a page, at its title, or of one of its sections."""
    known = {one.page.name: one for one in guide.chapters()}.get(page.name)
    if known is None:
        return
    if level == 1:
        yield f"**For the room:** {known.ask} *{known.good}*"
    for belief, where in known.misconceptions:
        if where.heading == heading:
            yield f"**Learners may believe:** “{belief}” This section breaks it."
    for where in known.left_out:
        if where.heading == heading:
            yield f"**Short of time?** Leave this section out: {where.minutes} minutes."


def _is_drawn(cell):
    return any(set(one.get("data", ())) - {"text/plain"} for one in cell.get("outputs", []))


def _run(cell):
    """A code cell, and the answer to what it asks; the code of what is drawn can be unfolded."""
    cell = cell.copy()
    cell.metadata = {"slideshow": {"slide_type": "-"}, "jupyter": {"source_hidden": _is_drawn(cell)}}
    answers = [(right, because or "") for _, right, because in predictions(cell.source) if right]
    return [cell, *(_cell(f"**Answer:** {right}. {because}", "notes") for right, because in answers)]


def _cell(source, kind):
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})
