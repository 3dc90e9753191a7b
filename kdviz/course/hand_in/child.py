"""The process in which one answer is judged. All that it needs is imported before the answer begins."""

import io
import os
import sys
from pathlib import Path

import torch

from kdviz.course.exercises import exercise

PACKAGE = Path(__file__).parents[2]
READABLE = tuple(os.path.realpath(root) + os.sep for root in (sys.prefix, sys.base_prefix, PACKAGE))
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
# Events of Python's audit: what an answer may do in its own folder only, and what it may not do at all.
IN_ITS_FOLDER = (
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "shutil.",
    "tempfile.",
)
LISTING = ("os.listdir", "os.scandir", "os.walk", "glob.glob")
NEVER = (
    "ctypes.dlopen",
    "ftplib.",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "smtplib.",
    "socket.",
    "subprocess.",
    "urllib.",
    "webbrowser.",
)


class Refused(BaseException):
    """Not an Exception, or an answer could go on as if nothing had been said."""


def main(name, page, source, empty, said):
    """Judge an answer in an empty folder; through ``said`` go a sign that it begins, and the verdict."""
    os.chdir(empty)
    for known in set(os.environ) - {"PATH", "SYSTEMROOT", "LANG"}:
        del os.environ[known]
    os.environ |= dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "KDVIZ_CACHE"), empty)
    sys.dont_write_bytecode = True
    sys.stdout = sys.stderr = io.StringIO()
    torch.set_num_threads(1)
    # What the page itself imports is no part of the answer.
    scope, asked, refused = {"__name__": "hand_in"}, exercise(name), []
    exec(page, scope)
    # Nor is what an import would look through on its way.
    sys.path = [root for root in sys.path if _within(root, READABLE)]
    said.send_bytes(b"")
    sys.addaudithook(_guard(refused, empty))
    said.send_bytes("\n".join(_judged(asked, source, scope, refused)).encode())
    # Whatever the answer left to be done at the end is not done.
    os._exit(0)


def _guard(refused, own):
    """An audit hook, which cannot be taken off again; what was refused is noted, should it be caught."""
    own = os.path.realpath(own) + os.sep

    def refuse(what):
        refused.append(f"it tried to {what}")
        raise Refused(refused[-1])

    def hook(event, arguments):
        if event == "open":
            path, _, flags = arguments
            if flags & WRITING and not _within(path, own):
                refuse("write a file")
            if not _within(path, (own, *READABLE)):
                refuse("read a file that is neither Python's nor kdviz's")
        elif event in LISTING and not _within(arguments[0] or ".", (own, *READABLE)):
            refuse("look into a folder that is neither Python's nor kdviz's")
        elif event.startswith(IN_ITS_FOLDER):
            if not all(
                _within(path, own) for path in arguments if isinstance(path, (str, bytes, os.PathLike))
            ):
                refuse(f"change files that are not its own ({event})")
        elif event.startswith(NEVER):
            refuse(f"do what an answer has no business with ({event})")

    return hook


def _within(path, roots):
    """Whether a path lies in one of some folders; what is open already, a number, does."""
    return isinstance(path, int) or (os.path.realpath(os.fsdecode(path)) + os.sep).startswith(roots)


def _judged(asked, source, scope, refused):
    found, check = [], asked.check
    asked.check = lambda answer: found.append(check(answer)) or found[-1]
    try:
        exec(compile(source, "answer", "exec"), scope)
    except BaseException as problem:  # whatever a learner hands in
        if not refused:
            return "error", f"{type(problem).__name__}: {problem}"[:300]
    if refused:
        return "refused", refused[0]
    if not found:
        return "error", "its check was not run"
    feedback = found[-1]
    if not feedback.begun:
        return "not begun", ""
    return "right" if feedback.passed else "not yet", feedback.message
