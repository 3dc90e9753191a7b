"""The course as HTML: its map, its first page, and what is around every page."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

FOLDER = Path(__file__).parent
_TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def render(template: str, **values) -> str:
    """The text of one of the templates here, filled in."""
    return _TEMPLATES.get_template(template).render(**values)
