"""Sums of digits as texts: the last digit alone, with what was written down on the way, or with a control."""

from dataclasses import dataclass, field

import numpy as np
import torch

from kdviz.datasets.card import Card
from kdviz.datasets.sources import register
from kdviz.datasets.texts import Texts

STOP = 0
WORDS = (".", *"0123456789", "…")
DOT = WORDS.index("…")
EQUALS = len(WORDS)  # said in prompts only
WORKINGS = ("none", "running sums", "dots", "another's sums", "after", "other order")
CARD = Card(
    name="Sums",
    what="the last digit of a sum of digits, with or without the running sums on the way to it: what a small "
    "transformer cannot do at once, and can do step by step",
    source="made here: arithmetic",
    licence="no rights: random digits",
    size="as many as you ask for (2,048, and 500 to test), none twice, of at most 10 to the number of digits",
    classes=tuple("0123456789"),
)
register(CARD)


@dataclass(frozen=True)
class Sums:
    """Some sums to learn from, and others to test on: both :class:`kdviz.datasets.Texts` of one length."""

    texts: Texts
    test: Texts
    settings: dict = field(repr=False)
    card: Card = field(default=CARD, repr=False)
    words = WORDS
    tokens = len(WORDS) + 1

    @property
    def seed(self):
        return self.settings["seed"]

    @property
    def digits(self):
        return self.settings["digits"]

    def answers(self, texts: Texts) -> torch.Tensor:
        """The digit that each text gives as its answer, (n,), where its working has it; -1 for no digit."""
        before = 0 if self.settings["working"] in ("none", "after") else self.digits - 2
        place = (texts.start + before)[:, None]
        found = texts.tokens.gather(1, place)[:, 0]
        return torch.where((found > STOP) & (found < DOT), found - 1, -1)

    def read(self, texts: Texts) -> list[str]:
        """Texts as a reader has them: the prompt, and the words without the stop."""
        said = [row[: int(end)].tolist() for row, end in zip(texts.tokens, texts.end, strict=True)]
        return [" ".join((*WORDS, "=")[token] for token in row if token != STOP) for row in said]

    def __repr__(self):
        return (
            f"Sums, seed {self.seed}: {len(self.texts)} of {self.digits} digits, working: "
            f"{self.settings['working']}; {len(self.test)} others to test on"
        )


def sums(
    texts: int = 2048, *, digits: int = 4, working: str = "running sums", test: int = 500, seed: int = 0
) -> Sums:
    r"""The last digit of a sum: ``3 4 9 5 = 7 6 1``, where 7, 6 and 1 are the running sums modulo 10.

    The prompt is k digits :math:`d_1 \dots d_k` and an equals sign; with

    .. math:: s_i = (d_1 + \dots + d_i) \bmod 10

    the answer is :math:`s_k`. ``working`` is what stands before it. All but the first have k - 1 words, then
    a stop.

    "none"
        Nothing: ``3 4 9 5 = 1``.
    "running sums"
        :math:`s_2, \dots, s_{k-1}`: each needs one addition, of a digit to the word before.
    "dots"
        As many dots: as much room, and nothing in it.
    "another's sums"
        The running sums of the next text's digits.
    "after"
        The answer comes first, its running sums behind it.
    "other order"
        The running sums from the last to the first: the first word needs all but one of the additions.

    Parameters
    ----------
    texts, test : int
        How many are drawn to learn from and to test on; no sum occurs twice.
    digits : int
        k, from 2 to 6.
    seed : int
        Draws the digits.

    Returns
    -------
    Sums

    Errors: ValueError for an unknown working, or more sums than there are.

    >>> data = sums(texts=3, seed=1)
    >>> data.read(data.texts)[0]
    '6 1 5 1 = 7 2 3'
    >>> data.answers(data.texts)[0]
    tensor(3)
    """
    _check(texts, digits, working, test, seed)
    random = np.random.default_rng([seed, digits, 1300])
    drawn = random.permutation(10**digits)[: texts + test]
    asked = np.stack([drawn // 10**place % 10 for place in reversed(range(digits))], 1)
    settings = {"name": "sums", "seed": seed, "texts": texts, "digits": digits, "working": working}
    parts = (asked[:texts], asked[texts:])
    return Sums(*(_written(part, working) for part in parts), {**settings, "test": test})


def _written(asked, working):
    running = asked.cumsum(1) % 10
    steps, answer = running[:, 1:-1], running[:, -1:]
    said = {
        "none": [answer],
        "running sums": [steps, answer],
        "dots": [np.full_like(steps, DOT - 1), answer],
        "another's sums": [np.roll(steps, 1, 0), answer],
        "after": [answer, steps],
        "other order": [steps[:, ::-1], answer],
    }[working]
    # Digits are the words after the stop.
    words = 1 + np.concatenate([asked, np.full_like(answer, EQUALS - 1), *said], 1)
    tokens = torch.from_numpy(np.pad(words, ((0, 0), (0, 1)), constant_values=STOP))
    count, length = tokens.shape
    return Texts(tokens, torch.full((count,), asked.shape[1] + 1), torch.full((count,), length))


def _check(texts, digits, working, test, seed):
    for name, value, least in (
        ("texts", texts, 1),
        ("digits", digits, 2),
        ("test", test, 0),
        ("seed", seed, 0),
    ):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number from {least} up; got {value!r}")
    if digits > 6:
        raise ValueError(f"digits must be 6 or fewer; got {digits}")
    if working not in WORKINGS:
        raise ValueError(f"unknown working {working!r}; it is one of {', '.join(map(repr, WORKINGS))}")
    if texts + test > 10**digits:
        raise ValueError(
            f"there are {10**digits:,} sums of {digits} digits, fewer than {texts:,} to learn from and "
            f"{test:,} to test on. Ask for fewer, or for longer sums"
        )
