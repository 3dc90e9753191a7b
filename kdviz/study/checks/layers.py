"""Are the layers of the objective there, alive, and at depths that go together?"""

from itertools import count

import torch

from kdviz.inputs.models import logits_in, outputs_of
from kdviz.losses.objective import Loss, Objective, as_objective
from kdviz.study.findings import finding, verdict
from kdviz.study.sandbox import fixed_seed
from kdviz.study.setup import CannotCheck, targets
from kdviz.tracing import Trace, evaluating, hooked


def layers_there(setup):
    objective = _objective(setup)
    missing = [
        f"{path!r} of the {who}"
        for who, model, paths in _sides(setup, objective)
        for path in paths
        if path not in dict(model.named_modules())
    ]
    if missing:
        yield finding("layer_unknown", ", ".join(missing))
        return
    for who, model, paths in _sides(setup, objective):
        seen = _seen(setup, model)
        often = [path for path in paths if len(seen.get(path, ())) > 1]
        never = [path for path in paths if path not in seen]
        yield verdict(
            often or never,
            "layer_never_runs" if never and not often else "layer_runs_twice",
            ", ".join(f"{path!r} runs {len(seen.get(path, ()))} times" for path in often + never),
            f"{who}: {', '.join(paths)} run once",
            who=who,
        )
        if not often and not never:
            yield from _alive(who, paths, seen)


def _alive(who, paths, seen):
    for path in paths:
        values = seen[path][0][1]
        if not isinstance(values, torch.Tensor) or not values.is_floating_point():
            continue
        spread = float(values.double().std(0).max()) if len(values) > 1 else 1.0
        yield verdict(
            spread <= 1e-7 * max(1.0, float(values.abs().max())),
            "layer_dead",
            f"{path!r}: largest standard deviation over the samples {spread:.2g}",
            f"{who}, {path}: standard deviation up to {spread:.3g}",
            who=who,
        )


def layer_depths(setup):
    """Pairs of layers should be about equally deep in their networks, and in the same order."""
    objective = _objective(setup)
    (_, student, ours), (_, teacher, theirs) = _sides(setup, objective)
    ours, theirs = _depths(setup, student, ours), _depths(setup, teacher, theirs)
    pairs = [
        (mine, other)
        for part in objective.parts
        for mine, other in zip(part.loss.student_layers, part.loss.teacher_layers, strict=False)
        if mine in ours and other in theirs
    ]
    if not pairs:
        raise CannotCheck("layers that are there and run")
    evidence = "; ".join(f"{m} at {ours[m]:.0%} – teacher's {o} at {theirs[o]:.0%}" for m, o in pairs)
    far = max(abs(ours[mine] - theirs[other]) for mine, other in pairs)
    turned = any((ours[a] - ours[c]) * (theirs[b] - theirs[d]) < 0 for a, b in pairs for c, d in pairs)
    key = "layer_depths" if far > 0.4 else "layer_depths/crossed"
    yield verdict(far > 0.4 or turned, key, evidence)


def objective_fails(setup):
    """The objective itself, called once on the first batch."""
    if not isinstance(setup.objective, (Loss, Objective)) or setup.teacher is None:
        raise CannotCheck("objective= as a kdviz objective, and the teacher")
    objective = as_objective(setup.objective)
    traces = []
    for _, model, paths in _sides(setup, objective):
        seen = _seen(setup, model)
        if not all(path in seen for path in paths):
            raise CannotCheck("layers that are there and run")
        traces.append(Trace(seen[""][0][1], {path: seen[path][0][1] for path in paths}))
    if not all(trace.logits.is_floating_point() for trace in traces):
        raise CannotCheck("logits that are fractions")
    labels = _first_labels(setup)
    if setup.kind.is_dense:
        if objective.student_layers:
            raise CannotCheck("answers of one row a sample, for an objective that reads layers")
        traces = [Trace(setup.kind.positions(trace.logits)[setup.spots[0]]) for trace in traces]
    traces = [
        Trace(trace.logits.detach().requires_grad_(), {p: f.detach() for p, f in trace.features.items()})
        for trace in traces
    ]
    student = traces[0]
    for feature in student.features.values():
        feature.requires_grad_(feature.is_floating_point())
    try:
        with torch.enable_grad():
            learned = objective.initial(*traces)
            value, _ = objective(*traces, labels, learned)
    except Exception as problem:
        yield finding("objective_fails", f"{type(problem).__name__}: {problem}")
        return
    if not torch.isfinite(value):
        yield finding("loss_not_finite/objective", f"value {float(value)}")
        return
    yield _constant(setup, value, [student.logits, *student.features.values()])


def _first_labels(setup):
    batch = setup.batches[0]
    outputs = setup.outputs("student")[0]
    if batch.labels is None:
        return None
    found = targets(setup.kind, batch, outputs)
    return found[setup.spots[0]] if setup.kind.is_dense else found.reshape(setup.kind.label_shape(outputs))


def _constant(setup, value, moved):
    """Whether an objective has no slope at all where the student is, and is no lesson there."""
    evidence = f"value {float(value.detach()):.4g} on the first batch"
    moved = [part for part in moved if part.requires_grad]
    slopes = torch.autograd.grad(value, moved, allow_unused=True) if value.requires_grad else []
    size = sum(float(slope.double().norm()) for slope in slopes if slope is not None)
    apart = float((setup.outputs("student")[0] - setup.outputs("teacher")[0]).abs().max())
    single = setup.outputs("student")[0][0].numel() == 1
    evidence += f", gradient {size:.3g}"
    bad = size == 0 and apart > 0
    key = "one_logit" if single else "loss_constant"
    return verdict(bad, key, f"{evidence}, though teacher and student differ by up to {apart:.3g}", evidence)


def _objective(setup):
    if not isinstance(setup.objective, (Loss, Objective)):
        raise CannotCheck("objective= as a kdviz objective that reads layers")
    objective = as_objective(setup.objective)
    if not objective.student_layers:
        raise CannotCheck("an objective that reads layers")
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    return objective


def _sides(setup, objective):
    yield "student", setup.student, objective.student_layers
    yield "teacher", setup.teacher, objective.teacher_layers


def _seen(setup, model):
    """By path every (index in the order, output) of one forward pass in eval mode."""
    seen, order = {}, count(1)
    if isinstance(model, torch.jit.ScriptModule):
        raise CannotCheck("models of Python: what happens inside a ScriptModule cannot be watched")

    def note(path, module, output):
        output = logits_in(output, setup.pick) if path == "" else output
        output = output.clone() if isinstance(output, torch.Tensor) else output
        seen.setdefault(path, []).append((next(order), output))

    with torch.no_grad(), fixed_seed(), setup.kept, evaluating(model), hooked(model, note):
        outputs_of(model, setup.batches[0], pick=setup.pick)
    return seen


def _depths(setup, model, paths):
    """Where each layer ends in the order of the forward pass, from 0 to 1."""
    seen = _seen(setup, model)
    last = max(index for runs in seen.values() for index, _ in runs)
    return {path: seen[path][0][0] / last for path in paths if path in seen}


CHECKS = (layers_there, layer_depths, objective_fails)
