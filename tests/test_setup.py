"""kdviz installed afresh, as a class, a pip user and a user of old versions would."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kdviz.commands import setup, wheels

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.complete


def run(*command, cwd=None, **environment):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def stick(tmp_path_factory):
    """The USB stick of a class: a folder with kdviz's wheel and all it needs."""
    folder = tmp_path_factory.mktemp("stick")
    wheels.prepare(folder)
    return folder


@pytest.fixture(scope="module")
def laptop(stick, tmp_path_factory):
    """A laptop set up from the stick with every way to the network refused."""
    home = tmp_path_factory.mktemp("laptop") / "kdviz"
    refused = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "PIP_INDEX_URL")}
    refused |= {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    run(sys.executable, stick / "install.py", home, **refused)
    size = sum(p.lstat().st_size for p in home.rglob("*") if p.is_file()) / 1e6
    print(f"\ninstalled: {size:,.0f} MB")
    return home


def test_a_laptop_without_network_gets_a_course_that_works(laptop):
    python = setup.python_of(laptop / ".venv")
    for name in ("losses", "explorers", "figures", "course", "schemes"):
        run(python, "-c", f"import kdviz; kdviz.{name}", cwd=laptop)
    assert "Everything needed is here." in run(python, "-m", "kdviz", "doctor", cwd=laptop)
    run(python, "-c", "from kdviz.course.paths import copy_course; copy_course('kdviz-course')", cwd=laptop)
    shipped = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    copied = laptop / "kdviz-course"
    assert {path.name for path in (copied / "notebooks").glob("*.ipynb")} == shipped
    assert (copied / "data" / "results" / "landscape.csv").exists()


def test_a_trained_student_on_that_laptop(laptop, tmp_path):
    code = (
        "import kdviz as kd; data = kd.datasets.digits(labels=50);"
        "run = kd.distill(kd.teacher(data), kd.models.mlp(64, 16, 10), data, kd.SoftTargets(1)).finish();"
        "assert run.records[-1].measures['accuracy'] > 0.9, run"
    )
    python = setup.python_of(laptop / ".venv")
    run(python, "-c", code, cwd=laptop, KDVIZ_CACHE=str(tmp_path))


def test_the_oldest_allowed_versions_run_the_first_lesson(stick, tmp_path):
    """torch excepted: here only one build of it can be had."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    oldest = [_oldest(Requirement(line)) for line in needed if not line.startswith("torch")]
    run(sys.executable, "-m", "venv", tmp_path / ".venv")
    python = setup.python_of(tmp_path / ".venv")
    pip = (python, "-m", "pip", "install", "-q")
    run(*pip, "--find-links", stick, setup.torch_requirement(ROOT))
    run(*pip, *oldest)
    run(*pip, "--no-deps", next(stick.glob("kdviz-*.whl")))
    run(python, "-c", "from kdviz.course.paths import copy_course; copy_course('course')", cwd=tmp_path)
    lesson = ("nbconvert", "--to", "notebook", "--execute", "--output", "done.ipynb")
    run(python, "-m", "jupyter", *lesson, "01_soft_targets.ipynb", cwd=tmp_path / "course" / "notebooks")


def _oldest(requirement):
    (bound,) = [s for s in requirement.specifier if s.operator == ">="]
    return f"{requirement.name}=={bound.version}"
