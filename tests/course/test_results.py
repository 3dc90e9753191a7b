import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from kdviz.course import results
from kdviz.course.experiments import COLUMNS, SETTINGS

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(params=list(results.every()))
def table(request):
    return results.load(request.param)


def test_every_table_was_made_by_the_code_there_is(table):
    assert table.is_current, "run 'make results'"


def test_every_table_holds_each_seed_and_setting_once(table):
    result = results.find(table.name)
    assert table.made["seeds"] == list(result.seeds) and len(result.seeds) >= 30
    keys = [column for column in SETTINGS if column in table.rows]
    assert not table.rows.duplicated(keys).any()
    rows_a_seed = table.rows.groupby("seed").size()
    assert set(rows_a_seed.index) == set(result.seeds) and rows_a_seed.nunique() == 1


def test_every_column_is_in_the_vocabulary_and_every_kl_has_its_temperature(table):
    assert not set(table.rows) - set(COLUMNS), "a new quantity gets a name in experiments.COLUMNS"
    if "kl" in table.rows:
        assert table.rows.kl.isna().equals(table.rows.kl_temperature.isna())


def test_every_table_is_shown_on_the_page_of_its_experiment_with_its_source(table):
    page = results.find(table.name).page
    cells = json.loads((NOTEBOOKS / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = [
        source for cell in cells if f'results.load("{table.name}")' in (source := "".join(cell["source"]))
    ]
    assert shown, f"no cell of notebook {page} shows it"
    (name,) = re.findall(rf'(\w+) = results.load\("{table.name}"\)', shown[0])
    assert f"{name}.show_source()" in shown[0]


def test_every_file_of_experiments_belongs_to_a_page():
    files = (Path(results.experiments.__file__).parent).glob("n[0-9]*.py")
    pages = tuple(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    assert all(path.stem[1:].startswith(pages) for path in files)


@pytest.mark.complete
def test_a_sample_of_rows_computed_again_agrees(table):
    assert "rows computed again" in table.check(seeds=(0,), points=None)


def test_a_number_that_is_not_the_stored_one_is_found(monkeypatch):
    table = results.load("longer_training")
    typed = table.rows.copy()
    typed.loc[typed.seed == 7, "accuracy"] += 5
    with pytest.raises(ValueError, match="make results"):
        results.Table(table.name, typed, table.made).check(seeds=(7,))


def test_rows_computed_again_are_kept_until_the_code_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("KDVIZ_CACHE", str(tmp_path))
    made = []

    def counted(seeds, labels):
        made.append(labels)
        return tiny(seeds, labels)

    kept = results.Result(counted, {"labels": (1, 2)}, (0, 1))
    assert kept.rows_again((0,)).equals(kept.rows_again((0,))) and made == [1, 2]
    assert kept.rows_again((0,), points=1).labels.tolist() == [1] and made == [1, 2, 1]
    monkeypatch.setattr(results, "code_hash", lambda code: "of another code")
    assert kept.rows_again((0,)).labels.tolist() == [1, 2] and made == [1, 2, 1, 1, 2]


def test_says_its_age_and_whether_the_code_has_changed():
    day = (datetime.now(UTC).date() - timedelta(days=3)).isoformat()
    made = {"date": day, "code": "another", "seeds": [0, 1], "torch": "2.13.0"}
    age = results.Table("landscape", pd.DataFrame({"seed": [0]}), made).age
    assert "3 days ago" in age and "earlier code" in age


def test_only_what_is_outdated_is_computed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "course_folder", lambda: tmp_path)
    made = []

    def counted(seeds, labels):
        made.append(labels)
        return tiny(seeds, labels)

    only = results.Result(counted, {"labels": (1,)}, (0, 1))
    monkeypatch.setattr(results, "every", lambda: {"counted": only})
    results.main()
    results.main()
    assert made == [1]
    monkeypatch.setattr(results, "code_hash", lambda code: "of another code")
    results.main()
    assert made == [1, 1]


def test_an_unknown_table_names_those_there_are():
    with pytest.raises(ValueError, match="landscape, longer_training, other_orders"):
        results.load("everything")


def test_main_writes_a_table_that_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "course_folder", lambda: tmp_path)
    monkeypatch.setattr(results, "_DECLARED", {})
    assert results.result({"labels": (1, 2)}, seeds=(0, 1, 2))(tiny) is tiny
    results.main(["tiny"])
    table = results.load("tiny")
    assert table.rows.value.tolist() == [0, 1, 2, 0, 2, 4]
    assert table.check(seeds=(1, 2)).startswith("2 rows")
    assert table.check(seeds=(1, 2), points=None).startswith("4 rows")
    assert json.loads((tmp_path / "data/results/tiny.json").read_text())["seeds"] == [0, 1, 2]


def tiny(seeds, labels):
    return [{"seed": seed, "labels": labels, "value": float(seed * labels)} for seed in seeds]


def test_two_experiments_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(results, "_DECLARED", dict(results.every()))

    def sizes(seeds):
        return []

    with pytest.raises(ValueError, match="two experiments are called 'sizes': .*n10_who_teaches_whom"):
        results.result({})(sizes)
