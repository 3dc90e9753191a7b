import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from kdviz.commands import lab
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


@pytest.mark.parametrize("content", ["", "{", "[]", '{"notebooks/one.ipynb": 3}', "\x00"])
def test_a_damaged_manifest_is_made_anew(edition, tmp_path, capsys, content):
    copy = paths.copy_course(tmp_path / "mine")
    (copy / "notebooks/one.ipynb").write_text("hers")
    (copy / ".kdviz-copied.json").write_text(content)
    paths.copy_course(copy)
    assert "kdviz-copied.json is damaged" in capsys.readouterr().out
    assert (copy / "notebooks/one.ipynb").read_text() == "hers"
    assert (copy / "notebooks/one.new.ipynb").read_text() == "first"
    paths.copy_course(copy)
    assert capsys.readouterr().out == ""
    (edition / "data/results/table.csv").write_text("second")
    paths.copy_course(copy)
    assert (copy / "data/results/table.csv").read_text() == "second"


def test_a_new_edition_that_she_changed_is_hers_too(edition, tmp_path, capsys):
    copy = paths.copy_course(tmp_path / "mine")
    (copy / "notebooks/one.ipynb").write_text("hers")
    for number, expected in ((2, "one.new.ipynb"), (3, "one.new2.ipynb"), (4, "one.new2.ipynb")):
        (edition / "notebooks/one.ipynb").write_text(f"edition {number}")
        paths.copy_course(copy)
        assert (copy / "notebooks" / expected).read_text() == f"edition {number}"
        if number == 2:
            (copy / "notebooks/one.new.ipynb").write_text("hers as well")
    assert (copy / "notebooks/one.ipynb").read_text() == "hers"
    assert (copy / "notebooks/one.new.ipynb").read_text() == "hers as well"


def test_links_are_not_followed(edition, tmp_path, capsys):
    copy, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    (copy / "notebooks").mkdir(parents=True)
    elsewhere.mkdir()
    (copy / "notebooks/one.ipynb").symlink_to(elsewhere / "gone.ipynb")
    (copy / "data").symlink_to(elsewhere)
    paths.copy_course(copy)
    assert list(elsewhere.iterdir()) == [] and "is a link" in capsys.readouterr().out


def test_a_full_disk_leaves_whole_files_only(edition, tmp_path, monkeypatch):
    copy = paths.copy_course(tmp_path / "mine")
    (edition / "notebooks/one.ipynb").write_text("second")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kdviz.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        paths.copy_course(copy)
    assert (copy / "notebooks/one.ipynb").read_text() == "first"
    assert not list(copy.rglob(".writing-*"))


@pytest.fixture
def clone(edition, tmp_path, monkeypatch):
    """A clone with that course, and the folders that JupyterLab was opened on."""
    opened = []
    monkeypatch.setattr(lab, "CLONE", edition)

    def run(command, **how):
        opened.append(next(part for part in command if "root_dir=" in part).partition("=")[2])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(lab, "subprocess", SimpleNamespace(run=run))
    return opened


def test_a_clone_opens_the_readers_own_copy(edition, clone):
    assert lab.open_lab(browser=False) == 0
    (mine,) = map(Path, clone)
    assert mine == edition / "kdviz-course"
    (mine / "notebooks/one.ipynb").write_text("run and saved")
    assert lab.open_lab(browser=False) == 0
    assert (mine / "notebooks/one.ipynb").read_text() == "run and saved"
    assert (edition / "notebooks/one.ipynb").read_text() == "first"


def test_the_originals_are_opened_only_when_asked_for(edition, clone, monkeypatch):
    assert lab.open_lab(browser=False, originals=True) == 0
    assert clone == [str(edition)] and not (edition / "kdviz-course").exists()
    monkeypatch.setattr(lab, "CLONE", None)
    with pytest.raises(ValueError, match="in a clone"):
        lab.open_lab(browser=False, originals=True)


def test_git_and_the_tests_do_not_see_the_copy():
    root = Path(paths.__file__).parents[2]
    assert "kdviz-course/" in (root / ".gitignore").read_text().splitlines()
    assert "kdviz lab --originals" in (root / "README.md").read_text()


def git(folder, *command):
    settings = (
        "-c",
        "user.name=Reader",
        "-c",
        "user.email=reader@localhost",
        "-c",
        "core.hooksPath=/dev/null",
    )
    done = subprocess.run(
        ["git", "-C", folder, *settings, *command], capture_output=True, text=True, check=True
    )
    return done.stdout


def save_as_run(page):
    """What JupyterLab leaves when every cell of a page was run: numbers, outputs, widgets, a checkpoint."""
    notebook = json.loads(page.read_text(encoding="utf-8"))
    for number, cell in enumerate(cell for cell in notebook["cells"] if cell["cell_type"] == "code"):
        cell["execution_count"] = number + 1
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["run"]}]
    page.write_text(json.dumps(notebook), encoding="utf-8")
    checkpoints = page.parent / ".ipynb_checkpoints"
    checkpoints.mkdir(exist_ok=True)
    shutil.copy(page, checkpoints / f"{page.stem}-checkpoint.ipynb")
    (page.parent / "report.html").write_text("what a page was told to write beside itself")


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_every_page_run_and_saved_leaves_a_clone_clean(edition, clone):
    """The real course in a clone: git sees nothing of what a reader does, and all that an editor does."""
    root = Path(paths.__file__).parents[2]
    shutil.rmtree(edition)
    for name in ("notebooks", "data"):
        shutil.copytree(root / name, edition / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copy(root / ".gitignore", edition)
    git(edition, "init", "--quiet")
    git(edition, "add", ".")
    git(edition, "commit", "--quiet", "-m", "The course")
    for originals in (False, True):
        assert lab.open_lab(browser=False, originals=originals) == 0
        pages = sorted((Path(clone[-1]) / "notebooks").glob("*.ipynb"))
        assert len(pages) >= 14
        for page in pages:
            save_as_run(page)
        assert lab.open_lab(browser=False) == 0
        changed = git(edition, "status", "--porcelain").splitlines()
        assert len(changed) == (len(pages) + 1 if originals else 0), changed
