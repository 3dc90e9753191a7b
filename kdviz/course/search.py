"""One search over the whole course: what it can find, and where each thing is.

>>> [place.link for place in words() if place.title == "soft targets"]
['glossary.html#soft-targets']
"""

from collections import defaultdict
from dataclasses import dataclass

from kdviz.course import reference
from kdviz.course.claims.sentences import split
from kdviz.course.concept_test import questions
from kdviz.course.glossary import DEFINITIONS, anchor
from kdviz.course.guide import Section, chapters, headings
from kdviz.course.loss_card import loss_card
from kdviz.course.pages import Page
from kdviz.course.references import Reference

_LONGEST = 2000


@dataclass(frozen=True)
class Place:
    """Something to be found: its title, the page that it is on, the way there, and what it says."""

    title: str
    where: str
    link: str
    text: str


def places(executed: dict, papers: list[Reference]) -> list[Place]:
    """All of the course, of executed notebooks by page and the papers that they cite."""
    found = [place for page, notebook in executed.items() for place in sections(page, notebook.cells)]
    return [*found, *words(), *losses(), *names(), *cited(papers)]


def sections(page: Page, cells) -> list[Place]:
    """A page, and each of its sections: what it says, and what is asked and believed about it elsewhere."""
    found, heading, text, asked = [], "", [], _asked()

    def end():
        place = Section(page, heading, ())
        title, link = (place.label, place.link) if heading else (page.title, f"{page.name}.html")
        says = [*split("\n\n".join(text)), *(asked.get(link, ()) if heading else [f"{page.teaches}."])]
        found.append(Place(title, page.label, link, " ".join(says)[:_LONGEST]))

    for cell in cells:
        if cell["cell_type"] != "markdown":
            continue
        begin = 0
        for mark in headings(cell):
            text.append(cell["source"][begin : mark.start()])
            end()
            heading, text, begin = mark[2], [], mark.end()
        text.append(cell["source"][begin:])
    end()
    return found


def _asked():
    """By link what learners believe before a section, and what the concept test asks about it."""
    found = defaultdict(list)
    for one in chapters():
        for belief, where in one.misconceptions:
            found[where.link].append(belief)
    for question in questions():
        found[question.link].append(question.asks)
    return found


def words() -> list[Place]:
    """The glossary."""
    return [
        Place(term, "Glossary", f"glossary.html#{anchor(term)}", meaning)
        for term, meaning in DEFINITIONS.items()
    ]


def losses() -> list[Place]:
    """The rows of the loss card."""
    rows = loss_card().table.iterrows()
    return [
        Place(
            f"{name} ({row['known as']})".replace(" (–)", ""),
            "Loss card",
            f"loss_card.html#loss-{name}",
            f"A loss of {row.kind} knowledge. Paper: {row.paper}. Does not see: {row['does not see']}.",
        )
        for name, row in rows
    ]


def names() -> list[Place]:
    """What the library offers."""
    return [
        Place(entry.name, chapter.module, entry.link, entry.text[: _LONGEST // 4])
        for chapter in reference.chapters()
        for entry in chapter.entries
    ]


def cited(papers: list[Reference]) -> list[Place]:
    """The papers."""
    return [
        Place(paper.title, "References", f"references.html#{paper.anchor}", f"{paper.authors} {paper.year}")
        for paper in papers
    ]
