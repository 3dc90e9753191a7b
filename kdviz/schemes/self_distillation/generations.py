"""Generations: a network is taught by the one it was before, and starts afresh or goes on."""

from kdviz.losses.response import CrossEntropy
from kdviz.schemes.links import Chain
from kdviz.schemes.shared import labels_and_soft_targets


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
    Chain
        ``stages.runs[g].student`` is generation g; ``stages.student`` the last.
    """
    objective = labels_and_soft_targets(objective, temperature=1)

    def generation(number, before):
        return before, students[number], objective if number else CrossEntropy()

    return Chain(generation, len(students), data, training)


def teacher_free(student, data, objective=None, **training):
    """Teacher-free distillation (Tf-KD self): learn from the labels, then begin again, taught by oneself.

    The second time round begins at the same initial weights. Source: Yuan et al. 2020, *Revisiting Knowledge
    Distillation via Label Smoothing Regularization*, section 4. Their other form, with a teacher made up
    from the labels, is a loss and needs no scheme:
    ``train(student, data, 0.1 * CrossEntropy() + 0.9 * VirtualTeacher(form="scaled"))``.

    Parameters are those of :func:`born_again`, for one student; by default its objective too.
    """
    return born_again([student, student], data, objective, **training)


def snapshot(student, data, objective=None, *, generations=4, **training):
    """Snapshot distillation: one training in several cycles, each taught by where the last one ended.

    Unlike a born-again network the student goes on from its weights. The learning rate falls along a cosine
    in each cycle, and the first learns from the labels alone. Source: Yang et al. 2019, *Snapshot
    Distillation: Teacher-Student Optimization in One Generation*, section 3.

    Parameters
    ----------
    generations : int
        How many cycles, of ``steps`` each.
    objective : default ``CrossEntropy() + SoftTargets(temperature=2)``
    student, data, steps, learning_rate, batch_size, seed, record_every
        As in :func:`kdviz.distill`.

    Returns
    -------
    Chain
    """
    objective = labels_and_soft_targets(objective, temperature=2)

    def cycle(number, before):
        return (before, before, objective) if number else (None, student, CrossEntropy())

    return Chain(cycle, generations, data, training)
