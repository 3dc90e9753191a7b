"""Notebook 12: a step mended by the doctor's findings, a model with one logit, and one of other classes."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from kdviz.course.exercises.asking import ask, kind_of
from kdviz.course.exercises.base import NotYet
from kdviz.course.exercises.diagnosis import Grader
from kdviz.seeding import seeded

# --- 12.1 a step to mend


def _patient():
    """A teacher that knows three clouds of points, a student that does not, and the points."""
    with seeded(12):
        centres, labels = 3 * torch.randn(3, 6), torch.arange(192) % 3
        inputs = centres[labels] + torch.randn(192, 6)
        teacher = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))
        student = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Dropout(0.1), nn.Linear(6, 3))
        optimizer = torch.optim.Adam(teacher.parameters(), lr=0.02)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(teacher(inputs), labels).backward()
            optimizer.step()
    return teacher.eval(), student.train(), inputs, labels


def grade_my_step(answer: Callable) -> dict[str, float]:
    from torch.utils.data import DataLoader, TensorDataset

    from kdviz.losses.response import CrossEntropy, SoftTargets
    from kdviz.study import diagnose

    teacher, student, inputs, labels = _patient()
    optimizer = torch.optim.Adam(student.parameters(), lr=0.01)
    try:
        # A step with dropout and a loader that shuffles both draw: from a seed of their own.
        with seeded(0):
            asked = _try_once(answer, teacher, student, inputs, labels)
            found = diagnose(
                teacher,
                student,
                DataLoader(TensorDataset(inputs, labels), batch_size=32, shuffle=True),
                step=answer,
                optimizer=optimizer,
                objective=0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4),
            )
    except TypeError as problem:
        raise NotYet(f"The doctor cannot call your step: {problem}") from None
    if found.findings:
        first = found.findings[0]
        left = f" ({len(found.findings)} findings in all.)" if len(found.findings) > 1 else ""
        raise NotYet(f"The doctor still finds `{first.name}`: {first.what} {first.evidence}.{left}")
    if not any(check.name == "form_of_the_loss" for check in found.passed):
        if asked > 1:
            raise NotYet(
                f"Your step asks the student {asked} times for one batch. With dropout these are {asked} "
                "different answers, so the two terms do not speak of the same one. Ask once and use the "
                "logits twice."
            )
        raise NotYet("The doctor cannot read the loss off your step. Does the step call `backward()`?")
    return {"passed": len(found.passed)}


def _try_once(answer, teacher, student, inputs, labels):
    """A step on copies; how often it asks the student."""
    teacher, student = copy.deepcopy(teacher), copy.deepcopy(student)
    optimizer = torch.optim.Adam(student.parameters(), lr=0.01)
    batch = {"inputs": inputs[:32], "labels": labels[:32]}
    asked = []
    student.register_forward_hook(lambda *call: asked.append(True))
    with seeded(0):
        ask(answer, teacher=teacher, student=student, optimizer=optimizer, **batch)
    return len(asked)


# --- 12.2 a model with one logit


@Grader
def grade_two_logits(answer: Callable) -> None:
    z = torch.linspace(-6, 6, 25, dtype=torch.float64)
    given = ask(answer, z=z)
    if given is None:
        raise NotYet("Your function returned `None`. Does it end with `return`?")
    if not isinstance(given, torch.Tensor) or given.shape != (25, 2):
        shape = tuple(given.shape) if isinstance(given, torch.Tensor) else type(given).__name__
        raise NotYet(f"It should return a tensor of shape (N, 2), here (25, 2); it returned {shape}.")
    if not given.isfinite().all():
        raise NotYet("Some of your logits are not finite numbers.")
    if not torch.allclose(given.double().softmax(1)[:, 1], z.sigmoid(), atol=1e-6):
        for mistake in grade_two_logits.mistakes:
            if torch.allclose(given.double().softmax(1), mistake.function(z).softmax(1), atol=1e-6):
                raise NotYet(mistake.message)
        raise NotYet(
            "The softmax of your two logits does not give sigmoid(z) for class 1: at z = 2 it gives "
            f"{float(_softmax_at(answer, 2.0)):.3f}, it should give 0.881."
        )
    z = torch.tensor([-200.0, 200.0], dtype=torch.float64)
    if not torch.allclose(ask(answer, z=z).log_softmax(1), logsigmoid(torch.stack([-z, z], 1))):
        raise NotYet(
            "Right for small z, but at z = 200 a probability of 0 was lost on the way. Do not go through "
            "probabilities; the logits can be had from z at once."
        )


def _softmax_at(answer, z):
    return ask(answer, z=torch.full((25,), z, dtype=torch.float64)).double().softmax(1)[0, 1]


@grade_two_logits.mistake
def the_wrong_way_round(z):
    """The softmax of your logits gives yes and no exchanged: class 1 is *yes*, so its logit must be the
    second column."""
    return torch.stack([z, torch.zeros_like(z)], 1)


@grade_two_logits.mistake
def twice_as_sure(z):
    """Your network is surer than the one you were given: at z = 1 it says 0.88, sigmoid says 0.73. Only
    the *difference* of the two logits counts. How large is it?"""
    return torch.stack([-z, z], 1)


@grade_two_logits.mistake
def probabilities(z):
    """These are probabilities. A softmax will be taken of what you return, so return logits."""
    return torch.stack([1 - z.sigmoid(), z.sigmoid()], 1)


# --- 12.3 a teacher of other classes

_COLUMNS = [7, 0, 4]


class _Foreign(nn.Module):
    """A teacher of twelve classes with dropout, which answers with a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 12))

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.layers(inputs)}


def grade_wrapped(answer: Callable) -> None:
    with seeded(3):
        teacher, inputs = _Foreign().eval(), torch.randn(8, 5)
        model = ask(answer, teacher=teacher, columns=list(_COLUMNS))
        if model is None:
            raise NotYet("Your function returned `None`. Does it end with `return`?")
        if not isinstance(model, nn.Module):
            raise NotYet(
                f"Your function should return a model, an `nn.Module`; it returned {kind_of(model)}. Only a "
                "module has the `.eval()` and `.parameters()` that `compare`, `diagnose` and optimizers need."
            )
        said = ask(model.forward, inputs=inputs)
        _check_columns(said, teacher(inputs)["logits"].detach())
        _check_it_is_one_model(model, said, teacher)


def _check_columns(said: Any, logits: torch.Tensor) -> None:
    """Whether the logits are those of the three classes, up to a constant for each sample."""
    if isinstance(said, dict):
        raise NotYet("Your model still answers with a dictionary. Take the tensor out of it.")
    if not isinstance(said, torch.Tensor) or said.shape != (8, 3):
        raise NotYet(
            f"For 8 inputs and 3 columns your model should give shape (8, 3); it gave {kind_of(said)}."
        )
    expected, said = logits[:, _COLUMNS], said.detach()
    if torch.allclose(said.sort(1).values, expected.sort(1).values) and not torch.allclose(said, expected):
        raise NotYet("The classes are the right ones, in another order. Keep the order of `columns`.")
    if (said >= 0).all() and (said <= 1).all():
        raise NotYet("These are probabilities. A softmax will be taken of what you return: return logits.")
    if not torch.allclose(said.softmax(1), expected.softmax(1), atol=1e-5):
        raise NotYet("The logits are not the teacher's for these classes. Which columns did you take?")


def _check_it_is_one_model(model: nn.Module, said: torch.Tensor, teacher: nn.Module) -> None:
    """Whether the teacher stands in the model, with its modes, its weights and its gradients."""
    own = {id(weights) for weights in teacher.parameters()}
    found = {id(weights) for weights in model.parameters()}
    if not found:
        raise NotYet(
            "Your model has no parameters: the teacher is not registered in it. Keep it as an attribute of "
            "its own, set after `super().__init__()`."
        )
    if not own <= found:
        raise NotYet("The weights in your model are copies. It should hold the teacher itself.")
    model.train()
    in_train = teacher.training
    model.eval()
    if not in_train or teacher.training:
        raise NotYet("`.train()` and `.eval()` of your model do not reach the teacher in it.")
    if not said.requires_grad:
        raise NotYet(
            "No gradient comes through your model: something is detached or under `no_grad`. Whoever asks "
            "what an answer rests on needs it."
        )
