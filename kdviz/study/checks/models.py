"""Teacher and student by themselves: two models, that answer in logits, and a teacher worth learning from."""

import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import binom

from kdviz.measure.predictions import accuracy, calibration_error
from kdviz.study.batches import class_logits
from kdviz.study.findings import finding, verdict
from kdviz.study.sandbox import copies, fixed_seed
from kdviz.study.setup import CannotCheck
from kdviz.tracing import call, device_of, hooked, to_device


def same_model(setup):
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    theirs = {id(weights) for weights in setup.teacher.parameters()}
    shared = [name for name, weights in setup.student.named_parameters() if id(weights) in theirs]
    yield verdict(
        setup.student is setup.teacher or shared,
        "same_model",
        f"{len(shared)} shared parameters" + (f", among them {shared[0]}" if shared else ""),
        "no shared parameters",
    )


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
    theirs, ours = setup.teacher_logits.shape[1], setup.classes
    evidence = f"{theirs} logits from the teacher, {ours} from the student"
    yield verdict(theirs != ours, "class_mismatch", evidence, f"both have {ours} classes")


def outputs_not_finite(setup):
    for who, model, logits in _both(setup):
        bad = int((~logits.isfinite().all(1)).sum())
        yield verdict(
            bad,
            "outputs_not_finite",
            f"{bad} of {len(logits)} samples{_first_layer(setup, model) if bad else ''}",
            f"{who}: all of {len(logits)} samples are finite",
            who=who,
        )


def _first_layer(setup, model):
    """The layer in which the first value that is not finite comes up."""
    if model is None:
        return ""
    (model,) = copies(model)
    first = []

    def note(path, module, output):
        if isinstance(output, torch.Tensor) and not first and not output.isfinite().all():
            first.append(path)

    with torch.no_grad(), fixed_seed(), hooked(model.eval(), note):
        for batch in setup.batches:
            call(model, to_device(batch.inputs, device_of(model)))
    return f"; first in layer {first[0]!r}" if first and first[0] else ""


def probabilities_for_logits(setup):
    for who, _, logits in _both(setup):
        low, high, off = float(logits.min()), float(logits.max()), float((logits.sum(1) - 1).abs().max())
        yield verdict(
            low >= 0 and off < 1e-3,
            "probabilities_for_logits",
            f"outputs from {low:.3g} to {high:.3g}; rows sum to 1 within {off:.1g}",
            f"{who}: outputs from {low:.3g} to {high:.3g}",
            who=who,
        )


def teacher_at_chance(setup):
    logits, labels = _labelled(setup)
    right, count = int((logits.argmax(1) == labels).sum()), len(labels)
    commonest = float(labels.bincount().max()) / count
    evidence = f"{right} of {count} right; always answering the commonest class gets {commonest:.3g}"
    better, sure = _other_numbering(logits, labels, right)
    if sure:
        renumbered = f"{better / count:.3g} if its classes are renumbered"
        yield finding("class_order", f"{right / count:.3g} right as they stand; {renumbered}")
    else:
        yield verdict(binom.sf(right - 1, count, commonest) > 0.01, "teacher_at_chance", evidence)


def _other_numbering(logits, labels, right):
    """How many are right under the best renumbering of the classes, and whether that is no accident."""
    classes = max(logits.shape[1], int(labels.max()) + 1)
    table = torch.zeros(classes, classes).index_put_(
        (logits.argmax(1), labels), torch.ones(len(labels)), accumulate=True
    )
    rows, columns = linear_sum_assignment(-table.numpy())
    better = int(table[rows, columns].sum())
    # The best of all renumberings always gains something, so it has to gain much, on many samples.
    return better, better > 0.7 * len(labels) and right < 0.5 * better and len(labels) >= 5 * classes


def teacher_miscalibrated(setup):
    logits, labels = _labelled(setup)
    if len(labels) < 100:
        raise CannotCheck(f"100 labelled samples or more; there are {len(labels)}")
    if _other_numbering(logits, labels, int((logits.argmax(1) == labels).sum()))[1]:
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
    effect = mode_effect(setup, setup.teacher, training)
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


def mode_effect(setup, model, training):
    """How far the logits move, as a fraction of their size, where the modules named are in train mode."""
    (model,) = copies(model)
    with torch.no_grad(), fixed_seed():
        model.eval()
        still = class_logits(model, setup.batch.inputs).double()
        for path, module in model.named_modules():
            module.training = path in training
        moved = class_logits(model, setup.batch.inputs).double()
    return float((moved - still).norm() / still.norm().clamp(min=1e-12))


def _both(setup):
    yield "teacher", setup.teacher, setup.teacher_logits
    yield "student", setup.student, setup.student_logits


def _labelled(setup):
    logits, labels = setup.teacher_logits, setup.labels
    known = labels >= 0
    if not known.any():
        raise CannotCheck("labels in the data")
    if int(labels.max()) >= logits.shape[1] or not logits.isfinite().all():
        raise CannotCheck("finite logits of the teacher for every label")
    if float(logits.min()) >= 0 and float((logits.sum(1) - 1).abs().max()) < 1e-3:
        # They are probabilities, which is a finding of its own.
        logits = logits.clamp(min=1e-12).log()
    return logits[known], labels[known]


CHECKS = (
    same_model,
    student_frozen,
    class_mismatch,
    outputs_not_finite,
    probabilities_for_logits,
    teacher_at_chance,
    teacher_miscalibrated,
    teacher_in_training_mode,
)
