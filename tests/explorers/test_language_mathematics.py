"""The language explorer's JavaScript agrees with torch: same seed, same texts, same student."""

import json
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
import torch

import kdviz.explorers
from kdviz.datasets import clock
from kdviz.explorers.base import bundle
from kdviz.explorers.language_explorer import carried, packed
from kdviz.explorers.language_explorer.path import PLAN, READ_OUT, Chance, judged, loss_of, walk
from kdviz.explorers.wire import unpack
from kdviz.measure import clock_measures

ENGINE = Path(kdviz.explorers.__file__).parent / "language_explorer" / "engine.js"
LESSONS = {
    "true texts": {"beta": None, "text": "data", "start": "warm", "seed": 3},
    "teacher, between": {"beta": 0.3, "text": "teacher", "start": "warm", "seed": 999_999},
    "greedy, cold": {"beta": None, "text": "greedy", "start": "cold", "seed": 1},
    "own, forward": {"beta": 0.0, "text": "own", "start": "warm", "seed": 0},
    "own, reverse, cold": {"beta": 1.0, "text": "own", "start": "cold", "seed": 2},
}
STEPS = 60
WALK = """async ([url, packed, settings, steps]) => {
  const m = await import(url), world = m.worldOf(packed), path = new m.LanguagePath(world, settings);
  const start = Array.from(path.net.weights);
  for (let step = 0; step < steps; step++) path.advance();
  const rows = m.judge(path.net, world);
  return { start, end: Array.from(path.net.weights),
    rows: rows.map((row) => [Math.min(row.kl, 1e9), row.styles, ...row.masses, row.right]) };
}"""
GRADIENTS = """async ([url, packed, cases]) => {
  const m = await import(url);
  return cases.map(([logP, logQ, beta, word]) => {
    const made = new Float64Array(logP.length);
    m.wordGradient(logP, logQ, beta, word, made);
    return Array.from(made);
  });
}"""


@pytest.fixture(scope="module")
def evaluate(browser):
    page = browser.new_page()
    url = "data:text/javascript;base64," + b64encode(bundle(ENGINE).encode()).decode()
    yield lambda code, *values: page.evaluate(code, [url, packed(), *values])
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", LESSONS)
def test_sixty_steps_are_torchs(evaluate, name):
    settings = LESSONS[name]
    teacher, warm = map(carried.carried_network, ("teacher", "warm"))
    student = carried.begun(settings, warm)
    begin = carried.weights_of(student).clone()
    found = evaluate(WALK, settings, STEPS)
    assert np.abs(begin.numpy() - found["start"]).max() < 1e-12
    for _ in walk(teacher, student, settings, STEPS):
        pass
    end = carried.weights_of(student)
    assert (end - begin).norm() > 0.5
    assert np.abs(end.numpy() - found["end"]).max() < 1e-8
    expected = judged(student).clamp(max=1e9)
    np.testing.assert_allclose(np.array(found["rows"])[:, :5], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.browser
def test_the_gradient_of_a_word_is_autograds(evaluate):
    generator = torch.Generator().manual_seed(0)
    # Far apart, too: there a ratio of probabilities overflows.
    logits = [size * torch.randn(2, 1, 30, generator=generator, dtype=torch.float64) for size in (1, 10, 400)]
    cases, expected = [], []
    for ours, theirs in logits:
        for beta in (None, 0.0, 0.1, 0.5, 0.9, 1.0):
            asked = ours.clone().requires_grad_(True)
            loss_of(asked, theirs, torch.tensor([7]), beta).backward()
            expected.append(asked.grad[0])
            cases.append([ours.log_softmax(1)[0].tolist(), theirs.log_softmax(1)[0].tolist(), beta, 7])
    found = torch.tensor(evaluate(GRADIENTS, cases), dtype=torch.float64)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-8, atol=1e-10)


def test_what_is_judged_is_what_kdviz_measures():
    student = carried.carried_network("warm")
    rows = judged(student)
    for temperature, (kl, styles, *masses) in zip(READ_OUT, rows.tolist(), strict=True):
        known = clock_measures(student, temperature)
        assert sum(masses) == pytest.approx(known["right"])
        assert (kl, styles) == pytest.approx((known["kl"], known["styles"]))


def test_chance_is_even_and_a_seeds_own():
    drawn = [Chance(seed, "texts").numbers(4000) for seed in (0, 1)]
    assert not torch.equal(*drawn)
    for values in drawn:
        assert values.min() >= 0 and values.max() < 1
        assert torch.histc(values, 10, 0, 1).sub(400).abs().max() < 100


@pytest.mark.browser
def test_a_finished_path_is_the_one_that_a_reader_would_walk(evaluate):
    given = packed()["finished"][-1]
    found = evaluate(WALK, given["settings"], PLAN["steps"])
    assert np.abs(unpack(given["weights"]) - found["end"]).max() < 1e-3
    last = unpack(given["records"])[-1]
    np.testing.assert_allclose(np.array(found["rows"])[1:, :5], last[1:], atol=1e-3)


@pytest.mark.complete
def test_what_is_carried_is_what_kdviz_makes():
    stored, made = json.loads(carried.FILE.read_text("utf-8")), carried.made()
    for name in carried.LESSONS:
        assert np.abs(unpack(stored[name]["weights"]) - unpack(made[name]["weights"])).max() < 0.05
    for ours, theirs in zip(stored["finished"], made["finished"], strict=True):
        assert ours["settings"] == theirs["settings"]
        masses = [unpack(each["records"])[-1, 1:, 2:].sum(-1) for each in (ours, theirs)]
        assert np.abs(masses[0] - masses[1]).max() < 0.03


def test_the_page_tells_what_the_networks_are():
    about = (ENGINE.parent / "view.js").read_text("utf-8")
    weights = {name: len(carried.weights_of(carried.carried_network(name))) for name in carried.LESSONS}
    assert f"{weights['teacher']:,} weights" in about and f"{weights['warm']:,} weights" in about
    (teacher, *_), (student, steps, texts, _) = carried.LESSONS.values()
    assert f"{teacher} hidden units" in about and f"{student} units" in about
    assert f"{steps * texts:,} true texts" in about
    assert f"{PLAN['steps']} steps of Adam on {PLAN['texts']} texts" in about
    page = (ENGINE.parents[3] / "notebooks" / "23_whose_words.ipynb").read_text("utf-8")
    assert f"{weights['warm']:,} weights" in page


def test_the_teacher_speaks_well_and_the_student_is_warm():
    right = {name: clock_measures(carried.carried_network(name))["right"] for name in carried.LESSONS}
    assert right["teacher"] > 0.95 and 0.3 < right["warm"] < 0.6
    assert len(clock(1).every) == 432
