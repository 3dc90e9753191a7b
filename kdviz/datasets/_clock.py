"""A small language whose every text can be counted: the time of day in three styles."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch

from kdviz.datasets.card import Card
from kdviz.datasets.sources import register
from kdviz.datasets.texts import Texts

HOURS = "one two three four five six seven eight nine ten eleven twelve".split()
STEP = 5  # minutes between two times
TENS = "five ten fifteen twenty twenty-five thirty thirty-five forty forty-five fifty fifty-five"
MINUTES = {STEP * (n + 1): text.replace("-", " ") for n, text in enumerate(TENS.split())}
STOP = 0
WORDS = (
    ".",
    *HOURS,
    *"fifteen twenty thirty forty fifty oh oclock exactly hours sharp".split(),
    *"quarter half past to minutes after before".split(),
)
STYLES = ("digital", "by the quarter", "by the minute")
SHARES = (0.5, 0.3, 0.2)
TIMES = tuple((hour, minute) for hour in range(12) for minute in range(0, 60, STEP))
# After the words come the tokens of the prompt: twelve hours, and twelve minutes.
TOKENS = len(WORDS) + 24
PROMPT, LONGEST = 2, 6  # tokens of a prompt; words of a text, its stop included
CARD = Card(
    name="The clock",
    what="times of day, an hour and a multiple of five minutes, said in one of three styles; all 432 right "
    "texts are known with their probabilities, so what a language model says can be judged exactly",
    source="made here: a grammar of ten lines",
    licence="no rights: random draws from a grammar",
    size="as many texts as you ask for (1,024), of 3 to 6 words, the stop included",
    classes=STYLES,
)
register(CARD)


@dataclass(frozen=True)
class Clock:
    """Some texts of the language, and the language itself.

    texts
        Drawn from the truth: :class:`kdviz.datasets.texts.Texts` of length 8.
    every
        All right texts, 144 times by 3 styles, in the order of ``times`` and ``styles``.
    shares
        The probability of each style in the truth.
    """

    texts: Texts
    settings: dict = field(repr=False)
    card: Card = field(default=CARD, repr=False)
    words = WORDS
    styles = STYLES
    times = TIMES
    tokens = TOKENS

    @property
    def seed(self):
        return self.settings["seed"]

    @property
    def every(self) -> Texts:
        return _every()

    @property
    def shares(self) -> torch.Tensor:
        return torch.tensor(SHARES, dtype=torch.float64)

    def read(self, texts: Texts) -> list[str]:
        """Texts as a reader has them: the words, without prompt and stop."""
        return [
            " ".join(WORDS[token] for token in tokens[start:end].tolist() if token != STOP)
            for tokens, start, end in zip(texts.tokens, texts.start, texts.end, strict=True)
        ]

    def __repr__(self):
        return f"Clock, seed {self.seed}: {len(self.texts)} texts of {len(TIMES)} times in 3 styles"


def clock(texts: int = 1024, *, shares: tuple[float, ...] = SHARES, seed: int = 0) -> Clock:
    """Texts of a small language that says the time: "three forty five", "quarter to four", and a third way.

    A prompt is a time, a token for the hour and one for the minute. A text says it in one of three styles,
    with the probabilities .5, .3 and .2, and stops. There are 30 words, the stop included, and 144 times, so
    432 right texts: :func:`kdviz.measure.clock_measures` counts them all.

    Parameters
    ----------
    texts : int
        How many texts are drawn; times are drawn evenly.
    shares : three numbers
        The probability of each style among the texts drawn. The language keeps its own, with which a model
        is compared.
    seed : int
        Draws the texts.

    Returns
    -------
    Clock

    >>> data = clock(texts=3, seed=1)
    >>> data.read(data.every[[135, 136, 137]])
    ['four forty five', 'quarter to five', 'fifteen minutes before five']
    >>> data.texts
    Texts(3 of at most 8 tokens, 12 of them to learn)
    """
    _check(texts, shares, seed)
    random = np.random.default_rng([seed, texts, 1200])
    time = random.integers(len(TIMES), size=texts)
    style = random.choice(len(STYLES), size=texts, p=shares)
    drawn = _every()[torch.from_numpy(time * len(STYLES) + style)]
    return Clock(drawn, {"name": "clock", "seed": seed, "texts": texts, "shares": tuple(shares)})


def said(hour: int, minute: int) -> tuple[str, str, str]:
    """A time in the three styles.

    >>> said(2, 45)
    ('three forty five', 'quarter to four', 'fifteen minutes before four')
    """
    this, following = HOURS[hour], HOURS[(hour + 1) % 12]
    if minute == 0:
        return f"{this} oclock", f"exactly {this}", f"{this} hours sharp"
    digital = f"{this} oh five" if minute == 5 else f"{this} {MINUTES[minute]}"
    if minute == 30:
        return digital, f"half past {this}", f"thirty minutes after {this}"
    away, nearest = (minute, this) if minute < 30 else (60 - minute, following)
    short = "quarter" if away == 15 else MINUTES[away]
    way, longer = ("past", "after") if minute < 30 else ("to", "before")
    return digital, f"{short} {way} {nearest}", f"{MINUTES[away]} minutes {longer} {nearest}"


@cache
def _every():
    numbers = {word: number for number, word in enumerate(WORDS)}
    tokens, ends = [], []
    for hour, minute in TIMES:
        prompt = [len(WORDS) + hour, len(WORDS) + 12 + minute // STEP]
        for text in said(hour, minute):
            words = [*(numbers[word] for word in text.split()), STOP]
            tokens.append(prompt + words + [STOP] * (LONGEST - len(words)))
            ends.append(PROMPT + len(words))
    return Texts(torch.tensor(tokens), torch.full((len(tokens),), PROMPT), torch.tensor(ends))


def _check(texts, shares, seed):
    for name, value, least in (("texts", texts, 1), ("seed", seed, 0)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number from {least} up; got {value!r}")
    fine = len(shares) == len(STYLES) and min(shares) >= 0 and abs(sum(shares) - 1) < 1e-9
    if not fine:
        raise ValueError(f"shares must be three probabilities that add up to 1; got {shares!r}")
