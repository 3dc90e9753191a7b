"""Every sentence that states a result has a claim, and every claim holds."""

import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kdviz.course import results, site
from kdviz.course.claims import Claim, checks, difference, gain, gains, table
from kdviz.course.claims.sentences import (
    NUMBERS,
    is_prediction,
    numbers,
    plain,
    sentences,
    split,
    states_a_result,
)
from kdviz.course.pages import pages

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WRITTEN = [page.name for page in pages() if checks.claims_of(page.name)]


def notebook_of(page):
    return nbformat.read(NOTEBOOKS / f"{page}.ipynb", as_version=4)


@pytest.mark.parametrize("page", [page.name for page in pages()])
def test_every_result_of_a_page_has_its_claim_and_every_claim_its_sentence(page):
    claims = checks.claims_of(page)
    assert claims, f"kdviz/course/claims/n{page}.py is missing"
    found = checks.faults_of_text(page, notebook_of(page), claims)
    assert not found, "\n".join(found)
    assert all(claims.EXEMPT.values()), "an exempt sentence needs its reason"


@pytest.mark.parametrize("page", WRITTEN)
def test_the_claims_on_stored_tables_hold(page):
    found = checks.faults_of_stored(page, checks.claims_of(page))
    assert not found, "\n".join(found)


@pytest.mark.complete
@pytest.mark.parametrize("page", WRITTEN)
def test_the_claims_on_live_cells_hold(page, executed_pages):
    executed = site.execute_once(NOTEBOOKS / f"{page}.ipynb", executed_pages)
    found = checks.faults_of_live(page, executed, checks.claims_of(page))
    assert not found, "\n".join(found)


# --- A false sentence is noticed

_OPPOSITE = {"null": "a gain", "gains": "costs", "better": "worse", "worse": "better", "costs": "gains"}
_OPPOSITE |= {"gain": "harm", "helps": "harms", "beats": "loses to", "loses": "gains", "lose": "gain"}


def falsified(sentence):
    """The sentence with another number, and with the opposite verdict, where it has one."""
    if found := re.search(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?= (?:points?|%|seeds?|of))", sentence):
        yield sentence[: found.start()] + "73" + sentence[found.end() :]
    for word in re.findall(r"[A-Za-z]+", sentence):
        if word.lower() in NUMBERS:
            yield re.sub(rf"\b{word}\b", "eighty" if word != "eighty" else "ninety", sentence, count=1)
        elif word in _OPPOSITE:
            yield re.sub(rf"\b{word}\b", _OPPOSITE[word], sentence, count=1)


def falsified_claims():
    for page in WRITTEN:
        for claim in checks.claims_of(page).CLAIMS:
            if not claim.differs and not is_prediction(claim.quotation):
                yield from ((page, claim, false) for false in falsified(claim.quotation))


def test_a_false_sentence_on_a_page_fails():
    tried = list(falsified_claims())
    assert len(tried) >= 20
    for page, claim, false in tried:
        notebook = notebook_of(page)
        cells = [cell for cell in notebook.cells if plain(claim.quotation) in plain(cell.source)]
        for cell in cells:
            cell.source = plain(cell.source).replace(plain(claim.quotation), plain(false))
        if not cells:  # Its sentences stand apart, such as in two items of a list.
            continue
        found = checks.faults_of_text(page, notebook, checks.claims_of(page))
        assert any("is not on the page" in one or "has no claim" in one for one in found), false


def test_a_sentence_that_is_false_in_its_claim_too_is_mostly_noticed():
    tried = list(falsified_claims())
    passed = [false for _, claim, false in tried if not Claim(false, claim.stored, claim.live).faults()]
    assert len(tried) - len(passed) >= 20
    assert len(passed) <= len(tried) / 3, "\n".join(passed)


# The measures of a table, exchanged for others: no claim may hold on all of these.
OTHER_NUMBERS = {
    "mirrored": lambda rows, column: 100 - rows[column],
    "constant": lambda rows, column: 0 * rows[column] + 50,
    "by place": lambda rows, column: 40 + rows.groupby("seed").cumcount() / 9,
    "scattered": lambda rows, column: (
        100 * ((0.618 * rows.groupby("seed").cumcount() + 0.17 * len(column)) % 1)
    ),
}
SETTINGS = (
    "temperature",
    "soft_weight",
    "weight",
    "target_weight",
    "other_weight",
    "noise",
    "kl_temperature",
)


@pytest.mark.parametrize("page", WRITTEN)
def test_claims_on_stored_tables_fail_on_other_numbers(page, monkeypatch):
    claims, real = checks.claims_of(page), gains._stored
    still, looked = [claim for claim in claims.CLAIMS if claim.stored], []
    for number in OTHER_NUMBERS.values():

        def other(name, number=number):
            looked.append(name)
            rows = real(name).copy()
            for column in rows.select_dtypes("float").columns.difference(SETTINGS):
                rows[column] = number(rows, column)
            return rows

        monkeypatch.setattr(gains, "_stored", other)
        still = [claim for claim in still if holds(page, claims, claim, looked)]
    assert not still, "whatever the tables say: " + "\n".join(claim.quotation for claim in still)


def holds(page, claims, claim, looked):
    """Whether a claim holds that looked at a table; arithmetic holds whatever a table says."""
    looked.clear()
    faults = checks.faults_of_stored(page, SimpleNamespace(**{**vars(claims), "CLAIMS": [claim]}))
    return bool(looked) and not faults


# --- What the tests say


RESULT = "It gains two points, on 25 of 30 seeds."
HOLDS = Claim(RESULT, live="difference(a, b).about(2) and 25 < 30")


def on_a_page(*texts, claims=(HOLDS,), exempt=None):
    notebook = new_notebook(cells=[new_markdown_cell(text) for text in ("# A page", *texts)])
    return checks.faults_of_text("01_one", notebook, SimpleNamespace(CLAIMS=claims, EXEMPT=exempt or {}))


def test_a_page_with_its_claim_has_no_fault():
    assert on_a_page("Look. **It gains** *two*\npoints, on 25 of 30 seeds. What now?") == []


def test_a_changed_sentence_is_named_with_its_page():
    found = on_a_page(RESULT.replace("two", "three"))
    assert found == [
        f"01_one: {RESULT!r} is quoted, and is not on the page",
        "01_one: 'It gains three points, on 25 of 30 seeds.' has no claim",
    ]


def test_a_new_result_needs_a_claim_and_an_exempt_sentence_its_place():
    assert on_a_page(RESULT, "It is null.") == ["01_one: 'It is null.' has no claim"]
    assert on_a_page(RESULT, "It is null.", exempt={"It is null.": "a definition"}) == []
    assert on_a_page(RESULT, exempt={"It is null.": "a definition"}) == [
        "01_one: 'It is null.' is exempt, and is not on the page"
    ]


def test_part_of_a_sentence_is_no_quotation():
    assert len(on_a_page(RESULT, claims=[Claim("It gains two points", live="gain(x, 2) > 0")])) == 2


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (Claim("It is null."), "it has no condition"),
        (Claim("It gains 3 points.", live="a.about(2)"), "do not hold the number 3"),
        (Claim("It is null.", live="a.better"), "it says null, and no condition asks for it"),
        (
            Claim("It is better.", live="a.null"),
            "a condition asks for null, and the sentence does not say so",
        ),
        (Claim("It is better.", live="a.worse"), "that something gains, and no condition asks"),
        (Claim("It costs accuracy.", live="a.better"), "that something loses, and no condition asks"),
    ],
)
def test_words_and_condition_must_agree(claim, said):
    assert said in "; ".join(claim.faults())


def test_a_claim_that_does_not_hold_names_page_sentence_and_number():
    rows = results.load("longer_training").rows
    claim = Claim("After 600 steps it gains.", stored='gain("longer_training", "soft targets", '
                  'minus="hard labels", steps=600).better')  # fmt: skip
    (found,) = checks.faults_of_stored("02_two", SimpleNamespace(CLAIMS=[claim], EXEMPT={}))
    number = gain(rows, "soft targets", minus="hard labels", steps=600)
    assert found.startswith("02_two: 'After 600 steps it gains.' does not hold") and str(number) in found


def test_a_claim_that_cannot_be_looked_at_does_not_hold():
    claim = Claim("It is null.", stored='gain("longer_training", "nobody", minus="hard labels").null')
    (found,) = checks.faults_of_stored("02_two", SimpleNamespace(CLAIMS=[claim], EXEMPT={}))
    assert "no row has {'arm': 'nobody'}" in found
    (found,) = checks.faults_of_live(
        "02_two", new_notebook(), SimpleNamespace(CLAIMS=[Claim("It is null.", live="a.null")], EXEMPT={})
    )
    assert "it was not looked at" in found


def test_live_claims_know_the_page_and_their_own_file(tmp_path, monkeypatch):
    claims = SimpleNamespace(
        CLAIMS=[Claim("It is 2 points.", live=["twice(x) == 2", "twice(x) == 3", "gone > 1"])],
        EXEMPT={},
        twice=lambda x: 2 * x,
    )
    monkeypatch.setattr(checks, "claims_of", lambda page: claims)
    said = checks.look("01_one", {"x": 1})
    assert said["(twice(x) == 2)"] is None
    assert said["(twice(x) == 3)"] == ("(twice(x) == 3)", "twice(x) = 2")
    assert said["(gone > 1)"][1] == "NameError: name 'gone' is not defined"


# --- Sentences and numbers


def test_sentences_are_taken_from_texts_and_predictions_and_not_from_code_tables_and_formulas():
    text = "## Two points\n\nAs Meng et al. say, 0.5 is *half*. And?\n\n- One\n- two. Three."
    text += "\n\n| 3 % | 4 |\n\n$$5$$"
    asked = 'kd.explorers.prediction("Which?", ["a", "b"], answer="b", because="It gains. By 2 points.")'
    notebook = new_notebook(cells=[*map(new_markdown_cell, ("# A", text)), new_code_cell(asked)])
    assert sentences(notebook) == [
        *("As Meng et al. say, 0.5 is half.", "And?", "One", "two.", "Three."),
        *("Which? → b", "It gains.", "By 2 points."),
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "It is null.",
        "Half a point is left.",
        "About 12 % are wrong.",
        "Twelve of thirty seeds.",
        "On every seed.",
        "It gains.",
        "Holds: this.",
        "Which? → that",
    ],
)
def test_results_are_found(sentence):
    assert states_a_result(sentence)


@pytest.mark.parametrize("sentence", ["Does it gain 3 points?", "A seed is a number.", "Look at all cells."])
def test_what_states_nothing_needs_no_claim(sentence):
    assert not states_a_result(sentence)


def test_numbers_are_read_in_digits_and_words():
    assert numbers("Twelve of 1,200 at 0.25 in notebook 02 and section 3, Ba 2014: one") == [1200, 0.25, 12]
    assert split("A b. C d.") == ["A b.", "C d."]


# --- The one rule


def test_the_rule_is_that_of_the_intervals():
    sure, unsure = difference([2, 3, 4, 5, 6], [1, 1, 1, 1, 1]), difference([1, -1, 1, -1, 1], [0] * 5)
    assert sure.better and not sure.null and not sure.worse and sure.about(3) and not sure.about(4)
    assert sure.about(3, seeds=5) and not sure.about(3, seeds=4)
    assert unsure.null and not unsure.better and not unsure.about(0.2) and unsure.below == 2
    assert difference([0] * 5, [2, 3, 4, 5, 6]).worse


def test_rows_of_a_gain_are_paired_by_seed():
    rows = results.load("longer_training").rows.sample(frac=1, random_state=0)
    ours = gain(rows, "soft targets", minus="hard labels", steps=3600)
    assert ours == gain("longer_training", {"arm": "soft targets"}, minus="hard labels", steps=3600)
    with pytest.raises(ValueError, match="several rows a seed; they differ in steps"):
        gain(rows, "soft targets", minus="hard labels")
    best = table("other_orders", best="validation_accuracy")
    assert len(best) == 30 and best.validation_accuracy.min() >= 90
