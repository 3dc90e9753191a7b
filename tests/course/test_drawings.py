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
