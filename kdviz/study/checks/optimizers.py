"""Does the optimizer move the student, all of it, and nothing else?"""

from kdviz.study.checks.steps import used
from kdviz.study.findings import verdict
from kdviz.study.setup import CannotCheck


def optimizer_without_student(setup):
    held, able = _held(setup), [w for w in setup.student.parameters() if w.requires_grad]
    inside = sum(id(weights) in held for weights in able)
    yield verdict(
        able and not inside,
        "optimizer_without_student",
        f"{len(held)} parameters in the optimizer, 0 of the student's {len(able)}",
        f"holds {inside} of the student's {len(able)} parameters",
    )


def teacher_in_optimizer(setup):
    held = _held(setup)
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    ours = {id(weights) for weights in setup.student.parameters()}
    theirs = [n for n, w in setup.teacher.named_parameters() if id(w) in held and id(w) not in ours]
    evidence = f"{len(theirs)} of the teacher's parameters are in it: {', '.join(theirs[:3])}"
    yield verdict(theirs, "teacher_in_optimizer", evidence, "holds none of the teacher's parameters")


def learning_rate_zero(setup):
    _held(setup)
    rates = [float(group["lr"]) for group in setup.optimizer.param_groups if "lr" in group]
    yield verdict(rates and max(rates) <= 0, "learning_rate_zero", f"learning rates {rates}")


def learned_part_left_out(setup):
    """A regressor or log-variance of a loss that gets gradients, and that no optimizer moves."""
    held, others = _held(setup), used(setup).others
    left = [leaf for leaf in others if id(leaf) not in held]
    shapes = ", ".join(str(tuple(leaf.shape)) for leaf in left)
    evidence = f"{len(left)} tensors get gradients, of shape {shapes}"
    yield verdict(left, "learned_part_left_out", evidence, f"{len(others)} weights outside the models")


def _held(setup):
    if setup.optimizer is None:
        raise CannotCheck("optimizer=")
    return {id(weights) for group in setup.optimizer.param_groups for weights in group["params"]}


CHECKS = (optimizer_without_student, teacher_in_optimizer, learning_rate_zero, learned_part_left_out)
