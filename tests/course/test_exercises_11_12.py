"""The exercises of notebooks 11 and 12: the solutions against the library, and answers of other kinds."""

import copy

import pytest
import torch
from exercise_answers import solve
from scipy import stats
from torch import nn

from kdviz.course.exercises import exercise
from kdviz.measure import calibration_error


def test_two_logits_that_are_not_returned():
    assert "`return`" in exercise("12.2").check(lambda z: print(end="")).message


def test_the_solution_works_on_the_logits_of_a_comparison():
    teacher = torch.eye(3)[[0, 1, 2, 0]]
    student = torch.eye(3)[[0, 1, 1, 0]]
    labels = torch.tensor([0, 1, 2, 1])
    # The teacher is wrong on the last sample only, and so is the student; class 2 is lost.
    assert solve("11.1")(student, teacher, labels) == 1
    assert solve("11.2")(student, teacher, labels) == -1


# Each takes one mend out of the solution of 12.1 and says what the feedback must name.
UNMENDED = {
    "student_in_eval_mode": ("student.train()", "student.eval()"),
    "teacher_not_frozen": ("with torch.no_grad():", "if True:"),
    "temperature_squared": ("4**2 * ", ""),
    "gradients_accumulate": ("    optimizer.zero_grad()\n", ""),
    "student_stands_still": ("    optimizer.step()\n", ""),
    "reduction": ('"batchmean"', '"mean"'),
    "log_forgotten": ("log_softmax(z / 4, 1), q", "softmax(z / 4, 1), q"),
    "NameError": ("z = student(inputs)", "pass"),
    "asks the student 2 times": ("cross_entropy(z, labels)", "cross_entropy(student(inputs), labels)"),
}


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("words", UNMENDED)
def test_a_fault_left_in_the_step_is_named(words):
    source, (right, wrong) = exercise("12.1").source, UNMENDED[words]
    assert right in source
    scope = {}
    exec(source.replace(right, wrong), scope)
    feedback = exercise("12.1").check(scope["my_step"])
    assert not feedback.passed and words in feedback.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda z: z, "shape (N, 2)"),
        (lambda z: torch.stack([z - z, z / 2], 1), "does not give sigmoid(z)"),
        (lambda z: torch.stack([1 - z.sigmoid(), z.sigmoid()], 1).clamp(1e-12).log(), "z = 200"),
        (lambda z: torch.stack([(1 - z.sigmoid()).log(), z.sigmoid().log()], 1), "z = 200"),
        (lambda z: torch.stack([z - z, z / 0], 1), "finite"),
    ],
)
def test_two_logits_of_a_wrong_kind(answer, words):
    feedback = exercise("12.2").check(answer)
    assert not feedback.passed and words in feedback.message


def test_the_calibration_error_is_the_librarys():
    logits = 2 * torch.randn(300, 6, generator=torch.Generator().manual_seed(1)).double()
    labels = torch.arange(300) % 6
    confidence, answers = logits.softmax(1).max(1)
    for bins in (4, 15):
        own = solve("11.3")(confidence, answers == labels, bins)
        assert float(own) == pytest.approx(calibration_error(logits, labels, bins))


def test_the_correlation_of_ranks_is_spearmans():
    first, second = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(2)).double()
    expected = [
        stats.spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(first, second, strict=True)
    ]
    assert float(solve("11.4")(first, second)) == pytest.approx(sum(expected) / 5)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("11.3", lambda c, right, bins: calibration_error(_with_confidence(c), 1 - right.long(), bins)),
        ("11.4", lambda first, second: _by_scipy(first, second)),
    ],
)
def test_what_a_library_worked_out_is_not_an_answer(name, answer):
    assert "a library made" in exercise(name).check(answer).message


def _with_confidence(confidence):
    """Logits of many classes whose first choice is class 0, with that probability."""
    rest = ((1 - confidence) / 20).log()
    return torch.cat([confidence.log()[:, None], rest[:, None].expand(-1, 20)], 1)


def _by_scipy(first, second):
    found = [stats.spearmanr(a.flatten(), b.flatten())[0] for a, b in zip(first, second, strict=True)]
    return sum(found) / len(found)


# --- 12.3: models that are handed in


class Handed(nn.Module):
    """A model that holds the teacher as it is told, and answers by a function of both."""

    def __init__(self, held, columns, answer):
        super().__init__()
        self.held, self.columns, self.answer = held, columns, answer

    def forward(self, inputs):
        return self.answer(self.held, inputs, self.columns)


def wrapping(answer, hold=lambda teacher: teacher):
    return lambda teacher, columns: Handed(hold(teacher), columns, answer)


def chosen(teacher, inputs, columns):
    return teacher(inputs)["logits"][:, columns]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (wrapping(chosen, copy.deepcopy), "are copies"),
        (wrapping(lambda t, x, c: t[0](x)["logits"][:, c], lambda t: [t]), "no parameters"),
        (wrapping(lambda t, x, c: {"logits": chosen(t, x, c)}), "still answers with a dictionary"),
        (wrapping(lambda t, x, c: t(x)["logits"]), "should give shape (8, 3)"),
        (wrapping(lambda t, x, c: chosen(t, x, sorted(c))), "in another order"),
        (wrapping(lambda t, x, c: t(x)["logits"][:, :3]), "Which columns did you take?"),
        (wrapping(lambda t, x, c: chosen(t, x, c).softmax(1)), "These are probabilities"),
        (wrapping(lambda t, x, c: chosen(t, x, c).detach()), "No gradient comes through"),
        (wrapping(lambda t, x, c: t(x)[:, c]), "TypeError"),
        (lambda teacher, columns: lambda x: chosen(teacher, x, columns), "it returned a function"),
        (lambda teacher, columns: teacher, "still answers with a dictionary"),
        (lambda teacher, columns: print(end=""), "`return`"),
        (lambda teacher: teacher, "TypeError"),
    ],
)
def test_a_model_that_is_no_wrapper_is_told_why(answer, words):
    feedback = exercise("12.3").check(answer)
    assert not feedback.passed and words in feedback.message


def test_a_teacher_that_does_not_hear_eval_is_noticed():
    class Deaf(Handed):
        def train(self, mode=True):
            self.training = mode
            return self

    feedback = exercise("12.3").check(lambda teacher, columns: Deaf(teacher, columns, chosen))
    assert "do not reach the teacher" in feedback.message


@pytest.mark.parametrize(
    "answer",
    [
        wrapping(lambda t, x, c: t(x)["logits"].index_select(1, torch.tensor(c))),
        wrapping(lambda t, x, c: torch.stack([t(x)["logits"][:, column] for column in c], 1)),
        # Logits are free up to a constant for each sample.
        wrapping(lambda t, x, c: t(x)["logits"].log_softmax(1)[:, c]),
        wrapping(lambda t, x, c: t[0](x)["logits"][:, c], lambda t: nn.ModuleList([t])),
    ],
)
def test_a_wrapper_may_be_written_in_other_ways(answer):
    feedback = exercise("12.3").check(answer)
    assert feedback.passed, feedback.message
