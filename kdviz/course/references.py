"""The papers that the course cites, read from its pages: ``Authors 2015, [*Title*](link)``."""

import re
from dataclasses import dataclass, field

from kdviz.course.pages import Page

_NAME = r"[^\W\d_a-z][\w'-]+"
_CITATION = re.compile(
    rf"(?P<authors>{_NAME}(?:, {_NAME})*(?: and {_NAME})?(?: et al\.)?) (?P<year>\d{{4}}), "
    r"\[?\*(?P<title>[^*]+)\*\]?(?:\((?P<link>\S+?)\))?"
)


@dataclass
class Reference:
    """A paper, where to read it, and the pages that cite it."""

    authors: str
    year: int
    title: str
    link: str
    pages: list[Page] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The name of its place in the list."""
        return re.sub(r"\W+", "-", f"{self.authors} {self.year} {self.title}"[:60]).strip("-").lower()


def references(notebooks: dict) -> list[Reference]:
    """The papers cited in notebooks, which are given by page, in the order of their authors' names.

    A paper is known by its link, or its title; of its authors the longest list is kept.
    """
    found = {}
    for page, notebook in notebooks.items():
        for authors, year, title, link in _citations(notebook):
            paper = found.setdefault(link or title, Reference(authors, int(year), title, link))
            paper.authors = max(paper.authors, authors, key=len)
            if page not in paper.pages:
                paper.pages.append(page)
    return sorted(found.values(), key=lambda paper: (paper.authors.lower(), paper.year))


def _citations(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for citation in _CITATION.finditer(cell.source):
                yield citation.group("authors", "year", "title", "link")
