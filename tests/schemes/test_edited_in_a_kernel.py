"""Edit a cell of a live notebook and run it again, or reload a module: never the number from before.

Each case is what a learner does between two looks at one number. What is shown after the edit must be what an
empty cache gives, and differ from what stood there before; with the cell as it was, the first number is back.
"""

import shutil
from pathlib import Path

import pytest
from live_kernel import live_kernel

import kdviz

SETUP = """
import dataclasses, importlib, os, tempfile, torch, kdviz as kd
from torch import nn
from kdviz.losses.objective import Loss

def numbers_of_sweep():
    found = kd.sweep([{}], objective, data=data, student=student, teacher=teacher, seeds=1, steps=20)
    return found.finish(progress=False).table.drop(columns="problem").iloc[0].tolist()

def answers_of(network):
    return network(data(0).test.inputs).double().sum(0).tolist()

def numbers_of_teacher():
    return answers_of(kd.teacher(data(0), student(0), steps=20))

def numbers_of_teachers():
    return answers_of(kd.schemes.teachers([data(0), data(1)], student(0), steps=20)[0])

def shown(numbers):
    print(numbers())

def true(numbers):
    cache = os.environ["KDVIZ_CACHE"]
    os.environ["KDVIZ_CACHE"] = tempfile.mkdtemp()
    try:
        print(numbers())
    finally:
        os.environ["KDVIZ_CACHE"] = cache
"""
# The cells of her notebook, and the file beside it.
CELLS = {
    "factor": "FACTOR = 1.0",
    "apart": "def apart(one, other):\n    return FACTOR * ((one - other) ** 2).mean((-1, -2))",
    "loss": """
@dataclasses.dataclass(frozen=True)
class Mine(Loss):
    name = "mine"
    def value(self, student, teacher, labels, learned):
        return 0.1 * apart(student.logits, teacher.logits)
    def latex(self):
        return "x"
""",
    "objective": "objective = Mine()",
    "forward": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(64, 10)
    def forward(self, x):
        return self.f(x.flatten(1))
""",
    "student": """
def student(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Net()
""",
    "noise": "noise = torch.zeros(8, 8)",
    "data": """
def data(seed):
    was = kd.datasets.digits(labels=50, seed=seed)
    noisy = {name: dataclasses.replace(part, inputs=part.inputs + noise)
             for name in ("train", "transfer") for part in [getattr(was, name)]}
    return dataclasses.replace(was, **noisy)
""",
    "teacher": """
def teacher(data):
    return 4 * nn.functional.one_hot(data.transfer.labels.clamp(0), 10).float()
""",
}
MODULE = """
import torch
from torch import nn
from kdviz import SoftTargets
TEMPERATURE = 4
def objective(): return SoftTargets(TEMPERATURE)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(64, 10)
    def forward(self, x): return self.f(x.flatten(1))
def student(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Net()
"""
# Which cell is edited, from what to what, and the cells that she runs after it.
SWEEP = {
    "the loss": ("loss", "0.1 *", "0.01 *", ["objective"]),
    "a number that the loss reads": ("factor", "1.0", "0.0", []),
    "a function that the loss calls": ("apart", "** 2", "** 4", []),
    "the forward of the student": ("forward", "self.f(x", "-self.f(x", []),
    "the student": ("student", "(seed)\n        return", "(seed + 1)\n        return", []),
    "the data": ("data", "labels=50", "labels=60", []),
    "a tensor that the data read": ("noise", "zeros(8, 8)", "ones(8, 8)", []),
    "the teacher": ("teacher", "4 *", "1 *", []),
}
# Other labels for the students leave the teacher as it is.
TEACHER = ("the forward of the student", "the student", "a tensor that the data read")
EDITS = [("sweep", edit) for edit in SWEEP]
EDITS += [(verb, edit) for verb in ("teacher", "teachers") for edit in TEACHER]


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "mine.py").write_text(MODULE)
    with live_kernel(folder, KDVIZ_CACHE=folder / "cache", PYTHONDONTWRITEBYTECODE=1) as kernel:
        kernel.folder = folder
        kernel.run(SETUP)
        for cell in CELLS.values():
            kernel.run(cell)
        yield kernel


@pytest.mark.parametrize("verb, edit", EDITS)
def test_an_edited_cell_is_believed(notebook, verb, edit):
    name, old, new, after = SWEEP[edit]
    assert old in CELLS[name]
    before = notebook.run(f"shown(numbers_of_{verb})")
    notebook.run(CELLS[name].replace(old, new))
    for other in after:
        notebook.run(CELLS[other])
    now = notebook.run(f"shown(numbers_of_{verb})")
    assert notebook.run(f"true(numbers_of_{verb})") == now != before
    for other in (name, *after):
        notebook.run(CELLS[other])
    kept = sorted((notebook.folder / "cache").iterdir())
    assert notebook.run(f"shown(numbers_of_{verb})") == before
    assert sorted((notebook.folder / "cache").iterdir()) == kept


# How the notebook takes its student and its objective from the module, and which edits of it matter then.
NAMES = "from mine import student\nobjective = mine.objective()"
ATTRIBUTES = "objective = mine.objective()\ndef student(seed):\n    return mine.student(seed)"
INSIDE = "def student(seed):\n    from mine import student\n    return student(seed)"
TEMPERATURE, FORWARD = ("= 4", "= 2"), ("return self.f(x", "return -self.f(x")
TAKEN = [(NAMES, TEMPERATURE), (NAMES, FORWARD), (ATTRIBUTES, FORWARD), (INSIDE, FORWARD)]
HEARD = {
    "reloaded": ("pass", "importlib.reload(mine)"),
    "autoreload": ("%load_ext autoreload\n%autoreload 2", "pass"),
}


@pytest.mark.parametrize("taken, edit", TAKEN)
@pytest.mark.parametrize("heard", HEARD)
def test_an_edited_module_is_believed(notebook, taken, edit, heard):
    file, (first, again) = notebook.folder / "mine.py", HEARD[heard]
    notebook.run("import mine")
    notebook.run(first)
    try:
        notebook.run(taken)
        before = notebook.run("shown(numbers_of_sweep)")
        file.write_text(MODULE.replace(*edit))
        notebook.run(again)
        notebook.run(taken)
        # What cannot be described is trained each time, and says so beside its number.
        now = notebook.run("shown(numbers_of_sweep)").splitlines()[-1]
        assert notebook.run("true(numbers_of_sweep)").splitlines()[-1] == now
        assert now != before.splitlines()[-1]
    finally:
        file.write_text(MODULE)
        notebook.run("get_ipython().extension_manager.unload_extension('autoreload')")
        notebook.run("importlib.reload(mine)")
        for cell in CELLS.values():
            notebook.run(cell)


@pytest.fixture
def checkout(tmp_path):
    """Another kdviz, and an edit of it: soft targets that ask for nothing."""
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(kdviz.__file__).parent, tmp_path / "kdviz", ignore=skipped)
    loss = tmp_path / "kdviz" / "losses" / "response" / "_soft_targets.py"
    source = loss.read_text(encoding="utf-8")
    assert source.count("return direction, factor") == 1

    def edit():
        loss.write_text(source.replace("return direction, factor", "return 0 * direction, factor"))

    def begin(cache):
        return live_kernel(tmp_path, KDVIZ_CACHE=cache, PYTHONPATH=tmp_path, PYTHONDONTWRITEBYTECODE=1)

    return edit, begin


SOFT_TARGETS = [SETUP, *CELLS.values(), "objective = kd.SoftTargets(4)"]


@pytest.mark.complete
def test_two_checkouts_in_two_kernels_share_a_cache_and_no_numbers(notebook, checkout, tmp_path):
    """Two notebooks alike on one cache, one on a kdviz in which soft targets ask for nothing."""
    edit, begin = checkout
    edit()
    with begin(notebook.folder / "cache") as other:
        for cell in SOFT_TARGETS:
            other.run(cell)
        assert str(tmp_path) in other.run("print(kd.__file__)")
        try:
            notebook.run(SOFT_TARGETS[-1])
            right = notebook.run("shown(numbers_of_sweep)")
        finally:
            notebook.run(CELLS["objective"])
        wrong = other.run("shown(numbers_of_sweep)")
        assert other.run("true(numbers_of_sweep)") == wrong != right


RELOAD = "import kdviz.losses.response._soft_targets as m; importlib.reload(m); objective = m.SoftTargets(4)"


@pytest.mark.complete
def test_an_edit_of_kdviz_itself_is_believed_and_spoils_no_cache(checkout, tmp_path):
    """A kernel goes on with the code that it has loaded, the next has the new: each its own number."""
    edit, begin = checkout
    with begin(tmp_path / "cache") as old:
        for cell in SOFT_TARGETS:
            old.run(cell)
        edit()
        before = old.run("shown(numbers_of_sweep)").splitlines()
        assert "have changed since this process loaded them" in " ".join(before)
        assert not list((tmp_path / "cache").glob("*"))
        old.run(RELOAD)
        after = old.run("shown(numbers_of_sweep)").splitlines()
        with begin(tmp_path / "cache") as new:
            for cell in SOFT_TARGETS:
                new.run(cell)
            assert new.run("shown(numbers_of_sweep)").splitlines()[-1] == after[-1] != before[-1]
