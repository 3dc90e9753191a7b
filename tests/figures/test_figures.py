"""What a figure shows is what it was given."""

import numpy as np
import pandas as pd
import plotly.io as pio
import pytest

from kdviz import figures
from kdviz.figures import template
from kdviz.measure import paired
from kdviz.training import Record

SEEDS = np.arange(6)
random = np.random.default_rng(0)


def table_of(arms, **more):
    rows = [
        {"seed": seed, "arm": arm, "accuracy": 80 + gain + random.normal(), **more}
        for arm, gain in arms.items()
        for seed in SEEDS
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def texts(figure):
    return [note.text for note in figure.layout.annotations]


def test_the_look_is_registered_and_nothing_is_sent_to_a_cloud():
    assert pio.templates["kdviz"].layout.plot_bgcolor == "white"
    assert pio.templates.default != "kdviz", "plotly's default belongs to the reader"
    figure = figures.class_bars({"teacher": [0.4, 0.6]}, "ab")
    bundle = pio.renderers["plotly_mimetype"].to_mimebundle(figure.to_plotly_json())
    assert bundle["application/vnd.plotly.v1+json"]["config"]["showSendToCloud"] is False


def test_roles_are_told_apart_by_more_than_colour():
    roles = figures.TEACHER, figures.STUDENT, figures.BASELINE
    for cue in ("color", "dash", "symbol", "pattern"):
        assert len({getattr(role, cue) for role in roles}) == 3


def test_class_bars_show_the_values_of_each_name():
    values = {"teacher": np.array([0.7, 0.2, 0.1]), "student": np.array([0.5, 0.1, 0.4])}
    figure = figures.class_bars(values, "abc", axis="share", log=True)
    for bar, (name, row) in zip(figure.data, values.items(), strict=True):
        assert bar.name == name and list(bar.x) == ["a", "b", "c"]
        np.testing.assert_array_equal(bar.y, row)
    assert figure.data[0].marker.color == figures.TEACHER.color
    assert figure.data[1].marker.color == figures.STUDENT.color
    assert figure.layout.yaxis.type == "log" and figure.layout.yaxis.title.text == "share"


def test_too_many_curves_are_refused():
    with pytest.raises(ValueError, match="at most 3 curves"):
        figures.class_bars({name: [1.0] for name in "abcd"}, "x")


def test_image_row_holds_every_pixel_and_caption_once():
    images = random.uniform(0.1, 1, (5, 3, 4))
    captions = [f"image {place}" for place in range(5)]
    figure = figures.image_row(images, captions, across=2)
    sheet = np.asarray(figure.data[0].z)
    assert (sheet > 0).sum() == images.size
    assert texts(figure) == captions
    for note, image in zip(figure.layout.annotations, images, strict=True):
        top, left = int(note.y + 0.8), int(note.x - 1.5)
        shown = sheet[top : top + 3, left : left + 4] / 255 * images.max()
        np.testing.assert_allclose(shown, image, atol=images.max() / 509)


@pytest.mark.parametrize("images", [np.zeros((2, 3)), np.zeros((0, 3, 3)), np.zeros((3, 3, 3))])
def test_image_row_refuses_what_it_cannot_caption(images):
    with pytest.raises(ValueError, match=r"shape \(n, height, width\)"):
        figures.image_row(images, ["one", "two"])


def test_temperature_curves_show_the_values_and_label_their_ends():
    temperatures = [1, 4, 64]
    curves = {"with": [3.0, 2.0, 1.0], "without": [1.0, 0.1, 0.01]}
    figure = figures.temperature_curves(temperatures, curves, axis="size (nats)", log=True)
    for line, (name, values) in zip(figure.data, curves.items(), strict=True):
        np.testing.assert_array_equal(line.x, temperatures)
        np.testing.assert_array_equal(line.y, values)
        assert line.name == name
    assert texts(figure) == ["with", "without"]
    ends = [(10**note.x, 10**note.y) for note in figure.layout.annotations]
    np.testing.assert_allclose(ends, [(64, 1.0), (64, 0.01)])
    assert list(figure.layout.xaxis.ticktext) == ["1", "4", "64"]


def test_learning_curves_show_the_records_in_percent():
    records = [Record(step, 0.0, {}, {"accuracy": step / 100}) for step in (10, 20, 30)]
    figure = figures.learning_curves({"student": records})
    np.testing.assert_array_equal(figure.data[0].x, [10, 20, 30])
    np.testing.assert_allclose(figure.data[0].y, [10, 20, 30])
    assert figure.data[0].line.dash == figures.STUDENT.dash


def test_paired_dots_show_each_seed_its_mean_and_its_interval():
    table = table_of({"hard": 0, "soft": 5, "control": 0})
    figure = figures.paired_dots(table, "hard", ["soft", "control"], controls=["control"])
    wide = table.pivot(index="seed", columns="arm", values="accuracy")
    for arm, (dots, mean) in zip(["soft", "control"], [figure.data[:2], figure.data[2:]], strict=True):
        found = paired(wide[arm], wide["hard"])
        np.testing.assert_allclose(dots.x, wide[arm] - wide["hard"], rtol=1e-6)
        assert list(dots.customdata) == list(wide.index)
        assert list(mean.customdata) == [str(found)]
        assert {figure.layout.yaxis.ticktext[round(place)] for place in (*dots.y, *mean.y)} == {arm}
        assert mean.x[0] == found.mean
        assert mean.x[0] + mean.error_x.array[0] == pytest.approx(found.high)
        assert mean.x[0] - mean.error_x.array[0] == pytest.approx(found.low)
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == 0


def test_paired_dots_call_a_null_null_and_count_the_seeds():
    flat = [-1, 1, -1, 1, -1, 1]
    table = pd.DataFrame(
        [
            {"seed": seed, "arm": arm, "accuracy": value}
            for arm, values in {"hard": [0] * 6, "soft": [4, 5, 6, 4, 5, 6], "none": flat}.items()
            for seed, value in enumerate(values)
        ]
    )
    soft, none = texts(figures.paired_dots(table, "hard", ["soft", "none"]))
    assert soft.startswith("+5.0 ±") and "6 of 6 better" in soft and "null" not in soft
    assert "3 of 6 better" in none and none.endswith("<b>null</b>")


def test_seeds_with_the_same_difference_do_not_hide_one_another():
    values = {"hard": [0] * 30, "soft": [1] * 29 + [2]}
    table = pd.DataFrame(
        [
            {"seed": seed, "arm": arm, "accuracy": value}
            for arm, all_values in values.items()
            for seed, value in enumerate(all_values)
        ]
    )
    dots = figures.paired_dots(table, "hard", ["soft"]).data[0]
    assert len({(x, y) for x, y in zip(dots.x, dots.y, strict=True)}) == 30
    assert np.abs(dots.y).max() < 0.45 and dots.y[29] == 0


def test_an_arm_has_the_look_of_its_part():
    table = table_of({"hard": 0, "soft": 5, "other": 4, "control": 0})
    arms = ["soft", "other", "control"]

    def looks(**settings):
        means = figures.paired_dots(table, "hard", arms, **settings).data[1::2]
        found = {row: (one.marker.color, one.marker.symbol) for one in means for row in one.y}
        return [found[row] for row in range(len(arms))]

    grey, orange = (template.BASELINE.color, "square-open"), (template.STUDENT.color, "diamond")
    assert looks() == [orange, orange, orange]
    assert looks(controls=["control"]) == [orange, orange, grey]


def test_paired_dots_draw_a_panel_for_each_group():
    table = pd.concat([table_of({"hard": 0, "soft": gain}, labels=n) for n, gain in ((50, 6), (100, 3))])
    figure = figures.paired_dots(table, "hard", ["soft"], by="labels")
    assert texts(figure)[:2] == ["50 labels", "100 labels"]
    means = [trace.x[0] for trace in figure.data if trace.name == "means"]
    for mean, (_, rows) in zip(means, table.groupby("labels"), strict=True):
        by_arm = rows.groupby("arm").accuracy.mean()
        assert mean == pytest.approx(by_arm["soft"] - by_arm["hard"])


def test_paired_dots_name_the_arms_there_are():
    with pytest.raises(ValueError, match="no arm 'sfot'; its arms are: hard, soft"):
        figures.paired_dots(table_of({"hard": 0, "soft": 1}), "hard", ["sfot"])


def test_omitted_digit_shows_both_measures_before_and_after():
    columns = ["recall", "accuracy", "recall_after", "accuracy_after"]
    table = pd.DataFrame(
        [
            {
                "seed": seed,
                "temperature": temperature,
                **dict(zip(columns, random.uniform(0, 100, 4), strict=True)),
            }
            for temperature in (None, 1.0, 4.0)
            for seed in SEEDS
        ]
    )
    figure = figures.omitted_digit(table)
    drawn = ["recall", "recall_after", "accuracy", "accuracy_after"]
    groups = table.groupby(table.temperature.fillna(0.0))
    for points, column in zip(figure.data, drawn, strict=True):
        assert list(points.x) == ["hard labels", "T = 1", "T = 4"]
        np.testing.assert_allclose(points.y, groups[column].mean())
        half = [paired(rows, [0] * len(rows)) for _, rows in groups[column]]
        np.testing.assert_allclose(points.error_y.array, [one.high - one.mean for one in half])


def test_lines_show_the_values_on_the_axes_asked_for():
    figure = figures.lines(
        [1, 10, 100], {"one": [3, 2, 1], "other": [1, 2, 4]}, x_axis="batch size", y_axis="loss", log_x=True
    )
    assert [list(trace.y) for trace in figure.data] == [[3, 2, 1], [1, 2, 4]]
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "linear")
    assert [note.x for note in figure.layout.annotations] == [2, 2], "where plotly wants an exponent"
    assert texts(figure) == ["one", "other"]
