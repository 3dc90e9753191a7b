"""Importing kdviz must be immediate, and what it offers easy to find."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import kdviz as kd

HEAVY = ("torch", "sklearn", "scipy", "plotly", "ipywidgets", "anywidget", "captum", "pandas")


def in_a_fresh_python(code, *options):
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_import_reaches_no_heavy_library():
    assert in_a_fresh_python(f"import sys, kdviz; print([m for m in {HEAVY} if m in sys.modules])") == "[]"


def test_a_python_without_any_package_can_set_up_a_clone():
    # -S leaves out the packages that are installed.
    root = Path(kd.__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import kdviz.cli; print('fine')"
    assert in_a_fresh_python(code, "-S") == "fine"


def test_every_name_offered_is_there():
    for name in kd.__all__:
        assert getattr(kd, name) is not None
    assert set(kd.__all__) == set(dir(kd))


def test_what_is_listed_is_rooms_verbs_and_a_handful_of_losses():
    losses = {name for name in dir(kd) if name in kd.losses.LOSSES}
    assert losses == {"AttentionTransfer", "CrossEntropy", "Decoupled", "Hint", "SoftTargets"}
    assert {"Trace", "compare", "diagnose", "distill", "sweep", "teacher", "trace", "train"} <= set(dir(kd))
    assert len(dir(kd)) < 30


def test_names_of_earlier_versions_still_work():
    assert all(getattr(kd, name) is getattr(kd.losses, name) for name in kd.losses.LOSSES)
    assert kd.knowledge is kd.losses
    assert in_a_fresh_python("import kdviz as kd; print(kd.tracing.Trace is kd.Trace)") == "True"


@pytest.mark.parametrize("name, loss", kd.losses.ACRONYMS.items())
def test_a_papers_acronym_finds_its_loss(name, loss):
    assert loss in kd.losses.LOSSES and name not in kd.losses.LOSSES
    assert getattr(kd.losses, name) is getattr(kd.losses, loss)


@pytest.mark.parametrize(
    "name, near",
    [
        ("Decouple", r"did you mean Decoupled \(DKD\)\?"),
        ("softtargets", "did you mean SoftTargets"),
        ("RKD", "DistanceRelation .* or AngleRelation"),
        ("dkd", "Decoupled"),
        ("Wobble", "the losses are: ActivationBoundary"),
    ],
)
def test_an_unknown_loss_is_answered_with_the_nearest(name, near):
    for room in (kd.losses, kd) if name[0].isupper() else (kd.losses,):
        with pytest.raises(AttributeError, match=near):
            getattr(room, name)


def test_an_unknown_verb_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match="did you mean distill"):
        kd.distil  # noqa: B018
    with pytest.raises(AttributeError, match="it offers .*compare"):
        kd.zzz  # noqa: B018


ROOMS = [kd.losses.response, kd.losses.feature, kd.losses.relation]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__.rsplit(".")[-1])
def test_a_loss_that_stands_in_a_file_is_registered(room):
    """Every class of a file whose name ends a list of bases with a Loss must be offered by its room."""
    folder = Path(room.__file__).parent
    missing = [
        f"from {room.__name__}.{file.stem} import {name}"
        for file in sorted(folder.glob("_*.py"))
        if file.stem != "__init__"
        for name in losses_in(importlib.import_module(f"{room.__name__}.{file.stem}"))
        if not hasattr(room, name)
    ]
    advice = "\n".join(missing)
    assert not missing, f"a loss is not registered; add to {folder.name}/__init__.py:\n{advice}"


def losses_in(module):
    """The names of the losses that a module itself defines, less the bases of others."""
    defined = {
        node.name
        for node in ast.parse(Path(module.__file__).read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    return [
        name
        for name in sorted(defined)
        if issubclass(getattr(module, name), kd.losses.Loss) and not getattr(module, name).__subclasses__()
    ]
