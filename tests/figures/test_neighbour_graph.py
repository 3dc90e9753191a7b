import numpy as np
import pytest

from kdviz.figures import neighbour_graph

PLACES = [[0, 0], [1, 0], [0, 1]]
TEACHER = np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]], bool)
STUDENT = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)


def test_each_edge_is_drawn_once_in_the_line_that_says_whose_it_is():
    lines = {line.name: line for line in neighbour_graph(PLACES, TEACHER, STUDENT, "abc").data}
    assert set(lines) == {"only the teacher: 1", "only the student: 1", "both: 1", "samples"}
    ends = {name: np.column_stack([one.x, one.y])[:2].tolist() for name, one in lines.items()}
    assert ends["both: 1"] == [[0, 0], [1, 0]]
    assert ends["only the teacher: 1"] == [[0, 0], [0, 1]]
    assert ends["only the student: 1"] == [[1, 0], [0, 1]]


def test_edges_that_do_not_fit_are_refused_by_name():
    with pytest.raises(ValueError, match=r"student must be symmetric, of shape \(3, 3\)"):
        neighbour_graph(PLACES, TEACHER, np.triu(STUDENT), "abc")
    with pytest.raises(ValueError, match="teacher must be symmetric.*got shape"):
        neighbour_graph(PLACES, TEACHER[:2, :2], STUDENT, "abc")
