"""The concept test: its questions rest on the course, its page answers, and its gain is Hake's."""

from urllib.parse import unquote

import nbformat
import numpy as np
import pytest

from kdviz.cli import main
from kdviz.course import site
from kdviz.course.claims.sentences import sentences, split
from kdviz.course.concept_test import normalised_gain, questions, read, scores, told
from kdviz.course.pages import page
from kdviz.course.paths import course_folder

KEY = "".join(question.right for question in questions())


@pytest.fixture(params=questions(), ids=lambda question: question.page)
def question(request):
    return request.param


def test_a_question_has_one_right_answer_and_a_misconception_for_each_other(question):
    assert len(set(question.answers)) == 4
    assert {question.right, *question.misconceptions} == {*"ABCD"} and len(question.misconceptions) == 3


def test_it_rests_on_a_sentence_of_the_page_that_treats_it(question):
    notebook = nbformat.read(course_folder() / "notebooks" / page(question.page).notebook, 4)
    assert set(split(question.rests_on)) <= set(sentences(notebook))
    headings = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    text = site.render(nbformat.v4.new_notebook(cells=headings), page(question.page))
    assert f'id="{unquote(question.link.partition("#")[2])}"' in text


def test_no_letter_is_right_more_often_than_it_should_be():
    assert len(KEY) == 14 and {KEY.count(letter) for letter in "ABCD"} <= {3, 4}


def test_the_gain_is_what_was_learned_of_what_could_be():
    gain, low, high = normalised_gain([4, 6, 8, 2], [9, 10, 11, 3])
    assert gain == pytest.approx((8.25 - 5) / (14 - 5)) and low < gain < high
    assert normalised_gain([4, 6], [14, 14])[0] == 1 and normalised_gain([4, 6], [4, 6])[0] == 0
    assert normalised_gain([4, 6], [3, 5])[0] < 0, "what was known may be lost"


def test_the_interval_covers_the_gain_of_the_class_it_was_drawn_from():
    """Of 100 classes of 30, from a school in which the gain is 0.5."""
    draw = np.random.default_rng(0)
    found = []
    for _ in range(100):
        before = draw.binomial(14, 0.4, 30)
        after = before + draw.binomial(14 - before, 0.5)
        _, low, high = normalised_gain(before, after)
        found.append(low <= 0.5 <= high)
    assert 88 <= sum(found) <= 100


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [([14, 14], [14, 14], "nothing was left"), ([3], [4], "two learners"), ([3, 4], [4], "both scores")],
)
def test_scores_that_have_no_gain_are_refused(before, after, said):
    with pytest.raises(ValueError, match=said):
        normalised_gain(before, after)


def test_a_class_is_read_and_told(tmp_path, capsys):
    wrong = "".join(min(question.misconceptions) for question in questions())
    answers = tmp_path / "class.csv"
    answers.write_text(f"Ada,{'-' * 14},{KEY}\n\nGrace,{wrong},{wrong.lower()}\n{'-' * 14},{KEY}\n")
    before, after = read(answers)
    assert scores(before).tolist() == [0, 0, 0] and scores(after).tolist() == [14, 0, 14]
    assert main(["concepts", str(answers)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "3 learners, 0.0 of 14 right before, 9.3 after\nnormalised gain 0.67, 95 % interval"
    )
    assert " 1. 0 % → 67 % right  (01 Soft targets, 1. Temperature, by hand)" in said
    assert f"1 × A: {questions()[0].misconceptions['A']}" in said and told(before, after) in said


@pytest.mark.parametrize("line", ["", KEY, f"{KEY},{KEY[:-1]}", f"{KEY},{'E' * 14}"])
def test_a_file_of_something_else_is_refused(tmp_path, line, capsys):
    (tmp_path / "class.csv").write_text(line)
    assert main(["concepts", str(tmp_path / "class.csv")]) == 1
    assert "give" in capsys.readouterr().err or not line


@pytest.mark.browser
def test_a_learner_takes_it_before_and_after(offline):
    page = offline(site.concept_test_page())
    page.locator("input[name=q1][value=A]").check()
    page.locator("input[name=q2][value=C]").press("Space")
    page.get_by_role("button", name="What do my answers show?").click()
    result = page.get_by_role("status")
    assert "1 of 14 are right" in result.inner_text() and not page.locator(".told:visible").count()
    page.get_by_role("button", name="Begin again").click()
    page.get_by_label("after it").check()
    page.locator("input[name=q1][value=A]").check()
    for number, letter in enumerate(KEY[1:-1], start=2):
        page.locator(f"input[name=q{number}][value={letter}]").check()
    page.get_by_role("button", name="What do my answers show?").click()
    assert "12 of 14 are right. Before the course there were 1." in result.inner_text()
    assert (
        f"85 % of what was left to learn. Your line for the teacher: AC{'-' * 12},A{KEY[1:-1]}-"
        in result.inner_text()
    )
    said = page.locator(".told:visible").all_inner_texts()
    assert len(said) == 14 and "A temperature multiplies the logits." in said[0]
    assert said[1].startswith("✓ Right. See 01 Soft targets") and said[13].startswith("○ Open. It is C")
    assert (
        page.locator(".told a").first.get_attribute("href")
        == "01_soft_targets.html#1.-Temperature%2C-by-hand"
    )
