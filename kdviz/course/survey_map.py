"""The map of the course: knowledge distillation as the surveys tell it, as one picture to click.

Its regions and the places of the pages on it are declared in ``pages.toml``.
"""

from dataclasses import dataclass
from urllib.parse import quote

from kdviz.course.pages import Page, Region, left_out, pages, regions
from kdviz.course.templates import render
from kdviz.course.thumbnails import thumbnail


@dataclass(frozen=True)
class Place:
    """A topic on the map, how far the course teaches it, and where it leads to, if anywhere.

    ``kind`` is "whole" (a page is about it), "part" (a section is), "planned" or "left out".
    """

    topic: str
    says: str
    status: str
    kind: str
    link: str = ""
    picture: str = ""


def survey_map() -> "SurveyMap":
    """The map of the course; what is taught links to its page or section."""
    return SurveyMap()


def places(region: Region) -> list[Place]:
    """What a region shows: each topic once for every page or section about it, and what is planned."""
    return [place for topic, says in region.topics.items() for place in _places_of(topic, says)]


def _places_of(topic, says):
    about = [page for page in pages(planned=True) if topic in (*page.topics, *page.sections)]
    if not about:
        return [Place(topic, says, "not in this course", "left out")]
    return [_place(topic, page.title if len(about) > 1 else says, page) for page in about]


def _place(topic, says, page: Page):
    if page.planned:
        return Place(topic, says, f"planned: {page.number}", "planned")
    if topic in page.topics:
        return Place(topic, says, f"notebook {page.number}", "whole", page.notebook, thumbnail(page))
    heading = page.sections[topic]
    number, numbered, title = heading.rpartition(". ")
    where = f"{page.notebook}#{quote(heading.replace(' ', '-'))}"
    section = f", section {number}" if numbered else ""
    status = f"part: notebook {page.number}{section}"
    return Place(topic, title, status, "part", where, thumbnail(page))


class SurveyMap:
    """The map, as a notebook and the site show it."""

    def _repr_html_(self):
        start, *others = [(region, places(region)) for region in regions()]
        return render("survey_map.html.j2", start=start[1][0], regions=others, left_out=left_out())

    def __repr__(self):
        lines = []
        for region in regions():
            lines.append(f"{region.section}  {region.title}. {region.question}".strip())
            lines += [f"    {place.topic} ({place.status})" for place in places(region)]
        lines += ["Not in this course, though the surveys name it:"]
        lines += [f"    {topic}: {methods}" for topic, methods in left_out().items()]
        return "\n".join(lines)
