"""Notebook 24: where a teacher looks, and how its values agree."""

import torch

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 24.1 where the teacher looks


def _rows(q, p):
    """KL(q ‖ p) of each row, where q is above 0."""
    looked = q > 0
    q, p = torch.where(looked, q, 1.0), torch.where(looked, p, 1.0)
    return (q * (q.log() - p.log())).sum(-1)


def _attention_kl(student, teacher):
    return _rows(teacher.detach(), student).mean()


def _maps(*shape, seed):
    return normal(*shape, seed=seed).softmax(-1)


def _causal(*shape, seed):
    later = torch.ones(shape[-2:], dtype=torch.bool).triu(1)
    return normal(*shape, seed=seed).masked_fill(later, -torch.inf).softmax(-1)


grade_attention_kl = NumberGrader(
    _attention_kl,
    gradient_for="student",
    no_gradient_for="teacher",
    calls=[
        {"student": _maps(2, 3, 4, 4, seed=241), "teacher": _maps(2, 3, 4, 4, seed=242)},
        {"student": _maps(3, 2, 5, 5, seed=243), "teacher": _causal(3, 2, 5, 5, seed=244)},
    ],
    samples_and_classes=False,
)


@grade_attention_kl.mistake
def other_way_round(student, teacher):
    """You have KL(student ‖ teacher). The teacher stands in front: where *it* looks, the student should."""
    return (student * (student.log() - teacher.clamp(min=1e-30).log())).sum(-1).mean()


@grade_attention_kl.mistake
def mean_of_the_cells(student, teacher):
    """You take the mean over the cells of a row, too. A row is one distribution: sum over its cells."""
    return _attention_kl(student, teacher) / student.shape[-1]


@grade_attention_kl.mistake
def sum_of_each_sequence(student, teacher):
    """You add up all rows of a sequence, and take the mean over the sequences. Take the mean over heads and
    tokens, too."""
    return _rows(teacher.detach(), student).sum((1, 2)).mean()


@grade_attention_kl.mistake
def of_each_head(student, teacher):
    """You add up the heads. Take their mean."""
    return _attention_kl(student, teacher) * student.shape[1]


@grade_attention_kl.mistake
def of_each_token(student, teacher):
    """You add up the tokens. Take their mean."""
    return _attention_kl(student, teacher) * student.shape[2]


@grade_attention_kl.mistake
def heads_together(student, teacher):
    """You average the heads before you compare them. Each head is compared with its own."""
    return _rows(teacher.detach().mean(1), student.mean(1)).mean()


@grade_attention_kl.mistake
def softmax_again(student, teacher):
    """You take a softmax of the maps. They are probabilities already."""
    return _rows(teacher.detach().softmax(-1), student.softmax(-1)).mean()


@grade_attention_kl.mistake
def squares(student, teacher):
    """You compare the cells by their squares, as TinyBERT does. The KL of each row is asked."""
    return (student - teacher.detach()).square().mean()


@grade_attention_kl.mistake
def cross_entropy(student, teacher):
    """You have the cross-entropy: the teacher's own entropy is missing. Take log t - log s."""
    return -(teacher.detach() * student.log()).sum(-1).mean()


# --- 24.2 how values agree


def _relation(values, heads, scale=True):
    by_head = values.unflatten(-1, (heads, -1)).transpose(1, 2)
    scores = by_head @ by_head.mT
    return (scores / by_head.shape[-1] ** 0.5 if scale else scores).softmax(-1)


def _value_relation(student, teacher, heads):
    return _rows(_relation(teacher.detach(), heads), _relation(student, heads)).mean()


def _call(samples, tokens, width, other, heads, seed):
    values = normal(samples, tokens, width, seed=seed), normal(samples, tokens, other, seed=seed + 1)
    return {"student": values[0], "teacher": values[1], "heads": heads}


grade_value_relation = NumberGrader(
    _value_relation,
    gradient_for="student",
    no_gradient_for="teacher",
    calls=[_call(2, 4, 4, 8, 2, seed=245), _call(3, 5, 8, 12, 4, seed=247)],
    samples_and_classes=False,
)


@grade_value_relation.mistake
def one_head(student, teacher, heads):
    """You compare the whole values. Cut them into heads, and compare each head's."""
    return _value_relation(student, teacher, 1)


@grade_value_relation.mistake
def without_the_root(student, teacher, heads):
    """You leave out the root of the width of a head, by which the products are divided."""
    theirs = _relation(teacher.detach(), heads, scale=False)
    return _rows(theirs, _relation(student, heads, scale=False)).mean()


@grade_value_relation.mistake
def root_of_the_whole_width(student, teacher, heads):
    """You divide by the root of the whole width. A head's values have the width D / heads."""

    def relation(values):
        by_head = values.unflatten(-1, (heads, -1)).transpose(1, 2)
        return (by_head @ by_head.mT / values.shape[-1] ** 0.5).softmax(-1)

    return _rows(relation(teacher.detach()), relation(student)).mean()


@grade_value_relation.mistake
def teachers_root_for_both(student, teacher, heads):
    """You divide both by the root of the teacher's width. Each has a root of its own."""

    def relation(values):
        by_head = values.unflatten(-1, (heads, -1)).transpose(1, 2)
        return (by_head @ by_head.mT / (teacher.shape[-1] / heads) ** 0.5).softmax(-1)

    return _rows(relation(teacher.detach()), relation(student)).mean()


@grade_value_relation.mistake
def cut_the_other_way(student, teacher, heads):
    """Your heads take numbers that stand apart. A head's numbers stand one after the other:
    `unflatten(-1, (heads, -1))`."""

    def relation(values):
        by_head = values.unflatten(-1, (-1, heads)).movedim(-1, 1)
        return (by_head @ by_head.mT / by_head.shape[-1] ** 0.5).softmax(-1)

    return _rows(relation(teacher.detach()), relation(student)).mean()


@grade_value_relation.mistake
def relation_reversed(student, teacher, heads):
    """You have KL(student ‖ teacher). The teacher's relation stands in front."""
    return _rows(_relation(student, heads), _relation(teacher.detach(), heads)).mean()


@grade_value_relation.mistake
def mean_of_the_relations_cells(student, teacher, heads):
    """You take the mean over the cells of a row, too. A row is one distribution: sum over its cells."""
    return _value_relation(student, teacher, heads) / student.shape[1]


@grade_value_relation.mistake
def heads_added(student, teacher, heads):
    """You add up the heads. Take their mean."""
    return _value_relation(student, teacher, heads) * heads


@grade_value_relation.mistake
def squared_relations(student, teacher, heads):
    """You compare the relations by their squares. The KL of each row is asked."""
    return (_relation(student, heads) - _relation(teacher.detach(), heads)).square().mean()
