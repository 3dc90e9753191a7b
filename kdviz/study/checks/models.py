"""Teacher and student by themselves: two models, that answer in logits, and a teacher worth learning from."""

import torch
from scipy.stats import binom

from kdviz.inputs.models import outputs_of
from kdviz.measure.numbering import other_numbering
from kdviz.measure.predictions import accuracy, calibration_error
from kdviz.study.findings import Passed, finding, verdict
from kdviz.study.loss_calls import watched_sigmoids
from kdviz.study.sandbox import fixed_seed
from kdviz.study.setup import CannotCheck, ModelStops
from kdviz.tracing import evaluating, hooked


def models_stop(setup):
    """Both models must answer on this data at all."""
    for who in ("teacher", "student"):
        if getattr(setup, who) is not None:
            try:
                count = len(setup.outputs(who))
            except ModelStops as problem:
                yield finding(f"{who}_stops", setup.why(problem))
            else:
                yield Passed(f"{who}_stops", f"answers in {count} batches")


def same_model(setup):
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    theirs = {id(weights) for weights in setup.teacher.parameters()}
    shared = [name for name, weights in setup.student.named_parameters() if id(weights) in theirs]
    if shared and holds_teacher(setup):
        own = len(list(setup.student.parameters())) - len(shared)
        yield Passed(
            "same_model", f"the student holds the teacher as a part, beside {own} parameters of its own"
        )
        return
    yield verdict(
        setup.student is setup.teacher or shared,
        "same_model",
        f"{len(shared)} shared parameters" + (f", among them {shared[0]}" if shared else ""),
        "no shared parameters",
    )


def holds_teacher(setup):
    """Whether the student is a module around both, as a training module of Lightning may be."""
    inside = any(module is setup.teacher for module in setup.student.modules())
    theirs = {id(weights) for weights in setup.teacher.parameters()}
    return inside and any(id(weights) not in theirs for weights in setup.student.parameters())


def student_frozen(setup):
    weights = list(setup.student.parameters())
    able = sum(one.requires_grad for one in weights)
    yield verdict(
        not able,
        "student_frozen",
        f"0 of {len(weights)} parameters have requires_grad",
        f"{able} of {len(weights)} parameters can learn",
    )


def class_mismatch(setup):
    ours = setup.kind.positions(setup.outputs("student")[0]).shape[1:]
    if setup.teacher is None:
        theirs = (1, setup.teacher_logits.shape[1])
    else:
        outputs = setup.outputs("teacher")[0]
        theirs = outputs.shape[1:] if outputs.ndim < 2 else setup.kind.positions(outputs).shape[1:]
    unit = f"{setup.kind.unit}s" if setup.kind.name in ("labels", "numbers") else "classes"
    # Of several labels and of numbers the positions are what is answered.
    place = 0 if setup.kind.name in ("labels", "numbers") else -1
    evidence = f"{theirs[place]} logits from the teacher, {ours[place]} from the student"
    if tuple(theirs) != tuple(ours) and theirs[place] == ours[place]:
        evidence = f"answers at {theirs[0]} positions from the teacher, at {ours[0]} from the student"
    yield verdict(tuple(theirs) != tuple(ours), "class_mismatch", evidence, f"both have {ours[place]} {unit}")


def outputs_not_finite(setup):
    for who, model, logits in _both(setup):
        # A class that is masked has the logit -inf, and the probability 0.
        masked = logits.isneginf() & ~setup.kind.has_numbers
        bad = int((~(logits.isfinite() | masked).all(1) | masked.all(1)).sum())
        yield verdict(
            bad,
            "outputs_not_finite",
            f"{bad} of {len(logits)} samples{_first_layer(setup, model) if bad else ''}",
            f"{who}: all of {len(logits)} samples are finite",
            who=who,
        )


def _first_layer(setup, model):
    """The layer in which the first value that is not finite comes up."""
    if model is None or isinstance(model, torch.jit.ScriptModule):
        return ""
    first = []

    def note(path, module, output):
        if isinstance(output, torch.Tensor) and not first and not output.isfinite().all():
            first.append(path)

    with torch.no_grad(), fixed_seed(), setup.kept, evaluating(model), hooked(model, note):
        for batch in setup.batches:
            outputs_of(model, batch, pick=setup.pick)
    return f"; first in layer {first[0]!r}" if first and first[0] else ""


def probabilities_for_logits(setup):
    setup.needs_classes()
    for who, model, logits in _both(setup):
        if setup.kind.name in ("binary", "labels"):
            # Of the two logits 0 and z the second is the model's own.
            logits = logits[:, 1:]
        low, high, off = float(logits.min()), float(logits.max()), float((logits.sum(1) - 1).abs().max())
        evidence = f"outputs from {low:.3g} to {high:.3g}"
        summed = logits.shape[1] > 1 and low >= 0 and off < 1e-3
        squashed = low > 0 and high < 1 and model is not None and watched_sigmoids(setup, model)
        yield verdict(
            summed or squashed,
            "probabilities_for_logits/sigmoid" if squashed and not summed else "probabilities_for_logits",
            f"{evidence}; rows sum to 1 within {off:.1g}" if summed else f"{evidence}, out of a sigmoid",
            f"{who}: {evidence}",
            who=who,
        )


def teacher_at_chance(setup):
    if setup.kind.has_numbers:
        yield from _better_than_the_mean(setup)
        return
    logits, labels = _labelled(setup)
    right, count = int((logits.argmax(1) == labels).sum()), len(labels)
    commonest = float(labels.bincount().max()) / count
    evidence = f"{right} of {count} right; always answering the commonest class gets {commonest:.3g}"
    if commonest > 0.9 and right >= binom.ppf(0.01, count, commonest):
        raise CannotCheck(f"more samples of the rarer classes: {commonest:.3g} of {count} are of one class")
    better, sure = other_numbering(logits.argmax(1), labels, logits.shape[1])
    if sure:
        renumbered = f"{better / count:.3g} if its classes are renumbered"
        yield finding("class_order", f"{right / count:.3g} right as they stand; {renumbered}")
    else:
        yield verdict(binom.sf(right - 1, count, commonest) > 0.01, "teacher_at_chance", evidence)


def _better_than_the_mean(setup):
    labels, numbers = setup.labels, setup.teacher_logits[:, 0]
    known = labels.isfinite() & numbers.isfinite()
    if known.sum() < 10:
        raise CannotCheck("10 labelled samples or more, with finite answers")
    error, spread = (numbers - labels)[known].square().mean(), labels[known].var(correction=0)
    evidence = f"mean squared error {float(error):.3g}; always answering the mean has {float(spread):.3g}"
    yield verdict(error >= spread, "teacher_at_chance/numbers", evidence)


def teacher_miscalibrated(setup):
    setup.needs_classes()
    logits, labels = _labelled(setup)
    if len(labels) < 100:
        raise CannotCheck(f"100 labelled samples or more; there are {len(labels)}")
    if other_numbering(logits.argmax(1), labels, logits.shape[1])[1]:
        raise CannotCheck("a teacher that numbers the classes as your labels do")
    error, by_chance = calibration_error(logits, labels), _calibrated_error(logits)
    confidence = float(logits.softmax(1).amax(1).mean())
    right = accuracy(logits, labels)
    evidence = (
        f"mean confidence {confidence:.3g}, share right {right:.3g}; calibration error {error:.3g}, "
        f"where up to {by_chance:.3g} is chance"
    )
    yield verdict(error > by_chance + 0.15, "teacher_miscalibrated", evidence)


def _calibrated_error(logits, draws=50):
    """The error of a calibrated teacher of this confidence: nearly the largest of many draws of labels."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(logits.softmax(1), draws, replacement=True, generator=generator)
    return float(torch.tensor([calibration_error(logits, drawn[:, n]) for n in range(draws)]).quantile(0.98))


def teacher_in_training_mode(setup):
    """As handed in; where a step is there, what counts is the mode in the step."""
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    training = _training_in_step(setup) if setup.step else _training(setup.teacher)
    effect = mode_effect(setup, "teacher", training)
    modules = f"{len(training)} modules in train mode"
    yield verdict(
        training and effect > 1e-5,
        "teacher_in_training_mode",
        f"{modules}; against eval mode its logits move by {effect:.2g} of their size",
        f"logits differ by {effect:.2g} from those of eval mode",
    )


def _training(model):
    return [path for path, module in model.named_modules() if module.training]


def _training_in_step(setup):
    passes = setup.stepped.teacher_passes
    return passes[0].training if passes else []


def mode_effect(setup, who, training):
    """How far the logits move, as a fraction of their size, where the modules named are in train mode."""
    model = getattr(setup, who)
    # That it answers in eval mode is seen elsewhere.
    still = setup.outputs(who)[setup.batch_number].double()
    with torch.no_grad(), fixed_seed(), setup.kept:
        for path, module in model.named_modules():
            if module.training != (path in training):
                module.training = path in training
        try:
            moved = outputs_of(model, setup.batch, pick=setup.pick).double().cpu()
        except Exception as problem:
            raise CannotCheck(f"the {who} to answer in train mode; it stops with {problem}") from problem
    # Of a masked class, -inf in both, the difference is 0 and not NaN.
    change = torch.where(moved == still, 0.0, moved - still)
    return float(change.norm() / still[still.isfinite()].norm().clamp(min=1e-12))


def _both(setup):
    yield "teacher", setup.teacher, setup.teacher_logits
    yield "student", setup.student, setup.student_logits


def _labelled(setup):
    logits, labels = setup.teacher_logits, setup.labels
    known = labels >= 0
    if not known.any():
        raise CannotCheck("labels in the data")
    readable = logits.isfinite() | logits.isneginf()
    if len(labels) != len(logits) or int(labels.max()) >= logits.shape[1] or not readable.all():
        raise CannotCheck("logits of the teacher for every label, finite or masked by -inf")
    if float(logits.min()) >= 0 and float((logits.sum(1) - 1).abs().max()) < 1e-3:
        # They are probabilities, which is a finding of its own.
        logits = logits.clamp(min=1e-12).log()
    return logits[known], labels[known]


CHECKS = (
    models_stop,
    same_model,
    student_frozen,
    class_mismatch,
    outputs_not_finite,
    probabilities_for_logits,
    teacher_at_chance,
    teacher_miscalibrated,
    teacher_in_training_mode,
)
