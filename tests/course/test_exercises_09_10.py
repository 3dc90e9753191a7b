"""The exercises of notebooks 09 and 10: the solutions against the library, and answers of other kinds."""

import pytest
import torch
from exercise_answers import solve

from kdviz.measure import distillation_score
from kdviz.models import exits, mlp


def test_the_mean_cost_is_that_of_a_network_that_leaves_early():
    inputs = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network = exits(mlp(64, 9, 9, 10), ["activation1"], inputs)
    _, used = network.until_sure(inputs, 0.12)
    with torch.no_grad():
        said = torch.stack([network.alone(head)(inputs) for head in network.heads])
    costs = torch.tensor([1.0, 3.0])
    assert 0 < float(used.double().mean()) < 1
    found = solve("9.3")(said.softmax(-1).amax(-1), costs, 0.12)
    assert float(found) == pytest.approx(float(costs[used].mean()))


def test_two_students_tie_where_their_scores_are_equal():
    weight = solve("10.2")(0.05, 0.96, 0.2, 0.99)
    first, other = (distillation_score(s, 1.0, a, 1.0, weight) for s, a in ((0.05, 0.96), (0.2, 0.99)))
    assert 0 < weight < 1 and first == pytest.approx(other)
