"""Images in colour: every explorer of images shows them in their colours."""

import numpy as np
import pytest
from torch import nn
from waits import rest

import kdviz as kd
from kdviz import explorers
from kdviz.datasets.cifar import CIFAR10_CARD
from kdviz.datasets.published import split
from kdviz.seeding import seeded

pytestmark = pytest.mark.browser
COUNT, HEIGHT, WIDTH = 60, 5, 6
RANDOM = np.random.default_rng(0)
PHOTOGRAPHS = RANDOM.integers(0, 256, (COUNT, 3, HEIGHT, WIDTH))
LABELS, CLASSES = np.arange(COUNT) % 3, "abc"
FEATURES = RANDOM.normal(size=(COUNT, 4, HEIGHT, WIDTH))
FLAT, LOGITS = FEATURES.reshape(COUNT, -1)[:, :6], RANDOM.normal(size=(COUNT, 3))
MAPS = {name: FEATURES[:, place] for place, name in enumerate(("teacher", "student"))}

# Whether some canvas or image of the page shows exactly this picture.
SHOWS = """async ([pixels, width, height]) => {
  const pictures = [...document.querySelectorAll("canvas, image, img")].map(async (each) => {
    if (each.tagName === "CANVAS") return each;
    const loaded = new Image();
    loaded.src = each.getAttribute("href") ?? each.src;
    await loaded.decode().catch(() => {});
    return loaded;
  });
  for (const picture of await Promise.all(pictures)) {
    if (picture.width !== width || picture.height !== height) continue;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    const seen = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    if (pixels.every((value, place) => value === seen[place])) return true;
  }
  return false;
}"""


def soft_targets(images):
    return explorers.SoftTargetExplorer.from_logits(images, LABELS, LOGITS, LOGITS[::-1], CLASSES)


def alignment(images):
    known = {"hidden": FLAT, "logits": LOGITS}
    copy = {"copy": [known, known]}
    return explorers.AlignmentExplorer.from_features(images, LABELS, CLASSES, known, copy, [0, 1])


def attention(images):
    known = {"first": FEATURES}
    return explorers.AttentionExplorer.from_features(images, LABELS, known, {"copy": known}, CLASSES)


def attribution(images):
    return explorers.AttributionExplorer.from_maps(images, LABELS, LABELS, {"occlusion": MAPS}, CLASSES)


def relations(images):
    return explorers.RelationExplorer.from_embeddings(images, LABELS, FLAT, {"copy": FLAT}, CLASSES)


def models_and_data(images):
    parts = [((255 * images).astype(np.uint8), np.arange(COUNT) % 10)] * 2
    with seeded(0):
        teacher, student = (nn.Sequential(nn.Flatten(), nn.Linear(3 * HEIGHT * WIDTH, 10)) for _ in "ab")
    return teacher, student, split("small", CIFAR10_CARD, *parts)


def anatomy(images):
    return explorers.anatomy(*models_and_data(images))


def theatre(images):
    teacher, student, data = models_and_data(images)
    run = kd.distill(teacher, student, data, kd.SoftTargets(temperature=4), steps=2).finish()
    return explorers.theatre(run, data, teacher, count=6)


EXPLORERS = [soft_targets, alignment, attention, attribution, relations, anatomy, theatre]


@pytest.mark.parametrize("make", EXPLORERS)
def test_an_explorer_shows_a_photograph_in_its_colours(page, make):
    opened = page(make(PHOTOGRAPHS / 255), width=900, height=1200)
    rest(opened, 300)
    shown = [opened.evaluate(SHOWS, [rgba(each), WIDTH, HEIGHT]) for each in PHOTOGRAPHS]
    assert any(shown)
    wrong = PHOTOGRAPHS[:, ::-1]
    assert not any(opened.evaluate(SHOWS, [rgba(each), WIDTH, HEIGHT]) for each in wrong)


def rgba(photograph):
    opaque = np.full((1, HEIGHT, WIDTH), 255)
    return np.concatenate([photograph, opaque]).transpose(1, 2, 0).ravel().astype(int).tolist()
