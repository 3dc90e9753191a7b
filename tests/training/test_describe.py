"""Equal descriptions only where the numbers will be equal."""

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache, partial, wraps

import numpy as np
import pytest
import torch
from torch import nn

from kdviz.datasets import digits
from kdviz.datasets.augmentations import noisy
from kdviz.models import mlp
from kdviz.training.describe import Undescribable, describe, versions

FACTOR = 2


def scaled(value):
    return FACTOR * value


def calls_scaled(value):
    return scaled(value) + 1


def recursive(count):
    return recursive(count - 1) if count else 0


def logged(function):
    @wraps(function)
    def call(*given):
        return function(*given)

    return call


@lru_cache
def cached(value):
    return FACTOR - value


def same(one, other):
    return json.dumps(describe(one)) == json.dumps(describe(other))


def closure(value):
    return lambda: value


def test_plain_values_are_told_apart_by_type_and_value():
    values = [1, 1.0, True, "1", None, (1,), [1], {"a": 1}, {1}, 2, b"1", float("nan"), range(3)]
    described = [json.dumps(describe(value)) for value in values]
    assert len(set(described)) == len(values)
    assert same({"b", "a"}, {"a", "b"})


def test_functions_are_known_by_code_defaults_and_what_they_close_over():
    assert same(lambda x: x + 1, lambda y: y + 1) is False, "argument names are part of a function"
    assert same(closure(3), closure(3)) and not same(closure(3), closure(4))
    assert not same(lambda x=1: x, lambda x=2: x)
    assert not same(lambda *, x=1: x, lambda *, x=2: x)
    assert same(partial(scaled, 3), partial(scaled, 3)) and not same(partial(scaled, 3), partial(scaled, 4))
    json.dumps(describe(recursive))


@pytest.mark.parametrize(
    "function", [scaled, calls_scaled, logged(scaled), cached, lambda value: [FACTOR for _ in range(value)]]
)
def test_what_a_function_refers_to_is_part_of_it(function, monkeypatch):
    before = describe(function)
    assert describe(function) == before
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 3)
    assert describe(function) != before


def test_what_is_installed_is_known_by_name_and_version():
    assert versions()["kdviz"] in json.dumps(describe(digits))
    assert torch.__version__.split("+")[0] in json.dumps(describe(nn.Linear))
    assert describe(math.sqrt) and describe(np.linalg.norm)


def test_a_function_made_by_one_that_is_installed_is_known_by_what_it_was_made_with():
    assert same(noisy(0.1), noisy(0.1)) and not same(noisy(0.1), noisy(0.3))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, inputs):
        return self.weight * inputs


class Other(Net):
    def forward(self, inputs):
        return self.weight * inputs + 1


def test_networks_are_known_by_weights_and_by_code():
    assert same(mlp(64, 4, 10, seed=1), mlp(64, 4, 10, seed=1))
    assert not same(mlp(64, 4, 10, seed=1), mlp(64, 4, 10, seed=2))
    assert same(Net(), Net()) and not same(Net(), Other())


def test_data_are_known_by_their_content():
    one, other = digits(labels=50), digits(labels=50)
    assert same(one, other)
    other.test.labels[0] += 1
    assert not same(one, other)


@dataclass
class Settings:
    width: int

    def __call__(self, seed):
        return mlp(64, self.width, 10, seed=seed)


def test_objects_are_known_by_class_and_fields():
    assert same(Settings(3), Settings(3)) and not same(Settings(3), Settings(4))
    assert not same(Settings(3).__call__, Settings(4).__call__)


def test_a_function_may_say_as_what_it_is_known():
    def noting(value, path):
        return scaled(value)

    noting.described_as = scaled
    assert same(partial(noting, path="a"), partial(noting, path="b")) and same(noting, scaled)


def imports_own_code():
    import networks

    return networks


@pytest.mark.parametrize(
    "value",
    [imports_own_code, sys.modules[__name__], torch.Generator(), np.zeros(2, object), object.__init__],
)
def test_what_cannot_be_described_says_so(value):
    with pytest.raises(Undescribable):
        describe(value)


def test_a_description_is_the_same_in_another_process():
    """Also where sets of strings are ordered otherwise."""
    code = (
        "import json; from kdviz.training.describe import describe; from functools import partial\n"
        "from kdviz.datasets import digits\n"
        "def f(x): return x in {'a', 'b', 'c', 'd'}\n"
        "print(json.dumps(describe([f, partial(digits, labels=30), {'a', 'b', 'c'}])))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
