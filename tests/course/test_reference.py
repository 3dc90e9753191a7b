"""The reference: what it lists, how it is written, and that every docstring of kdviz can be drawn."""

import re

import pytest

import kdviz as kd
from kdviz.course import site
from kdviz.course.reference import chapter, chapters, drawn


def test_everything_that_kdviz_offers_is_in_it():
    listed = {id(entry.what) for one in chapters() for entry in one.entries}
    files = {one.file for one in chapters()}
    assert {f"api_{name}" for name in ("losses", "schemes", "models", "algorithms")} < files
    assert {name for name in kd.losses.LOSSES if id(getattr(kd.losses, name)) not in listed} == set()
    offered = [name for name in kd.__all__ if callable(getattr(kd, name))]
    assert {name for name in offered if id(getattr(kd, name)) not in listed} == set()
    assert id(kd.algorithms.data_free.invert) in listed and id(site.build) not in listed


def test_every_page_of_it_is_drawn_and_its_links_lead_somewhere():
    pages = {f"{one.file}.html": site.reference_page(one) for one in chapters()}
    pages["loss_card.html"] = site.loss_card_page()
    places = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in pages.items()}
    led = 0
    for name, text in pages.items():
        assert "system-message" not in text and "problematic" not in text
        for page, anchor in re.findall(r'href="((?:api|loss)\w*\.html)?(?:#([^"]+))?"', text):
            assert not anchor or anchor == "content" or anchor in places[page or name], (name, page, anchor)
            led += bool(anchor)
    assert led > 500


def test_a_name_is_called_as_a_file_writes_it():
    written = chapter("losses").entry("soft_targets").written
    assert written.startswith(
        "soft_targets(student_logits: Tensor, teacher_logits: Tensor, temperature: float"
    )
    assert chapter("explorers").entry("Anatomy").written == "Anatomy"
    run = chapter("training").entry("Run")
    assert "finish" in {member.name for member in run.members} and "self" not in run.members[0].written


def test_a_docstring_is_drawn_with_formulas_lists_and_links():
    listed = "Parameters\n----------\n**more\n    Whatever."
    text = drawn(f"Half :math:`x^2` of :func:`soft_targets`.\n\n{listed}", "kdviz.losses.it")
    assert "<math" in text and 'href="api_losses.html#soft_targets"' in text
    assert '<p class="rubric">Parameters</p>' in text and "<code>**more</code>" in text
    assert 'href="api_explorers.html#soft_targets"' in drawn(":func:`soft_targets`", "kdviz.explorers.it")


def test_a_docstring_that_cannot_be_drawn_is_named():
    with pytest.raises(ValueError, match="the docstring of kdviz.it cannot be drawn"):
        drawn("An ``open literal.", "kdviz.it")
