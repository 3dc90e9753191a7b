"""A clone's own environment: made once, brought up to date when its recipe changes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def environment(clone):
    return clone / ".venv"


def python_of(environment):
    folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return environment / folder / name


def ensure(clone):
    """Make ``.venv`` if it is missing or its recipe has changed; return its Python."""
    python = python_of(environment(clone))
    stamp = environment(clone) / "kdviz-recipe"
    recipe = _recipe(clone)
    if stamp.exists() and stamp.read_text() == recipe and python.exists():
        return python
    _check_python()
    print("Setting up in .venv: once, some minutes.", flush=True)
    if not python.exists():
        _run(sys.executable, "-m", "venv", environment(clone))
    for wanted in ([torch_requirement(clone)], ["-e", ".[test]"]):
        _run(python, "-m", "pip", "install", "-q", "-c", "constraints.txt", *wanted, cwd=clone)
    stamp.write_text(recipe)
    return python


def torch_requirement(folder):
    """torch goes first: asked for by name and version, it is taken where a CPU build is at hand."""
    lines = (folder / "constraints.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def _recipe(clone):
    files = ("pyproject.toml", "constraints.txt")
    return hashlib.sha256(b"".join((clone / name).read_bytes() for name in files)).hexdigest()


def _check_python():
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise SetupError(
            f"kdviz needs Python {wanted} or newer, and this is {sys.version.split()[0]}. Install a newer "
            "one from python.org, then run it with that: make lab PYTHON=python3.12"
        )


def _run(*command, cwd=None):
    if subprocess.run([str(part) for part in command], cwd=cwd).returncode:
        raise SetupError(
            f"this step failed: {' '.join(Path(str(part)).name for part in command)}. Its message is "
            "above. If the network failed, run the same command again: it goes on where it stopped"
        )
