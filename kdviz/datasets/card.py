"""What a reader should know about a data set before she uses it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """Name, source, licence, size and classes of a data set; prints itself."""

    name: str
    what: str
    source: str
    licence: str
    size: str
    classes: tuple[str, ...]

    def _rows(self):
        return {
            "what": self.what,
            "source": self.source,
            "licence": self.licence,
            "size": self.size,
            "classes": f"{len(self.classes)}: {', '.join(self.classes)}",
        }

    def __str__(self):
        lines = [f"  {key:8} {value}" for key, value in self._rows().items()]
        return "\n".join([self.name, *lines])

    def _repr_markdown_(self):
        rows = "\n".join(f"| {key} | {value} |" for key, value in self._rows().items())
        return f"**{self.name}**\n\n| | |\n|---|---|\n{rows}"
