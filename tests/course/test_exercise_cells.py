"""The exercises in the notebooks: their cells, and what these print before anybody has begun."""

import re
from pathlib import Path

import nbformat
import pytest
import torch
from exercise_answers import solve
from torch.nn.functional import cross_entropy, kl_div, softmax

from kdviz.course import site
from kdviz.course.exercises import exercise, exercises
from kdviz.course.pages import Page, pages

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
NUMBERS = "no one two three four five".split()
# What the cells of a page may use that stands in a cell above.
ABOVE = {
    "exercise": exercise,
    "torch": torch,
    "softmax": softmax,
    "kl_div": kl_div,
    "cross_entropy": cross_entropy,
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def page(request):
    """The sources of a notebook's cells, and the exercises of its page."""
    cells = nbformat.read(request.param, as_version=4).cells
    number = str(int(request.param.name[:2]))
    mine = [one for name, one in exercises().items() if name.split(".")[0] == number]
    return [(cell.cell_type, cell.source) for cell in cells], mine


def untouched(one):
    """What comes back from the cell of an exercise as the notebook has it, and the answer in it."""
    scope = dict(ABOVE)
    *written, check = one.cell.splitlines()
    exec("\n".join(written), scope)
    return eval(check, scope), scope[one.answer]


def in_gallery(mine):
    number = int(mine[0].name.split(".")[0])
    return next(one.kind for one in pages() if int(one.number) == number) == "gallery"


def test_a_page_has_three_to_five_exercises_and_a_gallery_page_two_or_three(page):
    least, most = (2, 3) if in_gallery(page[1]) else (3, 5)
    assert least <= len(page[1]) <= most


def test_each_exercise_is_asked_and_has_its_cell(page):
    cells, mine = page
    asked = [place for place, (kind, source) in enumerate(cells) if source.startswith('exercise("')]
    assert [cells[place][1] for place in asked] == [f'exercise("{one.name}")' for one in mine]
    assert [cells[place + 1] for place in asked] == [("code", one.cell) for one in mine]


def test_the_section_says_how_many_there_are_and_how_long_they_take(page):
    cells, mine = page
    sections = [source for _, source in cells if re.match(r"## (\d+\. )?Exercises\n", source)]
    if mine[0].name == "0.1" or in_gallery(mine):
        assert not sections, "the first page, and the gallery's, introduce them in a text of their own"
        return
    (said,) = sections
    minutes = int(re.search(r"about (\d+) minutes", said)[1])
    assert said.split("\n\n")[1].startswith(f"{NUMBERS[len(mine)].capitalize()} of them")
    assert abs(minutes - sum(one.minutes for one in mine)) < 5
    assert len(said.split()) <= 50 and sum(source.count("Stuck?") for _, source in cells) == 1


@pytest.mark.parametrize("one", exercises().values(), ids=exercises())
def test_an_answer_that_nobody_has_begun_gets_no_verdict(one):
    """So the static edition, where every answer is one of these, does not call its readers wrong."""
    feedback, answer = untouched(one)
    assert feedback.passed is False and feedback.begun is False
    what = "answer" if isinstance(answer, dict) else "function"
    assert repr(feedback) in (f"Write the {what}, then run the cell.", f"Mend the {what}, then run the cell.")
    assert feedback._repr_markdown_() == f"*{feedback!r}*"


@pytest.mark.parametrize("one", exercises().values(), ids=exercises())
def test_an_answer_that_somebody_has_begun_gets_one(one):
    begun = {"A": None} if isinstance(solve(one.name), dict) else lambda *values: print(end="")
    assert repr(one.check(begun)).startswith("✘ Not yet.")
    assert repr(one.check(solve(one.name))).startswith("✔ Right.")


def test_a_notebook_does_not_repeat_what_its_cells_hold():
    shown = exercise("1.1")._repr_markdown_()
    assert "Check it with" not in shown and "Stuck" not in shown
    # A terminal has no such cells.
    assert 'exercise("1.1").check(soft_targets)' in repr(exercise("1.1"))


def test_the_static_edition_shows_the_questions_and_calls_nobody_wrong(page):
    """As the site renders them: each question with its formulas drawn, and a neutral line below."""
    shown = [piece._repr_markdown_() for one in page[1] for piece in (one, untouched(one)[0])]
    outputs = [nbformat.v4.new_output("display_data", {"text/markdown": text}) for text in shown]
    cells = [nbformat.v4.new_code_cell("1", outputs=[output]) for output in outputs]
    helped = [nbformat.v4.new_markdown_cell(text) for one in page[1] for text in (*one.hints, one.praise)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A page"), *cells, *helped])
    course = [Page("01_one", "A page", teaches="what", minutes=5, difficulty="easy")]
    html = site.render(notebook, course[0], course)
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", "", html, flags=re.DOTALL)
    assert text.count("then run the cell.") == len(page[1])
    assert all(one.title in text for one in page[1])
    assert "Not yet" not in text and "✘" not in text and "Stuck" not in text and "\\" not in text
