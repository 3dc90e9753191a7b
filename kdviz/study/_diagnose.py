"""The distillation doctor: does this set-up distil, and if not, why not?"""

import torch

from kdviz.study.case import Blocked, Case
from kdviz.study.checks import EVERY
from kdviz.study.copies import CannotCopy
from kdviz.study.feeding import Feed, as_model
from kdviz.study.findings import Diagnosis, Finding, Passed, Unchecked
from kdviz.study.stepping import wanted


def diagnose(
    teacher,
    student,
    data,
    *,
    objective=None,
    step=None,
    optimizer=None,
    cached_logits=None,
    runs=None,
    samples=2000,
):
    """Look at a distillation set-up and say what is wrong with it, with evidence and how to fix it.

    It looks at whatever it is handed and names the checks that it could not make. Models are copied and
    steps run on the copies; your models, optimizer and random generators stay as they are.

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
    """
    if step is not None:
        wanted(step)
    # Data of a kind that cannot be read is an error, not a finding.
    case = Case(
        teacher=None if teacher is None else as_model(teacher, "teacher"),
        student=as_model(student, "student"),
        feed=Feed(data, size=64, part="transfer"),
        objective=objective,
        step=step,
        optimizer=_checked_optimizer(optimizer),
        cached=_checked_cache(cached_logits, teacher),
        runs=runs,
        samples=samples,
    )
    results = [result for check in EVERY for result in _made(check, case)]
    return Diagnosis(
        *(
            tuple(
                {
                    (result.name, str(result)): result for result in results if isinstance(result, kind)
                }.values()
            )
            for kind in (Finding, Passed, Unchecked)
        )
    )


def _made(check, case):
    found = []
    try:
        found.extend(check(case))
    except Blocked as problem:
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
