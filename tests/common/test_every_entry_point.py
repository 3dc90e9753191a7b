"""The common checks, in the spirit of scikit-learn's for estimators: every loss, scheme, explorer and verb.

A call changes nothing of what it is given and nothing that others share, gives the same the second time, and
answers what it cannot use with words of its own: a ``ValueError`` or ``TypeError`` raised on purpose.
"""

import ast
import inspect
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from entry_points import (
    NUMBERS,
    VERBS,
    Wrong,
    content,
    explorer_cases,
    global_state,
    is_told,
    loss_cases,
    loss_settings,
    pair,
    same,
    scheme_cases,
    verb_cases,
    wrong,
)

import kdviz as kd
from kdviz import explorers, schemes

LOSSES, SCHEMES, EXPLORERS = loss_cases(), scheme_cases(), explorer_cases()
# Schemes are many and slow: their settings are those of one loop, which the verbs are tried with.
OF_SCHEMES = ("teacher", "student", "students", "peers", "data", "objective", "route", "assistant")


def names_of(cases):
    return [case.name for case in cases]


@pytest.fixture
def verbs(tmp_path):
    return {case.name: case for case in verb_cases(tmp_path)}


def test_every_entry_point_has_a_case(tmp_path):
    """Found by public names: those of kdviz/__init__.pyi, and of losses, schemes and explorers."""
    listed = ast.parse(Path(kd.__file__).with_suffix(".pyi").read_text())
    names = [alias.asname for node in listed.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    functions = {name for name in names if inspect.isfunction(getattr(kd, name))}
    untried = {"load_run"}  # its files are tried in tests/training
    assert functions - untried == set(VERBS) == set(names_of(verb_cases(tmp_path)))
    assert set(names_of(LOSSES)) == set(kd.losses.LOSSES)
    run = {name for name in schemes.__all__ if _gives_a_run(getattr(schemes, name))}
    assert run - set(VERBS) <= set(names_of(SCHEMES))
    shown = {name for name in explorers.__all__ if inspect.isfunction(getattr(explorers, name))}
    assert shown - {"prediction"} == set(names_of(EXPLORERS))  # the older name of guess


def _gives_a_run(thing):
    if not inspect.isfunction(thing):
        return False
    given = str(inspect.signature(thing).return_annotation)
    return given.endswith(("Run", "Run'>", "Chain", "Chain'>"))


def is_clean(case):
    """Called twice: nothing given is changed, nothing shared is, and both calls give the same."""
    first = case.call(**case.arguments())  # what is imported at the first call is no change of the second
    given = case.arguments()
    before, shared = content(given), global_state()
    second = case.call(**given)
    changed = [name for name, was in shared.items() if global_state()[name] != was]
    assert not changed, f"{case.name} changes {changed}"
    touched = [name for name in before if not same(before[name], content(given)[name])]
    assert not touched, f"{case.name} writes into {touched}"
    assert same(first, second), f"{case.name} gives something else the second time"


@pytest.mark.parametrize("case", LOSSES + SCHEMES, ids=names_of(LOSSES + SCHEMES))
def test_a_loss_or_a_scheme_leaves_all_as_it_was_and_gives_the_same_again(case):
    is_clean(case)


@pytest.mark.parametrize("case", EXPLORERS, ids=names_of(EXPLORERS))
def test_an_explorer_leaves_all_as_it_was_and_gives_the_same_again(case):
    is_clean(case)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_leaves_all_as_it_was_and_gives_the_same_again(verbs, name):
    is_clean(verbs[name])


def refusals(case, only=None):
    """Each argument replaced by each wrong value: the errors that are not in words of ours, and the count."""
    raw, tried = [], 0
    for name in case.arguments():
        if only is not None and name not in only:
            continue
        for what in wrong(case.arguments()[name]):
            given = case.arguments()
            given[name] = wrong(given[name])[what]
            before, tried = global_state(), tried + 1
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    case.call(**given)
            except Exception as error:
                if not is_told(error):
                    raw.append(f"{name}={what}: {type(error).__name__}: {error}")
            changed = [shared for shared, was in before.items() if global_state()[shared] != was]
            assert not changed, f"{case.name}({name}={what}) changes {changed}"
    return raw, tried


def refuses(case, only=None):
    raw, tried = refusals(case, only)
    assert tried and not raw, f"{case.name}, of {tried} inputs:\n" + "\n".join(raw)


@pytest.mark.parametrize("case", LOSSES, ids=names_of(LOSSES))
def test_a_loss_says_what_it_cannot_use(case):
    refuses(case)


@pytest.mark.parametrize("loss, setting", loss_settings(), ids=lambda part: getattr(part, "name", part))
def test_a_loss_says_which_setting_it_cannot_use(loss, setting):
    for what, value in NUMBERS.items():
        try:
            replace(loss, **{setting: value})
        except Exception as error:
            assert is_told(error), f"{setting}={what}: {type(error).__name__}: {error}"


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_says_what_it_cannot_use(verbs, name):
    if name == "compare":
        pytest.skip("it is tried in the complete run: it takes a minute")
    refuses(verbs[name])


@pytest.mark.complete
def test_a_comparison_says_what_it_cannot_use(verbs):
    refuses(verbs["compare"])


@pytest.mark.complete
@pytest.mark.parametrize("case", EXPLORERS, ids=names_of(EXPLORERS))
def test_an_explorer_says_what_it_cannot_use(case):
    refuses(case)


@pytest.mark.complete
@pytest.mark.parametrize("case", SCHEMES, ids=names_of(SCHEMES))
def test_a_scheme_says_what_it_cannot_use(case):
    refuses(case, OF_SCHEMES)


def test_a_networks_own_error_goes_on_with_what_it_was_asked():
    def fails(inputs):
        raise KeyError("of the reader's own")

    with pytest.raises(KeyError) as problem:
        kd.trace(Wrong(fails), torch.zeros(3, 4))
    assert problem.value.__notes__ == ["kdviz called this Wrong with a tensor of shape (3, 4)."]


def test_the_checks_notice_what_is_wrong():
    """They could fail: a call that writes, one that draws, one that differs, an error of torch's own."""
    from entry_points import Case

    def writes(teacher, student):
        with torch.no_grad():
            next(student.parameters()).add_(1)

    drawn = iter(range(10))
    for call, says in (
        (writes, "writes into"),
        (lambda teacher, student: torch.rand(1) * 0, "random numbers"),
        (lambda teacher, student: next(drawn), "the second time"),
    ):
        with pytest.raises(AssertionError, match=says):
            is_clean(Case("wrong", call, pair))
    with pytest.raises(TypeError) as error:
        torch.zeros(2) @ "a"
    assert not is_told(error.value)
