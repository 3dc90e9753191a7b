"""Whether the claims of a page hold, and whether it has claims for all that it says."""

import ast
import importlib
import importlib.util
import json

from kdviz.course.claims import gains
from kdviz.course.claims.sentences import is_prediction, plain, sentences, split, states_a_result

HELPERS = {name: getattr(gains, name) for name in ("gain", "difference", "table")}


def claims_of(page: str):
    """The claims file of a page, a module with ``CLAIMS`` and ``EXEMPT``; None where there is none yet."""
    name = f"{__package__}.n{page}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def faults_of_text(page: str, notebook, claims) -> list[str]:
    """Quotations that are gone, sentences without a claim, and words that are not their condition's."""
    said = sentences(notebook)
    quoted = {one for claim in claims.CLAIMS for one in quoted_sentences(claim.quotation)}
    exempt = {one for sentence in claims.EXEMPT for one in split(sentence)}
    faults = [f"{one!r} is quoted, and is not on the page" for one in sorted(quoted - set(said))]
    faults += [f"{one!r} is exempt, and is not on the page" for one in sorted(exempt - set(said))]
    for one in dict.fromkeys(said):
        if states_a_result(one) and one not in quoted | exempt:
            faults.append(f"{one!r} has no claim")
    for claim in claims.CLAIMS:
        faults += [f"{plain(claim.quotation)!r}: {fault}" for fault in claim.faults()]
    return [f"{page}: {fault}" for fault in faults]


def quoted_sentences(quotation: str) -> list[str]:
    """The sentences of a quotation; that of a prediction is one, and its reasons stand in the next line."""
    if not is_prediction(quotation):
        return split(quotation)
    asked, _, because = quotation.partition("\n")
    return [plain(asked), *split(because)]


def faults_of_stored(page: str, claims) -> list[str]:
    """The claims on stored tables that do not hold, with the numbers found."""
    known = {**HELPERS, **vars(claims)}
    asked = [(claim, condition) for claim in claims.CLAIMS for condition in claim.stored]
    return [_told(page, claim, *said) for claim, condition in asked if (said := fault(condition, known))]


def faults_of_live(page: str, notebook, claims) -> list[str]:
    """The claims on live cells that do not hold on this executed page."""
    found = notebook.metadata.get("claims", {})
    asked = [(claim, condition) for claim in claims.CLAIMS for condition in claim.live]
    return [
        _told(page, claim, *said)
        for claim, condition in asked
        if (said := found.get(condition, (condition, "it was not looked at")))
    ]


def _told(page, claim, condition, found):
    return f"{page}: {plain(claim.quotation)!r} does not hold: {' '.join(condition.split())}; found {found}"


def fault(condition: str, names: dict) -> tuple[str, str] | None:
    """None where a condition holds; else the condition and the numbers found in it."""
    try:
        if eval(condition, dict(names)):
            return None
        node = ast.parse(condition, mode="eval").body
        found = [f"{ast.unparse(one)} = {eval(ast.unparse(one), dict(names))}" for one in _measured(node)]
    except Exception as problem:  # A claim that cannot be looked at does not hold, for whatever reason.
        return condition, f"{type(problem).__name__}: {problem}"
    return condition, "; ".join(found)


def _measured(node):
    """The parts of a condition whose values tell why it does not hold."""
    if isinstance(node, ast.BoolOp):
        return [part for value in node.values for part in _measured(value)]
    if isinstance(node, ast.UnaryOp):
        return _measured(node.operand)
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return [part for one in sides if not isinstance(one, ast.Constant) for part in _measured(one)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [node.func.value]
    return [node.value if isinstance(node, ast.Attribute) else node]


# --- In the kernel of an executed page


def cell_for(page: str) -> str | None:
    """The cell that looks at a page's live claims after its last cell, or None where it has none."""
    claims = claims_of(page)
    if claims is None or not any(claim.live for claim in claims.CLAIMS):
        return None
    return f"__import__({__name__!r}, fromlist=['x']).print_live({page!r}, globals())"


def print_live(page: str, names: dict):
    """Print what :func:`look` finds, as JSON."""
    print(json.dumps(look(page, names)))


def look(page: str, names: dict) -> dict:
    """For each live condition of a page None, or what is wrong with it; ``names`` are the page's."""
    claims = claims_of(page)
    known = {**names, **HELPERS, **vars(claims)}
    conditions = [condition for claim in claims.CLAIMS for condition in claim.live]
    return {condition: fault(condition, known) for condition in conditions}
