"""Teacher and student by themselves: two models, that answer in logits, and a teacher worth learning from."""

import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import binom

from kdviz.measure.predictions import accuracy, calibration_error
from kdviz.study.batches import class_logits
from kdviz.study.findings import Finding, Passed
from kdviz.study.sandbox import copies, fixed_seed
from kdviz.study.setup import CannotCheck
from kdviz.tracing import call, device_of, hooked, to_device


def same_model(setup):
    if setup.teacher is None:
        raise CannotCheck("the teacher itself, not only its logits")
    theirs = {id(weights) for weights in setup.teacher.parameters()}
    shared = [name for name, weights in setup.student.named_parameters() if id(weights) in theirs]
    if setup.student is setup.teacher or shared:
        yield Finding(
            "same_model",
            "Teacher and student share weights, so the teacher changes with the student.",
            f"{len(shared)} shared parameters" + (f", among them {shared[0]}" if shared else ""),
            "Copy the model before training: student = copy.deepcopy(teacher).",
        )
    else:
        yield Passed("same_model", "no shared parameters")


def student_frozen(setup):
    weights = list(setup.student.parameters())
    able = sum(one.requires_grad for one in weights)
    if not able:
        yield Finding(
            "student_frozen",
            "No weight of the student can learn.",
            f"0 of {len(weights)} parameters have requires_grad",
            "student.requires_grad_(True); if it was loaded as a teacher is, it was frozen then.",
        )
    else:
        yield Passed("student_frozen", f"{able} of {len(weights)} parameters can learn")


def class_mismatch(setup):
    theirs, ours = setup.teacher_logits.shape[1], setup.classes
    if theirs != ours:
        yield Finding(
            "class_mismatch",
            "Teacher and student have different numbers of classes.",
            f"{theirs} logits from the teacher, {ours} from the student",
            "Give the student as many logits; of a larger teacher pick the columns of your classes.",
        )
    else:
        yield Passed("class_mismatch", f"both have {ours} classes")


def outputs_not_finite(setup):
    for who, model, logits in _both(setup):
        bad = int((~logits.isfinite().all(1)).sum())
        if bad:
            yield Finding(
                "outputs_not_finite",
                f"Some logits of the {who} are NaN or infinite.",
                f"{bad} of {len(logits)} samples{_first_layer(setup, model)}",
                "Look at the layer named: an overflow in half precision, a logarithm of 0, or a broken "
                "checkpoint.",
            )
        else:
            yield Passed("outputs_not_finite", f"{who}: all of {len(logits)} samples are finite")


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
        off = float((logits.sum(1) - 1).abs().max())
        if float(logits.min()) >= 0 and off < 1e-3:
            yield Finding(
                "probabilities_for_logits",
                f"The {who} answers with probabilities where logits are expected.",
                f"outputs from {float(logits.min()):.3g} to {float(logits.max()):.3g}; "
                f"rows sum to 1 within {off:.1g}",
                "Take the softmax out of the model (the losses apply it), or pass probabilities.log().",
            )
        else:
            yield Passed(
                "probabilities_for_logits",
                f"{who}: outputs from {float(logits.min()):.3g} to {float(logits.max()):.3g}",
            )


def teacher_at_chance(setup):
    logits, labels = _labelled(setup)
    right, count = int((logits.argmax(1) == labels).sum()), len(labels)
    commonest = float(labels.bincount().max()) / count
    evidence = f"{right} of {count} right; always answering the commonest class gets {commonest:.3g}"
    better, sure = _other_numbering(logits, labels, right)
    if sure:
        yield Finding(
            "class_order",
            "The teacher numbers the classes in another order than your labels.",
            f"{right / count:.3g} right as they stand; {better / count:.3g} if its classes are renumbered",
            "Compare the two class lists (class_to_idx, id2label) and reorder the teacher's logits.",
        )
    elif binom.sf(right - 1, count, commonest) > 0.01:
        yield Finding(
            "teacher_at_chance",
            "The teacher is no better than always answering the commonest class.",
            evidence,
            "Check that its checkpoint was loaded, and that inputs are scaled as in its training.",
        )
    else:
        yield Passed("teacher_at_chance", evidence)


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
    if error > by_chance + 0.15:
        yield Finding(
            "teacher_miscalibrated",
            "The teacher's probabilities are far from how often it is right.",
            evidence,
            "Divide its logits by one number, fitted on validation samples by negative log-likelihood; "
            "choose the temperature after that.",
        )
    else:
        yield Passed("teacher_miscalibrated", evidence)


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
    if training and effect > 1e-5:
        yield Finding(
            "teacher_in_training_mode",
            "The teacher answers in train mode: dropout and batch normalisation are at work.",
            f"{len(training)} modules in train mode; against eval mode its logits move by {effect:.2g} of "
            "their size",
            "teacher.eval(), after any call of train() on a model that contains it. torch.no_grad() does not "
            "do that.",
        )
    else:
        yield Passed("teacher_in_training_mode", f"logits differ by {effect:.2g} from those of eval mode")


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
