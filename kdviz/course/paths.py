"""Where the course is, and how a reader gets her own copy of it."""

import hashlib
import json
import shutil
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_ROOT = _PACKAGE.parent

CLONE = _ROOT if (_ROOT / "pyproject.toml").exists() and (_ROOT / "notebooks").exists() else None
"""The clone that we run from, or None when kdviz was installed from a wheel."""

_MANIFEST = ".kdviz-copied.json"


def course_folder():
    """The folder that holds ``notebooks`` and ``data``: the clone, or what the wheel carries."""
    folder = CLONE or _PACKAGE / "_course"
    if not (folder / "notebooks").is_dir():
        raise FileNotFoundError(f"the course's notebooks are not in {folder}")
    return folder


def copy_course(target):
    """Copy the course to ``target`` and return it, without ever overwriting what a reader changed.

    A file that she did not touch is brought up to date. One that she changed stays as it is, and the
    new edition is put beside it as ``NAME.new.ipynb``. A file that she deleted comes back.
    """
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    manifest = target / _MANIFEST
    copied = json.loads(manifest.read_text()) if manifest.exists() else {}
    source = course_folder()
    for path in sorted(p for room in ("notebooks", "data") for p in (source / room).rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_file() and ".ipynb_checkpoints" not in path.parts:
            copied[name] = _update(path, target / name, copied.get(name))
    manifest.write_text(json.dumps(copied, indent=1))
    return target


def _update(path, destination, known):
    """Copy one file unless the reader changed her copy; returns the hash of the edition she now has."""
    edition = _hash(path)
    hers = _hash(destination) if destination.exists() else None
    if hers == edition:
        return edition
    if hers not in (None, known):
        if edition != known:
            beside = destination.with_name(f"{destination.stem}.new{destination.suffix}")
            shutil.copyfile(path, beside)
            print(f"You changed {destination.name}; its new edition is beside it: {beside.name}")
        return edition
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, destination)
    return edition


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
