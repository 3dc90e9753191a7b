"""The drawings are those that their code makes, and what they show is so."""

import re
import xml.etree.ElementTree as xml

import pytest
import torch

import kdviz as kd
from kdviz.course import drawings, site
from kdviz.course.pages import page
from kdviz.course.paths import course_folder

NOTEBOOKS = course_folder() / "notebooks"


@pytest.mark.parametrize("name", drawings.DRAWINGS)
def test_a_drawing_is_a_file_beside_the_notebooks_and_stands_on_a_page(name):
    picture = drawings.DRAWINGS[name]()
    assert (NOTEBOOKS / "pictures" / f"{name}.svg").read_text(encoding="utf-8") == picture, "run 'make pages'"
    assert xml.fromstring(picture).find("{http://www.w3.org/2000/svg}title").text
    assert any(f"(pictures/{name}.svg)" in path.read_text() for path in NOTEBOOKS.glob("*.ipynb"))


def test_the_first_drawing_shows_what_the_teacher_answers():
    digits = kd.datasets.digits(labels=50)
    pixels = torch.tensor([float(value) for value in drawings.EIGHT.split()]).view(1, 8, 8) / 16
    (row,) = ((digits.test.inputs + digits.mean - pixels).abs().amax((1, 2, 3)) < 0.01).nonzero()
    assert digits.test.labels[row] == 8
    answer = 100 * kd.trace(kd.teacher(digits), digits.test.inputs[row]).logits.softmax(-1)[0]
    assert all(abs(float(answer[digit]) - percent) < 8 for digit, percent in drawings.ANSWER.items())


def test_what_is_folded_stays_folded():
    text = "<details><summary>The answer</summary>\n\n**Null**, on $T = 1$.\n\n</details>\n\nAfter."
    html = site._markdown("00_start_here", text)
    assert html.index("<details>") < html.index("Null") < html.index("</details>") < html.index("After")


def test_the_static_page_holds_its_pictures():
    text = "# A\n\n![A picture](pictures/what_distillation_is.svg)"
    html = site._markdown(page("00_start_here").name, text)
    assert re.search(r'<img src="data:image/svg\+xml;base64,\w+', html) and 'alt="A picture"' in html


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("name", "one"), drawings.declared().items())
def test_the_boxes_of_a_scheme_keep_apart_and_within_the_picture(name, one):
    picture = xml.fromstring(drawings.scheme(**one))
    _, _, width, height = map(float, picture.get("viewBox").split())
    boxes = [
        [float(box.get(side)) for side in ("x", "y", "width", "height")]
        for box in picture.findall(f"{SVG}rect")[1:]
    ]
    assert len(boxes) == len(one["nodes"])
    for i, (x, y, wide, tall) in enumerate(boxes):
        assert x >= 0 and y >= 0 and x + wide <= width and y + tall <= height
        for other_x, other_y, other_wide, other_tall in boxes[:i]:
            apart = x >= other_x + other_wide or other_x >= x + wide
            assert apart or y >= other_y + other_tall or other_y >= y + tall
    kinds = {kind for _, _, kind, *_ in one["nodes"].values()}
    assert kinds <= {*drawings.LOOKS, "data", "loss", "gone"}
    assert {end for start, end, *_ in one["flows"]} | {start for start, *_ in one["flows"]} == set(
        one["nodes"]
    )
    # What is thrown away is said.
    assert ("dashed" in drawings.scheme(**one)) == ("gone" in kinds)


def test_an_arrow_runs_from_edge_to_edge():
    across = drawings.flow((100, 50, 80), (300, 50, 80), drawings.TEACHER, "")
    assert 'd="M142 50L256 50"' in across
    down = drawings.flow((100, 50, 80), (100, 250, 80), drawings.TEACHER, "")
    assert 'd="M100 79L100 219"' in down
