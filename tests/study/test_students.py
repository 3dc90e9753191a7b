"""Several students and seeds in one call: every baseline told, the strongest first, and paired tests."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from setups import CLASSES, Named, conv, made, mlp, pictures, points, sentences, trained
from torch import nn
from torch.utils.data import DataLoader

import kdviz as kd
from kdviz.measure import accuracy
from kdviz.study import Comparison


def trained_for(steps, seed, data):
    return trained(made(mlp, 8, seed=seed), *data, steps=steps, seed=seed)


@pytest.fixture(scope="module")
def several():
    """Two students of three seeds each, and two baselines, the weaker one first."""
    data = points(400)
    few = data[0][:40], data[1][:40]
    teacher = trained(made(mlp, 32), *data)
    students = {
        "kd": [trained_for(60, seed, data) for seed in range(3)],
        "hint": [trained_for(20, seed, data) for seed in range(3, 6)],
    }
    baselines = {
        "weak": [trained_for(3, seed, few) for seed in range(2)],
        "strong": [trained_for(30, seed, few) for seed in range(2, 4)],
    }
    test = points(300)
    return teacher, students, baselines, test


def compared(several, **settings):
    teacher, students, baselines, test = several
    given = {"students": students, "baselines": baselines, "progress": False, **settings}
    return kd.compare(teacher, data=test, **given)


def test_the_table_has_means_over_seeds_and_the_runs_each(several):
    found = compared(several)
    _, students, baselines, (inputs, labels) = several
    assert list(found.table.index) == ["teacher", "kd", "hint", "weak", "strong"]
    assert found.table.seeds.tolist() == [1, 3, 3, 2, 2]
    for name, models in {**students, **baselines}.items():
        with torch.no_grad():
            each = [accuracy(model(inputs), labels) for model in models]
        assert found.runs.accuracy[found.members(name)].tolist() == pytest.approx(each)
        assert found.table.accuracy[name] == pytest.approx(np.mean(each))
    assert "seeds" in found.numbers and found.students == ["kd", "hint"]
    assert found.baselines == ["strong", "weak"]


def test_intervals_over_seeds_and_over_samples_stand_apart(several):
    found = compared(several)
    mean, half, seeds = found.difference("kd", "strong")
    ours, theirs = (found.runs.accuracy[found.members(name)] for name in ("kd", "strong"))
    assert mean == pytest.approx(ours.mean() - theirs.mean())
    welch = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert seeds == pytest.approx((welch.high - welch.low) / 2)
    scores = [
        np.mean([found.predictions[one].answer == found.labels for one in found.members(name)], 0)
        for name in ("kd", "strong")
    ]
    apart = scores[0] - scores[1]
    assert half == pytest.approx(1.959964 * apart.std(ddof=1) / len(apart) ** 0.5, rel=1e-5)
    words = " ".join(found.sentences)
    told = f"points ± {100 * half:.1f} over samples ± {100 * seeds:.1f} over seeds"
    assert told in words and "Intervals over seeds" in words
    assert len(found.differences) == 2 * 4


def test_every_baseline_is_told_and_the_order_they_are_given_in_changes_nothing(several):
    teacher, students, baselines, test = several
    first = {name: models[0] for name, models in baselines.items()}
    turned = dict(reversed(first.items()))
    there, back = (
        kd.compare(teacher, students["kd"][0], test, baselines=given, progress=False)
        for given in (first, turned)
    )
    assert there.sentences == back.sentences
    for sentence in there.sentences[:2]:
        assert sentence.index("strong") < sentence.index("weak")
    assert "The label-only students are up to" in there.sentences[1]
    drawn = [{bar.name for bar in found.figures()["Each class by itself"].data} for found in (there, back)]
    assert drawn[0] == drawn[1] == {"teacher", "student", "strong", "weak"}
    lines = {line.name for line in there.figures()["Calibration"].data} - {None}
    assert lines == {"teacher", "student", "strong", "weak"}
    told = there.attributions("occlusion", count=10)
    assert list(told.maps) == ["teacher", "student", "strong", "weak"]
    assert "than strong does" in told.sentence and "than weak does" in told.sentence


def test_paired_tests_are_about_the_samples_of_which_one_has_it_right(several):
    found = compared(several)
    table = found.paired_tests.set_index(["model", "other"])
    ours, theirs = (
        found.predictions[name].answer == found.labels for name in ("kd, seed 0", "strong, seed 0")
    )
    row = table.loc[("kd, seed 0", "strong, seed 0")]
    assert (
        row["only model right"] == (ours & ~theirs).sum()
        and row["only other right"] == (~ours & theirs).sum()
    )
    assert row.p == pytest.approx(
        stats.binomtest(int((ours & ~theirs).sum()), int((ours != theirs).sum())).pvalue
    )
    assert "McNemar" in " ".join(found.sentences)


def test_a_class_of_few_samples_is_no_headline():
    inputs = torch.randn(300, 12, generator=torch.Generator().manual_seed(0))
    pair = [made(nn.Linear, 12, 100, seed=seed) for seed in range(2)]
    labels = torch.randint(100, (300,), generator=torch.Generator().manual_seed(1))
    found = kd.compare(*pair, (inputs, labels), progress=False)
    assert any("No class has 20 samples or more" in sentence for sentence in found.sentences)
    labels[:30] = 7
    with torch.no_grad():
        pair[0].bias[7] += 50
    found = kd.compare(*pair, (inputs, labels), progress=False)
    told = next(sentence for sentence in found.sentences if "loses most" in sentence)
    assert "on class 7" in told and "among 1 classes with 20 samples or more" in told


def test_a_thousand_classes_stay_readable(tmp_path):
    generator = torch.Generator().manual_seed(0)
    images, labels = (
        torch.rand(400, 1, 8, 8, generator=generator),
        torch.randint(1000, (400,), generator=generator),
    )
    pair = [nn.Sequential(nn.Flatten(), made(nn.Linear, 64, 1000, seed=seed)) for seed in range(2)]
    names = [f"class {number}" for number in range(1000)]
    found = kd.compare(*pair, (images, labels), classes=names, progress=False)
    explorer = found.soft_targets()
    assert len(explorer.classes) <= 20 and explorer.labels and max(explorer.labels) < len(explorer.classes)
    # The logits are those of the classes that are shown.
    shown = found.samples.of_every_class(40)
    row = next(
        n for n, label in enumerate(shown.classes) if names[label] == explorer.classes[explorer.labels[0]]
    )
    place = names.index(explorer.classes[3])
    assert explorer.teacher_logits[0][3] == pytest.approx(shown.logits["teacher"][row, place], abs=1e-3)
    top = torch.cat([pair[1](images)]).topk(5).indices
    assert found.table.top5["student"] == pytest.approx(
        float((top == labels[:, None]).any(1).double().mean())
    )
    assert len(found.confusions) and found.confusions.index.names == ["class", "taken for"]
    page = found.to_html(tmp_path / "many.html").read_text()
    assert "This part could not be drawn" not in page and "Here are 50 of" in page
    assert page.count("<tr>") < 120


def test_confusions_are_those_of_scikit_learn(several):
    from sklearn.metrics import confusion_matrix

    found = compared(several)
    matrix = confusion_matrix(found.labels, found.predictions[found.student].answer, labels=range(CLASSES))
    for (label, answer), row in found.confusions.iterrows():
        assert row.student == matrix[int(label), int(answer)]
    assert found.confusions.student.sum() == matrix.sum() - np.trace(matrix)


@pytest.mark.parametrize(
    "given, problem, words",
    [
        ({"students": {"kd": []}}, ValueError, "no model for 'kd'"),
        ({"students": None}, TypeError, "one student, or students="),
        ({"students": {"teacher": made(mlp, 8)}}, ValueError, "must not be called 'teacher'"),
        ({"baselines": {"kd": made(mlp, 8)}}, ValueError, "must not be called 'kd'"),
        ({"data": None}, TypeError, "pass data="),
    ],
)
def test_students_that_cannot_be_compared_say_why(given, problem, words):
    settings = {"students": {"kd": made(mlp, 8)}, "data": points(), "progress": False, **given}
    with pytest.raises(problem, match=words):
        kd.compare(made(mlp, 32), **settings)


# Keeping it ------------------------------------------------------------------------------------------


def texts():
    tokens, labels = sentences(60)
    rows = [{"input_ids": x, "labels": y} for x, y in zip(tokens, labels, strict=True)]
    return kd.compare(made(Named, 32, True), made(Named, 8), DataLoader(rows, 20), progress=False)


def images():
    return kd.compare(
        made(conv, 12), made(conv, 4, seed=1), pictures(60), baselines=[made(conv, 4)], progress=False
    )


def tables():
    return kd.compare(
        made(mlp, 32), students={"a": [made(mlp, 8), made(mlp, 8, seed=3)]}, data=points(60), progress=False
    )


def maps():
    layer = lambda seed: made(nn.Conv2d, 1, 3, 1, seed=seed)  # noqa: E731
    return kd.compare(layer(0), layer(1), (pictures(20)[0], torch.randint(3, (20, 8, 8))), progress=False)


@pytest.mark.parametrize("build", [texts, images, tables, maps])
def test_a_comparison_is_kept_and_loaded_again(build, tmp_path):
    found = build()
    path = found.save(tmp_path / "kept.npz")
    again = Comparison.load(path)
    assert str(again) == str(found)
    pd.testing.assert_frame_equal(again.table, found.table)
    pd.testing.assert_frame_equal(again.per_class, found.per_class)
    assert again.origin == found.origin
    for chosen, kept in ((found.samples, again.samples), (found.disagreements, again.disagreements)):
        assert chosen.indices.tolist() == kept.indices.tolist()
        assert len(chosen.inputs) == len(kept.inputs) and type(chosen.inputs[0]) is type(kept.inputs[0])
    assert again.gallery().cards == found.gallery().cards
    page = again.to_html(tmp_path / "again.html").read_text()
    assert "This part could not be drawn" not in page
    with pytest.raises(ValueError, match="models were not kept"):
        again.attributions()
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="not a comparison that kdviz saved, or it is damaged"):
        Comparison.load(path)


def test_tables_are_written_for_others_to_read(several, tmp_path):
    found = compared(several)
    for name in ("runs", "table", "differences", "per_class", "confusions"):
        read = pd.read_csv(found.to_csv(tmp_path / f"{name}.csv", name))
        assert len(read) == len(getattr(found, name))
    kept = json.loads(found.to_json(tmp_path / "found.json").read_text())
    assert kept["sentences"] == found.sentences and len(kept["runs"]) == 11
    assert kept["origin"]["weights"].keys() == found.models.keys()
    with pytest.raises(ValueError, match="must be one of 'runs'"):
        found.to_csv(tmp_path / "x.csv", "everything")


def test_a_report_says_where_it_comes_from(several, tmp_path):
    found = compared(several)
    page = found.to_html(tmp_path / "report.html").read_text()
    about = page[page.index("Where this comes from") :]
    for words in (torch.__version__, "tuple (300, 12) (300,)", *found.origin.weights.values()):
        assert words in about
    assert len(set(found.origin.weights.values())) == len(found.models)
    same = compared(several)
    assert same.origin.weights == found.origin.weights and same.origin.samples == found.origin.samples
    assert "Differences" in page and "Each seed" in page
