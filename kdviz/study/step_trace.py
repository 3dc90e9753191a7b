"""A reader's own training step, run on what is hers, watched, and everything put back."""

import inspect
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import torch

from kdviz.inputs.models import logits_in
from kdviz.seeding import random_state_kept
from kdviz.study.loss_calls import LossCalls
from kdviz.study.sandbox import Snapshot, fixed_seed
from kdviz.tracing import device_of, to_device

ARGUMENTS = (
    "teacher",
    "student",
    "optimizer",
    "optimizers",
    "batch",
    "batch_idx",
    "inputs",
    "labels",
    "rows",
    "cached_logits",
    "teacher_logits",
)

# How torch's own errors begin to say that a loss was cut off from all weights, and that a step which hands
# back its loss has been through it already.
_NOTHING_TO_LEARN = "does not require grad"
_LEARNED_ALREADY = "backward through the graph a second time"


@dataclass
class ForwardPass:
    """One forward pass that was seen: what went in, what came out, and which modules were training."""

    inputs: tuple
    logits: torch.Tensor
    training: list[str]
    gradient: torch.Tensor | None = None


@dataclass
class StepTrace:
    """What one step did to teacher, student and optimizer."""

    loss: float | None = None
    teacher_passes: list[ForwardPass] = field(default_factory=list)
    student_passes: list[ForwardPass] = field(default_factory=list)
    gradients: dict[str, torch.Tensor] = field(default_factory=dict)
    teacher_gradients: list[str] = field(default_factory=list)
    student_changed: list[str] = field(default_factory=list)
    teacher_changed: list[str] = field(default_factory=list)
    others: list[torch.Tensor] = field(default_factory=list)
    calls: LossCalls = field(default_factory=LossCalls)
    hooked: list = field(default_factory=list)
    hooked_layers: set = field(default_factory=set)
    # Of the layers that the reader hooks, those whose output a later layer has changed.
    overwritten: list[str] = field(default_factory=list)
    # The step returned a loss whose gradient it had not taken, as one does that a trainer calls.
    backward_left: bool = False
    # The step called backward() on a loss that hangs on no weight.
    cut: bool = False


def take_step(setup, disturb=False, answers=None):
    """Run the step once, with the same random numbers every time, and say what was seen.

    ``disturb`` exchanges what the teacher knows: its weights get noise and its answers, or the cached
    ones, go to other samples. What the student is taught must then change. ``answers`` stand in place of
    the student's logits, whose gradient is then that at these answers.
    """
    seen, teacher, student = StepTrace(calls=LossCalls(setup.class_axis)), setup.teacher, setup.student
    with fixed_seed(), setup.kept, ExitStack() as hooks:
        cached = setup.cached
        if disturb:
            cached = None if cached is None else cached.roll(1, 0)
            _disturb(setup, hooks)
        if answers is not None:
            stand_in = partial(_answering, setup.pick, lambda logits: answers + (logits - logits.detach()))
            hooks.callback(student.register_forward_hook(stand_in).remove)
        _watch(setup, seen, hooks)
        _stop_logging(setup)
        before = _state(teacher), _state(student)
        try:
            with seen.calls:
                returned = setup.step(**_arguments(setup, cached))
            loss = _loss(returned)
        except RuntimeError as problem:
            if _NOTHING_TO_LEARN not in str(problem):
                raise
            loss, seen.cut = None, True
        if loss is not None:
            seen.loss = float(loss.detach())
            known = [] if teacher is None else teacher.parameters()
            seen.others = _leaves(loss, known, student.parameters())
            _backward(loss, seen)
        seen.teacher_changed, seen.student_changed = (
            _changed(before[0], teacher),
            _changed(before[1], student),
        )
        seen.overwritten = _overwritten(seen.hooked)
    seen.hooked.clear()
    return seen


def _backward(loss, seen):
    """Where the step left the backward pass to its caller, it is made here."""
    if not loss.requires_grad or seen.gradients:
        return
    seen.backward_left = True
    try:
        loss.backward()
    except RuntimeError as problem:
        if _LEARNED_ALREADY not in str(problem):
            raise


def take_steps(setup, count=2, clear=False):
    """Run the step several times in turn, and give the student's weights before and after each.

    ``clear`` takes away the gradients that a step has left.
    """
    with fixed_seed(), setup.kept:
        states = [_parameters(setup.student)]
        _stop_logging(setup)
        for _ in range(count):
            setup.step(**_arguments(setup, setup.cached))
            states.append(_parameters(setup.student))
            if clear:
                for optimizer in setup.optimizers:
                    optimizer.zero_grad()
                setup.student.zero_grad()
        return states


def _stop_logging(setup):
    """Modules of Lightning log into the loop of their trainer, which does not run; kept puts theirs back."""
    for module in setup.kept.of_type(torch.nn.Module):
        if hasattr(module, "training_step") and hasattr(module, "log"):
            vars(module)["log"] = lambda *given, **named: None


def _arguments(setup, cached):
    device, batch = device_of(setup.student), setup.batch
    labels = None if batch.labels is None else batch.labels.to(device)
    rows = None if cached is None or batch.rows is None else batch.rows.to(cached.device)
    there = {
        "teacher": setup.teacher,
        "student": setup.student,
        "optimizer": setup.optimizers[0] if setup.optimizers else None,
        "optimizers": setup.optimizers,
        "batch": batch.given,
        "batch_idx": 0,
        "inputs": to_device(batch.inputs, device),
        "labels": labels,
        "rows": batch.rows,
        "cached_logits": cached,
        "teacher_logits": None if rows is None else cached[rows].to(device),
    }
    return {name: there[name] for name in step_arguments(setup.step)}


def step_arguments(step):
    """The names of the step's arguments, checked to be such as can be filled in."""
    asked = inspect.signature(step).parameters.values()
    asked = [one for one in asked if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    unknown = [one.name for one in asked if one.name not in ARGUMENTS and one.default is one.empty]
    names = [one.name for one in asked if one.name in ARGUMENTS]
    if unknown or not {"student", "batch", "inputs"} & {*names}:
        raise TypeError(
            "your step is called by the names of its arguments: `student`, `batch` or `inputs`, and any of "
            f"{', '.join(f'`{name}`' for name in ARGUMENTS if name not in ('student', 'batch', 'inputs'))}. "
            f"Yours takes {', '.join(one.name for one in asked) or 'nothing'}; wrap it in a function with "
            "those names"
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


def _watch(setup, seen, hooks):
    """Note every forward pass of both models, and each gradient that reaches one of their weights."""
    _watch_layers(setup, seen, hooks)
    _follow(setup, setup.student, "student", seen.student_passes, seen.calls, hooks)
    for name, weights in setup.student.named_parameters():
        _on_gradient(weights, partial(_add, seen.gradients, name), hooks)
    if setup.teacher is not None:
        _follow(setup, setup.teacher, "teacher", seen.teacher_passes, seen.calls, hooks)
        shared = {id(weights) for weights in setup.student.parameters()}
        for name, weights in setup.teacher.named_parameters():
            if id(weights) not in shared:
                _on_gradient(weights, lambda gradient, name=name: seen.teacher_gradients.append(name), hooks)


def _on_gradient(weights, note, hooks):
    if weights.requires_grad:
        hooks.callback(weights.register_hook(lambda gradient: note(gradient.detach().clone())).remove)


def _follow(setup, model, side, passes, calls, hooks):
    """Note the passes of a model, or, where a step calls its parts, those of the layer that ends it."""
    depth = [0]

    def enter(module, arguments, named=None):
        depth[0] += 1
        calls.inside += 1

    def note(module, arguments, named, output):
        depth[0] -= 1
        calls.inside -= 1
        _noted(setup, model, side, passes, calls, (*arguments, *named.values()), output)

    def note_alone(module, arguments, output):
        # Inside a pass of the whole model, that pass says it all.
        if not depth[0]:
            _noted(setup, model, side, passes, calls, (), output)

    hooks.callback(model.register_forward_pre_hook(enter, with_kwargs=True).remove)
    hooks.callback(model.register_forward_hook(note, with_kwargs=True).remove)
    last = setup.last_layer(side)
    if last is not None:
        hooks.callback(last.register_forward_hook(note_alone).remove)


def _noted(setup, model, side, passes, calls, given, output):
    logits = logits_in(output, setup.pick)
    training = [path for path, each in model.named_modules() if each.training]
    tensors = tuple(part.detach() for part in given if isinstance(part, torch.Tensor))
    seen = ForwardPass(tensors, logits.detach().clone(), training)
    passes.append(seen)
    calls.logits[side].append(seen.logits)
    if logits.requires_grad:
        logits.register_hook(lambda gradient: setattr(seen, "gradient", gradient.detach()))


def _watch_layers(setup, seen, hooks):
    """Keep what each layer that the reader hooks gave, to see whether what comes after it changes that."""
    for who, model in (("teacher", setup.teacher), ("student", setup.student)):
        for path, module in () if model is None else model.named_modules():
            note = partial(_kept_whole, seen, f"{path!r} of the {who}")
            hooks.callback(module.register_forward_hook(note).remove)


def _kept_whole(seen, name, module, arguments, output):
    theirs = [hook for hook in module._forward_hooks.values() if not _is_ours(hook)]
    if theirs and isinstance(output, torch.Tensor):
        seen.hooked.append((name, output, output.detach().clone(), theirs))
        seen.hooked_layers.add(name)


def _is_ours(hook):
    return getattr(getattr(hook, "func", hook), "__module__", "") == __name__


def _overwritten(hooked):
    """Layers whose output a reader's hook keeps, and which a layer that works in place has changed since."""
    found = []
    for name, output, was, hooks in hooked:
        if not torch.equal(output.detach().nan_to_num(), was.nan_to_num()):
            held = Snapshot(hooks=hooks).of_type(torch.Tensor)
            if any(each.data_ptr() == output.data_ptr() for each in held if each is not was):
                low, now = float(was.min()), float(output.detach().min())
                found.append(f"{name} (lowest value {low:.3g}, in what is kept {now:.3g})")
    return found


def _add(gradients, name, gradient):
    gradients[name] = gradients[name] + gradient if name in gradients else gradient


def _disturb(setup, hooks):
    teacher = setup.teacher
    if teacher is None:
        return
    # The step's own draws, dropout's for one, must stay the same.
    with torch.no_grad(), random_state_kept():
        for weights in teacher.parameters():
            if weights.is_floating_point():
                size = weights.std() if weights.numel() > 1 else weights.abs().mean()
                weights.add_(torch.randn_like(weights) * (size + 1e-3))
    roll = partial(_answering, setup.pick, lambda logits: logits.roll(1, 0))
    hooks.callback(teacher.register_forward_hook(roll).remove)


def _answering(pick, change, module, arguments, output):
    """The answer with other logits, in whatever form the model gives it."""
    logits = logits_in(output, pick)
    changed = change(logits)

    def other(part):
        return changed if part is logits else part

    if isinstance(output, torch.Tensor):
        return other(output)
    if isinstance(output, dict):
        for name, part in output.items():
            output[name] = other(part)
        return output
    if isinstance(output, (tuple, list)):
        parts = list(map(other, output))
        return output._make(parts) if hasattr(output, "_make") else type(output)(parts)
    for name, part in vars(output).items():
        setattr(output, name, other(part))
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
