"""The map of the course: knowledge distillation as the surveys tell it, as one picture to click.

Its regions and the places of the pages on it are declared in ``pages.toml``.
"""

from dataclasses import dataclass

from kdviz.course.pages import Region, pages, regions
from kdviz.course.templates import render
from kdviz.course.thumbnails import thumbnail


@dataclass(frozen=True)
class Place:
    """A topic on the map, and the notebook that it leads to, if there is one, with its picture."""

    topic: str
    says: str
    status: str
    notebook: str = ""
    picture: str = ""


def survey_map() -> "SurveyMap":
    """The map of the course; what has a notebook links to it."""
    return SurveyMap()


def places(region: Region) -> list[Place]:
    """What a region shows: each topic once for every page about it or a part of it, or as not there."""
    return [place for topic, says in region.topics.items() for place in _places_of(topic, says)]


def _places_of(topic, says):
    about = [
        (page, f"notebook {page.number}", dict(page.sections)) for page in pages() if topic in page.topics
    ]
    about += [
        (page, f"part: notebook {page.number}", dict(page.parts))
        for page in pages()
        if topic in dict(page.parts)
    ]
    if not about:
        coming = any(topic in page.topics for page in pages(planned=True))
        return [Place(topic, says, "planned" if coming else "not in kdviz")]
    return [
        Place(
            topic,
            page.title if len(about) > 1 else says,
            f"{status}, section {sections[topic]}" if topic in sections else status,
            page.notebook,
            thumbnail(page),
        )
        for page, status, sections in about
    ]


class SurveyMap:
    """The map, as a notebook and the site show it."""

    def _repr_html_(self):
        start, *others = [(region, places(region)) for region in regions()]
        return render("survey_map.html.j2", start=start[1][0], regions=others)

    def __repr__(self):
        lines = []
        for region in regions():
            lines.append(f"{region.section}  {region.title}. {region.question}".strip())
            lines += [f"    {place.topic} ({place.status})" for place in places(region)]
        return "\n".join(lines)
