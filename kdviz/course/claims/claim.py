"""What a claim is, and whether its words are those of its condition."""

import ast
import re
from dataclasses import dataclass

from kdviz.course.claims.sentences import numbers, told

NEGATION = (
    r"\b(?:no|not|none|nothing|nobody|neither|nor|never|hardly|without|cannot|less|least|than|if|whether)\b"
)
MEANINGS = {
    "null": r"\bnull\b|cannot (?:tell|say|decide)|closes",
    "better": r"\b(?:better|gains?|gained|helps?|helped|beats?|wins?|above)\b",
    "worse": r"\b(?:worse|loses?|lost|costs?|harms?|hurts?|below|falls?)\b",
    "sure": r"\b(?:sure|surely|differences?|effects?)\b",
}


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
        asked = " ".join(self.conditions())
        clauses = re.split("[.,;:]", re.sub('"[^"]*"', "", told(self.quotation)))
        said = {meaning for clause in clauses for meaning in _meanings(clause)}
        faults = [f"its conditions do not hold the number {number:g}" for number in self._missing()]
        if "null" in said and ".null" not in asked:
            faults.append("it says null, and no condition asks for it")
        if ".null" in asked and not said & {"null", "denied"}:
            faults.append("a condition asks for null, and the sentence does not say so")
        if "better" in said and not re.search(r"\.better|\.about|>|\d <", asked):
            faults.append("it says that something gains, and no condition asks for that")
        if "worse" in said and not re.search(r"\.worse|about\(-|<", asked):
            faults.append("it says that something loses, and no condition asks for that")
        return faults

    def _missing(self):
        held = set()
        for condition in self.conditions():
            for node in ast.walk(ast.parse(condition, mode="eval")):
                if isinstance(node, ast.Constant):
                    held |= set(numbers(node.value)) if isinstance(node.value, str) else {node.value}
        return [number for number in numbers(told(self.quotation)) if number not in held]


def _meanings(clause):
    """What a part of a sentence says of an effect: null, better, worse, or that one of them is denied."""
    found = {meaning for meaning, words in MEANINGS.items() if re.search(words, clause, re.IGNORECASE)}
    if "null" in found:
        return {"null"}
    return {"denied"} if found and re.search(NEGATION, clause, re.IGNORECASE) else found
