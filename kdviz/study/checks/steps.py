"""What happens in one of your own steps: it is run on copies and watched."""

import math

import torch

from kdviz.study.checks.models import mode_effect
from kdviz.study.findings import Passed, finding, verdict
from kdviz.study.setup import CannotCheck, StepFailed
from kdviz.study.step_trace import step_arguments


def step_fails(setup):
    try:
        seen = setup.stepped
    except StepFailed as problem:
        yield finding("step_fails", setup.why(problem))
        return
    if seen.student_passes or seen.gradients:
        yield Passed("step_fails", f"{len(seen.student_passes)} forward passes of the student")
    else:
        yield finding("student_not_used", "0 forward passes of the student, 0 gradients")


def loss_not_finite(setup):
    seen = setup.stepped
    bad = [name for name, gradient in seen.gradients.items() if not gradient.isfinite().all()]
    yield verdict(
        bad or (seen.loss is not None and not math.isfinite(seen.loss)),
        "loss_not_finite",
        f"loss {seen.loss}; {len(bad)} of {len(seen.gradients)} gradients are not finite",
        f"{len(seen.gradients)} gradients, all finite",
    )


def student_learns_nothing(setup):
    seen = used(setup)
    size = _size(seen.gradients)
    able = [weights.requires_grad for weights in setup.student.parameters()]
    why = "; backward() stops, since the loss hangs on no weight" if seen.cut else ""
    yield verdict(
        size == 0,
        "student_learns_nothing",
        f"0 of {len(able)} parameters get one{why}",
        f"the gradient at the student's weights has length {size:.3g}",
        detached=": it is detached from the loss" if seen.cut and any(able) else "",
    )


def teacher_has_no_effect(setup):
    """The student's gradient must change when the teacher says something else."""
    seen, again = setup.stepped, setup.stepped_again
    size = _size(seen.gradients)
    if size == 0 or not math.isfinite(size):
        raise CannotCheck("a finite gradient at the student")
    if setup.teacher is not None and not seen.teacher_passes and not setup.step_uses("teacher"):
        raise CannotCheck("a step that asks the teacher that was handed in; yours asks another, or a cache")
    chance = _apart(seen.gradients, again.gradients) / size
    if chance > 1e-3:
        raise CannotCheck(
            f"a step that does the same twice; with equal random numbers yours differs by {chance:.2g}"
        )
    moved = _apart(seen.gradients, setup.stepped_disturbed.gradients) / size
    calls = len(seen.teacher_passes)
    evidence = (
        f"with another teacher's answers the student's gradient changes by {moved:.2g} of its length; "
        f"{calls} forward pass{'' if calls == 1 else 'es'} of the teacher in the step"
    )
    yield verdict(moved <= max(1e-6, 10 * chance), "teacher_has_no_effect", evidence)


def teacher_not_frozen(setup):
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    seen = setup.stepped
    weights = dict(setup.teacher.named_parameters())
    moved = [name for name in seen.teacher_changed if name in weights]
    reached = len(set(seen.teacher_gradients))
    yield verdict(
        moved or reached,
        "teacher_not_frozen",
        f"{reached} of {len(weights)} parameters get a gradient, {len(moved)} change",
        f"0 of {len(weights)} parameters get a gradient",
        changes=" and changes it" if moved else "",
    )


def student_in_eval_mode(setup):
    passes = setup.stepped.student_passes
    if not passes:
        raise CannotCheck("a step that calls the student")
    if any(one.training for one in passes):
        yield Passed("student_in_eval_mode", f"{len(passes[0].training)} modules are in train mode")
        return
    effect = mode_effect(setup, "student", [path for path, _ in setup.student.named_modules()])
    evidence = f"0 modules in train mode; its logits would move by {effect:.2g} of their size"
    yield verdict(effect > 1e-5, "student_in_eval_mode", evidence, "the student answers alike in both modes")


def other_inputs(setup):
    seen = setup.stepped
    if len(seen.teacher_passes) != 1 or len(seen.student_passes) != 1:
        raise CannotCheck("a step in which teacher and student are each called once")
    theirs, ours = (passes[0].inputs for passes in (seen.teacher_passes, seen.student_passes))
    pairs = [(a, b) for a, b in zip(theirs, ours, strict=False) if a.shape == b.shape and a.numel()]
    if not pairs:
        raise CannotCheck("inputs of one shape for both; other sizes cannot be compared")
    alike = min(_correlation(*(part.double().cpu().nan_to_num() for part in pair)) for pair in pairs)
    evidence = f"in the median sample the two inputs correlate at {alike:.3f}"
    yield verdict(alike < 0.98, "other_inputs", evidence)


def _correlation(theirs, ours):
    """The correlation of each sample's values: 1 for another scaling, lower for another view."""
    if torch.equal(theirs, ours):
        return 1.0
    if len(theirs) < 2 or theirs[0].numel() < 3:
        return float((theirs == ours).double().mean())
    # Each position is compared over its own mean, so that pictures do not look alike by being pictures.
    theirs, ours = ((part - part.mean(0)).flatten(1) for part in (theirs, ours))
    theirs, ours = (part - part.mean(1, keepdim=True) for part in (theirs, ours))
    return float(torch.cosine_similarity(theirs, ours, eps=1e-12).median())


def student_stands_still(setup):
    seen = _moving(setup)
    weights = dict(setup.student.named_parameters())
    moved = [name for name in seen.student_changed if name in weights]
    still = seen.gradients and not moved and not _way(*setup.stepped_often)
    when = "in one step" if moved or not seen.gradients else "in the first step, but they do within 16"
    yield verdict(
        still,
        "student_stands_still",
        f"{len(seen.gradients)} parameters have gradients, 0 change, in 16 steps too",
        f"{len(moved)} of {len(weights)} parameters change {when}",
    )


def gradients_accumulate(setup):
    """Two steps in turn must move the student as if the first had left no gradient behind."""
    _moving(setup)
    left, cleared = setup.stepped_twice
    sizes = [_apart(*left[:2]), _apart(*left[1:])]
    if not all(0 < size < math.inf for size in sizes):
        raise CannotCheck("a step that moves the student each time; to gather gradients over several is fine")
    chance = _apart(left[1], cleared[1]) / sizes[0]
    if chance > 1e-3:
        raise CannotCheck(
            f"a step that does the same twice; with equal random numbers yours differs by {chance:.2g}"
        )
    apart = _apart(left[2], cleared[2]) / sizes[1]
    evidence = f"without the gradients that the first leaves, the second step goes {apart:.2g} of its way off"
    yield verdict(apart > max(1e-3, 10 * chance), "gradients_accumulate", evidence)


def _moving(setup):
    """The step, where it moves the student itself."""
    seen = setup.stepped
    if not setup.moved_by:
        raise CannotCheck("optimizer=")
    takes = {"optimizer", "optimizers"} & {*step_arguments(setup.step)}
    # A trainer that takes the gradient also moves the student, by the optimizer that it holds.
    if not takes and (seen.backward_left or not setup.step_reaches(torch.optim.Optimizer)):
        raise CannotCheck("a step that takes the argument `optimizer` and moves the student with it")
    if seen.cut:
        raise CannotCheck("a gradient at the student")
    return seen


def overwritten_layer(setup):
    """A hook keeps the tensor itself, and a ReLU that works in place writes over it."""
    seen = setup.stepped
    yield verdict(
        seen.overwritten,
        "overwritten_layer",
        "; ".join(seen.overwritten),
        f"{len(seen.hooked_layers)} layers with hooks of your own",
    )


def _way(*states):
    """How far the student is from where it began."""
    return _apart(states[0], states[-1])


def used(setup):
    """The step, where it calls the student that it is given."""
    if not setup.stepped.student_passes and not setup.stepped.gradients:
        raise CannotCheck("a step that calls the student")
    return setup.stepped


def _size(gradients):
    return float(sum(gradient.double().square().sum() for gradient in gradients.values())) ** 0.5


def _apart(gradients, others):
    total = 0.0
    for name in {*gradients, *others}:
        a, b = gradients.get(name), others.get(name)
        difference = b if a is None else a if b is None else a - b
        total += float(difference.double().square().sum())
    return total**0.5


CHECKS = (
    step_fails,
    loss_not_finite,
    student_learns_nothing,
    teacher_has_no_effect,
    teacher_not_frozen,
    student_in_eval_mode,
    other_inputs,
    student_stands_still,
    gradients_accumulate,
    overwritten_layer,
)
