"""The exercises of the gallery: the solutions on the pages' own tables, and against the library."""

import torch
from exercise_answers import solve

from kdviz.course import published
from kdviz.course.exercises import exercise
from kdviz.datasets import clock
from kdviz.models import mlp, quantised


def test_the_solution_finds_the_surveys_misprints():
    rows = published.survey()
    assert solve("13.1")(rows.baseline_accuracy, rows.accuracy, rows.printed_gain) == 3


def test_what_is_missing_is_asked_one_by_one():
    said = exercise("13.2").check({letter: "several seeds" for letter in "ABCD"})
    assert not said.passed and said.message.startswith("1 of 4. Sentence A: Two papers, two houses.")


def test_the_solution_rounds_as_kdviz_does():
    network = mlp(6, 5, 3, seed=0)
    for bits in (2, 3, 8):
        rounded = quantised(network, bits).hidden1.weight
        error = (network.hidden1.weight - rounded).square().mean()
        assert torch.isclose(solve("20.1")(network.hidden1.weight, bits), error)


def test_the_solution_counts_as_kdviz_does():
    from kdviz.algorithms.quantised import pruned, stored_bytes

    layer = torch.nn.Sequential(torch.nn.Linear(16, 10, bias=False))
    both = pruned(quantised(layer, 4), 0.75)
    assert solve("20.2")(160, 0.75, 4) == stored_bytes(both)


def test_the_solution_weighs_as_kdviz_does():
    from kdviz.algorithms.multi_teacher import by_loss

    logits, labels = torch.randn(3, 6, 4), torch.tensor([0, 1, 2, 3, 3, 0])
    losses = torch.stack([torch.nn.functional.cross_entropy(one, labels) for one in logits])
    assert torch.isclose(solve("15.1")(logits, labels), by_loss(losses)[0])


def test_the_solution_counts_what_travels_as_kdviz_does():
    from kdviz.algorithms.federated import bytes_of_answers, bytes_of_weights

    network = mlp(64, 8, 10)
    parameters = sum(weights.numel() for weights in network.parameters())
    once = bytes_of_answers(200, 10, 1) / 2
    assert solve("15.2")(parameters, 7, 200, 10) == bytes_of_weights(network, 7) / once


def test_the_solution_is_the_term_of_kdviz():
    from kdviz.losses.images import information_entropy

    logits = 3 * torch.randn(6, 5, dtype=torch.float64)
    torch.testing.assert_close(solve("16.1")(logits), information_entropy(logits))


def test_the_solution_weighs_what_page_16_keeps():
    from kdviz.course.experiments.n16_nothing_but_the_teacher import KEPT_STATISTICS

    assert solve("16.2")(256, 8, 8) * 64 == KEPT_STATISTICS


def test_the_solution_lies_between_forward_and_reverse_as_kdviz_has_it():
    from kdviz.losses import response

    student, teacher = 2 * torch.randn(2, 6, 5, dtype=torch.float64)
    forward = response.soft_targets(student, teacher, 1.0, form="divergence")
    ends = {0.0: forward, 1.0: response.reverse_kl(student, teacher)}
    for beta in (0.0, 0.1, 0.5, 0.9, 1.0):
        expected = ends.get(beta, response.jensen_shannon(student, teacher, beta))
        torch.testing.assert_close(solve("23.1")(student, teacher, beta), expected)


def test_the_solution_learns_the_words_that_kdviz_learns():
    texts = clock(20).texts
    losses = torch.rand(texts.tokens.shape, dtype=torch.float64)
    torch.testing.assert_close(solve("23.2")(losses, texts.tokens), losses[texts.learned].mean())


def test_the_solution_knows_the_margin_as_kdviz_does():
    from kdviz.algorithms.attacks import margin

    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 3, 0])
    torch.testing.assert_close(solve("17.1")(logits, labels), margin(logits, labels).mean())


def test_the_solution_is_what_the_attack_reaches():
    from kdviz.algorithms.attacks import fgsm, margin

    model, x = torch.nn.Linear(5, 2), torch.randn(1, 5)
    for label in (0, 1):
        found = solve("17.2")(model.weight, model.bias, x[0], label, 0.3)
        reached = margin(model(fgsm(model, x, torch.tensor([label]), 0.3)), torch.tensor([label]))
        torch.testing.assert_close(found, reached[0])


def test_the_solution_keeps_the_answers_that_kdviz_keeps():
    from kdviz.algorithms.lifelong import Head
    from kdviz.losses.response import SoftTargets

    student, teacher = torch.randn(2, 6, 5, dtype=torch.float64)
    expected = Head(SoftTargets(2.0, form="paper"), (0, 1, 2))(student, teacher)
    torch.testing.assert_close(solve("21.2")(student, teacher, 3), expected)


def test_the_solution_tells_what_is_forgotten_from_what_is_not_asked():
    logits = torch.tensor([[2.0, 1.0, 3.0], [2.0, 1.0, 0.0], [2.0, 1.0, 3.0], [0.0, 0.0, 1.0]])
    # The first is known and drowned, the second right, the third gone, the last is new.
    assert solve("21.1")(logits, torch.tensor([0, 0, 1, 2]), 2) == 0.5
