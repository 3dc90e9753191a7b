"""The exercises of notebook 03: each diagnosis is found, and only it."""

import itertools

import pytest
import torch

from kdviz.course.exercises import Feedback, exercise
from kdviz.course.exercises import responses as page
from kdviz.knowledge import response

ALL = [exercise(one.name) for one in page.EXERCISES]
NAMES = [one.name for one in ALL]
TABLES = {
    "3.1": (page._direction_calls, page.DIRECTION_MISTAKES, page.DIRECTION_SLIPS),
    "3.2": (page._share_calls, page.SHARE_MISTAKES, ()),
    "3.3": (page._correlation_calls, page.CORRELATION_MISTAKES, page.CORRELATION_SLIPS),
}
MISTAKES = [(name, mistake) for name, (_, mistakes, _) in TABLES.items() for mistake in mistakes]
SLIPS = [(name, slip) for name, (_, _, slips) in TABLES.items() for slip in slips]


def solve(one):
    """What the solution's text defines, run as a learner would run it."""
    scope = {}
    exec(one.source, scope)
    return scope[one.answer]


def by_position(function, name):
    """A function that takes keywords, called as a learner's is: by position."""
    names = list(TABLES[name][0]()[0])
    return lambda *values: function(**dict(zip(names, values, strict=True)))


def not_yet(message):
    return Feedback(False, message)


def test_the_exercises_of_this_page_are_registered():
    assert NAMES == ["3.1", "3.2", "3.3", "3.4"]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_solution_passes_its_own_check(one):
    feedback = one.check(solve(one))
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_stub_of_the_notebook_is_not_yet_right(one):
    stub = {} if one.answer == "senders" else lambda *values: None
    assert not one.check(stub).passed


@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=[f"{n} {m.name}" for n, m in MISTAKES])
def test_mistakes(name, mistake):
    assert exercise(name).check(by_position(mistake.function, name)) == not_yet(mistake.message)


@pytest.mark.parametrize(("name", "slip"), SLIPS, ids=[f"{n} {s.name}" for n, s in SLIPS])
def test_slips(name, slip):
    right, factor = solve(exercise(name)), by_position(slip.factor, name)
    assert exercise(name).check(lambda *values: factor(*values) * right(*values)) == not_yet(slip.message)


def test_the_solutions_agree_with_the_library_on_other_numbers():
    generator = torch.Generator().manual_seed(9)
    z, teacher = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
    found = solve(exercise("3.1"))(z, teacher, 3.0)
    assert torch.allclose(found, response.reverse_kl(z, teacher, 3.0))
    dist = response.prediction_correlation(z, teacher, 1.0, 1.0, 0.0)
    assert torch.allclose(solve(exercise("3.3"))(z, teacher), dist)


def test_the_share_is_the_factor_of_the_identity():
    generator = torch.Generator().manual_seed(10)
    z, teacher = torch.randn(2, 1, 5, generator=generator, dtype=torch.float64)
    label = torch.tensor([3])
    share = solve(exercise("3.2"))(teacher, label, 2.0)
    target, others = (f(z, teacher, label, 2.0) for f in (response.target_class, response.other_classes))
    assert torch.allclose(response.soft_targets(z, teacher, 2.0), target + share * others)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *values: None, "`return`"),
        (lambda *values: float("nan"), "nan"),
        (lambda *values: "0.9", "it returned a str"),
        (lambda *values: torch.zeros(3), "a tensor of shape (3,)"),
        (lambda: 0, "TypeError"),
        (3.0, "Hand in the function itself"),
        (lambda *values: 1e-3, "too small"),
    ],
    ids=["nothing", "nan", "text", "tensor", "parameters", "called", "value"],
)
def test_other_wrong_answers_are_explained(name, answer, words):
    feedback = exercise(name).check(answer)
    assert not feedback.passed and words in feedback.message


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(page.SENDERS, 2)))
def test_two_pushes_taken_for_each_other_are_met_with_a_question(first, second):
    swapped = page.SENDERS | {first: page.SENDERS[second], second: page.SENDERS[first]}
    feedback = exercise("3.4").check(swapped)
    assert feedback == not_yet(f"3 of 5. Push {first}: {page._SIGNS[first]}")
    assert page.SENDERS[first] not in page._SIGNS[first]


def test_other_answers_about_pushes():
    check = exercise("3.4").check
    assert "one loss for each push" in check({"A": "NCKD"}).message
    assert "'DKD' is not on the list: hard labels, soft" in check(page.SENDERS | {"D": "DKD"}).message


def test_the_riddle_can_be_solved_from_what_its_hints_say():
    rows = {name: torch.tensor(page.pushes(name)) for name in page._LOSSES}
    p, q = (torch.softmax(torch.tensor(z), -1) for z in (page._STUDENT, page._TEACHER))
    assert [name for name, row in rows.items() if abs(row[page._LABEL]) < 1e-9] == ["NCKD"]
    assert [name for name, row in rows.items() if abs(row.sum()) > 0.01] == ["logit matching"]
    assert [name for name, row in rows.items() if (row > 0).tolist() == [True, False, False, False]] == [
        "hard labels"
    ]
    assert torch.allclose(rows["soft targets"].float(), q - p, atol=1e-6)
    assert rows["reverse KL"][1] < 0.1 < rows["soft targets"][1] and p[1] < 0.01
    shown = exercise("3.4").question
    for name, row in rows.items():
        letter = next(letter for letter, sender in page.SENDERS.items() if sender == name)
        line = next(line for line in shown.splitlines() if f"**{letter}**" in line)
        told = [float(cell.replace("−", "-")) for cell in line.split("|")[2:6]]
        assert told == pytest.approx(row.tolist(), abs=0.006)
