import numpy as np
import pandas as pd
import pytest

from kdviz import figures

LABELS = np.array([1, 0, 1, 0, 2])


def test_rows_and_columns_are_sorted_by_class_and_keep_their_images():
    matrix = np.arange(25.0).reshape(5, 5)
    drawn = figures.class_heatmaps({"teacher": matrix}, LABELS)
    order = [1, 3, 0, 2, 4]
    assert np.array_equal(drawn.data[0].z, matrix[order][:, order])
    assert list(drawn.layout.yaxis.ticktext) == ["0", "1", "2"]
    assert list(drawn.layout.yaxis.tickvals) == [0.5, 2.5, 4.0]


def test_all_sheets_share_one_scale_and_one_bar():
    drawn = figures.class_heatmaps({"a": np.zeros((5, 5)), "b": np.full((5, 5), 3.0)}, LABELS)
    assert {sheet.coloraxis for sheet in drawn.data} == {"coloraxis"}
    assert (drawn.layout.coloraxis.cmin, drawn.layout.coloraxis.cmax) == (0.0, 3.0)


def test_units_as_columns_stay_in_their_order():
    features = np.arange(15.0).reshape(5, 3)
    drawn = figures.class_heatmaps({"teacher": features}, LABELS, square=False)
    assert np.array_equal(drawn.data[0].z, features[[1, 3, 0, 2, 4]])


def test_a_matrix_that_does_not_fit_the_labels_is_refused():
    with pytest.raises(ValueError, match="'student' has shape .*square=False"):
        figures.class_heatmaps({"student": np.zeros((5, 4))}, LABELS)


@pytest.fixture
def table():
    accuracy = {"hard labels": [10.0, 80.0, 84.0], "hint": [90.0, 91.0, 95.0]}
    rows = [(seed, arm, value) for arm, values in accuracy.items() for seed, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["seed", "arm", "accuracy"])


def test_every_seed_is_a_dot_and_the_median_a_line(table):
    drawn = figures.seed_dots(table, ["hard labels", "hint"])
    assert [list(dots.x) for dots in drawn.data] == [[10.0, 80.0, 84.0], [90.0, 91.0, 95.0]]
    assert [line.x0 for line in drawn.layout.shapes] == [80.0, 91.0]
    assert drawn.layout.annotations[0].text == "10 … <b>80</b> … 84"
    assert all(abs(y - place) < 0.5 for place, dots in enumerate(drawn.data) for y in dots.y)


def test_an_arm_that_is_not_there_is_named(table):
    with pytest.raises(ValueError, match="no arm 'soft targets'; its arms are: hard labels, hint"):
        figures.seed_dots(table, ["hard labels", "soft targets"])
