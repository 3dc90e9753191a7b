"""Over 30 seeds the browser's students end where those of the stacked engine do, under the same recipe."""

import math
import re
from dataclasses import replace
from functools import cache

import pytest
import torch
from sklearn.model_selection import train_test_split

from kdviz.explorers.playground_explorer import (
    STOPS,
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
from kdviz.schemes.stacked import Evaluator
from kdviz.training.stacked import StackedModel

# More than the page's 30, so that nearly all of the uncertainty of a comparison is the page's own.
SEEDS = range(120)
LABEL_ONLY, DISTILLED, STOPPED = range(3)
FIRST, *REST = [story["name"] for story in STORIES]
SENTENCE = re.compile(
    r"([+−\d.]+) points (for the distilled|on the|for it against)[^,]*, "
    r"from ([+−\d.]+) to ([+−\d.]+) \(95 % interval\)"
)


def part_of(settings, seed):
    """The one split, with the labelled images that belong to a seed."""
    data = playground_data(settings["label_noise"], settings["omit"])
    seen, truth = data.transfer, dict(zip(*map(torch.Tensor.tolist, whole_truth()), strict=True))
    classes = [truth[index] for index in seen.indices.tolist()]
    few = list(range(len(seen)))
    if settings["labels"] < len(seen):
        few, _ = train_test_split(few, train_size=settings["labels"], stratify=classes, random_state=seed)
    # Neither for its stop may a student meet the digit that is left out.
    kept = [row for row, label in enumerate(data.validation.labels.tolist()) if label != settings["omit"]]
    parts = {"labelled": seen[few], "transfer": seen[few], "validation": data.validation[kept]}
    return replace(data, **parts, settings={**data.settings, "seed": seed})


def whole_truth():
    clean = playground_data().train
    return clean.indices, clean.labels


@cache
def stacked(name):
    """What the students of all seeds say of the test images, and these.

    The label-only and the distilled ones at their end, then the label-only ones stopped at their best step.
    """
    settings = story_settings(name)
    assert not settings["unlabelled"]
    data = [part_of(settings, seed) for seed in SEEDS]
    teacher = playground_teacher(settings["label_noise"], settings["early_teacher"])
    answers = [teacher(part.transfer.inputs).detach() for part in data]
    if settings["permuted"]:
        answers = [
            permute_dark_knowledge(logits, part.transfer.labels, part.seed)
            for logits, part in zip(answers, data, strict=True)
        ]
    students = StackedModel([mlp(64, settings["width"], 10, seed=seed) for seed in SEEDS])
    recipe = {"steps": 600, "learning_rate": settings["learning_rate"]}
    objective = mixture(settings["temperature"], settings["soft_weight"])
    test = Evaluator([part.test for part in data])
    hard = train_stack(students, data, record_every=5, **recipe)
    stopped = at_best_step(hard, test)
    soft = distill_stack(answers, students, data, objective, **recipe).finish()
    ends = [test.logits(run.student)[:, 0] for run in (hard, soft)]
    return [*ends, stopped], data[0].test


def at_best_step(run, test):
    """What each student says of the test images at its first best step on the validation images."""
    said, best = None, None
    for record in run:
        now, right = test.logits(run.student)[:, 0], torch.as_tensor(record.measures["accuracy"])[:, 0]
        if said is None:
            said, best = now, right
        better = right > best
        said, best = torch.where(better[:, None, None], now, said), torch.maximum(best, right)
    return said


def gains(name, measure, rival=LABEL_ONLY):
    said, test = stacked(name)
    values = [[100 * measure(logits, test.labels) for logits in said[arm]] for arm in (DISTILLED, rival)]
    return paired(*values)


def share_right(logits, labels):
    return float((logits.argmax(1) == labels).double().mean())


def number(text):
    return float(text.replace("−", "-"))


@pytest.fixture(scope="module")
def told(browser, tmp_path_factory):
    """What the page says after 30 seeds of a story, by its name; with another number of labels, too."""
    place = tmp_path_factory.mktemp("page") / "playground.html"
    place.write_text(playground_page(), encoding="utf-8")
    page = browser.new_page()
    page.goto(place.as_uri())
    titles = {story["name"]: story["title"] for story in STORIES}

    @cache
    def tell(name, labels=None):
        page.get_by_role("button", name=titles[name], exact=True).click()
        if labels is not None:
            slider = page.get_by_label("Labelled images", exact=True)
            slider.fill(str(STOPS["labels"].index(labels)))
        page.get_by_role("button", name="Run 30 seeds", exact=True).click()
        page.locator(".seeds .caption", has_text="Done in").wait_for(timeout=240_000)
        return page.locator(".seeds .caption").inner_text()

    yield tell
    page.close()


def agree(sentence, found):
    """Whether two means differ by no more than the 95 % interval of their difference, or its rounding."""
    mean, low, high = sentence
    half = math.hypot((high - low) / 2, (found.high - found.low) / 2)
    return abs(mean - found.mean) <= half + 0.1, (sentence, str(found))


@pytest.mark.browser
@pytest.mark.parametrize("name", [FIRST, *(pytest.param(name, marks=pytest.mark.complete) for name in REST)])
def test_a_story_ends_as_in_the_stacked_engine(told, name):
    sentences = [
        (kind, [number(value) for value in (mean, low, high)])
        for mean, kind, low, high in SENTENCE.findall(told(name))
    ]
    omit = story_settings(name)["omit"]
    measures = {"for the distilled": share_right}
    if omit is not None:
        measures["on the"] = lambda logits, labels: recall(logits, labels, omit)
    assert [kind for kind, _ in sentences] == [*measures, "for it against"]
    for kind, sentence in sentences:
        if kind == "for it against":
            found = gains(name, list(measures.values())[-1], STOPPED)
        else:
            found = gains(name, measures[kind])
        fits, both = agree(sentence, found)
        assert fits, (kind, both)


@pytest.mark.browser
@pytest.mark.complete
def test_the_stories_show_what_they_are_told_for(told):
    found = {
        name: number(SENTENCE.search(told(name))[4 if name in ("all-labels", "permuted") else 3])
        for name in (FIRST, *REST)
    }
    # The lower ends where distillation helps, the upper ends where it must not.
    assert found["few-labels"] > 0 and found["missing-3"] > 0 and found["noisy-labels"] > 0
    assert found["early-teacher"] > 0 and found["as-large"] > 0
    assert found["all-labels"] < 1 and found["permuted"] < 0


@pytest.mark.browser
@pytest.mark.complete
def test_against_a_label_only_student_that_stops_early_the_sign_turns_only_under_noise(told):
    ends = {
        name: {kind: (number(low), number(high)) for _, kind, low, high in SENTENCE.findall(told(name))}
        for name in (FIRST, *REST)
    }
    stopped = {name: found["for it against"] for name, found in ends.items()}
    assert ends["noisy-labels"]["for the distilled"][0] > 0 > stopped["noisy-labels"][1]
    assert stopped["few-labels"][0] > 0 and stopped["missing-3"][0] > 0


@pytest.mark.browser
@pytest.mark.complete
def test_a_teacher_stopped_early_holds_back_a_student_with_many_labels(told):
    few, many = (SENTENCE.search(told("early-teacher", labels)) for labels in (None, 200))
    assert number(few[3]) > 0 > number(many[4])
