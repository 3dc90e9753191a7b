"""The heat map shows each pair of layers in its place."""

import numpy as np
import pytest

from kdviz import figures

VALUES = np.array([[0.9, 0.25], [-0.001, np.nan], [0.4, 0.6]])
ROWS, COLUMNS = ["hidden1", "hidden2", "logits"], ["hidden1", "logits"]


def test_each_pair_of_layers_stands_in_its_place():
    picture = figures.cka_map(VALUES, ROWS, COLUMNS)
    (heat,) = picture.data
    assert (list(heat.y), list(heat.x)) == (ROWS, COLUMNS)
    np.testing.assert_array_equal(heat.z, VALUES)
    assert [list(row) for row in heat.text] == [["0.90", "0.25"], ["0.00", "–"], ["0.40", "0.60"]]
    assert picture.layout.yaxis.title.text == "layer of the teacher"
    assert picture.layout.xaxis.title.text.startswith("layer of the student (framed: the teacher’s most")


def test_colours_mean_the_same_in_every_map():
    for values in (VALUES, VALUES / 10):
        heat = figures.cka_map(values, ROWS, COLUMNS).data[0]
        assert (heat.zmin, heat.zmax) == (0, 1)


def test_the_most_alike_row_of_each_column_has_a_frame():
    frames = figures.cka_map(VALUES, ROWS, COLUMNS).layout.shapes
    assert [((f.x0 + f.x1) / 2, (f.y0 + f.y1) / 2) for f in frames] == [(0, 0), (1, 2)]


def test_a_dead_layer_has_no_frame():
    values = VALUES.copy()
    values[:, 1] = np.nan
    assert len(figures.cka_map(values, ROWS, COLUMNS).layout.shapes) == 1


def test_a_table_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"must have shape \(2, 3\).*got \(3, 2\)"):
        figures.cka_map(VALUES, COLUMNS, ROWS)
