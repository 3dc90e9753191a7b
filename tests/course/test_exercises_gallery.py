"""The exercises of the gallery: the solutions on the pages' own tables, and against the library."""

from exercise_answers import solve

from kdviz.course import published
from kdviz.course.exercises import exercise


def test_the_solution_finds_the_surveys_misprints():
    rows = published.survey()
    assert solve("13.1")(rows.baseline_accuracy, rows.accuracy, rows.printed_gain) == 3


def test_what_is_missing_is_asked_one_by_one():
    said = exercise("13.2").check({letter: "several seeds" for letter in "ABCD"})
    assert not said.passed and said.message.startswith("1 of 4. Sentence A: Two papers, two houses.")
