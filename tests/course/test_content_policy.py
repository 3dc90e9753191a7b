"""The content policy of every kind of page that opens from the disk: our scripts run, and no other."""

import re

import numpy as np
import pytest
import torch
from IPython.display import Audio
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from torch import nn
from waits import rest

import kdviz as kd
from kdviz.course import site
from kdviz.course.pages import Page
from kdviz.explorers import guess
from kdviz.explorers.base import STATIC_PAGES
from kdviz.explorers.language_explorer import language_page
from kdviz.explorers.playground_explorer import playground_page

pytestmark = pytest.mark.browser

PAGE = Page("01_one", "One", teaches="what one is", minutes=5, difficulty="easy", exercises=1)
# A script, a module, an attribute, and an address: each leaves its mark if it runs.
FOREIGN = """<script>document.body.dataset.script = ""</script>
<script type="module">document.body.dataset.module = ""</script>
<img src="data:," alt="" onerror="document.body.dataset.attribute = ''">
<a href="javascript:void(document.body.dataset.address = '')">follow</a>"""
ALL = {"script", "module", "attribute", "address"}


@pytest.fixture
def course_page(monkeypatch):
    """An explorer and a figure, as the kernel of a page gives them."""
    monkeypatch.setenv(STATIC_PAGES, "1")
    explorer = guess("Which?", ["left", "right"], because="It is left.")
    data, metadata = explorer._repr_mimebundle_()
    drawn = kd.figures.cka_map(np.eye(2), ["1", "2"], ["1", "2"]).to_plotly_json()
    outputs = [
        new_output("display_data", data, metadata=metadata),
        new_output("display_data", {site.PLOTLY: drawn}),
    ]
    cells = [new_markdown_cell("# One\n\n## A part"), new_code_cell("1", outputs=outputs)]
    return site.render(new_notebook(cells=cells), PAGE, [PAGE])


@pytest.fixture
def report(tmp_path):
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Flatten(), nn.Linear(64, wide), nn.Linear(wide, 10)) for wide in (16, 8)]
    data = kd.datasets.digits(labels=50).test
    found = kd.compare(*models, (data.inputs[:80], data.labels[:80]), progress=False)
    return found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def playground():
    return playground_page()


@pytest.fixture
def language():
    return language_page()


@pytest.fixture
def glossary():
    return site.glossary_page()


# What stands on each kind of page once its scripts have run.
KINDS = {
    "course_page": [".kdviz-guess button", "[data-plotly] .main-svg", "nav.contents li"],
    "report": ["[data-kdviz-explorer] input", "[data-plotly] .main-svg", ".save button"],
    "playground": [".kdviz-playground button"],
    "language": [".kdviz-language .texts li"],
    "glossary": ["dl, h1"],
}


def marks(page):
    """What of the foreign scripts ran."""
    page.get_by_text("follow", exact=True).click()
    rest(page, 300)
    return ALL & set(page.evaluate("Object.keys(document.body.dataset)"))


@pytest.mark.parametrize("kind", KINDS)
def test_our_scripts_run_and_a_foreign_one_does_not(kind, offline, request):
    text = request.getfixturevalue(kind)
    page = offline(text)
    for selector in KINDS[kind]:
        page.locator(selector).first.wait_for(state="attached")
    assert offline.said == []
    foreign = text.replace("</main>", f"{FOREIGN}</main>")
    assert marks(offline(foreign)) == set()
    # The browser tells of each, and of nothing else.
    assert len(offline.said) == 4 and all("Content Security Policy" in said for said in offline.said)
    offline.said.clear()


def test_a_sound_of_a_page_can_be_played(offline):
    sound = Audio(np.sin(np.arange(800) / 5), rate=8000)._repr_html_()
    cells = [new_code_cell("1", outputs=[new_output("display_data", {"text/html": sound})])]
    page = offline(site.render(new_notebook(cells=[new_markdown_cell("# One"), *cells]), PAGE, [PAGE]))
    page.wait_for_function("document.querySelector('audio').readyState > 0")
    assert page.evaluate("document.querySelector('audio').duration") == 0.1
    assert offline.said == []


def test_with_inline_scripts_allowed_the_foreign_ones_would_run(offline, glossary):
    """The test above could fail."""
    foreign = glossary.replace("</main>", f"{FOREIGN}</main>")
    page = offline(foreign.replace("default-src", "script-src 'unsafe-inline'; default-src"))
    assert marks(page) == ALL


def test_a_page_names_its_scripts_and_nothing_more(course_page, report, playground, language, glossary):
    for text in (course_page, report, playground, language, glossary):
        (policy,) = re.findall(r'"([^"]*default-src[^"]*)"', text)
        scripts = re.findall(r"script-src ([^;]*)", policy)
        assert "default-src 'none'" in policy and "unsafe-eval" not in policy
        assert all(re.fullmatch(r"'sha256-[\w+/]{43}='", each) for each in " ".join(scripts).split())
