"""The explorer of two senses: its means and pairs against what it was given, its sound, and its use."""

import numpy as np
import pytest
from controls import move_every_control
from entry_points import table_of_pairs, two_pairs

from kdviz import explorers

# What is handed to the loudspeaker, kept for the test.
LISTEN = """() => {
  window.played = [];
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function () {
    window.played.push({ rate: this.buffer.sampleRate, samples: [...this.buffer.getChannelData(0)] });
    start.call(this);
  };
}"""


@pytest.fixture
def view():
    return explorers.senses(two_pairs(), table_of_pairs())


def loudest(samples, rate, count=2):
    """The frequencies of which most is in the samples, in hertz."""
    power = np.abs(np.fft.rfft(samples))
    return sorted(np.fft.rfftfreq(len(samples), 1 / rate)[power.argsort()[-count:]])


def test_holds_the_means_over_the_seeds(view):
    assert list(view.curves) == ["tone", "image"] and view.hisses == [0.5, 1.0] and view.fractions == [0, 1]
    first, second = view.curves["tone"]
    assert first["at random"] == [85.5, 15.5] and second["next digit"] == [80.5, 2.5]
    assert (first["50 labels"], first["all labels"], first["teacher"]) == (65.5, 90.5, 60.5)
    assert view.partners == {"at random": [[0, 1], [1, 0]], "next digit": [[0, 1], [1, 1]]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hertz": np.ones((3, 2))}, r"hertz \(pairs, 2\); got \(2, 6\), \(2, 6\) and \(3, 2\)"),
        ({"noise": np.ones((2, 5))}, "the same shape"),
        ({"partners": {"at random": [[0, 1]]}}, "a row for each of the fractions"),
        ({"partners": {"at random": [[0, 1], [1, 2]]}}, "numbers from 0 to 1"),
        ({"partners": {"backwards": [[0, 1], [1, 0]]}}, r"no rows of the arm and the fraction \('backwards'"),
    ],
)
def test_pairs_that_do_not_fit_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        explorers.senses(two_pairs() | changed, table_of_pairs())


def test_what_is_missing_is_named():
    pairs, table = two_pairs(), table_of_pairs()
    with pytest.raises(ValueError, match="lacks the columns hiss"):
        explorers.senses(pairs, table.drop(columns="hiss"))
    del pairs["sines"]
    with pytest.raises(ValueError, match="it lacks sines"):
        explorers.senses(pairs, table)


def test_what_a_reader_sets_cannot_break_it(view):
    for name, value, message in (
        ("sense", "smell", "must be one of tone, image"),
        ("way", "sideways", "must be one of at random, next digit"),
        ("hiss", 2, "from 0 to 1"),
        ("wrong", -1, "from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            setattr(view, name, value)


@pytest.mark.browser
def test_a_click_plays_the_tone_that_is_shown(page, view):
    shown = page(view)
    shown.evaluate(LISTEN)
    shown.get_by_role("button", name="Play tone 1").click()
    assert "Tone 1: 697 and 1209 hertz, noise 0.5" in shown.locator(".last").inner_text()
    shown.wait_for_function("window.played.length === 1")
    (played,) = shown.evaluate("window.played")
    assert played["rate"] == 8000 and max(map(abs, played["samples"])) <= 1
    assert loudest(played["samples"], 8000) == pytest.approx([697, 1209], abs=2)
    # What is left without the two sines has the deviation of the noise, beside sines of amplitude 1.
    samples = np.array(played["samples"])
    time = 2 * np.pi * np.arange(len(samples)) / 8000
    tone = np.sin(697 * time) + np.sin(1209 * time)
    scale = (samples @ tone) / (tone @ tone)
    assert np.std(samples / scale - tone) == pytest.approx(0.5, rel=0.1)


@pytest.mark.browser
def test_tells_and_frames_what_was_given(page, view):
    view.sense, view.way, view.hiss, view.wrong = "image", "next digit", 1, 1
    shown = page(view)
    said = shown.locator(".read-out").inner_text()
    assert "Noise 1, 100 % of the pairs wrong, next digit: the eye is right in 2.5 %" in said
    assert "an ear, is right in 60.5 %; 50 labels give 60.5 %, all labels 85.5 %" in said
    assert shown.locator(".pair.wrong").count() == 1
    # Ears teach: what stands in beside the image of 0 is the tone of 1.
    assert shown.locator(".pair.wrong button").get_attribute("aria-label") == "Play tone 1"
    shown.get_by_role("radio", name="digits teach tones").click()
    shown.locator(".pair.wrong button[aria-label='Play tone 0']").wait_for()


@pytest.mark.browser
def test_every_control_moves_by_keyboard(page, view):
    shown = page(view)
    assert len(move_every_control(shown, shown.locator(".kdviz-senses"))) == 6  # two of them are tones


@pytest.mark.browser
def test_nothing_spills_on_a_phone(page, view):
    shown = page(view, width=390, height=900)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
