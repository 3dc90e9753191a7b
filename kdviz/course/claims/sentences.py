"""The sentences of a page, and which of them state a result."""

import ast
import re

WORDS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
NUMBERS = {word: value for value, word in enumerate((WORDS + " eighteen nineteen").split(), start=2)} | {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_COUNT = rf"(?:\d[\d,]*(?:\.\d+)?|{'|'.join(NUMBERS)}|several|few|none|no|all|half)"
_UNIT = r"(?:%|(?:percentage )?points?|times|degrees|nats?|bits?)"
_WITH_UNIT = rf"(?:{_COUNT}|\b(?:an?|one))(?:\s+(?:and|to|or|of|the|an?|half|{_COUNT}))*\s*{_UNIT}(?!\w)"
_SEEDS = rf"\b(?:{_COUNT}(?:\s+(?:of|the|{_COUNT}))*|every|most|each of the)\s+seeds?\b"
_VERDICT = (
    r"\b(?:null|gain(?:s|ed)?|help(?:s|ed)?|better|worse|los(?:es|t)|cost(?:s)?|beat(?:s|en)?"
    r"|harm(?:s|ed)?|hurts?|wins?|surely|barely|safer?|no effect|no difference|does nothing"
    r"|more accurate|accuracy (?:rises|falls|drops)|vanish(?:es)?|collapses?|recognises|survives?"
    r"|falls|rises|grows|shrinks|closes)\b|^(?:holds|does not hold|only partly)\b"
)
RESULT = re.compile(f"{_WITH_UNIT}|{_SEEDS}|{_VERDICT}", re.IGNORECASE)

# "The two accuracies", "both of the three" count nothing that was found.
_GROUP = re.compile(
    rf"\b(?:the|these|those|both|all|other|into?)\s+(?:two|three|four)\b(?!\s*{_UNIT}|\s+seeds|\s+of)",
    re.IGNORECASE,
)

_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.)\s)")
_DROPPED = re.compile(
    r"```.*?```|\$\$.*?\$\$|<!--.*?-->|^\s*[|#].*?$|<svg.*?</svg>", re.DOTALL | re.MULTILINE
)
_END = re.compile(r"(?<=[.!?])[)”\"]?\s+(?=[“\"(]?[A-Z0-9])")
_NO_END = re.compile(r"\b(?:et al|e\.g|i\.e|vs|cf|Fig|Eq|No)\.$|\b[A-Z]\.$")
_REST = re.compile(r"[*`$\\]|\{,\}|</?\w[^>]*>|\]\([^)]*\)|\[")


def plain(text: str) -> str:
    """A text without marks and line breaks, as quotations are compared."""
    return " ".join(_REST.sub("", text).split())


def numbers(text: str) -> list[float]:
    """The numbers in a text, in digits or words, but 0 and 1; those of pages and years are none."""
    text = re.sub(
        r"\b(?:notebook|page|section|exercise|cell)s?\s+\d[\d.]*|\b(?:19|20)\d\d\b", "", text, flags=re.I
    )
    digits = [
        float(found.replace(",", "")) for found in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)", text)
    ]
    words = [
        float(NUMBERS[word])
        for word in re.findall(r"[a-z]+", _GROUP.sub("", text).lower())
        if word in NUMBERS
    ]
    return [number for number in digits if number not in (0, 1)] + words


def split(text: str) -> list[str]:
    """The sentences of a Markdown text, without headings, tables, formulas on their own, and code."""
    found = []
    for block in _BLOCK.split(_DROPPED.sub("", text)):
        block = re.sub(r"^\s*(?:[-*]|\d+\.|>)\s+", "", block.strip())
        parts = _END.split(plain(block))
        for part in parts:
            if found and parts[0] is not part and _NO_END.search(found[-1]):
                found[-1] += " " + part
            elif part:
                found.append(part)
    return found


def sentences(notebook) -> list[str]:
    """What a page says after its title and aims: its texts, and what is right in predictions and why."""
    found = []
    for cell in notebook.cells[1:]:
        if cell.cell_type == "markdown":
            found += split(cell.source)
        else:
            found += [one for asked in predictions(cell.source) for one in _told(*asked)]
    return found


def predictions(code: str) -> list[tuple]:
    """Of each prediction that a cell asks for: question, right choice and why, or None for them."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return []
    found = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in ("prediction", "guess"):
            named = {word.arg: _text(word.value) for word in call.keywords}
            found.append((_text(call.args[0]), named.get("answer"), named.get("because")))
    return found


def right_choice(question: str, answer: str) -> str:
    """How a claim quotes the right choice of a prediction."""
    return plain(f"{question} → {answer}")


def is_prediction(sentence: str) -> bool:
    return "? → " in sentence


def told(quotation: str) -> str:
    """What a quotation says: of a prediction all but its question."""
    return plain(quotation).partition("? → ")[2] or plain(quotation)


def _told(question, answer, because):
    return ([right_choice(question, answer)] if answer else []) + (split(because) if because else [])


def _text(node):
    return node.value if isinstance(node, ast.Constant) else None


def states_a_result(sentence: str) -> bool:
    """Whether a sentence has a number with a unit, or a word of verdict. Questions state nothing."""
    return is_prediction(sentence) or (not sentence.endswith("?") and bool(RESULT.search(sentence)))
