"""A reader's own training step, run on copies and watched."""

import inspect
from dataclasses import dataclass, field
from functools import partial

import torch

from kdviz.study.sandbox import copies, fixed_seed, restored
from kdviz.tracing import device_of, logits_of, to_device

ARGUMENTS = (
    "teacher",
    "student",
    "optimizer",
    "batch",
    "inputs",
    "labels",
    "rows",
    "cached_logits",
    "teacher_logits",
)

# How torch's own error begins to say that a loss was cut off from all weights.
_NOTHING_TO_LEARN = "does not require grad"


@dataclass
class ForwardPass:
    """One forward pass that was seen: what went in, what came out, and which modules were training."""

    inputs: tuple
    logits: torch.Tensor
    training: list[str]
    gradient: torch.Tensor | None = None


@dataclass
class StepTrace:
    """What one step did to copies of teacher, student and optimizer."""

    loss: float | None = None
    teacher_passes: list[ForwardPass] = field(default_factory=list)
    student_passes: list[ForwardPass] = field(default_factory=list)
    gradients: dict[str, torch.Tensor] = field(default_factory=dict)
    teacher_gradients: list[str] = field(default_factory=list)
    student_changed: list[str] = field(default_factory=list)
    teacher_changed: list[str] = field(default_factory=list)
    others: list[torch.Tensor] = field(default_factory=list)
    # The step called backward() on a loss that hangs on no weight.
    cut: bool = False


def take_step(step, teacher, student, optimizer, batch, cached, disturb=False):
    """Run the step once, with the same random numbers every time, and say what was seen.

    ``disturb`` exchanges what the teacher knows: its weights get noise and its answers, or the cached
    ones, go to other samples. What the student is taught must then change.
    """
    with fixed_seed(), restored(step):
        # All hooks are on the copies, which nobody keeps.
        teacher, student, optimizer, batch = copies(teacher, student, optimizer, batch)
        if disturb:
            cached = None if cached is None else cached.roll(1, 0)
            _disturb(teacher)
        seen = StepTrace()
        _watch(teacher, student, seen)
        before = _state(teacher), _state(student)
        try:
            loss = _loss(step(**_arguments(step, teacher, student, optimizer, batch, cached)))
        except RuntimeError as problem:
            if _NOTHING_TO_LEARN not in str(problem):
                raise
            loss, seen.cut = None, True
        if loss is not None:
            # Where the step left the backward pass to its caller, it is made here.
            if loss.requires_grad and not seen.gradients:
                loss.backward()
            seen.loss = float(loss.detach())
            seen.others = _leaves(loss, [] if teacher is None else teacher.parameters(), student.parameters())
        seen.teacher_changed, seen.student_changed = (
            _changed(before[0], teacher),
            _changed(before[1], student),
        )
        return seen


def take_steps(step, teacher, student, optimizer, batch, cached, count=2, clear=False):
    """Run the step several times in turn, and give the student's weights before and after each.

    ``clear`` takes away the gradients that a step has left.
    """
    with fixed_seed(), restored(step):
        teacher, student, optimizer, batch = copies(teacher, student, optimizer, batch)
        states = [_parameters(student)]
        for _ in range(count):
            step(**_arguments(step, teacher, student, optimizer, batch, cached))
            states.append(_parameters(student))
            if clear:
                optimizer.zero_grad()
                student.zero_grad()
        return states


def _arguments(step, teacher, student, optimizer, batch, cached):
    device = device_of(student)
    labels = None if batch.labels is None else batch.labels.to(device)
    rows = None if cached is None or batch.rows is None else batch.rows.to(cached.device)
    there = {
        "teacher": teacher,
        "student": student,
        "optimizer": optimizer,
        "batch": batch.given,
        "inputs": to_device(batch.inputs, device),
        "labels": labels,
        "rows": batch.rows,
        "cached_logits": cached,
        "teacher_logits": None if rows is None else cached[rows].to(device),
    }
    return {name: there[name] for name in step_arguments(step)}


def step_arguments(step):
    """The names of the step's arguments, checked to be such as can be filled in."""
    asked = inspect.signature(step).parameters.values()
    asked = [one for one in asked if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    unknown = [one.name for one in asked if one.name not in ARGUMENTS and one.default is one.empty]
    names = [one.name for one in asked if one.name in ARGUMENTS]
    if unknown or "student" not in names:
        raise TypeError(
            "your step is called on copies, by the names of its arguments: it must take `student`, and may "
            f"take {', '.join(f'`{name}`' for name in ARGUMENTS if name != 'student')}. Yours takes "
            f"{', '.join(one.name for one in asked) or 'nothing'}; wrap it in a function with those names"
        )
    return names


def _loss(returned):
    """The loss among what the step returned, where it is a tensor."""
    if isinstance(returned, dict):
        returned = returned.get("loss")
    elif isinstance(returned, (tuple, list)) and returned:
        returned = returned[0]
    if isinstance(returned, (int, float)):
        return torch.tensor(float(returned))
    return returned if isinstance(returned, torch.Tensor) and returned.numel() == 1 else None


def _watch(teacher, student, seen):
    """Note every forward pass of both copies, and each gradient that reaches one of their weights."""
    _follow(student, seen.student_passes)
    for name, weights in student.named_parameters():
        _on_gradient(weights, partial(_add, seen.gradients, name))
    if teacher is not None:
        _follow(teacher, seen.teacher_passes)
        shared = {id(weights) for weights in student.parameters()}
        for name, weights in teacher.named_parameters():
            if id(weights) not in shared:
                _on_gradient(weights, lambda gradient, name=name: seen.teacher_gradients.append(name))


def _on_gradient(weights, note):
    if weights.requires_grad:
        weights.register_hook(lambda gradient: note(gradient.detach().clone()))


def _follow(model, passes):
    def note(module, arguments, named, output):
        logits = logits_of(output)
        training = [path for path, each in module.named_modules() if each.training]
        held = (*arguments, *named.values())
        tensors = tuple(part.detach() for part in held if isinstance(part, torch.Tensor))
        seen = ForwardPass(tensors, logits.detach().clone(), training)
        passes.append(seen)
        if logits.requires_grad:
            logits.register_hook(lambda gradient: setattr(seen, "gradient", gradient.detach()))

    model.register_forward_hook(note, with_kwargs=True)


def _add(gradients, name, gradient):
    gradients[name] = gradients[name] + gradient if name in gradients else gradient


def _disturb(teacher):
    if teacher is None:
        return
    # The step's own draws, dropout's for one, must stay the same.
    with torch.no_grad(), torch.random.fork_rng():
        for weights in teacher.parameters():
            if weights.is_floating_point():
                size = weights.std() if weights.numel() > 1 else weights.abs().mean()
                weights.add_(torch.randn_like(weights) * (size + 1e-3))
    teacher.register_forward_hook(_to_other_samples)


def _to_other_samples(module, arguments, output):
    logits = logits_of(output)
    moved = logits.roll(1, 0)
    if isinstance(output, torch.Tensor):
        return moved
    if isinstance(output, (tuple, list)):
        return type(output)([moved, *output[1:]]) if type(output) in (tuple, list) else None
    if isinstance(output, dict):
        output["logits"] = moved
        return output
    output.logits = moved
    return output


def _parameters(model):
    return {name: weights.detach().clone() for name, weights in model.named_parameters()}


def _state(model):
    """Copies of a model's weights and buffers by name; none where there is no model."""
    held = [] if model is None else [*model.named_parameters(), *model.named_buffers()]
    return {name: value.detach().clone() for name, value in held}


def _changed(before, model):
    after = _state(model)
    return [name for name in after if not torch.equal(after[name].nan_to_num(), before[name].nan_to_num())]


def _leaves(loss, *known):
    """Weights that the loss depends on and that belong to neither model."""
    known = {id(weights) for model in known for weights in model}
    found, met, waiting = {}, set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in met:
            continue
        met.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, torch.Tensor) and id(leaf) not in known:
            found[id(leaf)] = leaf
        waiting.extend(following for following, _ in node.next_functions)
    return list(found.values())
