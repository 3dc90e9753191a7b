"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the package."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# A file by its path, or a line for one.
STEP = re.compile(r"`(kdviz/[\w/]+\.(?:py|js))`:\n\n```\w+\n(.*?)```", re.DOTALL)

TRIED = """
import torch, kdviz as kd
from kdviz.course.loss_card import loss_card
from kdviz.explorers import counter

loss = kd.losses.ProbabilityMatching(temperature=2)
p, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
assert abs(loss(p, q).item() - kd.losses.ProbabilityMatching()(p / 2, q / 2).item()) < 1e-6
assert abs(kd.losses.ProbabilityMatching()(p, q).item() - 2 * 0.4**2) < 1e-6
assert "ProbabilityMatching" in kd.losses.LOSSES and "ProbabilityMatching" in loss_card().table.index

digits, student = kd.datasets.digits(labels=50), kd.models.mlp(64, 8, 10)
teacher = kd.models.mlp(64, 8, 10, seed=1)
assert kd.distill(teacher, student, digits, loss, steps=3).finish().step == 3
with open("counter.html", "w", encoding="utf-8") as page:
    page.write(counter(3).static_html())
print(kd.__file__)
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """A copy of the package in which the recipes were followed."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "kdviz", copy / "kdviz", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("data", "notebooks"):
        (copy / folder).symlink_to(ROOT / folder)
    done = []
    for name, content in STEP.findall(TEXT):
        file = copy / name
        file.parent.mkdir(exist_ok=True)
        with file.open("a", encoding="utf-8") as opened:
            opened.write(content)
        done.append(name)
    assert len(done) == 5, done
    run = subprocess.run([sys.executable, "-c", TRIED], cwd=copy, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()).is_relative_to(copy)
    return copy


@pytest.mark.browser
def test_a_loss_trains_and_an_explorer_works_once_its_recipe_was_followed(tried, offline):
    page = offline((tried / "counter.html").read_text(encoding="utf-8"))
    page.get_by_role("button", name="Press").click()
    assert page.get_by_role("status").inner_text() == "pressed 4 times"


def test_every_file_and_folder_it_names_is_there():
    named = set(re.findall(r"`((?:kdviz|tests)/[\w/.]*)`", TEXT))
    made = {"kdviz/losses/response/_probability_matching.py"}
    made |= {name for name in named if "counter_explorer" in name}
    assert {name for name in named - made if not (ROOT / name).exists()} == set()


def test_the_version_is_the_same_wherever_it_is_said():
    import kdviz

    version = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    assert version == kdviz.__version__ and f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
