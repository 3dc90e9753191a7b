"""A theatre in a real JupyterLab whose browser is closed, or whose kernel is restarted, while it trains."""

import re
import time

import psutil
import pytest
from lab import TheatrePage, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.complete]

NAME, STEPS, SECONDS = "cut_off.ipynb", 2000, 8
CELLS = [
    f"""
import os, threading
import kdviz as kd
data = kd.datasets.digits(labels=50)
teacher = kd.teacher(data, kd.models.mlp(64, 32, 10), steps=100)
def make():
    return kd.distill(teacher, kd.models.mlp(64, 16, 10), data, kd.SoftTargets(temperature=4), steps={STEPS})
""",
    f"""
show = kd.explorers.theatre(make, data, teacher, seconds={SECONDS})
show
""",
    "0",
]
TRAINING = "sum('_train' in thread.name for thread in threading.enumerate())"
CORRECT = "(show.run.student(data.test.inputs).argmax(1) == data.test.labels).float().mean().item()"


@pytest.fixture
def open_page(browser, server):
    write_notebook(server[1] / "notebooks" / NAME, CELLS)
    opened = []

    def open_page():
        opened.append(TheatrePage(browser, server[0]))
        opened[-1].open(NAME)
        return opened[-1]

    yield open_page
    for page in opened:
        page.close()
        assert page.asked == [] and page.said == []


def begin_to_train(page):
    """Run the cells, press Play, and see the training under way."""
    page.run_all()
    page.press("Play")
    page.theatre.get_by_text(re.compile(r"^Step [1-9]\d* of")).wait_for()
    assert page.value(TRAINING) == "1"
    assert 0 < int(page.value("show.run.step")) < STEPS


def see_the_end(page):
    page.theatre.get_by_text(f"Done: step {STEPS} of {STEPS}.").wait_for()
    assert page.value("1 + 1") == "2"
    assert page.value(TRAINING) == "0"
    assert page.value("show.state, show.run.step, show.run.student.training") == f"done {STEPS} False"
    assert float(page.value(CORRECT)) > 0.7


def test_a_training_comes_to_its_end_while_no_browser_is_open(open_page, server, tmp_path):
    page = open_page()
    begin_to_train(page)
    # Saved, so that the page has the output of the cell when it is opened again.
    page.save(server[1] / "notebooks" / NAME)
    page.close()
    time.sleep(SECONDS + 2)
    page = open_page()
    see_the_end(page)
    page.page.screenshot(path=tmp_path / "reopened.png")
    frames = int(page.value("len(show.frames)"))
    assert frames > 50 and page.theatre.get_by_label("Record").get_attribute("max") == str(frames - 1)


def test_a_restarted_kernel_leaves_no_process_and_a_page_that_says_so(open_page, tmp_path):
    page = open_page()
    begin_to_train(page)
    kernel = psutil.Process(int(page.value("os.getpid()")))
    family = [kernel, *kernel.children(recursive=True)]
    page.page.click("#jp-MainMenu >> text=Kernel")
    page.page.click(".lm-Menu-itemLabel >> text=/^Restart Kernel…$/")
    page.page.click(".jp-Dialog button >> text=Restart")
    page.theatre.get_by_text("The kernel was restarted").wait_for()
    gone, left = psutil.wait_procs(family, timeout=20)
    assert kernel in gone and left == []
    # What was seen of the training can still be played.
    page.press("Replay")
    page.theatre.get_by_role("button", name="Pause", exact=True).wait_for()
    page.page.screenshot(path=tmp_path / "restarted.png")
    begin_to_train(page)
    assert int(page.value("os.getpid()")) != kernel.pid
    see_the_end(page)
