"""The policy gradient against its definition: on a language of three words every text is counted."""

import doctest
import itertools

import pytest
import torch

from kdviz.algorithms import language
from kdviz.algorithms import policy_gradient as module
from kdviz.algorithms.policy_gradient import LaterWords, later_sums, policy_gradient
from kdviz.datasets import Texts, clock
from kdviz.losses import ReverseKL
from kdviz.losses.tokens import over_tokens
from kdviz.models import window_network
from kdviz.training.stacked import StackedModel

FEW = {"steps": 4, "batch_size": 8, "learning_rate": 1e-2}
WORDS = 3
# After the prompt (3) and after each word that goes on (1, 2); 0 stops. In quarters, so that a batch holds
# each text exactly as often as the student says it.
QUARTERS = torch.tensor([[2, 1, 1], [1, 2, 1], [1, 1, 2]])
TEXTS = [
    text
    for length in range(1, WORDS + 1)
    for text in itertools.product((1, 2), repeat=length - 1)
    for text in [(*text, 0)]
] + list(itertools.product((1, 2), repeat=WORDS))


def row_of(before):
    return {None: 0, 1: 1, 2: 2}[before]


def log_probability(table, text):
    rows = [row_of(before) for before in (None, *text[:-1])]
    return table.log_softmax(-1)[rows, list(text)].sum()


def count_of(text):
    quarters = [
        int(QUARTERS[row_of(before), word]) for before, word in zip((None, *text[:-1]), text, strict=True)
    ]
    return int(torch.tensor(quarters).prod()) * 4 ** (WORDS - len(text))


def tables():
    generator = torch.Generator().manual_seed(0)
    theirs = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    return (QUARTERS / 4).double().log().requires_grad_(True), theirs


def expected_batch():
    """Rows of the table and labels of a batch in which each text is as often as it is said."""
    rows, labels = [], []
    for text in TEXTS:
        for _ in range(count_of(text)):
            rows += [row_of(before) for before in (None, *text[:-1])] + [0]
            labels += [*text, -1]
    return torch.tensor(rows), torch.tensor(labels)


def gradient(table, loss):
    (found,) = torch.autograd.grad(loss, table)
    return found


def of_terms(table, theirs, weight, bound=100.0):
    """The gradient of the terms on that batch, in the sum over words and the mean over texts."""
    rows, labels = expected_batch()
    objective = over_tokens(ReverseKL()) + weight * LaterWords(bound)
    total, _ = objective(table[rows], theirs[rows], labels)
    return gradient(table, total) * (labels >= 0).sum() / 4**WORDS


def test_the_texts_are_all_there_are():
    table, _ = tables()
    assert sum(map(count_of, TEXTS)) == 4**WORDS
    assert sum(log_probability(table, text).exp().item() for text in TEXTS) == pytest.approx(1.0)


def test_the_expected_gradient_is_that_of_the_reverse_kl_of_texts():
    table, theirs = tables()
    logs = torch.stack([log_probability(table, text) for text in TEXTS])
    other = torch.stack([log_probability(theirs, text) for text in TEXTS])
    expected = gradient(table, (logs.exp() * (logs - other)).sum())
    torch.testing.assert_close(of_terms(table, theirs, 1.0), expected, rtol=1e-10, atol=1e-12)
    # Without the second term it is another one, and so it is where a bound cuts.
    assert (of_terms(table, theirs, 0.0) - expected).norm() > 0.1 * expected.norm()
    assert (of_terms(table, theirs, 1.0, bound=0.1) - expected).norm() > 0.01 * expected.norm()


def test_later_sums_end_with_the_text():
    labels = torch.tensor([-1, 4, 2, 0, -1, -1, 3, 0, -1])
    values = torch.arange(1.0, 10.0)
    assert later_sums(values, labels).tolist()[1:4] == [7.0, 4.0, 0.0]
    assert later_sums(values, labels).tolist()[6:8] == [8.0, 0.0]


def networks():
    return [window_network(54, 30, 6, seed=seed) for seed in (0, 1, 2)]


def weights(model):
    return torch.cat([part.detach().flatten() for part in model.parameters()])


def test_without_its_weight_it_is_reverse_kl_on_own_texts():
    teacher, student, _ = networks()
    texts = clock(64, seed=1).texts
    plain = language.distill(teacher, student, texts, ReverseKL(), own=1.0, seed=3, **FEW).finish().student
    without = policy_gradient(teacher, student, texts, weight=0.0, seed=3, **FEW).finish().student
    torch.testing.assert_close(weights(without), weights(plain))
    with_it = policy_gradient(teacher, student, texts, seed=3, **FEW).finish().student
    assert (weights(with_it) - weights(plain)).norm() > 1e-3


def test_a_stack_learns_as_each_alone():
    teacher, *students = networks()
    texts = [clock(64, seed=seed).texts for seed in (0, 1)]
    run = policy_gradient(StackedModel([teacher] * 2), StackedModel(students), texts, seed=[5, 6], **FEW)
    stacked = run.finish().student
    for n, (student, own, seed) in enumerate(zip(students, texts, (5, 6), strict=True)):
        alone = policy_gradient(teacher, student, own, seed=seed, **FEW).finish().student
        torch.testing.assert_close(weights(stacked.student(n, 0)), weights(alone), rtol=1e-4, atol=1e-5)


def test_texts_of_one_token_of_prompt_stay_apart():
    """Where a text fills its tokens, the next one's first word follows its last at once."""
    ones = torch.ones(8, dtype=torch.long)
    prompts = Texts(torch.full((8, 1), 3), ones, ones)
    teacher, student, _ = networks()
    run = policy_gradient(teacher, student, prompts, words=2, **FEW)
    _, _, labels = run.lesson(run.student, 0)
    assert (labels.view(8, -1)[:, -1] == -1).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"own": 0.5}, "own must be 1: .* got own=0.5"),
        ({"own": 0}, "distill with ReverseKL"),
        ({"bound": 0.0}, "bound must be above 0, in nats; got 0.0"),
        ({"weight": -1.0}, "weight must be"),
        ({"words": 0}, "words must be"),
    ],
)
def test_what_does_not_fit_is_named(wrong, message):
    teacher, student, _ = networks()
    with pytest.raises(ValueError, match=message):
        policy_gradient(teacher, student, clock(8).texts, **wrong)


def test_its_examples_run():
    found = doctest.testmod(module)
    assert found.attempted and not found.failed
