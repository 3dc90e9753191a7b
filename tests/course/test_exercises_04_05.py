"""The exercises of notebooks 04 and 05: each diagnosis is found, and only it."""

import pytest
import torch

from kdviz.course.exercises import Feedback, exercise, features, relations
from kdviz.knowledge import feature, relation

ALL = [exercise(one.name) for one in (*features.EXERCISES, *relations.EXERCISES)]
NAMES = [one.name for one in ALL]
MISTAKES = {
    "4.1": features.ATTENTION_MISTAKES,
    "4.2": features.REGRESSOR_MISTAKES,
    "5.1": relations.ANGLE_MISTAKES,
}
SLIPS = {
    "4.1": features.ATTENTION_SLIPS,
    "4.2": features.REGRESSOR_SLIPS,
    "5.1": relations.ANGLE_SLIPS,
}


def solve(one):
    """What the solution's text defines, run as a learner would run it."""
    scope = {}
    exec(one.source, scope)
    return scope[one.answer]


def not_yet(message):
    return Feedback(False, message)


def each(table):
    pairs = [(name, one) for name, rows in table.items() for one in rows]
    return {"argvalues": pairs, "ids": [f"{name} {one.name}" for name, one in pairs]}


def drawn(*shape, seed=7):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_exercises_of_these_pages_are_registered():
    assert NAMES == ["4.1", "4.2", "5.1", "5.2"]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_solution_passes_its_own_check(one):
    feedback = one.check(solve(one))
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_stub_of_the_notebook_is_not_yet_right(one):
    stub = {} if one.answer == "blind" else lambda student, teacher: None
    assert not one.check(stub).passed


@pytest.mark.parametrize(("name", "mistake"), **each(MISTAKES))
def test_mistakes(name, mistake):
    assert exercise(name).check(mistake.function) == not_yet(mistake.message)


@pytest.mark.parametrize(("name", "slip"), **each(SLIPS))
def test_slips(name, slip):
    right = solve(exercise(name))

    def slipped(student, teacher):
        return slip.factor(student=student, teacher=teacher) * right(student, teacher)

    assert exercise(name).check(slipped) == not_yet(slip.message)


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a, b: None, "`return`"),
        (lambda a, b: float("nan"), "nan"),
        (lambda a: 0, "TypeError"),
        (3.0, "Hand in the function itself"),
        (lambda a, b: 1e-3, "too small"),
    ],
    ids=["nothing", "nan", "parameters", "called", "value"],
)
def test_other_wrong_answers_are_explained(name, answer, words):
    feedback = exercise(name).check(answer)
    assert not feedback.passed and words in feedback.message


def test_the_attention_loss_is_the_librarys():
    student, teacher = drawn(5, 3, 4, 4), drawn(5, 8, 4, 4, seed=8)
    own = solve(exercise("4.1"))(student, teacher)
    torch.testing.assert_close(own, feature.attention_transfer(student, teacher))


def test_the_angle_loss_is_twice_the_librarys_where_differences_are_small():
    teacher = drawn(6, 4)
    student = teacher + 0.1 * drawn(6, 4, seed=8)
    own = solve(exercise("5.1"))(student, teacher)
    torch.testing.assert_close(own, 2 * relation.angle_relation(student, teacher))


def test_the_regressor_explains_all_of_what_is_linear_and_little_of_noise():
    student = drawn(400, 5)
    explained = solve(exercise("4.2"))
    assert explained(student, student @ drawn(5, 7) + 3) == pytest.approx(1)
    assert explained(student, drawn(400, 7, seed=8)) < 0.05


def changed(letter, embeddings):
    """The changes of exercise 5.2, done."""
    width = embeddings.shape[1]
    turned = torch.linalg.qr(drawn(width, width, seed=9)).Q
    stretched = torch.cat([torch.tensor([2.0]), torch.ones(width - 1)]).double()
    exchanged = torch.tensor([1, 0, *range(2, len(embeddings))])
    return {
        "A": embeddings + 1.5,
        "B": 2 * embeddings,
        "C": embeddings @ turned,
        "D": embeddings[exchanged],
        "E": embeddings * stretched,
    }[letter]


@pytest.mark.parametrize("letter", relations.CHANGES)
def test_what_each_relation_is_blind_to_is_as_the_check_has_it(letter):
    student, teacher = drawn(9, 8), drawn(9, 12, seed=8)
    losses = {"distances": relation.distance_relation, "similarities": relation.similarity_preserving}
    for name, loss in losses.items():
        same = torch.isclose(loss(changed(letter, student), teacher), loss(student, teacher), rtol=1e-9)
        assert bool(same) == (letter in relations.BLIND[name]), (name, letter)


@pytest.mark.parametrize("letter", relations.CHANGES)
def test_a_wrong_letter_is_met_with_a_question(letter):
    right = {name: "".join(sorted(letters)) for name, letters in relations.BLIND.items()}
    wrong = "".join(sorted(relations.BLIND["distances"] ^ {letter}))
    message = f"distances: 4 of 5. Look at {letter} again: {relations._QUESTIONS[letter]}"
    assert exercise("5.2").check(right | {"distances": wrong}) == not_yet(message)


def test_other_answers_about_changes():
    check = exercise("5.2").check
    assert check({"distances": ["A", "B", "C"], "similarities": {"C", "B"}}).passed
    assert "two entries" in check({"distances": "A"}).message
    assert "letters from A to E" in check({"distances": "F", "similarities": "B"}).message
    assert "letters from A to E" in check({"distances": 3, "similarities": "B"}).message
