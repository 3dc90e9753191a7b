import subprocess
import sys
from pathlib import Path

import pytest

from kdviz import cli
from kdviz.commands import doctor, setup

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def no_set_up(monkeypatch):
    monkeypatch.setattr(cli, "_must_set_up", lambda command: False)


def test_data_prints_the_cards(capsys):
    assert cli.main(["data"]) == 0
    assert "CC BY 4.0" in capsys.readouterr().out


def test_doctor_finds_nothing_missing_here(capsys):
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "Everything needed is here." in said and "MISSING" not in said


def test_doctor_says_what_is_missing_and_how_to_fix_it(capsys, monkeypatch):
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: ["torch>=99", "nonesuch>=1"])
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert 'pip install "torch>=99"' in said
    assert "nonesuch is not installed" in said
    assert "2 to fix" in said


def test_doctor_notes_a_store_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KDVIZ_CACHE", str(tmp_path / "file" / "store"))
    fine, needed, what, fix = doctor._store()
    assert not fine and not needed and "KDVIZ_CACHE" in fix


def test_a_wrong_command_lists_the_commands(capsys):
    with pytest.raises(SystemExit):
        cli.main(["fly"])
    assert "lab" in capsys.readouterr().err


def test_an_error_is_one_line_and_a_status(capsys):
    assert cli.main(["results", "nonesuch"]) == 1
    assert capsys.readouterr().err.startswith("kdviz: unknown result 'nonesuch'")


def test_options_of_pytest_are_passed_on_to_it(monkeypatch):
    given = []
    monkeypatch.setattr(cli, "_python", lambda *arguments: given.append(arguments) or 0)
    assert cli.main(["test", "--complete", "-k", "laptop", "tests/test_setup.py"]) == 0
    assert given == [("-m", "pytest", "-k", "laptop", "tests/test_setup.py", "-m", "complete")]


def test_what_is_left_to_the_complete_run_is_left_out_of_the_other(monkeypatch):
    given = []
    monkeypatch.setattr(cli, "_python", lambda *arguments: given.append(arguments) or 0)
    cli.main(["test"]), cli.main(["test", "--complete"])
    assert "complete" not in given[0] and given[1][:-2] == given[0] and given[1][-2:] == ("-m", "complete")
    assert "-m 'not complete'" in (ROOT / "pyproject.toml").read_text()


def test_other_commands_refuse_what_they_do_not_know(capsys):
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--complete"])
    assert "--complete" in capsys.readouterr().err


def test_the_help_names_every_data_set_that_can_be_fetched(capsys):
    from kdviz.datasets.sources import SOURCES

    with pytest.raises(SystemExit):
        cli.main(["data", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"NAME is one of {', '.join(SOURCES)}." in said


def test_the_help_on_data_comes_also_before_anything_is_installed(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "kdviz.datasets.sources", None)
    with pytest.raises(SystemExit):
        cli.main(["data", "--help"])
    assert "'kdviz data fetch' says which there are" in " ".join(capsys.readouterr().out.split())


def test_fetching_without_a_name_says_which_there_are(capsys):
    assert cli.main(["data", "fetch"]) == 1
    assert "spoken-digits" in capsys.readouterr().err


def test_the_tables_of_a_page_are_computed_by_its_name(monkeypatch):
    from kdviz.course import results

    asked = []
    monkeypatch.setattr(results, "main", lambda names, verify: asked.append((names, verify)) or [])
    assert cli.main(["results", "03_responses", "sizes", "--verify"]) == 0
    assert asked == [(["dkd_halves", "response_losses", "temperatures_by_image", "sizes"], True)]


def test_a_page_without_tables_computes_none(monkeypatch, capsys):
    assert cli.main(["results", "00_start_here"]) == 1
    assert "no table belongs to 00_start_here" in capsys.readouterr().err


def test_an_old_python_is_told_what_to_do(monkeypatch, tmp_path):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(setup, "OLDEST_PYTHON", (99, 0))
    with pytest.raises(setup.SetupError, match="needs Python 99.0.*PYTHON="):
        setup.ensure(tmp_path)


def test_the_command_line_needs_nothing_installed():
    """A fresh clone sets itself up, so only the standard library may be imported."""
    code = "import sys, kdviz.cli; print({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); " + code],
                          capture_output=True, text=True, check=True, cwd=cli.CLONE)  # fmt: skip
    assert eval(done.stdout) <= {"kdviz", "__main__", "sitecustomize"}


def linted(monkeypatch, npm, ci=False):
    ran = []
    monkeypatch.setattr(cli, "_python", lambda *arguments: 0)
    monkeypatch.setattr(cli.shutil, "which", lambda name: npm)
    monkeypatch.setattr(
        cli.subprocess,
        "run",
        lambda command, **how: ran.append(command) or subprocess.CompletedProcess([], 3),
    )
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", "true")
    return cli.main(["lint"]), ran


def test_lint_checks_javascript_and_css_and_passes_on_what_it_finds(monkeypatch):
    status, ran = linted(monkeypatch, "npm")
    assert status == 3 and ran[-1] == ["npm", "run", "--silent", "check"]


def test_lint_says_what_it_skips_without_node_but_not_in_ci(monkeypatch, capsys):
    assert linted(monkeypatch, None) == (0, [])
    assert "SKIPPED: the JavaScript and CSS" in capsys.readouterr().out
    assert linted(monkeypatch, None, ci=True) == (1, [])
    assert "Node.js with npm is needed" in capsys.readouterr().err


def test_it_says_its_version(capsys):
    import kdviz

    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"kdviz {kdviz.__version__}\n"


@pytest.mark.parametrize("port", ["-1", "0", "65536", "eighty", "8.5"])
def test_a_port_that_cannot_be_is_refused(capsys, port):
    with pytest.raises(SystemExit):
        cli.main(["lab", f"--port={port}"])
    assert "a whole number from 1 to 65535" in capsys.readouterr().err


def test_the_store_is_shown_and_emptied(monkeypatch, tmp_path, capsys):
    from kdviz.training import Store

    monkeypatch.setenv("KDVIZ_CACHE", str(tmp_path))
    (tmp_path / "mine.txt").write_text("mine")
    Store().keep_rows({"a": 1}, [{"b": 2}])
    assert cli.main(["cache"]) == 0
    assert f"{tmp_path} holds 1 files" in capsys.readouterr().out
    assert "MB; 'kdviz cache --clear'" in doctor._store()[2]
    assert cli.main(["cache", "--clear"]) == 0
    assert "They are removed" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
