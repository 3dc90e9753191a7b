"""The language explorer: a small student of the clock learns in the browser, by any divergence and text.

The browser does the training, in JavaScript that agrees with torch (``path.py``). Python packs what a page
needs: the language, a teacher, a warm student, and a few paths that are there when it opens, which
``carried.py`` has trained.
"""

import json
from functools import lru_cache
from pathlib import Path

import traitlets

from kdviz.datasets import clock
from kdviz.explorers.base import Explorer, allowed
from kdviz.explorers.language_explorer.path import PLAN, READ_OUT, STARTS, TEXTS
from kdviz.explorers.wire import pack

_HERE = Path(__file__).parent
# What the student hears: the words alone (None), or the teacher's distribution by a divergence of that β.
BETAS = (None, 0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
STOPS = {"beta": list(BETAS), "text": list(TEXTS), "start": list(STARTS), "temperature": list(READ_OUT)}
DEFAULTS = {"beta": 1.0, "text": "teacher", "start": "warm", "temperature": 1.0, "seed": 0}


class LanguageExplorer(Explorer):
    """A student of the clock that learns in the browser. Made by :func:`language`.

    ``settings`` is what the controls show; assign a dictionary with all of them to move them.
    """

    packed = traitlets.Dict().tag(sync=True)
    settings = traitlets.Dict(DEFAULTS).tag(sync=True)
    stops = traitlets.Dict(STOPS).tag(sync=True)
    # The number of the time of day that is looked at, in the order of ``clock().times``.
    time = traitlets.Int(45).tag(sync=True)

    @traitlets.validate("settings")
    def _check_settings(self, proposal):
        return checked_settings(proposal.value)

    def __repr__(self):
        return f"LanguageExplorer({', '.join(f'{name}={value}' for name, value in self.settings.items())})"


def language(**settings):
    """Distil a language model before your eyes: whose text, which divergence, and how it is read out.

    The language is :func:`kdviz.datasets.clock`, and teacher and student are
    :func:`kdviz.models.window_network` of 64 and 10 units. A path of 600 steps takes a few seconds in the
    browser; after each 20 steps all 432 right texts are counted.

    Parameters
    ----------
    beta : None, or one of 0, 0.1, 0.3, 0.5, 0.7, 0.9, 1
        Where the loss lies between forward KL (0) and reverse KL (1): the ``"normalised"`` form of
        :func:`kdviz.losses.jensen_shannon`. None: the student hears the words alone, not the teacher.
    text : "data", "teacher", "greedy" or "own"
        Who writes what the student reads: the truth, the teacher at T = 1, the teacher's likeliest text, or
        the student itself, which cannot learn from its words alone.
    start : "warm" or "cold"
        After 400 steps on true texts, or from random weights.
    temperature : 0, 0.25, 0.5, 0.75 or 1
        At which the student is read out; training does not see it.
    seed : int from 0 to 999999
        Draws the texts, and the weights of a cold start.

    Returns
    -------
    LanguageExplorer

    Errors: ValueError for a setting that is not one of these.
    """
    return LanguageExplorer(packed=packed(), settings=checked_settings({**DEFAULTS, **settings}))


def language_page():
    """The explorer as the text of one page that opens from the file system and asks for nothing."""
    explorer = language()
    page = (_HERE / "page.html").read_text("utf-8")
    page = page.replace("<!-- scripts -->", allowed(explorer.static_script()))
    return page.replace("<!-- explorer -->", explorer.static_html())


def checked_settings(settings):
    """The settings, each of which must be a value that its control has."""
    if unknown := sorted(set(settings) ^ set(DEFAULTS)):
        raise ValueError(f"settings must be exactly {', '.join(DEFAULTS)}; missing or not known: {unknown}")
    for name, stops in STOPS.items():
        if isinstance(settings[name], bool) or settings[name] not in stops:
            raise ValueError(f"{name} must be one of {', '.join(map(str, stops))}; got {settings[name]!r}")
    seed = settings["seed"]
    if type(seed) is not int or not 0 <= seed <= 999_999:
        raise ValueError(f"seed must be a whole number from 0 to 999999; got {seed!r}")
    if settings["text"] == "own" and settings["beta"] is None:
        raise ValueError(
            "text='own' with beta=None: the student would learn to say what it says. Take a beta from 0 to 1"
        )
    return settings


@lru_cache
def packed():
    """What a page carries; ``worldOf`` in ``engine.js`` is the other side."""
    data, carried = clock(1), json.loads((_HERE / "carried.json").read_text("utf-8"))
    return {
        "words": list(data.words),
        "styles": list(data.styles),
        "shares": data.shares.tolist(),
        "times": [list(time) for time in data.times],
        "tokens": pack(data.every.tokens, "uint6", 63),
        "plan": PLAN,
        "read_out": list(READ_OUT),
        **carried,
    }
