"""The exercises of notebooks 04 and 05: the solutions against the library, and answers of other kinds."""

import pytest
import torch
from exercise_answers import not_yet, solve

from kdviz.course.exercises import exercise
from kdviz.course.exercises import n05_relations as page
from kdviz.losses import feature, relation


def drawn(*shape, seed=7):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_attention_loss_is_the_librarys():
    student, teacher = drawn(5, 3, 4, 4), drawn(5, 8, 4, 4, seed=8)
    own = solve("4.1")(student, teacher)
    torch.testing.assert_close(own, feature.attention_transfer(student, teacher))


def test_the_angle_loss_is_twice_the_librarys_where_differences_are_small():
    teacher = drawn(6, 4)
    student = teacher + 0.1 * drawn(6, 4, seed=8)
    own = solve("5.1")(student, teacher)
    torch.testing.assert_close(own, 2 * relation.angle_relation(student, teacher))


def test_the_regressor_explains_all_of_what_is_linear_and_little_of_noise():
    student = drawn(400, 5)
    explained = solve("4.2")
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


@pytest.mark.parametrize("letter", page.QUESTIONS)
def test_what_each_relation_is_blind_to_is_as_the_check_has_it(letter):
    student, teacher = drawn(9, 8), drawn(9, 12, seed=8)
    losses = {"distances": relation.distance_relation, "similarities": relation.similarity_preserving}
    for name, loss in losses.items():
        same = torch.isclose(loss(changed(letter, student), teacher), loss(student, teacher), rtol=1e-9)
        assert bool(same) == (letter in page.BLIND[name]), (name, letter)


@pytest.mark.parametrize("letter", page.QUESTIONS)
def test_a_wrong_letter_is_met_with_a_question(letter):
    right = {name: "".join(sorted(letters)) for name, letters in page.BLIND.items()}
    wrong = "".join(sorted(page.BLIND["distances"] ^ {letter}))
    message = f"distances: 4 of 5. Look at {letter} again: {page.QUESTIONS[letter]}"
    assert exercise("5.2").check(right | {"distances": wrong}) == not_yet(message)


def test_other_answers_about_changes():
    check = exercise("5.2").check
    assert check({"distances": ["A", "B", "C"], "similarities": {"C", "B"}}).passed
    assert check({"distances": "A, B, C", "similarities": "b c"}).passed
    assert "two entries" in check({"distances": "A"}).message
    assert "letters from A to E" in check({"distances": "F", "similarities": "B"}).message
    assert "letters from A to E" in check({"distances": 3, "similarities": "B"}).message


def learner(*changes):
    """The solution of 4.4 with some of its text replaced."""
    source = exercise("4.4").source
    for present, instead in changes:
        assert present in source
        source = source.replace(present, instead)
    scope = {}
    exec(source, scope)
    return scope["learn_by_hint"]


BOTH = "[*student.parameters(), *regressor.parameters()]"
FORGET, STEP = "        optimizer.zero_grad()\n", "        optimizer.step()\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([(BOTH, "regressor.parameters()")], "only the regressor has learned"),
        ([("student(images)", "student(images).detach()")], "only the regressor has learned"),
        ([(BOTH, "student.parameters()")], "Is it in the optimizer"),
        ([("return regressor", "return torch.nn.Linear(4, 12)")], "is it the one that learned"),
        ([(STEP, "")], "What moves the parameters"),
        ([(FORGET, "")], "Are old gradients forgotten"),
        ([("loss.backward()", "(-loss).backward()")], "Is its sign right"),
        ([("    regressor =", "    theirs = theirs.roll(1, 0)\n    regressor =")], "beside its own numbers"),
        ([("- theirs)", "- theirs[torch.randperm(120)])")], "The student has learned little"),
        ([(FORGET, FORGET + "        regressor = torch.nn.Linear(4, 12)\n")], "one and the same regressor"),
        ([("200", "10")], "Are there so many"),
        ([("0.02", "0.0002")], "200 steps of Adam at 0.02"),
        ([("Adam", "SGD")], "Nearly: "),
        ([("    return regressor", "    regressor")], "`return regressor`"),
        ([("return regressor", "return loss")], "returned a tensor of shape ()"),
        ([("return regressor", "return student")], "makes 12 numbers of the student's 4"),
        ([("    regressor =", "    theirs.zero_()\n    regressor =")], "your function changed one of them"),
        ([("images, theirs):", "images):")], "TypeError"),
    ],
)
def test_a_hint_that_is_not_learned_is_told_why(changes, words):
    feedback = exercise("4.4").check(learner(*changes))
    assert not feedback.passed and words in feedback.message


@pytest.mark.parametrize(
    "changes",
    [
        [("Linear(4, 12)", "Linear(4, 12, bias=False)")],
        [(".square().sum(-1).mean() / 2", ".square().mean()")],
        [("optimizer.zero_grad()", "student.zero_grad(), regressor.zero_grad()")],
        [(FORGET, ""), (STEP, STEP + FORGET)],
        [(f"parameters = {BOTH}", "parameters = torch.nn.ModuleList([student, regressor]).parameters()")],
    ],
)
def test_a_hint_may_be_learned_in_other_ways(changes):
    feedback = exercise("4.4").check(learner(*changes))
    assert feedback.passed, feedback.message


# --- 5.4: another image of the same class


def class_by_class(order):
    """Puts the rows of each class into the order that ``order(how many, generator)`` gives."""

    def answer(labels, generator):
        result = torch.arange(len(labels))
        for label in labels.unique():
            rows = (labels == label).nonzero().flatten()
            result[rows] = rows[order(len(rows), generator)]
        return result

    return answer


def nobody_stays(count, generator):
    while ((order := torch.randperm(count, generator=generator)) == torch.arange(count)).any():
        pass
    return order


def mostly_the_next(count, generator):
    shift = 1 if torch.rand((), generator=generator) < 0.7 else 2
    return torch.arange(count).roll(shift)


def own_source(count, generator):
    own = torch.Generator()
    own.seed()
    return nobody_stays(count, own)


def labels_overwritten(labels, generator):
    labels.zero_()
    return torch.arange(len(labels))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda y, g: torch.arange(len(y)), "17 of 17 images keep their own"),
        (class_by_class(lambda n, g: torch.randperm(n, generator=g)), "keep their own features"),
        (class_by_class(lambda n, g: torch.randint(n, (n,), generator=g)), "Some image is taken twice"),
        (class_by_class(lambda n, g: torch.arange(n).roll(1)), "different seeds gave the same order"),
        (class_by_class(own_source), "Two calls with equally seeded generators"),
        (class_by_class(mostly_the_next), "more often than others"),
        (lambda y, g: torch.randperm(len(y), generator=g), "of another class"),
        (lambda y, g: y.sort().indices, "of another class"),
        (lambda y, g: torch.arange(len(y)).double(), "whole numbers"),
        (lambda y, g: list(range(len(y))), "returned a list"),
        (lambda y, g: torch.arange(5), "17 whole numbers"),
        (lambda y, g: print(end=""), "`return`"),
        (labels_overwritten, "changed the labels"),
    ],
)
def test_a_wrong_exchange_is_told_why(wrong, words):
    feedback = exercise("5.4").check(wrong)
    assert not feedback.passed and words in feedback.message


def test_an_exchange_may_be_drawn_in_other_ways():
    def all_at_once(labels, generator):
        mixed = torch.randperm(len(labels), generator=generator)
        mixed = mixed[labels[mixed].argsort(stable=True)]
        ends = labels.unique(return_counts=True)[1].cumsum(0)
        before = mixed.roll(1)
        before[[0, *ends[:-1].tolist()]] = mixed[ends - 1]
        return torch.empty_like(labels).scatter(0, mixed, before)

    for answer in (all_at_once, class_by_class(nobody_stays)):
        feedback = exercise("5.4").check(answer)
        assert feedback.passed, feedback.message


def test_the_exchange_is_that_of_the_experiment():
    """As often as not another order, but with the properties that the exercise asks for."""
    from kdviz.course.experiments.n04_features import shuffled
    from kdviz.datasets import digits

    data = digits(labels=60, transfer="labelled", seed=3)
    order, labels = shuffled(data, within_class=True), data.transfer.labels
    own = solve("5.4")(labels, torch.Generator().manual_seed(3))
    for one in (order, own):
        assert torch.equal(labels[one], labels) and torch.equal(one.sort().values, torch.arange(60))
        assert not (one == torch.arange(60)).any()
