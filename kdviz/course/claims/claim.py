"""What a claim is, and whether its words are those of its condition."""

import ast
import re
from dataclasses import dataclass

from kdviz.course.claims.sentences import numbers, plain

NEGATION = (
    r"\b(?:no|not|none|nothing|nobody|neither|nor|never|hardly|without|cannot|n't|less|than|if|whether)\b"
)
SAYS_NULL = r"\bnull\b"
MEANS_NULL = rf"{SAYS_NULL}|cannot (?:tell|say|decide)|do(?:es)? not know|hides? in|closes|level"
SAYS_BETTER = r"\b(?:better|gains?|gained|helps?|helped|beats?|wins?|above)\b"
SAYS_WORSE = r"\b(?:worse|loses?|lost|costs?|harms?|hurts?|below|falls?)\b"


@dataclass(frozen=True)
class Claim:
    """Sentences of a page, and what must be so that they are true."""

    quotation: str
    stored: str | list[str] = ()
    live: str | list[str] = ()
    differs: str = ""

    def __post_init__(self):
        for name in ("stored", "live"):
            given = getattr(self, name)
            conditions = [given] if isinstance(given, str) else list(given)
            object.__setattr__(self, name, [f"({one.strip()})" for one in conditions])

    def conditions(self) -> list[str]:
        return [*self.stored, *self.live]

    def faults(self) -> list[str]:
        """What the sentence says that its conditions do not."""
        if not self.conditions():
            return ["it has no condition"]
        if self.differs:
            return []
        says, asked = plain(self.quotation), " ".join(self.conditions())
        asks_null, denied = ".null" in asked, re.search(NEGATION, says, re.I)
        faults = [f"its conditions do not hold the number {number:g}" for number in self._missing()]
        if re.search(SAYS_NULL, says) and not asks_null:
            faults.append("it says null, and no condition asks for it")
        if asks_null and not denied and not re.search(MEANS_NULL, says):
            faults.append("a condition asks for null, and the sentence does not say so")
        if not denied:
            if re.search(SAYS_BETTER, says, re.I) and not re.search(r"\.better|\.about|>", asked):
                faults.append("it says that something gains, and no condition asks for that")
            if re.search(SAYS_WORSE, says, re.I) and not re.search(r"\.worse|about\(-|<", asked):
                faults.append("it says that something loses, and no condition asks for that")
        return faults

    def _missing(self):
        held = set()
        for condition in self.conditions():
            for node in ast.walk(ast.parse(condition, mode="eval")):
                if isinstance(node, ast.Constant):
                    held |= set(numbers(node.value)) if isinstance(node.value, str) else {node.value}
        return [number for number in numbers(plain(self.quotation)) if number not in held]
