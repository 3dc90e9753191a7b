"""Say what is missing on this machine, and how to fix it."""

import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from kdviz.commands.setup import OLDEST_PYTHON
from kdviz.course.paths import course_folder

ROOM_NEEDED = 3e9


def examine():
    """Print one line a check; returns 1 if something needed is missing, else 0."""
    checks = [_python(), *_packages(), _torch_device(), _store(), _room(), _course(), _browser()]
    for fine, needed, what, fix in checks:
        mark = "ok     " if fine else "MISSING" if needed else "note   "
        print(f"{mark} {what}" + ("" if fine else f"\n        {fix}"))
    missing = [check for check in checks if not check[0] and check[1]]
    print("\nEverything needed is here." if not missing else f"\n{len(missing)} to fix, as said above.")
    return int(bool(missing))


def _python():
    wanted = ".".join(map(str, OLDEST_PYTHON))
    what = f"Python {sys.version.split()[0]} (needs {wanted} or newer)"
    return sys.version_info >= OLDEST_PYTHON, True, what, "Install a newer Python from python.org."


def _packages():
    from packaging.requirements import Requirement

    try:
        required = importlib.metadata.requires("kdviz") or []
    except importlib.metadata.PackageNotFoundError:
        fix = "Run 'make lab' in the clone, or 'pip install kdviz'."
        return [(False, True, "kdviz is installed", fix)]
    wanted = [Requirement(line) for line in required]
    return [_package(one) for one in wanted if not one.marker or one.marker.evaluate({"extra": ""})]


def _package(requirement):
    fix = f'pip install "{requirement}"'
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False, True, f"{requirement.name} is not installed", fix
    fine = requirement.specifier.contains(version, prereleases=True)
    return fine, True, f"{requirement.name} {version} (needs {requirement.specifier})", fix


def _torch_device():
    try:
        import torch
    except Exception as problem:
        fix = "Install it again: pip install --force-reinstall torch"
        return False, True, f"torch does not import: {problem}", fix
    device = "on GPU and CPU" if torch.cuda.is_available() else "on CPU, which is all the course needs"
    return True, True, f"torch computes {device}", ""


def _store():
    from kdviz.training.store import Store

    store, folder = Store(), Store().folder
    fix = "Set KDVIZ_CACHE to a folder that you can write to. Without one, teachers train each time."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            size = f"{store.size() / 1e6:,.1f} MB; 'kdviz cache --clear' empties it"
            return True, False, f"trained models are kept in {folder} ({size})", ""
    except OSError as problem:
        return False, False, f"trained models cannot be kept in {folder} ({problem})", fix


def _room():
    free = shutil.disk_usage(Path.cwd()).free
    what = f"{free / 1e9:.1f} GB free here"
    return free > ROOM_NEEDED, False, what, "The set-up needs about 3 GB; free some space."


def _course():
    try:
        count = len(list((course_folder() / "notebooks").glob("*.ipynb")))
    except FileNotFoundError as problem:
        return False, True, str(problem), "Install kdviz again; its wheel carries the course."
    return count > 0, True, f"{count} notebooks found", "Install kdviz again; its wheel carries the course."


def _browser():
    found = find_chromium()
    fix = (
        "Only the browser tests need one: 'apt-get install chromium', or "
        "'python -m playwright install chromium'."
    )
    return bool(found), False, f"Chromium for the browser tests: {found or 'none'}", fix


def find_chromium():
    """The path of a Chromium: the system's, or Playwright's own; None without one."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    caches = {"win32": "AppData/Local", "darwin": "Library/Caches"}
    default = Path.home() / caches.get(sys.platform, ".cache") / "ms-playwright"
    own = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or default)
    program = re.compile(r"(chrome|chrome\.exe|Chromium)")
    found = [p for p in own.glob("chromium-*/*/**/*") if program.fullmatch(p.name) and p.is_file()]
    return str(sorted(found)[-1]) if found else None
