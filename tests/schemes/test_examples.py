"""The examples in the docstrings of what schemes are made of run as they stand."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from kdviz import datasets, models, schemes, training

FILES = [
    module.name
    for room in (schemes, training, models, datasets)
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
]
ENTRIES = [schemes.distill, schemes.train, schemes.teacher, schemes.sweep, training.Run, training.Lesson]


@pytest.mark.parametrize("file", FILES)
def test_examples_run(file, tmp_path, monkeypatch):
    monkeypatch.setenv("KDVIZ_CACHE", str(tmp_path))
    result = doctest.testmod(import_module(file), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_entry_points_have_an_example(entry):
    assert ">>> " in entry.__doc__
