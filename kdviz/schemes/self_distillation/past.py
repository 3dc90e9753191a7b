"""A network taught by its own past: the average of its weights, or what it answered an epoch ago."""

import torch
from torch.optim.swa_utils import AveragedModel

from kdviz.datasets.distortions import SLIGHT_NOISE
from kdviz.losses.checks import check_share
from kdviz.losses.objective import as_objective
from kdviz.losses.response import SoftTargets
from kdviz.losses.response.logits import one_hot
from kdviz.schemes.offline import ask
from kdviz.schemes.shared import (
    begin,
    check_reads_no_layers,
    exam,
    generator,
    labels_and_soft_targets,
    rows_of,
)
from kdviz.tracing import Trace, trace
from kdviz.training.batches import batches


def mean_teacher(
    student, data, objective=None, *, decay=0.99, distort=SLIGHT_NOISE, batch_size=64, seed=None, **training
):
    r"""Mean teacher: the teacher is the running average of the student's weights.

    .. math:: \theta'_t = \alpha_t\, \theta'_{t-1} + (1 - \alpha_t)\, \theta_t, \qquad
              \alpha_t = \min(1 - 1 / (t + 1),\, \alpha)

    after step t, with :math:`\theta'_0 = \theta_0`. Student and teacher see the same images, each under
    a distortion of its own. Source: Tarvainen and Valpola 2017, *Mean teachers are better role models*,
    section 2; the decay grows as in their code. Their consistency cost is the squared distance of the
    probabilities; here it is any term of the objective. The teacher answers in eval mode, with the
    student's batch statistics. They raise the weight of consistency over the first steps:
    :func:`kdviz.schemes.ramp_up`; without, a teacher that knows nothing yet holds its student back.

    Parameters
    ----------
    decay : float, alpha
    distort : function of inputs and a generator
        See ``kdviz.datasets.distortions``.
    student, data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.distill`; unlabelled images count in the terms that need no labels.
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``

    Returns
    -------
    Run
        ``run.student``, and ``run.teacher``, its average.
    """
    check_share("decay", decay)
    objective = labels_and_soft_targets(objective, temperature=1)
    samples, rows, random = data.transfer, rows_of(data, batch_size, seed), generator(data, seed)

    def keep_up(student, step):
        if average.n_averaged <= step:
            average.update_parameters(student)

    def lesson(student, step):
        keep_up(student, step)
        batch = next(rows)
        seen = trace(student, distort(samples.inputs[batch], random), objective.student_layers)
        taught = ask(average.module, distort(samples.inputs[batch], random), objective.teacher_layers)
        return seen, taught, samples.labels[batch]

    def examine(student):
        keep_up(student, run.step)
        taught = examine_alone(average.module)["accuracy"]
        return {**examine_alone(student), "teacher_accuracy": taught}

    examine_alone = exam(data)
    run = begin(student, lesson, objective, examine, **training)
    average = AveragedModel(run.student, avg_fn=_towards(decay)).requires_grad_(False).eval()
    run.teacher = average.module
    return run


def _towards(decay):
    def average(before, now, count):
        kept = min(1 - 1 / (int(count) + 1), decay)
        return kept * before + (1 - kept) * now

    return average


def progressive(student, data, objective=None, *, share=0.8, batch_size=64, seed=None, **training):
    r"""Progressive self-knowledge (PS-KD): labels softened by what the student said an epoch ago.

    .. math:: q_n = (1 - \alpha_e)\, y_n + \alpha_e\, p_n^{e - 1}, \qquad \alpha_e = \alpha\, e / E

    is the teacher in epoch e = 1, ..., E; in the first it is the label. Source: Kim et al. 2021,
    *Self-Knowledge Distillation with Progressive Refinement of Targets*, equations 4 and 5. Their
    cross-entropy with q differs from the default objective by the entropy of q, which no student changes.

    Parameters
    ----------
    share : float
        The share of its own answers in the last epoch, alpha.
    objective : default ``SoftTargets(temperature=1)``
    student, data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.train`; it learns on ``data.labelled``.
    """
    check_share("share", share)
    objective = as_objective(SoftTargets(1) if objective is None else objective)
    check_reads_no_layers(objective, "softened labels are all that this teacher gives")
    samples = data.labelled
    rows = batches(len(samples), batch_size, data.seed if seed is None else seed)
    epoch = max(1, len(samples) // batch_size)
    taught = None

    def lesson(student, step):
        nonlocal taught
        if step % epoch == 0:
            own = share * min(1, (step + epoch) / run.steps)
            taught = _softened(student, samples, own if step else 0.0)
        batch = next(rows)
        return trace(student, samples.inputs[batch]), taught[batch], samples.labels[batch]

    run = begin(student, lesson, objective, exam(data), **training)
    return run


def _softened(student, samples, own):
    """Labels mixed with the student's answers, as logits at temperature 1."""
    said = ask(student, samples.inputs).logits.softmax(-1)
    mixed = (1 - own) * one_hot(samples.labels, said) + own * said
    return Trace(mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log())


def _towards(decay):
    def average(before, now, count):
        kept = min(1 - 1 / (int(count) + 1), decay)
        return kept * before + (1 - kept) * now

    return average
