"""The examples in the docstrings of what measures, explains, draws and studies run as printed."""

import doctest
import pkgutil
from importlib import import_module

import pytest

ROOMS = ("measure", "explain", "figures", "study", "inputs")
MODULES = [
    found.name
    for room in ROOMS
    for found in pkgutil.walk_packages(import_module(f"kdviz.{room}").__path__, f"kdviz.{room}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_as_printed(name):
    assert doctest.testmod(import_module(name)).failed == 0


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_examples(room):
    modules = [import_module(name) for name in MODULES if name.startswith(f"kdviz.{room}.")]
    finder = doctest.DocTestFinder(exclude_empty=True)
    assert sum(len(found.examples) for module in modules for found in finder.find(module)) >= 4
