"""A comparison as pictures and as one offline page, for images, tables and texts."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from setups import CLASSES, Named, conv, made, mlp, pictures, points, sentences, trained
from torch import nn
from torch.utils.data import DataLoader

import kdviz as kd
from kdviz import explain
from kdviz.datasets.cifar import CIFAR10_CARD
from kdviz.datasets.published import split
from kdviz.explain import compare_attributions
from kdviz.measure import calibration_gap, procrustes_distance


def images():
    inputs, labels = pictures()
    teacher = trained(made(conv, 12), inputs, labels)
    pair = (teacher, made(conv, 4, seed=1).eval())
    return kd.compare(*pair, (inputs, labels), baselines=[made(conv, 4, seed=2)], progress=False)


def table(**settings):
    return kd.compare(made(mlp, 32), made(mlp, 8, seed=1), points(), progress=False, **settings)


def text():
    tokens, labels = sentences()
    rows = [{"input_ids": x, "labels": y} for x, y in zip(tokens, labels, strict=True)]
    data = DataLoader(rows, batch_size=64)
    words = [f"word{number}" for number in range(20)]
    return kd.compare(
        made(Named, 32, True),
        made(Named, 8),
        data,
        progress=False,
        show=lambda sample: " ".join(words[token] for token in sample["input_ids"]),
    )


@pytest.mark.parametrize("build", [images, table, text])
def test_the_page_holds_every_part_and_no_address(build, tmp_path):
    found = build()
    page = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    # Plotly's own script, which names its makers' pages, is compressed.
    assert not set(re.findall(r"https?://[^\s\"'<)]+", page)) - {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in page
    for heading in ("Each class by itself", "Calibration", "Where they differ most", "Layer by layer"):
        assert f"<h2>{heading}</h2>" in page
    # Bars stand beside whatever can be looked at, and the other explorers draw images alone.
    assert [f"<h2>{name}</h2>" in page for name in ("Soft targets", "Relations")] == [True, build is images]
    assert len(page) < 3_000_000
    if build is text:
        assert "word3" in page


def test_a_page_works_offline(browser, tmp_path):
    path = images().to_html(tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    problems, asked = [], []
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("[data-kdviz-explorer] input")
    page.wait_for_selector(".js-plotly-plot .main-svg")
    assert problems == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.locator(".js-plotly-plot").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


def test_figures_of_a_page_are_saved_as_pictures_and_as_tables(browser, tmp_path):
    found = images()
    page = browser.new_page()
    page.goto(found.to_html(tmp_path / "report.html").as_uri())

    def saved(heading, format):
        with page.expect_download() as given:
            page.get_by_role("button", name=f"Save {heading} as {format}").click()
        assert given.value.suggested_filename == f"{heading.lower().replace(' ', '_')}.{format.lower()}"
        given.value.save_as(tmp_path / "given")
        return (tmp_path / "given").read_bytes()

    assert saved("Calibration", "SVG").startswith(b"<svg")
    assert saved("Calibration", "PNG").startswith(b"\x89PNG")
    bars = pd.read_csv(io.BytesIO(saved("Each class by itself", "CSV")))
    assert list(bars)[:3] == ["name", "class", "recognised (share)"]
    drawn = bars.pivot(index="class", columns="name", values="recognised (share)")
    np.testing.assert_allclose(drawn["student"], found.per_class.student)
    cells = pd.read_csv(io.BytesIO(saved("Layer by layer", "CSV")))
    np.testing.assert_allclose(cells.value, found.cka.flatten())
    page.close()


def test_a_gallery_says_what_each_model_says():
    found = images()
    cards, unlike = found.gallery().cards, found.disagreements
    assert len(cards) == len(unlike)
    for row, card in enumerate(cards):
        for name in found.models:
            p = torch.from_numpy(unlike.logits[name][row]).softmax(0)
            assert f"{name}: {found.classes[int(p.argmax())]} ({float(p.max()):.2f})" in card
        assert f"sample {unlike.indices[row]:,}, label {unlike.labels[row]}" in card


class Flat(nn.Module):
    def __init__(self, seed, classes=CLASSES):
        super().__init__()
        self.model = made(nn.Linear, 3 * 4 * 5, classes, seed=seed)

    def forward(self, x):
        return self.model(x.flatten(1))


def test_colour_images_are_shown_in_their_colours():
    inputs = torch.rand(60, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    found = kd.compare(Flat(0), Flat(1), inputs, progress=False)
    card = found.gallery().cards[0]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", card)[1]))))
    kept = torch.cat(found.disagreements.inputs)
    expected = (kept - kept.min()) / (kept.max() - kept.min())
    np.testing.assert_allclose(shown / 255, expected[0].permute(1, 2, 0), atol=1 / 255)
    explorer = found.soft_targets(count=8)
    assert np.shape(explorer.images)[1:] == (4, 5, 3) and len(explorer.labels) == 8


def test_photographs_of_a_kdviz_data_set_are_shown_as_they_were():
    random = np.random.default_rng(0)
    parts = [(random.integers(0, 256, (n, 3, 4, 5), np.uint8), np.arange(n) % 10) for n in (100, 60)]
    data = split("cifar10", CIFAR10_CARD, *parts)
    found = kd.compare(Flat(0, 10), Flat(1, 10), data, progress=False)
    card = found.gallery().cards[0]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", card)[1]))))
    row = int(data.test.indices[found.disagreements.indices[0]]) - 100
    np.testing.assert_array_equal(shown, parts[1][0][row].transpose(1, 2, 0))


def test_figures_show_the_numbers():
    found = images()
    shown = found.figures()
    bars = {bar.name: bar.y for bar in shown["Each class by itself"].data}
    np.testing.assert_allclose(bars["student"], found.per_class.student)
    np.testing.assert_array_equal(shown["Layer by layer"].data[0].z, found.cka)
    bins = found.calibration("teacher")
    line = next(line for line in shown["Calibration"].data if line.name == "teacher")
    np.testing.assert_allclose(line.x, bins[bins[:, 2] > 0, 0], atol=1e-4)
    assert calibration_gap(bins) == pytest.approx(found.table.calibration_error["teacher"])


def test_embeddings_are_laid_upon_each_other_in_the_teachers_plane():
    """A student whose embeddings are the teacher's, turned and scaled, lies exactly upon them."""
    inputs, labels = points()
    teacher = nn.Sequential(nn.Linear(12, 6), nn.Linear(6, CLASSES))
    turned = nn.Sequential(nn.Linear(12, 6), nn.Linear(6, CLASSES))
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))[0]
    with torch.no_grad():
        turned[0].weight.copy_(3 * rotation @ teacher[0].weight)
        turned[0].bias.copy_(3 * rotation @ teacher[0].bias)
    found = kd.compare(teacher, turned, (inputs, labels), progress=False)
    _, theirs, ours = found.figures()["Embeddings"].data
    np.testing.assert_allclose([theirs.x, theirs.y], [ours.x, ours.y], atol=1e-3)
    kept = [found.samples.embeddings[name] for name in ("teacher", "student")]
    assert procrustes_distance(*kept) < 1e-6


def test_attributions_are_those_of_explain():
    found = images()
    asked = found.attributions("occlusion", count=30)
    models = list(found.models.values())
    direct = compare_attributions(
        *models[:2], found.samples.tensor()[:30], baselines=models[2:], method="occlusion"
    )
    assert asked.table.equals(direct.table)


def test_units_are_those_of_explain():
    found = images()
    asked = found.units(count=20)
    assert asked.layer.tolist() == [found.layers[side][-2] for side in ("teacher", "student", "student")]
    inputs = found.samples.tensor()[:20]
    with torch.no_grad():
        targets = found.models["teacher"](inputs).argmax(1)
    own = explain.conductance(found.models["student"], inputs, targets, found.layers["student"][-2])
    assert asked.loc["student", "for half"] == pytest.approx(explain.units_for_half(own).mean())
    assert asked.units["student"] == own.shape[1] and asked.fraction.between(0, 1).all()


def test_baselines_go_by_the_names_that_the_reader_gave():
    pair, other = (made(conv, 4), made(conv, 4, seed=1)), made(conv, 4, seed=2)
    found = kd.compare(*pair, pictures(), baselines={"80 labels": other}, progress=False)
    names = ["teacher", "student", "80 labels"]
    assert list(found.attributions("occlusion", count=6).maps) == names
    assert found.attribution(6, ["occlusion"]).networks == names
    bars = {bar.name: bar.marker.color for bar in found.figures()["Each class by itself"].data}
    assert bars["80 labels"] == kd.figures.BASELINE.color


def test_a_table_has_no_image_explorers_and_says_what_to_do():
    found = table()
    with pytest.raises(ValueError, match="show="):
        found.relations()
    assert all("sd)" in text for text in found.soft_targets().texts)
    inputs, row = points()[0].double(), found.disagreements.indices[0]
    kept = torch.cat(found.samples.inputs).double()
    away = (inputs[row] - kept.mean(0)) / kept.std(0, correction=0)
    furthest = int(away.abs().argmax())
    words = f"column {furthest} {inputs[row, furthest]:.3g} ({away[furthest]:+.1f} sd)".replace("-", "−")
    assert f">{words}\n" in found.gallery().cards[0]
    named = table(columns=[f"length {n}" for n in range(12)])
    assert f">length {furthest} " in named.gallery().cards[0]
    with pytest.raises(ValueError, match="12 columns"):
        table(columns=["length"])
    with pytest.raises(ValueError, match="height, width"):
        table(show=lambda sample: np.zeros((2, 2, 2))).gallery()


def test_long_names_of_classes_are_numbers_beside_a_matrix():
    inputs, labels = pictures()
    names = ["first quarter", "second quarter", "third quarter", "last quarter"]
    found = kd.compare(made(conv, 12), made(conv, 4, seed=1), (inputs, labels), classes=names, progress=False)
    assert found.relations(12).classes == ["0", "1", "2", "3"]
    assert images().relations(12).classes == ["0", "1", "2", "3"]
    assert found.soft_targets(8).classes == names
