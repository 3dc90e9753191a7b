"""Where the course is, and how a reader gets her own copy of it."""

import hashlib
import json
from pathlib import Path

from kdviz.files import write_whole

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


def copy_course(target: Path | str) -> Path:
    """Copy the course to ``target`` and return it, without ever overwriting what a reader changed.

    A file that she did not touch is brought up to date. One that she changed stays as it is, and the
    new edition is put beside it as ``NAME.new.ipynb``. A file that she deleted comes back. A link stays as it
    is, and is not followed.
    """
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    copied = _manifest(target / _MANIFEST)
    source = course_folder()
    for path in sorted(p for room in ("notebooks", "data") for p in (source / room).rglob("*")):
        if path.is_file() and ".ipynb_checkpoints" not in path.parts:
            _update(path, target / path.relative_to(source), target, copied)
    write_whole(target / _MANIFEST, json.dumps(copied, indent=1).encode())
    return target


def _manifest(path):
    """Which edition each copied file is of: its hash, by name."""
    try:
        copied = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        copied = None
    if isinstance(copied, dict) and all(isinstance(known, str) for known in copied.values()):
        return copied
    print(f"{path} is damaged and is made anew. What differs from this edition is taken for changed by you.")
    return {}


def _update(path, destination, target, copied):
    """Copy one file unless the reader changed her copy, and note the edition that she now has."""
    name, edition = destination.relative_to(target).as_posix(), _hash(path)
    known = copied.get(name)
    if _is_link(destination, target):
        print(f"{destination} is a link, or lies behind one: it is left as it is.")
        return
    hers = _hash(destination) if destination.exists() else None
    if hers not in (None, known, edition):
        if edition != known:
            beside = _beside(destination, target, copied, edition)
            write_whole(beside, path.read_bytes())
            copied[beside.relative_to(target).as_posix()] = edition
            print(f"You changed {destination.name}; its new edition is beside it: {beside.name}")
    elif hers != edition:
        write_whole(destination, path.read_bytes())
    copied[name] = edition


def _is_link(destination, target):
    inside = [destination, *destination.parents][: len(destination.relative_to(target).parts)]
    return any(path.is_symlink() for path in inside)


def _beside(destination, target, copied, edition):
    """A name for a new edition where nothing of hers lies: an earlier one that she changed is hers."""
    for count in range(1, 1000):
        number = "" if count == 1 else count
        beside = destination.with_name(f"{destination.stem}.new{number}{destination.suffix}")
        if not (beside.exists() or beside.is_symlink()):
            return beside
        known = copied.get(beside.relative_to(target).as_posix())
        if beside.is_file() and not beside.is_symlink() and _hash(beside) in (known, edition):
            return beside
    raise OSError(f"there are 999 new editions of {destination}; delete some")


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
