"""Over 30 seeds the browser's students end where those of the stacked engine do, under the same recipe."""

import math
import re
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from sklearn.model_selection import train_test_split

from kdviz.explorers.playground import (
    STORIES,
    playground_data,
    playground_page,
    playground_teacher,
    story_settings,
)
from kdviz.losses.response import permute_dark_knowledge
from kdviz.measure import paired, recall
from kdviz.models import mlp
from kdviz.schemes import distill_stack, train_stack
from kdviz.schemes._sweep import mixture
from kdviz.training.stacked import StackedModel

# More than the page's 30, so that nearly all of the uncertainty of a comparison is the page's own.
SEEDS = range(120)
NAMES = [story["name"] for story in STORIES]
SENTENCE = re.compile(
    r"([+−\d.]+) points (for the distilled|on the)[^,]*, from ([+−\d.]+) to ([+−\d.]+) \(95 % interval\)"
)


def part_of(settings, seed):
    """The one split, with the labelled images that belong to a seed."""
    data = playground_data(settings["label_noise"], settings["omit"])
    seen, truth = data.transfer, dict(zip(*map(torch.Tensor.tolist, whole_truth()), strict=True))
    classes = [truth[index] for index in seen.indices.tolist()]
    few = list(range(len(seen)))
    if settings["labels"] < len(seen):
        few, _ = train_test_split(few, train_size=settings["labels"], stratify=classes, random_state=seed)
    return replace(data, labelled=seen[few], transfer=seen[few], settings={**data.settings, "seed": seed})


def whole_truth():
    clean = playground_data().train
    return clean.indices, clean.labels


@lru_cache
def stacked(name):
    """The label-only and the distilled students of all seeds, as lists of networks, and the test images."""
    settings = story_settings(name)
    assert not settings["unlabelled"]
    data = [part_of(settings, seed) for seed in SEEDS]
    teacher = playground_teacher(settings["label_noise"])
    answers = [teacher(part.transfer.inputs).detach() for part in data]
    if settings["permuted"]:
        answers = [
            permute_dark_knowledge(logits, part.transfer.labels, part.seed)
            for logits, part in zip(answers, data, strict=True)
        ]
    students = StackedModel([mlp(64, settings["width"], 10, seed=seed) for seed in SEEDS])
    recipe = {"steps": 600, "learning_rate": settings["learning_rate"]}
    objective = mixture(settings["temperature"], settings["soft_weight"])
    runs = train_stack(students, data, **recipe), distill_stack(answers, students, data, objective, **recipe)
    return [[run.finish().student.student(seed, 0) for seed in SEEDS] for run in runs], data[0].test


def gains(name, measure):
    (hard, soft), test = stacked(name)
    values = [[100 * measure(student(test.inputs), test.labels) for student in arm] for arm in (hard, soft)]
    return paired(values[1], values[0])


def share_right(logits, labels):
    return float((logits.argmax(1) == labels).double().mean())


def number(text):
    return float(text.replace("−", "-"))


@pytest.fixture(scope="module")
def told(browser, tmp_path_factory):
    """What the page says after 30 seeds of each story."""
    place = tmp_path_factory.mktemp("page") / "playground.html"
    place.write_text(playground_page(), encoding="utf-8")
    page = browser.new_page()
    page.goto(place.as_uri())
    found = {}
    for story in STORIES:
        page.get_by_role("button", name=story["title"], exact=True).click()
        page.get_by_role("button", name="Run 30 seeds").click()
        page.locator(".seeds .caption", has_text="Done in").wait_for(timeout=240_000)
        found[story["name"]] = page.locator(".seeds .caption").inner_text()
    page.close()
    return found


def agree(sentence, found):
    """Whether two means differ by no more than the 95 % interval of their difference, or its rounding."""
    mean, low, high = sentence
    half = math.hypot((high - low) / 2, (found.high - found.low) / 2)
    return abs(mean - found.mean) <= half + 0.1, (sentence, str(found))


@pytest.mark.browser
@pytest.mark.parametrize("name", NAMES)
def test_a_story_ends_as_in_the_stacked_engine(told, name):
    sentences = [
        (kind, [number(value) for value in (mean, low, high)])
        for mean, kind, low, high in SENTENCE.findall(told[name])
    ]
    omit = story_settings(name)["omit"]
    measures = {"for the distilled": share_right}
    if omit is not None:
        measures["on the"] = lambda logits, labels: recall(logits, labels, omit)
    assert [kind for kind, _ in sentences] == list(measures)
    for kind, sentence in sentences:
        fits, both = agree(sentence, gains(name, measures[kind]))
        assert fits, both


@pytest.mark.browser
def test_the_stories_show_what_they_are_told_for(told):
    found = {
        name: number(
            SENTENCE.search(sentence)[3 if name in ("few-labels", "noisy-labels", "missing-3") else 4]
        )
        for name, sentence in told.items()
    }
    # The lower ends where distillation helps, the upper ends where it must not.
    assert found["few-labels"] > 0 and found["missing-3"] > 0 and found["noisy-labels"] > 0
    assert found["all-labels"] < 1 and found["permuted"] < 0
