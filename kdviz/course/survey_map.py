"""The map of the course: knowledge distillation as the surveys tell it, as one picture to click.

Its regions and the places of the pages on it are declared in ``pages.toml``.
"""

from dataclasses import dataclass

from kdviz.course.pages import Region, pages, regions
from kdviz.course.templates import render


@dataclass(frozen=True)
class Place:
    """A topic on the map, and the notebook that it leads to, if there is one."""

    topic: str
    says: str
    status: str
    notebook: str = ""


def survey_map() -> "SurveyMap":
    """The map of the course; what has a notebook links to it."""
    return SurveyMap()


def places(region: Region) -> list[Place]:
    """What a region shows: each topic once for every page about it, or as planned."""
    return [place for topic, says in region.topics.items() for place in _places_of(topic, says)]


def _places_of(topic, says):
    about = [page for page in pages() if topic in page.topics]
    if not about:
        return [Place(topic, says, "planned")]
    return [
        Place(topic, page.title if len(about) > 1 else says, f"notebook {page.number}", page.notebook)
        for page in about
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
