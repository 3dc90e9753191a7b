"""The heat map shows the paired gains of its table, and says where they are null."""

import numpy as np
import pandas as pd
import pytest

from kdviz import figures
from kdviz.measure import paired

SEEDS = range(6)
FLAT = [-1, 1, -1, 1, -1, 1]


def table_of(cells, baseline=80):
    """One row a seed for the baseline and for each cell, whose gains over it are given; shuffled."""
    rows = [
        {"seed": seed, "temperature": t, "soft_weight": w, "accuracy": baseline + 5 * seed + gains[seed]}
        for (t, w), gains in {(1.0, 0.0): [0] * 6, **cells}.items()
        for seed in SEEDS
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


CELLS = {
    (2.0, 0.5): [1, 2, 3, 1, 2, 3],
    (2.0, 1.0): [-4, -5, -6, -4, -5, -6],
    (16.0, 0.5): FLAT,
    (16.0, 1.0): [3, 3, 4, 3, 3, 4],
}


def test_each_cell_shows_its_paired_gain_in_its_place():
    heat = figures.landscape(table_of(CELLS)).data[0]
    assert list(heat.x) == ["2", "16"] and list(heat.y) == ["0.5", "1"]
    for column, temperature in enumerate((2.0, 16.0)):
        for row, weight in enumerate((0.5, 1.0)):
            gains = CELLS[temperature, weight]
            assert heat.z[row][column] == pytest.approx(np.mean(gains))
            assert heat.hovertext[row][column] == str(paired(gains, [0] * 6))


def test_exactly_the_cells_whose_interval_holds_zero_are_marked():
    heat = figures.landscape(table_of(CELLS)).data[0]
    assert [["null" in text for text in row] for row in heat.text] == [[False, True], [False, False]]
    assert heat.text[0][0] == "+2.0" and heat.text[0][1].startswith("+0.0<br>")


def test_gain_and_loss_of_one_size_are_equally_far_from_white():
    heat = figures.landscape(table_of(CELLS)).data[0]
    assert heat.zmax == -heat.zmin == pytest.approx(5)
    assert figures.landscape(table_of(CELLS), largest=9).data[0].zmax == 9


def test_a_landscape_without_any_difference_is_all_null():
    heat = figures.landscape(table_of({(2.0, 0.5): [0] * 6})).data[0]
    assert heat.zmax > 0 and heat.text[0][0] == "+0.0<br><b>null</b>"


def test_students_that_could_not_be_trained_are_left_out():
    table = table_of(CELLS).set_index(["temperature", "soft_weight", "seed"]).sort_index()
    table.loc[(16.0, 1.0), "accuracy"] = np.nan
    table.loc[(2.0, 0.5, 0), "accuracy"] = np.nan
    heat = figures.landscape(table.reset_index()).data[0]
    assert np.isnan(heat.z[1][1]) and heat.text[1][1] == "" and heat.hovertext[1][1] == "no student"
    assert heat.hovertext[0][0] == str(paired(CELLS[2.0, 0.5][1:], [0] * 5))


def test_another_measure_can_be_compared():
    table = table_of(CELLS).rename(columns={"accuracy": "agreement"})
    assert figures.landscape(table, value="agreement").data[0].z[0][0] == pytest.approx(2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table[table.soft_weight > 0], "no baseline to compare with"),
        (lambda table: table[table.seed < 4], "five seeds"),
        (lambda table: table.drop(columns="temperature"), "no column 'temperature'; its columns are: seed"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        figures.landscape(change(table_of(CELLS)))
