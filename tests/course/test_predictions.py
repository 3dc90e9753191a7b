"""Every question of a page is answered, once: by its card, or folded below it."""

import re

import nbformat
import pytest

from kdviz.course.claims import checks
from kdviz.course.claims.sentences import plain, right_choice
from kdviz.course.exercises import NotYet, exercise
from kdviz.course.pages import pages
from kdviz.course.paths import course_folder
from kdviz.course.tally import tally
from kdviz.explorers import Guess, guess

FOLDER = course_folder() / "notebooks"


@pytest.fixture(params=pages(), ids=lambda one: one.name)
def written(request):
    return request.param, nbformat.read(FOLDER / request.param.notebook, as_version=4).cells


def asked(cells):
    """The predictions of a page: their cells, and what is asked there."""
    for cell in cells:
        if cell.cell_type == "code" and "explorers.prediction(" in cell.source:
            yield cell, eval(cell.source, {"kd": __import__("kdviz")})


def test_a_prediction_is_answered_by_its_card(written):
    for cell, one in asked(written[1]):
        assert one.answer, f"{cell.id}: say which choice is right: answer="
        assert one.because, f"{cell.id}: say why: because="
        assert one.question.endswith("?"), f"{cell.id}: what is committed answers a question"
        assert cell.metadata.get("jupyter", {}).get("source_hidden"), f"{cell.id}: its code tells the answer"


def test_a_claim_says_which_choice_is_right(written):
    page, cells = written
    quoted = {
        one
        for claim in checks.claims_of(page.name).CLAIMS
        for one in checks.quoted_sentences(claim.quotation)
    }
    for cell, one in asked(cells):
        assert right_choice(one.question, one.answer) in quoted, cell.id
        assert not any(plain(one.because) in plain(other.source) for other in cells if other is not cell)


def test_what_is_asked_otherwise_is_answered_folded(written):
    _, cells = written
    for cell, after in zip(cells, cells[1:], strict=False):
        if (
            re.search(r"things to try|Can you do it now\?", cell.source, re.I)
            and cell.cell_type == "markdown"
        ):
            assert "<details>" in cell.source or after.source.startswith("<details>"), cell.id
        assert "<summary>The answer</summary>" not in cell.source, "a prediction's card answers it"


def test_a_page_ends_with_the_readers_own_score(written):
    page, cells = written
    last = [cell.source for cell in cells if cell.cell_type == "code"][-1]
    assert last.endswith(f'tally("{page.number}")')


def test_the_score_follows_the_reader(monkeypatch):
    monkeypatch.setattr(Guess, "asked", {})
    for name in tally("00").exercises:  # others may have handed in answers before
        monkeypatch.setattr(exercise(name), "outcome", None)
    first = guess("Which?", ["left", "right"], answer="left")
    guess("Who?", ["you", "I"])  # nobody knows
    mine = tally("00")
    assert repr(mine) == "predictions: 0 of 1 right; exercises: 0 of 3 right"
    first.choice, first.committed = "right", True
    assert mine.predictions == {"Which?": "wrong"}
    one = exercise("0.3")
    monkeypatch.setattr(one, "grade", lambda answer: None)
    one.check({"anything": 1})
    assert mine.exercises == {"0.1": "", "0.2": "", "0.3": "right"}

    def refuse(answer):
        raise NotYet("no")

    monkeypatch.setattr(one, "grade", refuse)
    one.check({"anything": 1})
    assert mine.exercises["0.3"] == "wrong"
