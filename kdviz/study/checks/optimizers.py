"""Does the optimizer move the student, all of it, and nothing else?"""

from kdviz.study.checks.steps import used
from kdviz.study.findings import Finding, Passed
from kdviz.study.setup import CannotCheck


def optimizer_without_student(setup):
    held, able = _held(setup), [w for w in setup.student.parameters() if w.requires_grad]
    inside = sum(id(weights) in held for weights in able)
    if able and not inside:
        yield Finding(
            "optimizer_without_student",
            "The optimizer holds none of the student's weights.",
            f"{len(held)} parameters in the optimizer, 0 of the student's {len(able)}",
            "Make the optimizer after the student has its final layers: optimizer(student.parameters()).",
        )
    else:
        yield Passed("optimizer_without_student", f"holds {inside} of the student's {len(able)} parameters")


def teacher_in_optimizer(setup):
    held = _held(setup)
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    ours = {id(weights) for weights in setup.student.parameters()}
    theirs = [n for n, w in setup.teacher.named_parameters() if id(w) in held and id(w) not in ours]
    if theirs:
        yield Finding(
            "teacher_in_optimizer",
            "The optimizer also moves the teacher.",
            f"{len(theirs)} of the teacher's parameters are in it, the first is {theirs[0]}",
            "Give the optimizer student.parameters() only.",
        )
    else:
        yield Passed("teacher_in_optimizer", "holds none of the teacher's parameters")


def learning_rate_zero(setup):
    _held(setup)
    rates = [float(group["lr"]) for group in setup.optimizer.param_groups if "lr" in group]
    if rates and max(rates) <= 0:
        yield Finding(
            "learning_rate_zero",
            "The learning rate is 0, so nothing is learned.",
            f"learning rates {rates}",
            "Set a learning rate above 0; look at what the schedule makes of the first and last step.",
        )
    else:
        yield Passed("learning_rate_zero", f"learning rates {rates}")


def learned_part_left_out(setup):
    """A regressor or log-variance of a loss that gets gradients, and that no optimizer moves."""
    held = _held(setup)
    left = [leaf for leaf in used(setup).others if id(leaf) not in held]
    if left:
        yield Finding(
            "learned_part_left_out",
            "The loss has weights of its own that the optimizer does not hold.",
            f"{len(left)} tensors get gradients, the first of shape {tuple(left[0].shape)}",
            "Register them (nn.ParameterList, not a list) and add them: optimizer.add_param_group(...).",
        )
    else:
        yield Passed("learned_part_left_out", f"{len(setup.stepped.others)} weights outside the models")


def _held(setup):
    if setup.optimizer is None:
        raise CannotCheck("optimizer=")
    return {id(weights) for group in setup.optimizer.param_groups for weights in group["params"]}


CHECKS = (optimizer_without_student, teacher_in_optimizer, learning_rate_zero, learned_part_left_out)
