import ast

import pytest

from kdviz.course import code_hash as hashed
from kdviz.course.code_hash import EXPERIMENTS, PACKAGE, code_hash, pieces
from kdviz.course.experiments import n02_temperature_and_weight as page
from kdviz.course.experiments import n10_who_teaches_whom as architectures
from kdviz.losses.response._soft_targets import soft_targets


def names(code):
    return [path.relative_to(PACKAGE).as_posix() for path, _ in pieces(code)]


def test_follows_a_name_through_packages_to_its_module():
    found = names(page.landscape)
    assert found[0] == "course/experiments/n02_temperature_and_weight.py"
    for needed in (
        "training/loop.py",
        "training/stacked/run.py",
        "losses/response/_soft_targets.py",
        "tracing.py",
    ):
        assert needed in found


def test_leaves_out_what_is_not_needed():
    found = names(page.landscape)
    assert not [name for name in found if name.startswith(("explorers", "figures", "losses/relation"))]
    assert "measure/similarity.py" not in found and "__init__.py" not in found
    assert "course/results.py" not in found
    # Its own file, what it computes with, and what a model is asked with.
    assert len(names(soft_targets)) < 10


def test_of_the_experiments_only_what_is_named_counts():
    named = {name for path, name in pieces(architectures.sizes) if path.parent == EXPERIMENTS}
    assert {"sizes", "WIDTHS", "MIXTURE", "fidelity", "rows", "from_labels", "from_teacher"} <= named
    assert not named & {"chains", "CHAINS", "kinds", "swept", ""}


def test_the_hash_changes_with_any_of_the_files(tmp_path, monkeypatch):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("a = 1")
    other.write_text("b = 2")
    monkeypatch.setattr(hashed, "pieces", lambda code: [(one, ""), (other, "")])
    before = code_hash(None)
    assert code_hash(None) == before
    other.write_text("b = 3")
    assert code_hash(None) != before


SOURCE = '''
@result({"steps": (1, 2)}, tolerance=3.0)
def one(seeds, steps):
    """What it does."""
    return help(seeds)  # and why


LATE = 1


def two(seeds):
    return LATE
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("What it does", "What it did"),
        ("# and why", ""),
        ("tolerance=3.0", "tolerance=4.0"),
        ("LATE = 1", "LATE = 2"),
        ("return LATE", "return seeds"),
    ],
)
def test_prose_the_declaration_and_the_experiment_beside_it_do_not_age_a_table(old, new):
    changed = SOURCE.replace(old, new)
    assert changed != SOURCE
    assert hashed.meaning(changed, "one") == hashed.meaning(SOURCE, "one")


def test_a_change_of_the_code_does():
    changed = SOURCE.replace("help(seeds)", "help(seeds, 1)")
    assert hashed.meaning(changed, "one") != hashed.meaning(SOURCE, "one")


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.py")), ids=lambda path: path.stem)
def test_the_files_of_experiments_only_define_names(path):
    """Anything else at the top of a file would belong to no name, and so to no hash."""
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign)
    for node in ast.parse(path.read_text()).body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        assert text or isinstance(node, allowed), f"line {node.lineno} of {path.name}"
        for target in getattr(node, "targets", ()):
            assert isinstance(target, (ast.Name, ast.Tuple)), f"line {node.lineno} of {path.name}"
