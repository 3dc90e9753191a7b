"""A real JupyterLab on a copy of the course, started as a reader starts it: ``kdviz lab``."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import count

import nbformat

from kdviz.course.paths import copy_course

# What JupyterLab itself says at every start, course or no course.
KNOWN = (
    re.compile(r"/lsp/status"),
    re.compile(r"Could not find the language server"),
    re.compile(r"No such comm"),
    # And at every restart of a kernel.
    re.compile(r"frozen.modules|make the debugger miss|Debugging will proceed"),
)


def write_notebook(path, sources):
    """A notebook of these code cells."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def _is_executed(path):
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except json.JSONDecodeError:  # read while it was written
        return False
    return all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")


@contextmanager
def lab_server(folder):
    """Start the course in ``folder`` without a browser; gives its address and the reader's copy."""
    port = _free_port()
    course = copy_course(folder / "kdviz-course")
    log = folder / "lab.log"
    code = (
        "import sys; from pathlib import Path; from kdviz.commands import lab;"
        f"lab.CLONE = Path({str(course)!r});"
        f"sys.exit(lab.open_lab(browser=False, port={port}, originals=True))"
    )
    environment = {**os.environ, "JUPYTER_TOKEN": "course"}
    # A home of its own: neither the settings nor the workspaces of whoever runs the tests.
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"):
        environment[name] = str(folder / name)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for_port(port, process, log)
            yield f"http://127.0.0.1:{port}", course
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait_for_port(port, process, log, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not answer in {seconds} s:\n{log.read_text()}")


def kernel_message(frame):
    """Header and content of a websocket frame; both empty where it is no message of a kernel.

    The protocol is v1.kernel.websocket.jupyter.org: a count, that many offsets, then between the
    offsets channel, header, parent, metadata and content.
    """
    if not isinstance(frame, bytes):
        return {}, {}
    (count,) = struct.unpack_from("<Q", frame)
    at = struct.unpack_from(f"<{count}Q", frame, 8)
    return json.loads(frame[at[1] : at[2]]), json.loads(frame[at[4] : at[5]])


class LabPage:
    """One notebook in JupyterLab, with every request that leaves this machine refused."""

    def __init__(self, browser, address):
        self.asked, self.said = [], []
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})
        self.context.route(lambda url: not url.startswith((address, "data:", "blob:")), self._refuse)
        self.page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        # Errors in callbacks and threads show in no cell: what the kernel sends is the place to look.
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._hear_kernel))
        self.address = address

    def _refuse(self, route):
        self.asked.append(route.request.url)
        route.abort()

    def _hear(self, message):
        text = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not any(known.search(text) for known in KNOWN):
            self.said.append(text)

    def _hear_kernel(self, frame):
        header, content = kernel_message(frame)
        if header.get("msg_type") == "error":
            self.said.append(f"the kernel: {content['ename']}: {content['evalue']}")
        elif header.get("msg_type") == "stream" and content["name"] == "stderr":
            if not any(known.search(content["text"]) for known in KNOWN):
                self.said.append(f"the kernel, on stderr: {content['text']}")

    def open(self, notebook):
        self.page.goto(f"{self.address}/lab/tree/notebooks/{notebook}?token=course&reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        # Before the kernel is there, running a cell would only ask which kernel to take.
        self.page.wait_for_selector("#jp-main-statusbar >> text=/ipykernel.*Idle/", timeout=60_000)

    def run_all(self, seconds=300):
        """Run > Run All Cells from the menu, and wait until every code cell has its number."""
        self.page.click("#jp-MainMenu >> text=Run")
        self.page.click(".lm-Menu-itemLabel >> text=/^Run All Cells$/")
        self.page.wait_for_function(
            """() => {
              const cells = [...document.querySelectorAll(".jp-Notebook .jp-CodeCell")];
              // A cell whose code is folded shows no number.
              const open = cells.filter((c) => !c.querySelector(".jp-InputPlaceholder"));
              const numbers = open.map((c) => c.querySelector(".jp-InputPrompt")?.textContent ?? "");
              return numbers.every((n) => /\\[\\d+\\]/.test(n))
                || document.querySelector(".jp-OutputArea [data-mime-type*='error']");
            }""",
            timeout=1000 * seconds,
        )
        self.page.wait_for_selector("#jp-main-statusbar >> text=/ipykernel.*Idle/", timeout=1000 * seconds)

    def errors(self):
        """Texts of all error outputs and of all that was written to standard error."""
        kinds = ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr")
        chosen = ", ".join(f".jp-OutputArea [data-mime-type='{kind}']" for kind in kinds)
        return self.page.locator(chosen).all_inner_texts()

    def save(self, path, seconds=30):
        """File > Save Notebook, and wait until the file has its outputs; gives its size."""
        self.page.click("#jp-MainMenu >> text=File")
        self.page.click(".lm-Menu-itemLabel >> text=/^Save Notebook$/")
        deadline = time.monotonic() + seconds
        while not _is_executed(path):
            assert time.monotonic() < deadline, f"{path.name} was not saved in {seconds} s"
            # Not time.sleep: it would hold back the requests too, which wait for our route.
            self.page.wait_for_timeout(100)
        return path.stat().st_size

    def write_and_run(self, cell, source):
        """Replace what stands in a cell, and run it."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Control+Enter")
        return cell

    def close(self):
        self.context.close()


class TheatrePage(LabPage):
    """A notebook with a training theatre, and a last cell in which the kernel can be asked."""

    tags = count()

    @property
    def theatre(self):
        return self.page.locator(".kdviz-theatre").first

    def press(self, name):
        self.theatre.get_by_role("button", name=name, exact=True).click()

    def value(self, expression):
        """What an expression is worth in the kernel, by way of the last cell."""
        tag = f"<{next(self.tags)}>"
        cell = self.write_and_run(self.page.locator(".jp-CodeCell").last, f"print({tag!r}, {expression})")
        output = cell.locator(".jp-OutputArea-output", has_text=tag)
        output.wait_for(timeout=20_000)
        return output.inner_text().removeprefix(tag).strip()
