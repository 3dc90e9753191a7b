"""How every notebook is written: the limits of design and house style, counted."""

import os
import re
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


def test_says_what_one_will_be_able_to_do(notebook):
    assert notebook.cells[0].source.startswith("# ")
    assert "you will be able to" in notebook.cells[0].source


def test_code_cells_are_short(notebook):
    lines = [sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in cells(notebook, "code")]
    assert statistics.median(lines) <= 6
    assert share_within(lines, 15) >= 0.9


def test_texts_are_short(notebook):
    words = [len(cell.source.split()) for cell in cells(notebook, "markdown")]
    assert share_within(words, 150) >= 0.9


HOMES = ("home", "Users", "root")


def places(part):
    """Every path in a notebook, or a part of one, that leads to a place of one machine."""
    if isinstance(part, str):
        # Folders that any machine may have, wherever they stand, and those of this one where a path begins.
        here = "|".join(map(re.escape, os.listdir("/")))
        everywhere = rf"/(?:{'|'.join(HOMES)})/|\bC:\\"
        return re.findall(rf"{everywhere}|(?:(?<![\w./~-])|(?<=file://))/(?:{here})(?![\w-])", part)
    parts = [*part, *part.values()] if isinstance(part, dict) else part if isinstance(part, list) else []
    return [place for one in parts for place in places(one)]


def test_names_no_place_of_one_machine(notebook):
    assert places(notebook) == []


FOLDER = next(name for name in sorted(os.listdir("/")) if name.isalpha() and name not in HOMES)


@pytest.mark.parametrize(
    "text",
    [
        "Look into /home/ada/course.",
        "file:///Users/ada/course",
        f'open("/{HOMES[-1]}/notes")',
        "C:\\course\\notes",
        f"/{FOLDER}/course",
        f"the first line\n/{FOLDER}/course",
        f'open("/{FOLDER}/course.csv")',
        f"read_csv('/{FOLDER}')",
        f"[a page](/{FOLDER}/page.html)",
        f"file:///{FOLDER}/page.html",
        f"KDVIZ_CACHE=/{FOLDER}/store",
    ],
)
def test_a_place_of_one_machine_is_found_in_any_part_of_a_notebook(text):
    code, words = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    output = nbformat.v4.new_output("stream", text=text)
    for cell in (code(text), words(text), words("", metadata={"note": [text]}), code("", outputs=[output])):
        assert len(places(nbformat.v4.new_notebook(cells=[words("# A page"), cell]))) == 1


@pytest.mark.parametrize(
    "text",
    [f"../{FOLDER}/course.csv", f"https://example.org/{FOLDER}/page", "1/2", "teacher/student", "a: b"],
)
def test_other_paths_are_fine(text):
    assert places(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])) == []
