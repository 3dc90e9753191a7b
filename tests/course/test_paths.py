import pytest

from kdviz.course import paths


@pytest.fixture
def edition(tmp_path, monkeypatch):
    """A course of one notebook and one table, which a test may publish anew."""
    source = tmp_path / "published"
    for name in ("notebooks/one.ipynb", "data/results/table.csv"):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text("first")
    monkeypatch.setattr(paths, "course_folder", lambda: source)
    return source


def test_copies_the_whole_course(edition, tmp_path):
    copy = paths.copy_course(tmp_path / "mine")
    assert (copy / "notebooks/one.ipynb").read_text() == "first"
    assert (copy / "data/results/table.csv").read_text() == "first"


def test_brings_an_untouched_file_up_to_date(edition, tmp_path):
    copy = paths.copy_course(tmp_path / "mine")
    (edition / "notebooks/one.ipynb").write_text("second")
    paths.copy_course(copy)
    assert (copy / "notebooks/one.ipynb").read_text() == "second"


def test_never_overwrites_what_the_reader_changed(edition, tmp_path, capsys):
    copy = paths.copy_course(tmp_path / "mine")
    (copy / "notebooks/one.ipynb").write_text("hers")
    (edition / "notebooks/one.ipynb").write_text("second")
    paths.copy_course(copy)
    assert (copy / "notebooks/one.ipynb").read_text() == "hers"
    assert (copy / "notebooks/one.new.ipynb").read_text() == "second"
    assert "one.new.ipynb" in capsys.readouterr().out
    paths.copy_course(copy)
    assert (copy / "notebooks/one.ipynb").read_text() == "hers"
    assert capsys.readouterr().out == ""


def test_never_overwrites_a_file_that_was_there_before(edition, tmp_path):
    before = tmp_path / "mine" / "notebooks" / "one.ipynb"
    before.parent.mkdir(parents=True)
    before.write_text("hers")
    paths.copy_course(tmp_path / "mine")
    assert before.read_text() == "hers"


def test_a_deleted_file_comes_back(edition, tmp_path):
    copy = paths.copy_course(tmp_path / "mine")
    (copy / "notebooks/one.ipynb").unlink()
    paths.copy_course(copy)
    assert (copy / "notebooks/one.ipynb").read_text() == "first"


def test_a_missing_course_says_where_it_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "CLONE", tmp_path)
    with pytest.raises(FileNotFoundError, match="notebooks are not in"):
        paths.course_folder()
