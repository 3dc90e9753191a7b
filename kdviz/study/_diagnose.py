"""The distillation doctor: does this set-up distil, and if not, why not?"""

import warnings
from collections.abc import Callable, Mapping, Sequence

import torch

from kdviz.inputs.models import as_model
from kdviz.losses.checks import check_whole
from kdviz.losses.objective import Loss, Objective
from kdviz.study.checks import EVERY
from kdviz.study.findings import Diagnosis, Finding, Passed, Question, Unchecked
from kdviz.study.sandbox import random_state_kept
from kdviz.study.setup import CannotCheck, Setup
from kdviz.study.several_inputs import source_of
from kdviz.study.step_trace import step_arguments


def diagnose(
    teacher,
    student,
    data,
    *,
    objective: Objective | Loss | Callable | None = None,
    step: Callable | None = None,
    optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer] | None = None,
    optimizers: Sequence[torch.optim.Optimizer] = (),
    cached_logits: torch.Tensor | None = None,
    runs: Mapping[str, Sequence[float]] | None = None,
    samples: int = 2000,
    logits: int | str | Callable | None = None,
    answers: str | None = None,
) -> Diagnosis:
    """Look at a distillation set-up and say what is wrong with it, with evidence and how to fix it.

    It looks at whatever it is handed and names the checks that it could not make. Steps run on what is
    yours, and all that they reach is put back afterwards, also after an error: weights, buffers, gradients,
    modes, optimizers, schedules, scalers, moving averages, memory banks, meters, counters, batches and random
    generators. What cannot be put back, such as an open file or an iterator, is named in a warning before the
    first step is taken.

    Parameters
    ----------
    teacher : torch.nn.Module, a fitted scikit-learn model, or None where only cached logits are left
    student : torch.nn.Module
        As your loop has it when it takes a step, train or eval mode included.
    data : DataLoader, torch Dataset, tensors (inputs, labels) or a kdviz data set
        What the student trains on; best the very loader. A batch may carry row numbers as third entry.
    objective : Objective, Loss, or a function (student_logits, teacher_logits, labels) -> loss
        What you mean to minimise. With ``step``, the two are compared.
    step : function
        One training step, called by the names of its arguments: ``student``, ``batch`` or ``inputs``, and any
        of ``teacher``, ``optimizer``, ``optimizers``, ``batch_idx``, ``labels``, ``rows``, ``cached_logits``,
        ``teacher_logits`` (the cached logits of this batch). It returns the loss, or calls backward itself. A
        method of a trainer that holds the models will do.
    optimizer, optimizers : the torch.optim.Optimizer of the student; several where the step has several
    cached_logits : tensor (N, C)
        The teacher's logits, one row for each sample of the data set, in its order. A class that is
        masked is -inf.
    runs : {"distilled": [...], "baseline": [...]}
        A score for each seed, in the same order; higher is better.
    samples : int
        How many samples to look at, at least.
    logits : int, str or function
        Which part of what the models return holds the logits, where that is not plain: the number of an
        entry, the name of a key, or a function of the output.
    answers : {"classes", "binary", "labels", "numbers", "tokens", "pixels"}
        What the outputs are, where their shape and that of the labels do not tell.

    Returns
    -------
    Diagnosis
        Print it. ``findings`` holds what is wrong, ``questions`` what may be meant so, and ``passed`` and
        ``unchecked`` the other checks.

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
    check_whole("samples", samples, 1)
    # Data of a kind that cannot be read is an error, not a finding.
    source = source_of(data, size=64, part="transfer")
    setup = Setup(
        teacher=None if teacher is None else as_model(teacher, "teacher", source.columns),
        student=as_model(student, "student", source.columns),
        source=source,
        objective=objective,
        step=step,
        optimizers=[*_checked_optimizers(optimizer), *_checked_optimizers(optimizers)],
        cached=_checked_cache(cached_logits, teacher),
        runs=runs,
        samples=samples,
        pick=logits,
        answers=answers,
    )
    with random_state_kept(*source.generators):
        left = _told(setup)
        results = [result for check in EVERY for result in _made(check, setup)]
    # Two checks may find the same.
    results = {(result.name, str(result)): result for result in results}.values()
    return Diagnosis(
        *(
            tuple(one for one in results if type(one) is kind)
            for kind in (Finding, Question, Passed, Unchecked)
        ),
        not_put_back=left,
    )


def _told(setup):
    """What the step reaches and cannot be put back, told before it runs."""
    if setup.step is None or not setup.batches:
        return ()
    left = tuple(f"{name} ({what})" for name, what in setup.kept.strangers.items())
    if left:
        warnings.warn(
            "your step is run several times and all of yours is put back, but for what cannot be: "
            f"{', '.join(left)}. Leave that out of the step that you hand in, if it matters",
            stacklevel=3,
        )
    return left


def _made(check, setup):
    found = []
    try:
        found.extend(check(setup))
    except CannotCheck as problem:
        found.append(Unchecked(check.__name__, f"needs {problem}"))
    return found


def _checked_optimizers(given):
    given = [] if given is None else [given] if not isinstance(given, (list, tuple)) else given
    for one in given:
        if not isinstance(one, torch.optim.Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer; got {type(one).__name__}")
    return given


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
