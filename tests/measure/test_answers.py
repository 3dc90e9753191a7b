"""The kinds of answers: told apart by shape and labels, one table for all, measures as scikit-learn
has them.
"""

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch.nn import functional as F

from kdviz.measure import (
    KINDS,
    answer_kind,
    average_precision,
    correlation,
    explained,
    mcnemar,
    mean_iou,
    other_numbering,
    perplexity,
    root_mean_square,
)
from kdviz.measure.answers import as_label_tensor, as_whole


def zeros(*shape):
    return torch.zeros(shape)


def whole(*shape, classes=2):
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "outputs, labels, name",
    [
        (zeros(9, 5), None, "classes"),
        (zeros(9, 5), whole(9), "classes"),
        (zeros(9, 5), whole(9, 1), "classes"),
        (zeros(9, 1), whole(9), "binary"),
        (zeros(9), whole(9), "binary"),
        (zeros(9, 1), whole(9, 1).float(), "binary"),
        (zeros(9, 1), whole(9).bool(), "binary"),
        (zeros(9, 1), torch.tensor([0, 1, -100, 1, 0, 1, 0, -1, 1]), "binary"),
        (zeros(9, 1), torch.randn(9), "numbers"),
        (zeros(9, 3), torch.randn(9, 3), "numbers"),
        (zeros(9, 5), whole(9, 5), "labels"),
        (zeros(9, 5), whole(9, 5).float(), "labels"),
        (zeros(4, 7, 30), None, "tokens"),
        (zeros(4, 7, 30), whole(4, 7), "tokens"),
        (zeros(4, 30, 7), whole(4, 7), "pixels"),
        (zeros(4, 5, 8, 8), None, "pixels"),
        (zeros(4, 5, 8, 8), whole(4, 8, 8), "pixels"),
        (zeros(4, 5, 8, 8), whole(4, 1, 8, 8), "pixels"),
    ],
)
def test_kinds_are_told_apart_by_shape_and_labels(outputs, labels, name):
    kind = answer_kind(outputs, labels)
    assert kind.name == name
    table, targets = kind.positions(outputs), kind.targets(labels, outputs)
    assert table.shape[:2] == targets.shape and len(table) == len(outputs)


@pytest.mark.parametrize(
    "outputs, labels, declared, problem, words",
    [
        (zeros(9, 1), None, None, ValueError, "answers='binary' or answers='numbers'"),
        (zeros(9, 1), whole(9, classes=5), None, ValueError, "one logit each"),
        (zeros(9, 5), torch.randn(9), None, TypeError, "take .long()"),
        (zeros(9, 5), F.one_hot(whole(9), 5), None, TypeError, "one-hot. Of these take .argmax(1)"),
        (zeros(9, 5), F.one_hot(whole(9), 5) * 0.5 + 0.1, None, TypeError, "soft labels, as mixup"),
        (zeros(9, 5), whole(9, 4), None, ValueError, "do not belong to outputs"),
        (zeros(9, 5), whole(8), None, ValueError, "8 labels for 9 samples"),
        (zeros(4, 5, 8, 8), whole(4, 16, 16), None, ValueError, "interpolate"),
        (zeros(9, 5), None, "ranking", ValueError, "must be one of 'classes'"),
        (zeros(9, 5), None, "binary", ValueError, "answers='binary' has outputs (N, 1)"),
        (zeros(9, 0), None, None, ValueError, "one class or more"),
        (zeros(9, 5).long(), None, None, TypeError, "fractions"),
        (zeros(9, 5), whole(9, classes=9), None, ValueError, "from 0 to 4, or -1 or -100"),
        (zeros(9, 5), torch.full((9,), -5), None, ValueError, "from -5 to -5"),
    ],
)
def test_what_may_be_anything_is_asked_about(outputs, labels, declared, problem, words):
    with pytest.raises(problem) as raised:
        answer_kind(outputs, labels, declared).targets(labels, outputs)
    assert words in str(raised.value)


def test_one_logit_is_two():
    z = torch.randn(9, 1)
    table = KINDS["binary"].positions(z)
    torch.testing.assert_close(table.softmax(2)[:, 0, 1], torch.sigmoid(z[:, 0]))
    several = KINDS["labels"].positions(torch.stack([z[:, 0], 2 * z[:, 0]], 1))
    torch.testing.assert_close(several.softmax(2)[:, 1, 1], torch.sigmoid(2 * z[:, 0]))


def test_pixels_and_tokens_stand_where_their_labels_do():
    outputs, labels = torch.randn(2, 5, 4, 6), whole(2, 4, 6, classes=5)
    table, targets = KINDS["pixels"].positions(outputs), KINDS["pixels"].targets(labels, outputs)
    mean = F.cross_entropy(table.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(mean, F.cross_entropy(outputs, labels))
    # 255 is what maps of pixels have where nothing is labelled.
    labels[0, 0, 0] = 255
    assert KINDS["pixels"].targets(labels, outputs)[0, 0] == -1


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool, torch.float]
)
def test_labels_of_any_whole_type(dtype):
    labels = torch.tensor([0, 1, 1], dtype=dtype)
    assert as_whole(labels).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "labels, problem, words",
    [
        (["cat", "dog"], TypeError, "LabelEncoder"),
        (torch.zeros(2, dtype=torch.complex64), TypeError, "complex64"),
        (np.array([object()]), TypeError, "must be numbers"),
    ],
)
def test_labels_that_are_no_numbers_say_what_to_do(labels, problem, words):
    with pytest.raises(problem, match=words):
        as_label_tensor(labels)
    with pytest.raises(ValueError, match="above 2"):
        as_whole(torch.full((3,), 2**64 - 1, dtype=torch.uint64))
    with pytest.raises(TypeError, match="whole class numbers"):
        as_whole(torch.tensor([0.5]))


def drawn():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 500)
    answers = np.where(random.random(500) < 0.6, labels, random.integers(0, 5, 500))
    return answers, labels, random


def test_intersection_over_union_is_that_of_scikit_learn():
    answers, labels, _ = drawn()
    wanted = metrics.jaccard_score(labels, answers, average=None, labels=range(5))
    assert mean_iou(answers, labels, 7) == pytest.approx(wanted.mean())
    hidden = np.where(np.arange(500) % 3, labels, -1)
    some = hidden >= 0
    wanted = metrics.jaccard_score(labels[some], answers[some], average=None, labels=range(5))
    assert mean_iou(answers, hidden, 5) == pytest.approx(wanted.mean())


@pytest.mark.parametrize("digits", [8, 1], ids=["no ties", "ties"])
def test_average_precision_is_that_of_scikit_learn(digits):
    _, _, random = drawn()
    labels = random.integers(0, 2, (200, 3))
    scores = (random.normal(size=(200, 3)) + labels).round(digits)
    columns = np.tile(np.arange(3), 200)
    wanted = metrics.average_precision_score(labels, scores, average="macro")
    assert average_precision(scores.ravel(), labels.ravel(), columns) == pytest.approx(wanted)
    # A label that is nowhere true has no precision.
    labels[:, 2] = 0
    wanted = np.mean([metrics.average_precision_score(labels[:, n], scores[:, n]) for n in range(2)])
    assert average_precision(scores.ravel(), labels.ravel(), columns) == pytest.approx(wanted)


def test_measures_of_numbers_are_those_of_scikit_learn_and_numpy():
    _, _, random = drawn()
    wanted = random.normal(size=(100, 2))
    values = wanted + 0.5 * random.normal(size=(100, 2))
    columns = np.tile(np.arange(2), 100)
    given = values.ravel(), wanted.ravel(), columns
    assert explained(*given) == pytest.approx(metrics.r2_score(wanted, values))
    rows = [np.corrcoef(values[:, n], wanted[:, n])[0, 1] for n in range(2)]
    assert correlation(*given) == pytest.approx(np.mean(rows))
    wanted_error = metrics.root_mean_squared_error(wanted.ravel(), values.ravel())
    assert root_mean_square((values - wanted).ravel()) == pytest.approx(wanted_error)


def test_perplexity_is_the_exponential_of_torchs_cross_entropy():
    logits, labels = torch.randn(50, 9), whole(50, classes=9)
    nll = F.cross_entropy(logits, labels, reduction="none")
    assert perplexity(nll) == pytest.approx(float(F.cross_entropy(logits, labels).exp()), rel=1e-6)
    assert np.isnan(perplexity([np.nan]))


def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ():
    from scipy.stats import binomtest

    random = np.random.default_rng(1)
    ours, theirs = random.random(300) < 0.8, random.random(300) < 0.7
    only, other, p = mcnemar(ours, theirs)
    assert (only, other) == ((ours & ~theirs).sum(), (theirs & ~ours).sum())
    assert p == pytest.approx(binomtest(int(only), int(only + other)).pvalue)
    assert mcnemar([1, 1], [1, 1]) == (0, 0, 1.0)
    with pytest.raises(ValueError, match="one value for each sample"):
        mcnemar([1, 1], [1])


def test_another_numbering_must_explain_much_on_many_samples():
    labels = torch.arange(60) % 3
    assert other_numbering((labels + 1) % 3, labels, 3) == (60, True)
    assert not other_numbering(labels, labels, 3)[1]
    assert not other_numbering(torch.randint(3, (60,)), labels, 3)[1]
