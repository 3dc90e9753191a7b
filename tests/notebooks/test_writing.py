"""How every notebook is written: the limits of design and house style, counted."""

import json
import statistics
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def share_within(values, limit):
    return sum(value <= limit for value in values) / len(values)


def test_is_valid_and_ships_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in cells(notebook, "code"):
        assert cell.outputs == [] and cell.execution_count is None, cell.id
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata


def test_says_what_it_is_and_how_long_it_takes(notebook):
    assert notebook.cells[0].source.startswith("# ")
    assert "you will be able to" in notebook.cells[0].source
    assert notebook.metadata.kdviz.minutes > 0


def test_code_cells_are_short(notebook):
    lines = [sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in cells(notebook, "code")]
    assert statistics.median(lines) <= 6
    assert share_within(lines, 15) >= 0.9


def test_texts_are_short(notebook):
    words = [len(cell.source.split()) for cell in cells(notebook, "markdown")]
    assert statistics.median(words) <= 70
    assert share_within(words, 150) >= 0.9


def test_names_no_place_of_one_machine(notebook):
    text = json.dumps(notebook)
    assert not any(place in text for place in ("/home/", "/Users/", "/root/", "/work/", "C:\\\\"))
