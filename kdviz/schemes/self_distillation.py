"""Self-distillation: a network is taught by itself, as it was, as it is elsewhere, or as it is on average."""

import torch
from torch.optim.swa_utils import AveragedModel

from kdviz.knowledge.objective import as_objective
from kdviz.knowledge.response import CrossEntropy, SoftTargets
from kdviz.schemes.offline import ask, distill
from kdviz.schemes.shared import begin, exam, rows_of
from kdviz.schemes.supervised import train
from kdviz.tracing import trace
from kdviz.training.stages import Stages


def born_again(students, data, objective=None, **training):
    """Born-again networks: each generation starts afresh and is taught by the one before it.

    The first learns from the labels alone. Source: Furlanello et al. 2018, *Born-Again Neural Networks*,
    section 3. Their networks are alike but for the initial weights; with other networks in the list this is
    any chain of students.

    Parameters
    ----------
    students : list of networks
        Where each generation starts from, for example ``[mlp(64, 16, 10, seed=g) for g in range(3)]``.
    data, steps, learning_rate, batch_size, seed, record_every
        As in :func:`kdviz.distill`, for each generation.
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``
        Of the generations that have a teacher.

    Returns
    -------
    Stages
        ``stages.runs[g].student`` is generation g; ``stages.student`` the last.
    """
    objective = _objective(objective)

    def generation(number, before):
        if number == 0:
            return train(students[0], data, **training)
        return distill(before, students[number], data, objective, **training)

    return Stages(generation, len(students))


def mean_teacher(
    student, data, objective=None, *, decay=0.99, noise=0.1, batch_size=64, seed=None, **training
):
    r"""Mean teacher: the teacher is the running average of the student's weights.

    .. math:: \theta'_t = \alpha_t\, \theta'_{t-1} + (1 - \alpha_t)\, \theta_t, \qquad
              \alpha_t = \min(1 - 1 / (t + 1),\, \alpha)

    after step t, with :math:`\theta'_0 = \theta_0`. Student and teacher see the same images, each under
    noise of its own. Source: Tarvainen and Valpola 2017, *Mean teachers are better role models*, section
    2; the decay grows as in their code. Their consistency cost is the squared distance of the
    probabilities; here it is any term of the objective. The teacher answers in eval mode, with the
    student's batch statistics.

    Parameters
    ----------
    decay : float, alpha
    noise : float
        Standard deviation of the Gaussian noise on the inputs.
    student, data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.distill`; unlabelled images count in the terms that need no labels.
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``

    Returns
    -------
    Run
        ``run.student``, and ``run.teacher``, its average.
    """
    objective, samples = _objective(objective), data.transfer
    rows, random = rows_of(data, batch_size, seed), _generator(data, seed)

    def noisy(inputs):
        return inputs + noise * torch.randn(inputs.shape, generator=random).to(inputs)

    def keep_up(student, step):
        if average.n_averaged <= step:
            average.update_parameters(student)

    def lesson(student, step):
        keep_up(student, step)
        batch = next(rows)
        seen = trace(student, noisy(samples.inputs[batch]), objective.student_layers)
        taught = ask(average.module, noisy(samples.inputs[batch]), objective.teacher_layers)
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


def _objective(objective):
    return as_objective(CrossEntropy() + SoftTargets(1) if objective is None else objective)


def _generator(data, seed):
    return torch.Generator().manual_seed(data.seed if seed is None else seed)
