"""The language explorer as a reader meets it: one file, no kernel, no network."""

import json
import re

import numpy as np
import pytest
from controls import frame_times, move_every_control

from kdviz import explorers
from kdviz.explorers.language_explorer import DEFAULTS, checked_settings, language_page, packed
from kdviz.explorers.wire import unpack


def test_the_page_is_one_small_file_that_asks_for_nothing():
    page = language_page()
    assert len(page.encode()) <= 300_000
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert not re.search(r'(src|href)="', page)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"beta": 0.2}, "beta must be one of None, 0.0, 0.1"),
        ({"beta": True}, "beta must be one of None, 0.0"),
        ({"text": "nobody"}, "text must be one of data, teacher, greedy, own; got 'nobody'"),
        ({"start": "hot"}, "start must be one of warm, cold"),
        ({"temperature": 2}, "temperature must be one of 0.0, 0.25"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"text": "own", "beta": None}, "would learn to say what it says. Take a beta from 0 to 1"),
        ({"depth": 2}, r"missing or not known: \['depth'\]"),
    ],
)
def test_bad_input_is_told_what_was_expected(wrong, message):
    with pytest.raises(ValueError, match=message):
        explorers.language(**wrong)
    shown = explorers.language()
    with pytest.raises(ValueError, match=message):
        shown.settings = {**DEFAULTS, **wrong}


def test_its_settings_are_those_asked_for():
    shown = explorers.language(beta=None, text="greedy", seed=4)
    assert shown.settings == checked_settings({**DEFAULTS, "beta": None, "text": "greedy", "seed": 4})
    assert "text=greedy" in repr(shown)
    assert json.dumps(shown.static_state(), allow_nan=False)


@pytest.fixture
def reader(page):
    return page(explorers.language(), width=1366, height=900)


def said(reader):
    return reader.locator(".read-out").inner_text()


def rights(path, row):
    return 100 * unpack(path["records"])[-1, row, 2:].sum()


@pytest.mark.browser
def test_opens_with_finished_paths_and_says_how_much_is_sharpness(reader):
    _, forward, reverse = packed()["finished"]
    assert "After 600 of 600 steps on the teacher's texts, hearing reverse KL" in said(reader)
    assert f"a right text has {rights(reverse, 4):.1f} %" in said(reader)
    told = re.findall(r"([\d.]+) points (more|less)", reader.locator(".sharp").inner_text())
    leads = [float(points) * (1 if way == "more" else -1) for points, way in told]
    assert leads == pytest.approx([rights(reverse, row) - rights(forward, row) for row in (4, 0)], abs=0.06)
    # What the page is about: a lead that is not there when both are read greedily.
    assert leads[0] > 3 > leads[1]
    drawn = reader.locator(".card svg").first.text_content()
    assert "greedy, words" in drawn and "teacher, forward KL" in drawn
    assert reader.locator(".texts li").count() == 5


@pytest.mark.browser
def test_a_path_is_walked_from_start_to_end(reader):
    reader.get_by_role("radio", name="the student", exact=True).click()
    reader.locator(".read-out", has_text="Press Train").wait_for()
    reader.get_by_role("button", name="Train").click()
    reader.locator(".read-out", has_text="After 600 of 600 steps on its own texts").wait_for(timeout=60_000)
    assert "where both are read greedily" in reader.locator(".sharp").inner_text()
    # It stays where it was walked, while another is looked at.
    reader.get_by_role("radio", name="cold").click()
    reader.locator(".counter", has_text="step 0 of 600").wait_for()
    assert "own, reverse KL" in reader.locator(".card svg").first.text_content()
    reader.get_by_role("button", name="Step").click()
    reader.locator(".counter", has_text="step 20 of 600").wait_for()
    reader.get_by_role("button", name="Reset").click()
    reader.locator(".counter", has_text="step 0 of 600").wait_for()


@pytest.mark.browser
def test_a_control_ends_a_walk_and_begins_none(reader):
    reader.get_by_role("radio", name="the truth").click()
    reader.get_by_role("button", name="Train").click()
    reader.locator(".read-out", has_text="It learns.").wait_for()
    reader.get_by_label("Read out at").first.press("Home")
    reader.get_by_role("radio", name="cold").click()
    reader.locator(".read-out", has_text="Press Train. Before the first step on true texts").wait_for()
    reader.locator(".counter", has_text="step 0 of 600").wait_for()
    assert reader.get_by_role("button", name="Train").is_visible()


@pytest.mark.browser
def test_the_temperature_of_the_reading_moves_what_is_told(reader):
    reader.get_by_label("Read out at").first.press("Home")
    reader.locator(".read-out", has_text="read out at T = 0").wait_for()
    assert f"a right text has {rights(packed()['finished'][-1], 0):.1f} %" in said(reader)
    assert "KL to the truth is infinite" in said(reader)
    # All five are the likeliest text.
    texts = reader.locator(".texts li span").all_inner_texts()
    assert len(set(texts)) == 1


@pytest.mark.browser
def test_own_words_alone_cannot_be_chosen(reader):
    slider = reader.get_by_label("The student hears").first
    slider.press("Home")
    reader.locator(".read-out", has_text="hearing the words alone").wait_for()
    reader.get_by_role("radio", name="the student", exact=True).click()
    reader.locator(".read-out", has_text="on its own texts, hearing forward KL").wait_for()
    slider.press("Home")
    assert "hearing forward KL" in said(reader)


@pytest.mark.browser
def test_faults_are_marked(page):
    shown = page(explorers.language(start="cold", seed=5))
    shown.locator(".read-out", has_text="Press Train").wait_for()
    marks = shown.locator(".texts em").all_inner_texts()
    assert set(marks) == {"✗ not of the language"}


@pytest.mark.browser
def test_every_control_moves_by_keyboard(reader):
    assert len(move_every_control(reader, reader.locator(".kdviz-language"))) >= 5


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390])
def test_nothing_spills_on_a_phone(page, width):
    shown = page(explorers.language(), width=width, height=844)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.locator("[role=alert]").inner_text() == ""


@pytest.mark.browser
@pytest.mark.complete
def test_a_move_of_the_reading_takes_about_a_frame(reader):
    slider = reader.get_by_label("Read out at").first
    assert np.median(frame_times(reader, slider, moves=24)) < 50
