"""The distillation doctor: does this set-up distil, and if not, why not?"""

from collections.abc import Callable, Mapping, Sequence

import torch

from kdviz.losses.objective import Loss, Objective
from kdviz.study.batches import BatchSource
from kdviz.study.checks import EVERY
from kdviz.study.findings import Diagnosis, Finding, Passed, Unchecked
from kdviz.study.sandbox import CannotCopy, random_state_kept
from kdviz.study.setup import CannotCheck, Setup
from kdviz.study.sklearn_teacher import as_model
from kdviz.study.step_trace import step_arguments


def diagnose(
    teacher,
    student,
    data,
    *,
    objective: Objective | Loss | Callable | None = None,
    step: Callable | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    cached_logits: torch.Tensor | None = None,
    runs: Mapping[str, Sequence[float]] | None = None,
    samples: int = 2000,
) -> Diagnosis:
    """Look at a distillation set-up and say what is wrong with it, with evidence and how to fix it.

    It looks at whatever it is handed and names the checks that it could not make. Models and
    batches are copied and steps run on the copies; your models, optimizer and random generators stay as they
    are, also after an error.

    Parameters
    ----------
    teacher : torch.nn.Module, a fitted scikit-learn classifier, or None where only cached logits are left
    student : torch.nn.Module
        As your loop has it when it takes a step, train or eval mode included.
    data : DataLoader, torch Dataset, tensors (inputs, labels) or a kdviz data set
        What the student trains on; best the very loader. A batch may carry row numbers as third entry.
    objective : Objective, Loss, or a function (student_logits, teacher_logits, labels) -> loss
        What you mean to minimise. With ``step``, the two are compared.
    step : function
        One training step, called by the names of its arguments: ``student``, and any of ``teacher``,
        ``optimizer``, ``batch``, ``inputs``, ``labels``, ``rows``, ``cached_logits``,
        ``teacher_logits`` (the cached logits of this batch). It returns the loss, or calls backward itself.
    optimizer : torch.optim.Optimizer of the student
    cached_logits : tensor (N, C)
        The teacher's logits, one row for each sample of the data set, in its order.
    runs : {"distilled": [...], "baseline": [...]}
        A score for each seed, in the same order; higher is better.
    samples : int
        How many samples to look at, at least.

    Returns
    -------
    Diagnosis
        Print it. ``findings`` holds those found, ``passed`` and ``unchecked`` the other checks.

    Raises
    ------
    TypeError, ValueError
        What was handed in is not of a kind that can be looked at. All else is a finding.

    >>> import kdviz as kd
    >>> digits = kd.datasets.digits(labels=50)
    >>> teacher = kd.models.mlp(64, 16, 10)
    >>> kd.diagnose(teacher, teacher, digits, samples=100).names
    ['same_model', 'teacher_at_chance']
    """
    if step is not None:
        step_arguments(step)
    # Data of a kind that cannot be read is an error, not a finding.
    setup = Setup(
        teacher=None if teacher is None else as_model(teacher, "teacher"),
        student=as_model(student, "student"),
        source=BatchSource(data, size=64, part="transfer"),
        objective=objective,
        step=step,
        optimizer=_checked_optimizer(optimizer),
        cached=_checked_cache(cached_logits, teacher),
        runs=runs,
        samples=samples,
    )
    with random_state_kept(*setup.source.generators):
        results = [result for check in EVERY for result in _made(check, setup)]
    # Two checks may find the same.
    results = {(result.name, str(result)): result for result in results}.values()
    kinds = (Finding, Passed, Unchecked)
    return Diagnosis(*(tuple(one for one in results if isinstance(one, kind)) for kind in kinds))


def _made(check, setup):
    found = []
    try:
        found.extend(check(setup))
    except CannotCheck as problem:
        found.append(Unchecked(check.__name__, f"needs {problem}"))
    except CannotCopy as problem:
        found.append(Unchecked(check.__name__, str(problem)))
    return found


def _checked_optimizer(optimizer):
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer; got {type(optimizer).__name__}")
    return optimizer


def _checked_cache(logits, teacher):
    if logits is None:
        if teacher is None:
            raise TypeError("pass a teacher, or cached_logits= where the teacher is not there any more")
        return None
    logits = torch.as_tensor(logits)
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ValueError(
            "cached_logits must be a table of numbers with one row for each sample; got "
            f"{logits.dtype} of shape {tuple(logits.shape)}"
        )
    return logits.detach()
