import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import pytest
import remote_work
import torch
from remote_work import FEW, mixture, note_pieces
from torch import nn

from kdviz import CrossEntropy, SoftTargets
from kdviz.datasets import digits
from kdviz.measure import accuracy
from kdviz.models import convnet, cost, mlp
from kdviz.schemes._sweep import Job, _products, small_student
from kdviz.training.store import Store

GRID = {"temperature": [1.0, 8.0], "soft_weight": [0.0, 0.5, 0.9]}


def small_sweep(grid=GRID, objective=mixture, **changes):
    """Pieces as large as a sweep makes them by itself."""
    return remote_work.small_sweep(grid, objective, **{"steps": 30, "students_at_once": None, **changes})


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("KDVIZ_CACHE", str(tmp_path))


@pytest.fixture
def pieces_trained(monkeypatch):
    """The seeds of every piece that was trained, not taken from the store."""
    trained = []
    note_pieces(monkeypatch, trained.append)
    return trained


def test_one_row_a_student_in_the_order_of_seeds_and_grid():
    found = small_sweep().finish(progress=False)
    assert (found.done, found.total) == (18, 18)
    assert found.table.seed.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert found.table.temperature.tolist() == ([1.0] * 3 + [8.0] * 3) * 3
    assert found.table.soft_weight.tolist() == [0.0, 0.5, 0.9] * 6
    assert (found.table.problem == "").all()
    for column in ("validation_accuracy", "accuracy", "agreement"):
        assert found.table[column].between(0, 100).all() and found.table[column].nunique() > 3


def test_any_row_trained_alone_is_the_same_student():
    found = small_sweep().finish(progress=False)
    for place in (0, 10, 17):
        row, student = found.table.loc[place], found.single_run(place).finish().student
        test = FEW(seed=int(row.seed)).test
        with torch.no_grad():
            assert 100 * accuracy(student(test.inputs), test.labels) == pytest.approx(row.accuracy)


@pytest.mark.parametrize("changes", [{"students_at_once": 1}, {"students_at_once": 12}, {"threads": 2}])
def test_the_numbers_do_not_depend_on_pieces_or_threads(changes, tmp_path):
    whole = small_sweep().finish(progress=False).table
    other = small_sweep(**changes, store=Store(tmp_path / "other")).finish(progress=False).table
    # An answer may turn where rounding decides; the losses are close to the last digits.
    pd.testing.assert_series_equal(whole.negative_log_likelihood, other.negative_log_likelihood, rtol=1e-4)
    assert (whole.accuracy - other.accuracy).abs().max() < 0.6


def test_the_first_seeds_of_every_point_come_first():
    widths = {"width": [3, 4], "soft_weight": [0.0, 0.9]}
    found = small_sweep(widths, partial(mixture, temperature=2.0), student=small_student, students_at_once=2)
    first, second = next(found), next(found)
    assert (len(first), len(second)) == (2, 4)
    assert second.seed.tolist() == [0] * 4 and sorted(second.width) == [3, 3, 4, 4]


def test_a_sweep_left_in_the_middle_goes_on_where_it_was(pieces_trained):
    for table in small_sweep(students_at_once=6):
        if len(table) == 12:
            break
    assert pieces_trained == [[0], [1]]
    found = small_sweep(students_at_once=6).finish(progress=False)
    assert found.done == 18 and pieces_trained == [[0], [1], [2]]


def test_an_interrupt_keeps_what_was_trained(monkeypatch, pieces_trained):
    found = small_sweep(students_at_once=6)
    next(found)
    with monkeypatch.context() as patch:
        patch.setattr(Job, "_table_rows", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            found.finish(progress=False)
    assert found.done == 6
    small_sweep(students_at_once=6).finish(progress=False)
    assert pieces_trained == [[0], [1], [1], [2]]


def warmer(temperature, soft_weight):
    return mixture(2 * temperature, soft_weight)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 31},
        {"learning_rate": 4e-3},
        {"batch_size": 16},
        {"data": partial(FEW, labels=31)},
        {"teacher": lambda data: mlp(64, 12, 10, seed=7).eval()},
        {"student": mlp(64, 4, 10, seed=9)},
        {"curves": True},
        {"objective": warmer},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_setting_is_never_served_stale(change, pieces_trained):
    small_sweep(seeds=1).finish(progress=False)
    small_sweep(seeds=1).finish(progress=False)
    assert len(pieces_trained) == 1
    small_sweep(seeds=1, **change).finish(progress=False)
    assert len(pieces_trained) == 2


def test_stop_ends_it_soon_and_keeps_whole_pieces():
    found = small_sweep(students_at_once=6)
    next(found)
    found.stop()
    assert found.finish(progress=False).done == 6


def test_curves_are_kept_on_request():
    table = small_sweep(curves=True, seeds=1).finish(progress=False).table
    assert [step for step, _ in table.curve[0]] == list(range(1, 31))
    assert table.curve[0][-1][1] == table.validation_accuracy[0]


def test_a_bad_value_is_reported_by_row_and_the_others_finish():
    grid = {"temperature": [1.0, -2.0], "soft_weight": [0.5]}
    found = small_sweep(grid).finish(progress=False)
    assert found.done == 6 and len(found.problems) == 3
    assert (found.problems.temperature == -2).all()
    assert found.problems.problem.str.contains("temperature must be a finite number above 0").all()
    assert found.table[found.table.temperature == 1].accuracy.notna().all()
    with pytest.raises(ValueError, match="could not be trained"):
        found.single_run(1)


def test_a_student_that_diverges_is_reported_by_row_and_the_others_finish():
    grid = {"temperature": [2.0], "soft_weight": [0.5], "learning_rate": [1e-3, 1e38]}
    found = small_sweep(grid).finish(progress=False)
    assert found.problems.learning_rate.tolist() == [1e38] * 3
    assert found.problems.problem.str.contains("no finite number").all()
    assert found.problems.accuracy.isna().all()
    healthy = small_sweep({**grid, "learning_rate": [1e-3]}).finish(progress=False).table
    assert found.table.accuracy.dropna().tolist() == healthy.accuracy.tolist()


def test_an_objective_is_swept_by_its_addresses():
    objective = 0.5 * CrossEntropy() + 0.5 * SoftTargets(4)
    grid = {"soft_targets.temperature": [1.0, 8.0], "soft_targets.weight": [0.5]}
    by_address = small_sweep(grid, objective).finish(progress=False).table
    by_name = small_sweep({"temperature": [1.0, 8.0], "soft_weight": [0.5]}).finish(progress=False).table
    assert by_address.accuracy.tolist() == by_name.accuracy.tolist()


def test_labels_and_steps_can_be_swept_too():
    grid = {"labels": [20, 30], "steps": [5, 10]}
    table = (
        small_sweep(grid, CrossEntropy(), data=partial(digits, transfer="labelled"))
        .finish(progress=False)
        .table
    )
    assert len(table) == 12 and "agreement" not in table
    assert table.groupby(["labels", "steps"]).negative_log_likelihood.mean().nunique() == 4


def test_a_name_that_nothing_uses_is_an_error():
    with pytest.raises(ValueError, match="'warmth' is used by nothing"):
        small_sweep({"warmth": [1]}, CrossEntropy())
    with pytest.raises(ValueError, match="unknown setting|settings are"):
        small_sweep({"soft_targets.warmth": [1]}, 1.0 * SoftTargets(2)).finish(progress=False).single_run(0)


def test_an_own_network_of_any_kind_can_be_swept():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, 10))
    table = small_sweep(student=network).finish(progress=False).table
    assert (table.problem == "").all() and table.accuracy.nunique() > 3


@pytest.mark.parametrize("network", [mlp(64, 5, 3), convnet(4, 8)], ids=["mlp", "convnet"])
def test_the_work_of_a_network_is_what_the_counter_of_torch_says(network):
    inputs = torch.zeros(1, 1, 8, 8)
    assert _products(network, inputs) == cost(network, inputs).macs


def test_data_that_cannot_be_had_is_reported_by_row():
    found = small_sweep(
        {"labels": [20, 5000]}, CrossEntropy(), data=partial(digits, transfer="labelled"), seeds=1
    )
    problems = found.finish(progress=False).problems
    assert problems.labels.tolist() == [5000] and "labels must be" in problems.problem.iloc[0]


class Watched:
    """A function that notes what it draws, and is known as the function itself."""

    def __init__(self, function, drawn):
        self.function, self.drawn, self.described_as = function, drawn, function

    def __call__(self, seed):
        self.drawn.append(seed)
        return self.function(seed=seed)


def watched_sweep(drawn, **changes):
    """A sweep that cuts its jobs itself, and notes the seeds that it draws."""
    data, student = Watched(FEW, drawn["data"]), Watched(partial(small_student, width=4), drawn["student"])
    return small_sweep(data=data, student=student, **{"seeds": 6, "steps": 5, **changes})


def test_each_seeds_data_and_network_are_drawn_once():
    drawn = {"data": [], "student": []}
    watched_sweep(drawn).finish(progress=False)
    assert sorted(drawn["data"]) == sorted(drawn["student"]) == list(range(6))


def test_a_stored_sweep_is_found_without_drawing_anything(pieces_trained):
    first = watched_sweep({"data": [], "student": []}).finish(progress=False).table
    pieces_trained.clear()
    drawn = {"data": [], "student": []}
    again = watched_sweep(drawn).finish(progress=False).table
    assert drawn == {"data": [], "student": []} and pieces_trained == []
    pd.testing.assert_frame_equal(again, first)


WIDTH = 4


def of_a_global_width(seed):
    return mlp(64, WIDTH, 10, seed=seed)


def test_a_changed_value_that_a_function_refers_to_is_noticed(monkeypatch, pieces_trained):
    small_sweep(student=of_a_global_width, seeds=1).finish(progress=False)
    small_sweep(student=of_a_global_width, seeds=1).finish(progress=False)
    assert len(pieces_trained) == 1
    monkeypatch.setattr(sys.modules[__name__], "WIDTH", 5)
    small_sweep(student=of_a_global_width, seeds=1).finish(progress=False)
    assert len(pieces_trained) == 2


class Unspeakable:
    """A function that cannot be described: its network has to be drawn."""

    __slots__ = ("width",)

    def __init__(self, width):
        self.width = width

    def __call__(self, seed):
        return mlp(64, self.width, 10, seed=seed)


def test_what_cannot_be_described_is_drawn_and_known_by_what_it_is(pieces_trained):
    for width, trained in ((4, 1), (4, 1), (5, 2)):
        small_sweep(student=Unspeakable(width), seeds=1).finish(progress=False)
        assert len(pieces_trained) == trained


def own_loss(factor):
    class Own(SoftTargets):
        def value(self, student, teacher, labels, learned):
            return factor * super().value(student, teacher, labels, learned)

    return Own(2)


def test_the_code_of_a_loss_of_ones_own_is_part_of_it(pieces_trained):
    assert repr(own_loss(1)) == repr(own_loss(2))
    for factor, trained in ((1, 1), (1, 1), (2, 2)):
        small_sweep({"learning_rate": [1e-3]}, 1.0 * own_loss(factor), seeds=1).finish(progress=False)
        assert len(pieces_trained) == trained


@pytest.mark.filterwarnings("ignore:.*not JSON serializable")
def test_two_losses_of_one_name_and_two_tensors_that_look_alike_are_told_apart():
    def with_factor(factor):
        return 1.0 * own_loss(factor)

    small = small_sweep({"factor": [1.0, -1.0]}, with_factor, seeds=1).finish(progress=False).table
    alone = small_sweep({"factor": [-1.0]}, with_factor, seeds=1).finish(progress=False).table
    assert small.accuracy[1] == alone.accuracy[0] != small.accuracy[0]

    # Of a large tensor only the corners are printed.
    tensors = [torch.zeros(100, 100), torch.zeros(100, 100)]
    tensors[1][50, 50] = 1
    assert repr(tensors[0]) == repr(tensors[1])
    data = lambda seed, drawn: FEW(seed=int(drawn.sum()))  # noqa: E731
    found = small_sweep({"drawn": tensors, "temperature": [2.0], "soft_weight": [0.9]}, data=data, seeds=1)
    accuracies = found.finish(progress=False).table.accuracy
    alone = small_sweep({"temperature": [2.0], "soft_weight": [0.9]}, data=lambda seed: FEW(seed=1), seeds=1)
    assert accuracies[1] == alone.finish(progress=False).table.accuracy[0] != accuracies[0]


@pytest.mark.parametrize("known", [True, False])
def test_what_was_in_the_way_is_not_kept(known):
    def late(seed):
        if not there:
            raise ValueError("the file is broken")
        return FEW(seed=seed)

    # Whether or not it can be described: a module of one's own cannot.
    there, late.described_as = False, "late data" if known else remote_work
    broken = small_sweep(data=late, seeds=2)
    with pytest.raises(
        ValueError, match="no student could be trained, of 12 in this sweep: the file is broken"
    ):
        broken.finish(progress=False)
    assert broken.table.problem.unique().tolist() == ["the file is broken"] and broken.done == 12
    there = True
    mended = small_sweep(data=late, seeds=2).finish(progress=False)
    assert (mended.table.problem == "").all() and mended.table.accuracy.notna().all()


def test_a_sweep_of_no_seeds_is_refused():
    with pytest.raises(ValueError, match="at least one seed"):
        small_sweep(seeds=0)


def rows_of_sweep(grid, objective=mixture, **changes):
    return small_sweep(grid, objective, **{"steps": 5, "seeds": 1, **changes}).finish(progress=False).table


POINT = {"soft_weight": [0.5]}


@pytest.mark.parametrize(
    "values",
    [
        np.arange(1, 3),
        torch.tensor([1.0, 2.0]),
        [np.float32(1), np.int64(2)],
        [torch.tensor(1), np.array(2.0)],
    ],
)
def test_numbers_of_numpy_and_torch_are_numbers(values):
    table = rows_of_sweep({**POINT, "temperature": values})
    assert (table.problem == "").all() and table.temperature.tolist() == [1, 2]


@pytest.mark.parametrize("seeds", [np.arange(2), torch.arange(2), [np.int64(0), 1], np.int64(2), (0, 1)])
def test_seeds_of_numpy_and_torch_are_seeds(seeds):
    assert rows_of_sweep({**POINT, "temperature": [1]}, seeds=seeds).seed.tolist() == [0, 1]


@pytest.mark.parametrize("seeds", [0, -1, [], [-1], [0.5], 1.5, None, True, "two", np.array([])])
def test_seeds_that_are_none_say_what_is_expected(seeds):
    with pytest.raises(ValueError, match="a sweep needs at least one seed.*got"):
        small_sweep({**POINT, "temperature": [1]}, seeds=seeds)


@pytest.mark.parametrize(
    "grid", [{"temperature": 4}, {"temperature": "14"}, 3, [3], {"temperature": np.array(4)}]
)
def test_a_grid_that_is_none_says_what_is_expected(grid):
    with pytest.raises(ValueError, match="the grid.* must be .*list"):
        small_sweep(grid)


@pytest.mark.parametrize(
    "bad, said",
    [
        ({"temperature": 1e308}, "no finite number"),
        ({"temperature": float("inf")}, "finite"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "warm"}, ""),
        ({"learning_rate": float("inf")}, "finite"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"steps": 0}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"batch_size": True}, "batch_size"),
    ],
)
def test_a_bad_point_costs_its_own_row_only(bad, said):
    good = {"temperature": 2, "soft_weight": 0.5}
    table = rows_of_sweep([good, {**good, **bad}, good])
    assert table.problem.astype(bool).tolist() == [False, True, False]
    assert said in table.problem[1] and table.accuracy.notna().tolist() == [True, False, True]


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor])
def test_a_sweep_without_a_single_student_is_an_error(executor):
    def late(seed):
        raise ValueError(f"the file of seed {seed} is broken")

    point, executor = {"temperature": 2, "soft_weight": 0.5}, executor and executor()
    for changes, grid, said in (
        (
            {"seeds": 2},
            [{**point, "steps": 0}] * 2,
            "no student .*, of 4 in .*: steps must be a whole",
        ),
        (
            {"seeds": 2, "data": late},
            [point],
            r"no student .* of 2 in .*\(1 of them for other .*file of seed 0",
        ),
        ({"device": "cuda:99"}, [point], "finds no device 'cuda:99'"),
    ):
        found = small_sweep(grid, **{"seeds": 1, "executor": executor, **changes})
        # Each time that it is asked for, with the rows in the table.
        for _ in range(2):
            with pytest.raises(ValueError, match=said):
                found.finish(progress=False)
        assert len(found.problems) == found.total


def test_a_number_that_overflows_costs_its_own_rows_only():
    points = [{"temperature": 1e308, "soft_weight": 0.5, "steps": 3}, {"temperature": 2, "soft_weight": 0.5}]
    table = rows_of_sweep(points, seeds=2)
    assert table.problem.str.startswith("OverflowError").tolist() == [True, False] * 2


def no_such_width(width, seed):
    if width == 0:
        raise KeyError("no network of width 0")
    return small_student(width, seed)


def test_a_network_that_cannot_be_made_costs_its_own_rows_only():
    table = rows_of_sweep([{"width": 8}, {"width": 0}], SoftTargets(4), student=no_such_width, seeds=2)
    assert table.problem.tolist() == ["", "KeyError: 'no network of width 0'"] * 2


def endless(data):
    """The teacher of seed 0 has lost its head."""
    return torch.full((len(data.transfer), 10), torch.inf if data.seed == 0 else 0.0)


def test_a_teacher_of_infinite_logits_is_a_problem_of_its_rows(own_store):
    table = rows_of_sweep([{}], SoftTargets(4), teacher=endless, seeds=2)
    assert table.problem.str.contains("no finite number").tolist() == [True, False]
    with pytest.raises(ValueError, match="no student .* of 1 in .* no finite number at step 1"):
        rows_of_sweep([{}], SoftTargets(4), teacher=endless)


def test_dropout_and_batch_statistics_in_a_sweep():
    def layers(*more):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), *more, nn.Linear(16, 10))

    table = rows_of_sweep([{}], SoftTargets(4), student=layers(nn.Dropout(0.2)))
    again = rows_of_sweep([{}], SoftTargets(4), student=layers(nn.Dropout(0.2)))
    assert (table.problem == "").all() and len(again) == 1
    with pytest.raises(ValueError, match="keeps running statistics.*GroupNorm"):
        rows_of_sweep([{}], SoftTargets(4), student=layers(nn.BatchNorm1d(16)))


def test_a_second_thread_is_told_that_the_sweep_is_being_trained():
    import threading

    found, entered, leave = small_sweep(), threading.Event(), threading.Event()
    job, train = found._jobs[0], type(found._jobs[0]).train

    def slow(stopped):
        entered.set()
        leave.wait(20)
        return train(job, stopped)

    vars(job)["train"] = slow
    thread = threading.Thread(target=found.finish, args=[False])
    thread.start()
    try:
        assert entered.wait(20)
        with pytest.raises(RuntimeError, match="trained in another thread"):
            found.finish(progress=False)
    finally:
        leave.set()
        thread.join()
    assert found.done == found.total


def test_a_loop_that_is_left_is_gone_on_with():
    found = small_sweep(students_at_once=6)
    for _ in found:
        break
    begun = found.done
    assert 0 < begun < found.total
    assert found.finish(progress=False).done == found.total
