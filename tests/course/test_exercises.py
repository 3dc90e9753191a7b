import time

import pytest
import torch
from exercise_answers import not_yet, solve
from torch.nn.functional import kl_div, log_softmax, softmax

from kdviz.course.exercises import exercise, exercises
from kdviz.course.exercises import n01_soft_targets as page
from kdviz.course.exercises.draws import logits_of_both
from kdviz.course.pages import pages as declared
from kdviz.losses import response

ALL = list(exercises().values())
NAMES = [one.name for one in ALL]


@pytest.fixture
def fresh(monkeypatch):
    """An exercise whose hints nobody has asked for yet."""
    one = exercise("1.1")
    monkeypatch.setattr(one, "_hints_given", 0)
    return one


def test_names_are_unique_and_numbered_by_notebook():
    pages = {}
    for name in NAMES:
        page, number = map(int, name.split("."))
        pages.setdefault(page, []).append(number)
    assert list(pages) == [int(page.number) for page in declared()]
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in pages.values())


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_solution_passes_its_own_check_in_a_moment(one):
    feedback = one.check(solve(one.name))
    assert feedback.passed, feedback.message
    # The first check may import what a notebook has imported long before.
    began = time.perf_counter()
    one.check(solve(one.name))
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_stub_of_the_notebook_is_not_yet_right(one):
    stub = {} if isinstance(solve(one.name), dict) else lambda *values: None
    assert not one.check(stub).passed


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_no_hint_gives_a_line_of_the_solution(one):
    lines = [line.strip() for line in one.source.splitlines()]
    telling = [line for line in lines if len(line) > 15 and not line.startswith("def ")]
    assert telling and len(one.hints) == 2
    assert not [line for line in telling if any(line in hint for hint in one.hints)]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_a_check_leaves_torchs_random_state_alone(one):
    answer, before = solve(one.name), torch.get_rng_state()
    one.check(answer)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("one", ALL, ids=NAMES)
@pytest.mark.parametrize("nonsense", [None, "0.9", [1, 2]])
def test_nonsense_is_answered_and_never_raises(one, nonsense):
    assert not one.check(nonsense).passed


# --- diagnoses; test_exercise_tables.py goes through all that are known by a wrong function


@pytest.mark.parametrize("recipe", page.RIGHT_WEIGHTS)
def test_convention_mistakes(recipe):
    for value, message in page.WRONG_WEIGHTS[recipe].items():
        feedback = exercise("1.5").check(page.RIGHT_WEIGHTS | {recipe: value})
        assert feedback == not_yet(message)


def test_two_slips_at_once_are_both_named():
    def as_torch_makes_it_easy(student, teacher, temperature):
        log_p, q = log_softmax(student / temperature, -1), softmax(teacher / temperature, -1)
        return kl_div(log_p, q, reduction="none").mean()

    message = exercise("1.1").check(as_torch_makes_it_easy).message
    assert "T² is missing" in message and "average over the classes" in message


def test_a_gradient_to_the_teacher_is_noticed():
    def attached(student, teacher, temperature):
        log_p, log_q = log_softmax(student / temperature, -1), log_softmax(teacher / temperature, -1)
        return temperature**2 * (log_q.exp() * (log_q - log_p)).sum(-1).mean()

    message = exercise("1.1").check(attached).message
    assert message.startswith("The value is right") and "reaches the teacher" in message


def test_a_loss_without_gradient_is_noticed():
    message = exercise("1.1").check(lambda s, t, T: response.soft_targets(s, t, T).item()).message
    assert message.startswith("The value is right") and "no gradient can flow" in message


def test_an_answer_that_stops_only_where_gradients_flow_is_told_so():
    def through_numpy(student, teacher, temperature):
        return response.soft_targets(torch.from_numpy(student.numpy()), teacher, temperature)

    message = exercise("1.1").check(through_numpy).message
    assert "RuntimeError" in message and "requires grad" in message


def test_a_partly_detached_student_is_noticed():
    def half(student, teacher, temperature):
        loss = response.soft_targets(student, teacher, temperature)
        return (loss + loss.detach()) / 2

    assert "the student's gradient is not" in exercise("1.1").check(half).message


def test_exchanged_arguments_of_kl_div_are_noticed():
    def exchanged(student, teacher, temperature):
        log_p, q = log_softmax(student / temperature, -1), softmax(teacher / temperature, -1)
        return temperature**2 * kl_div(q, log_p, reduction="batchmean")

    assert "`kl_div` wants the student's log-probabilities" in exercise("1.1").check(exchanged).message


def test_the_logarithm_of_a_softmax_fails_on_large_logits():
    def by_probabilities(student, teacher, temperature):
        p, q = softmax(student / temperature, -1), softmax(teacher.detach() / temperature, -1)
        return temperature**2 * (q * (q.log() - p.log())).sum(-1).mean()

    message = exercise("1.1").check(by_probabilities).message
    assert message.startswith(
        "Right on ordinary logits, but on logits of up to 1000: Your function returned nan"
    )


@pytest.mark.parametrize("name", ["1.1", "1.3", "3.1", "3.5"])
def test_logits_of_ten_thousand_are_tried_in_double_precision(name):
    def right_up_to_a_thousand(student, teacher, *rest):
        return solve(name)(student.clamp(-1000, 1000), teacher.clamp(-1000, 1000), *rest)

    message = exercise(name).check(right_up_to_a_thousand).message
    assert message.startswith("Right on logits of up to 1000, but on logits of up to 10,000:")


def test_double_precision_alone_is_not_enough():
    def double_only(student, teacher):
        centre = torch.eye(student.shape[-1]).double() - 1 / student.shape[-1]
        return ((student - teacher) @ centre).square().sum(-1).mean() / (2 * student.shape[-1])

    message = exercise("1.3").check(double_only).message
    assert message.startswith("Right in double precision, but in single") and "RuntimeError" in message


def test_a_limit_by_way_of_a_softmax_is_noticed():
    for loss in (response.soft_targets, solve("1.1")):
        message = exercise("1.3").check(lambda s, t, loss=loss: loss(s, t, 1e5)).message
        assert "The limit needs none" in message


@pytest.mark.parametrize(
    ("reduce", "words"),
    [
        (lambda values: values, "sum over the classes and the mean over the samples are missing"),
        (lambda values: values.sum(-1), "one value for each sample"),
        (lambda values: values.sum(0), "one value for each class"),
    ],
)
def test_what_was_not_reduced_is_named(reduce, words):
    assert words in exercise("1.1").check(lambda s, t, T: reduce(s - t)).message


def test_a_constant_factor_is_recognised():
    wrong = exercise("1.1").check(lambda s, t, T: 0.37 * response.soft_targets(s, t, T))
    assert "0.37 times the right one" in wrong.message


def test_an_unknown_mistake_says_what_came_out():
    assert "too small" in exercise("1.1").check(lambda s, t, T: torch.tensor(0.001)).message


def test_a_value_that_is_not_finite_is_explained():
    assert "logarithm of 0" in exercise("1.1").check(lambda s, t, T: float("nan")).message


def test_a_forgotten_return_is_noticed():
    assert "`return`" in exercise("1.1").check(lambda s, t, T: print(end="")).message


def test_an_exception_is_shown_with_its_place_and_the_call():
    def my_loss(student, teacher, temperature):
        raise ArithmeticError("I gave up")

    message = exercise("1.1").check(my_loss).message
    assert "`ArithmeticError: I gave up`" in message
    assert 'raise ArithmeticError("I gave up")' in message
    assert "my_loss(student_logits of shape (7, 5), teacher_logits of shape (7, 5), temperature=3)" in message


def test_a_wrong_number_of_parameters_shows_the_call():
    message = exercise("1.1").check(lambda student: 0).message
    assert "TypeError" in message and "temperature=3" in message


def test_a_called_function_is_noticed():
    assert "without calling it" in exercise("1.1").check(torch.tensor(2.0)).message


def test_a_temperature_that_misses_says_where_it_lands():
    message = exercise("1.2").check(lambda logits, bits: 1.0).message
    assert "too low" in message and "bits" in message
    assert "above 0" in exercise("1.2").check(lambda logits, bits: -1.0).message


# --- 1.4: wrong controls


def _shuffled(probabilities, labels, order):
    """Each image's wrong classes, put in the order that ``order(image, how many)`` gives."""
    result = probabilities.clone()
    for image, (row, label) in enumerate(zip(result, labels, strict=True)):
        wrong = torch.arange(len(row)) != label
        row[wrong] = row[wrong][order(image, len(row) - 1)]
    return result


def _in_place(probabilities, labels, generator):
    probabilities.copy_(probabilities.flip(-1))
    return probabilities


def _label_too(probabilities, labels, generator):
    return probabilities[:, torch.randperm(10, generator=generator)]


def _invented(probabilities, labels, generator):
    rest = torch.rand(probabilities.shape, generator=generator)
    return rest.scatter(1, labels[:, None], probabilities.gather(1, labels[:, None]))


def _one_for_all(probabilities, labels, generator):
    fixed = torch.randperm(9, generator=generator)
    return _shuffled(probabilities, labels, lambda image, n: fixed)


def _own_source(probabilities, labels, generator):
    # A source of its own, and a new one each time.
    own = torch.Generator()
    own.seed()
    return _shuffled(probabilities, labels, lambda image, n: torch.randperm(n, generator=own))


def _no_chance(probabilities, labels, generator):
    return _shuffled(probabilities, labels, lambda image, n: torch.arange(n).roll(image + 1))


def _first_image_only(probabilities, labels, generator):
    return _shuffled(
        probabilities,
        labels,
        lambda image, n: torch.arange(n) if image else torch.randperm(n, generator=generator),
    )


def _largest_kept(probabilities, labels, generator):
    result = probabilities.clone()
    for row, label in zip(result, labels, strict=True):
        row_without = row.clone()
        row_without[label] = -1
        rest = [c for c in range(len(row)) if c not in (int(label), int(row_without.argmax()))]
        row[rest] = row[rest][torch.randperm(len(rest), generator=generator)]
    return result


def _two_exchanged(probabilities, labels, generator):
    def order(image, n):
        first, second = torch.randperm(n, generator=generator)[:2]
        order = torch.arange(n)
        order[first], order[second] = second, first
        return order

    return _shuffled(probabilities, labels, order)


def _rolled(probabilities, labels, generator):
    def order(image, n):
        return torch.arange(n).roll(int(torch.randint(1, n, (1,), generator=generator)))

    return _shuffled(probabilities, labels, order)


def _nobody_stays(probabilities, labels, generator):
    """Drawn until no probability is where it was: then where it went still tells where it was not."""

    def order(image, n):
        while ((order := torch.randperm(n, generator=generator)) == torch.arange(n)).any():
            pass
        return order

    return _shuffled(probabilities, labels, order)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (_first_image_only, "96% of the images keep all"),
        (_largest_kept, "the largest of the wrong classes, for instance, stays in 100% of the images"),
        (_two_exchanged, "only 36 different orders"),
        (_rolled, "different orders occur"),
        (_nobody_stays, "stays in 0% of the images, and fair is 11%"),
        (lambda p, y, g: p.clone(), "Nothing was permuted"),
        (lambda p, y, g: p[:, :3], "same shape"),
        (lambda p, y, g: print(end=""), "NoneType"),
        (_in_place, "changed the tensor it was given"),
        (_label_too, "The label's probability moved"),
        (_invented, "make no new ones"),
        (_one_for_all, "share one permutation"),
        (_own_source, "equally seeded generators"),
        (_no_chance, "different seeds gave the same"),
    ],
)
def test_wrong_controls(wrong, words):
    feedback = exercise("1.4").check(wrong)
    assert not feedback.passed and words in feedback.message


def test_other_fair_shuffles_pass():
    """Without a loop, by sorting random numbers; and by exchanging two at a time, from the last one down."""

    def sorted_noise(probabilities, labels, generator):
        noise = torch.rand(probabilities.shape[0], probabilities.shape[1] - 1, generator=generator)
        wrong = torch.ones_like(probabilities, dtype=torch.bool).scatter(1, labels[:, None], False)
        rest = probabilities[wrong].view(noise.shape).gather(1, noise.argsort(1))
        return probabilities.clone().masked_scatter(wrong, rest)

    def exchanges(probabilities, labels, generator):
        def order(image, n):
            order = torch.arange(n)
            for last in range(n - 1, 0, -1):
                other = int(torch.randint(0, last + 1, (1,), generator=generator))
                order[[last, other]] = order[[other, last]]
            return order

        return _shuffled(probabilities, labels, order)

    assert exercise("1.4").check(sorted_noise).passed
    assert exercise("1.4").check(exchanges).passed


# --- 1.5: other answers


def test_conventions_agree_with_training_on_the_recipe_itself():
    """At the converted weight, the gradient points where the recipe's own gradient points."""
    call = logits_of_both(8, 10, seed=0)
    labels = torch.arange(8)

    def direction(loss):
        student = call["student_logits"].clone().requires_grad_()
        soft = response.soft_targets(student, call["teacher_logits"], 4.0)
        gradient = torch.autograd.grad(loss(response.cross_entropy(student, labels), soft), student)[0]
        return gradient / gradient.norm()

    recipes = {
        "A": lambda hard, soft: 0.1 * hard + 0.9 * soft,
        "B": lambda hard, soft: 0.1 * hard + 0.9 * soft / 4**2,
        "C": lambda hard, soft: 0.1 * hard + 0.9 * soft / 10,
    }
    for name, weight in page.RIGHT_WEIGHTS.items():
        kdviz = direction(lambda hard, soft, weight=weight: (1 - weight) * hard + weight * soft)
        assert torch.allclose(direction(recipes[name]), kdviz)


def test_conventions_other_answers():
    right, check = page.RIGHT_WEIGHTS, exercise("1.5").check
    assert "one number for each recipe" in check({"A": 0.5}).message
    assert "share from 0 to 1" in check(right | {"A": 1.5}).message
    assert "too small" in check(right | {"A": 0.5}).message
    assert check(right | {"A": "0.9"}).message == "Recipe A: hand in a number; got '0.9'."


# --- how exercises speak


def test_hints_come_one_after_the_other(fresh):
    assert str(fresh.hint()).startswith("**Hint 1 of 2.**")
    assert str(fresh.hint()).startswith("**Hint 2 of 2.**")
    assert str(fresh.hint()).startswith("**Hint 2 of 2.**")
    assert fresh.hints[0] in str(fresh.hint(1))
    with pytest.raises(ValueError, match="hints 1 to 2; got 3"):
        fresh.hint(3)


def test_an_exercise_prints_itself(fresh):
    for shown in (fresh._repr_markdown_(), repr(fresh)):
        assert "Exercise 1.1 · Write the soft-target loss · 10 minutes · ●●○ medium" in shown
        assert fresh.question in shown
    assert '`exercise("1.1").check(soft_targets)`' in repr(fresh)


def test_the_solution_is_shown_as_code(fresh):
    assert f"```python\n{fresh.source.strip()}\n```" in fresh.solution()._repr_markdown_()


def test_feedback_says_its_verdict_in_words():
    right, wrong = exercise("1.1").check(solve("1.1")), exercise("1.1").check(None)
    assert right._repr_markdown_().startswith("**✔ Right.**") and repr(right).startswith("✔ Right.")
    assert wrong._repr_markdown_().startswith("**✘ Not yet.**") and repr(wrong).startswith("✘ Not yet.")


def test_an_unknown_exercise_lists_those_there_are():
    with pytest.raises(ValueError, match=r"no exercise is named '9.9'; there are 0.1, 0.2"):
        exercise("9.9")
