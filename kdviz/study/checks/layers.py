"""Are the layers of the objective there, alive, and at depths that go together?"""

from itertools import count

import torch

from kdviz.losses.objective import Loss, Objective, as_objective
from kdviz.study.findings import Passed, finding, verdict
from kdviz.study.sandbox import copies, fixed_seed
from kdviz.study.setup import CannotCheck
from kdviz.tracing import Trace, call, device_of, hooked, logits_of, to_device


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
    labels = setup.labels[: len(setup.batches[0])].to(traces[0].logits.device)
    try:
        with torch.no_grad():
            learned = objective.initial(*traces)
            value, _ = objective(*traces, labels, learned)
    except Exception as problem:
        yield finding("objective_fails", f"{type(problem).__name__}: {problem}")
        return
    if torch.isfinite(value):
        yield Passed("objective_fails", f"value {float(value):.4g} on the first batch")
    else:
        yield finding("loss_not_finite/objective", f"value {float(value)}")


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
    """By path every (index in the order, output) of one forward pass of a copy in eval mode."""
    (model,) = copies(model)
    seen, order = {}, count(1)

    def note(path, module, output):
        seen.setdefault(path, []).append((next(order), logits_of(output) if path == "" else output))

    with torch.no_grad(), fixed_seed(), hooked(model.eval(), note):
        call(model, to_device(setup.batches[0].inputs, device_of(model)))
    return seen


def _depths(setup, model, paths):
    """Where each layer ends in the order of the forward pass, from 0 to 1."""
    seen = _seen(setup, model)
    last = max(index for runs in seen.values() for index, _ in runs)
    return {path: seen[path][0][0] / last for path in paths if path in seen}


CHECKS = (layers_there, layer_depths, objective_fails)
