"""Open the course in JupyterLab, with everything switched off that would cover its first page."""

import os
import subprocess
import sys
from pathlib import Path

from kdviz.course.paths import CLONE, copy_course

FIRST = "notebooks/00_start_here.ipynb"


def open_lab(browser=True, port=None, originals=False):
    """Start JupyterLab on the course and wait until it is stopped; returns its exit status.

    It opens the reader's own copy, in a clone too: JupyterLab saves what she runs by itself. With
    ``originals`` it opens the notebooks of the clone, to edit them for everybody.
    """
    if originals and not CLONE:
        raise ValueError("the original notebooks are in a clone of the repository; clone it and run it there")
    course = CLONE if originals else copy_course((CLONE or Path.cwd()) / "kdviz-course")
    print(f"The course is in {course}.", flush=True)
    command = [
        *(sys.executable, "-m", "jupyter", "lab"),
        f"--ServerApp.root_dir={course}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        # Neither the extension manager nor the search for updates may reach for the network.
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if getattr(os, "geteuid", lambda: 1)() == 0:
        # In a container one often is root; JupyterLab would only stop and say so.
        command.append("--allow-root")
    if port:
        command.append(f"--ServerApp.port={port}")
    if not browser or not _has_screen():
        command.append("--no-browser")
        print("Open the address below in a browser. Stop with Ctrl+C.", flush=True)
    return subprocess.run(command, env=_environment()).returncode


def _environment():
    """Our settings come beside the reader's own, for this start only."""
    ours = str(Path(__file__).parent / "jupyter")
    paths = [ours, *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def _has_screen():
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
