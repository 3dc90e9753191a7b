"""Do the optimizers move the student, all of it, and nothing else?"""

from kdviz.study.checks.models import holds_teacher
from kdviz.study.checks.steps import used
from kdviz.study.findings import verdict
from kdviz.study.setup import CannotCheck


def optimizer_without_student(setup):
    held, able = _held(setup.optimizers), [w for w in setup.student.parameters() if w.requires_grad]
    inside = sum(id(weights) in held for weights in able)
    yield verdict(
        able and not inside,
        "optimizer_without_student",
        f"{len(held)} parameters in the optimizer, 0 of the student's {len(able)}",
        f"holds {inside} of the student's {len(able)} parameters",
    )


def teacher_in_optimizer(setup):
    held = _held(setup.optimizers)
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    # Weights that both share are a finding of their own, but for a student that has the teacher as a part.
    ours = () if holds_teacher(setup) else {id(weights) for weights in setup.student.parameters()}
    theirs = [
        name
        for name, weights in setup.teacher.named_parameters()
        if id(weights) in held and id(weights) not in ours and weights.requires_grad
    ]
    evidence = f"{len(theirs)} of the teacher's parameters are in it: {', '.join(theirs[:3])}"
    yield verdict(theirs, "teacher_in_optimizer", evidence, "moves none of the teacher's parameters")


def learning_rate_zero(setup):
    _held(setup.optimizers)
    groups = (group for optimizer in setup.optimizers for group in optimizer.param_groups)
    rates = [float(group["lr"]) for group in groups if "lr" in group]
    yield verdict(rates and max(rates) <= 0, "learning_rate_zero", f"learning rates {rates}")


def learned_part_left_out(setup):
    """A regressor or log-variance of a loss that gets gradients, and that no optimizer moves."""
    _held(setup.optimizers)
    held, others = _held(setup.moved_by), used(setup).others
    left = [leaf for leaf in others if id(leaf) not in held]
    shapes = ", ".join(str(tuple(leaf.shape)) for leaf in left)
    evidence = f"{len(left)} tensors get gradients, of shape {shapes}"
    yield verdict(left, "learned_part_left_out", evidence, f"{len(others)} weights outside the models")


def _held(optimizers):
    if not optimizers:
        raise CannotCheck("optimizer=")
    groups = (group for optimizer in optimizers for group in optimizer.param_groups)
    return {id(weights) for group in groups for weights in group["params"]}


CHECKS = (optimizer_without_student, teacher_in_optimizer, learning_rate_zero, learned_part_left_out)
