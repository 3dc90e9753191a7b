"""The exercises of notebook 03: the solutions against the library, and answers of other kinds."""

import itertools
from functools import partial

import pytest
import torch
from exercise_answers import not_yet, solve
from torch.nn.functional import kl_div, log_softmax

from kdviz.course.exercises import exercise
from kdviz.losses import response

PUSHES = exercise("3.4").grade
TEACHER, STUDENT, LABEL = (3.0, 2.5, 0.0, -2.0), (2.0, -2.0, 1.0, 1.5), 0
LOSSES = {
    "hard labels": lambda z, teacher, label: response.cross_entropy(z, label),
    "soft targets": lambda z, teacher, label: response.soft_targets(z, teacher, 1.0),
    "reverse KL": lambda z, teacher, label: response.reverse_kl(z, teacher, 1.0),
    "NCKD": lambda z, teacher, label: response.other_classes(z, teacher, label, 1.0),
    "logit matching": lambda z, teacher, label: response.logit_matching(z, teacher),
}


def push(name):
    """Minus the gradient of the loss of that name by the student's logits, on the exercise's one image."""
    z = torch.tensor([STUDENT], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([TEACHER], dtype=torch.float64)
    return -torch.autograd.grad(LOSSES[name](z, teacher, torch.tensor([LABEL])), z)[0][0]


def test_the_solutions_agree_with_the_library_on_other_numbers():
    generator = torch.Generator().manual_seed(9)
    z, teacher = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
    found = solve("3.1")(z, teacher, 3.0)
    assert torch.allclose(found, response.reverse_kl(z, teacher, 3.0, form="scaled"))
    dist = response.prediction_correlation(z, teacher, 1.0, 1.0, 0.0)
    assert torch.allclose(solve("3.3")(z, teacher), dist)
    labels = torch.arange(7) % 5
    conditional = response.conditional_targets(z, teacher, labels, 1.0, form="scaled")
    assert torch.allclose(solve("3.5")(z, teacher, labels), conditional)


def test_the_share_is_the_factor_of_the_identity():
    generator = torch.Generator().manual_seed(10)
    z, teacher = torch.randn(2, 1, 5, generator=generator, dtype=torch.float64)
    label = torch.tensor([3])
    share = solve("3.2")(teacher, label, 2.0)
    target, others = (f(z, teacher, label, 2.0) for f in (response.target_class, response.other_classes))
    assert torch.allclose(response.soft_targets(z, teacher, 2.0), target + share * others)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(PUSHES.right, 2)))
def test_two_pushes_taken_for_each_other_are_met_with_a_question(first, second):
    swapped = PUSHES.right | {first: PUSHES.right[second], second: PUSHES.right[first]}
    feedback = exercise("3.4").check(swapped)
    assert feedback == not_yet(f"3 of 5. Push {first}: {PUSHES.questions[first]}")
    assert PUSHES.right[first] not in PUSHES.questions[first]


def test_other_answers_about_pushes():
    check = exercise("3.4").check
    assert "one loss for each push" in check({"A": "NCKD"}).message
    assert "'DKD' is not on the list: hard labels, soft" in check(PUSHES.right | {"D": "DKD"}).message


def test_the_riddle_can_be_solved_from_what_its_hints_say():
    rows = {name: push(name) for name in LOSSES}
    p, q = (torch.softmax(torch.tensor(z), -1) for z in (STUDENT, TEACHER))
    assert [name for name, row in rows.items() if abs(row[LABEL]) < 1e-9] == ["NCKD"]
    assert [name for name, row in rows.items() if abs(row.sum()) > 0.01] == ["logit matching"]
    assert [name for name, row in rows.items() if (row > 0).tolist() == [True, False, False, False]] == [
        "hard labels"
    ]
    assert torch.allclose(rows["soft targets"].float(), q - p, atol=1e-6)
    assert rows["reverse KL"][1] < 0.1 < rows["soft targets"][1] and p[1] < 0.01
    assert PUSHES.choices == list(LOSSES)
    shown = exercise("3.4").question
    for name, probabilities in (("student", p), ("teacher", q)):
        line = next(line for line in shown.splitlines() if line.startswith(f"| {name} |"))
        assert [float(cell) for cell in line.split("|")[2:6]] == pytest.approx(
            probabilities.tolist(), abs=0.006
        )
    for name, row in rows.items():
        letter = next(letter for letter, sender in PUSHES.right.items() if sender == name)
        line = next(line for line in shown.splitlines() if f"**{letter}**" in line)
        told = [float(cell.replace("−", "-")) for cell in line.split("|")[2:6]]
        assert told == pytest.approx(row.tolist(), abs=0.006)


def test_a_loss_of_a_library_is_not_an_answer():
    def of_torch(student, teacher, temperature):
        log_p, log_q = (log_softmax(each / temperature, -1) for each in (student, teacher))
        return temperature**2 * kl_div(log_q, log_p, reduction="batchmean", log_target=True)

    for answer in (of_torch, partial(response.reverse_kl, form="scaled")):
        assert "a library made it" in exercise("3.1").check(answer).message
