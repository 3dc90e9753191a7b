"""Distilling a language model: whose texts, which divergence, and how much of a gain is mere sharpness."""

from functools import cache

import pandas as pd
import torch

from kdviz.algorithms.language import distill, generate, learn
from kdviz.course.experiments.arms import short
from kdviz.course.results import result
from kdviz.datasets import Texts, clock
from kdviz.losses import JensenShannon, ReverseKL, SoftTargets
from kdviz.measure import clock_measures, paired
from kdviz.models import transformer
from kdviz.training.stacked import StackedModel

WORDS = 6  # of the longest text, its stop included
POOL = 2048  # texts that a student learns from
TEACHER_WIDTH, TEACHER_STEPS = 16, 600
# How far each student is before the arms part: steps on true texts, and at which rate.
STARTS = {"warm": 400, "cold": 0}
READ_OUT = {"right": 1.0, "right_at_half": 0.5, "right_greedy": 0.0}
DIVERGENCES = {
    "forward KL": SoftTargets(1.0),
    "JS 0.1": JensenShannon(0.1),
    "JS 0.5": JensenShannon(0.5),
    "JS 0.9": JensenShannon(0.9),
    "reverse KL": ReverseKL(),
}
TEXTS = {"true texts": None, "teacher's texts": 1.0, "teacher's texts, T 0.5": 0.5, "greedy texts": 0.0}
OWN = {f"own texts, {name}": DIVERGENCES[name] for name in ("forward KL", "JS 0.5", "reverse KL")}
FEW = ("true texts", "greedy texts", "forward KL", "JS 0.5", "reverse KL", *OWN)
# The control that should fail: each text after another's prompt.
CONTROL = "texts of other times"
COLD = (*FEW[:-3], "own texts, reverse KL")
ARMS = {"warm": {8: (*TEXTS, *DIVERGENCES, *OWN, CONTROL), 6: FEW}, "cold": {8: COLD}}


# --- one hill for two


def two_hills(betas, steps=120):
    """A teacher with two hills, and for each β the Gaussian that a student finds: places and densities.

    The student begins on the left hill. Reverse KL has more than one valley, so where it begins matters.
    """
    place = torch.linspace(-5, 5, 201, dtype=torch.float64)
    hills = 0.6 * _hill(place, -1.5, 0.6) + 0.4 * _hill(place, 2.0, 0.6)
    found = {}
    for beta in betas:
        loss = JensenShannon(beta, form="normalised")
        shape = torch.tensor([-1.0, 0.0], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([shape], lr=0.1)
        for _ in range(steps):
            optimizer.zero_grad()
            loss(_hill(place, shape[0], shape[1].exp()).log()[None], hills.log()[None]).backward()
            optimizer.step()
        found[beta] = _hill(place, shape[0], shape[1].exp()).detach()
    # To draw, the end of the right hill is left out: the curves have their names there.
    drawn = place < 2.6
    return place[drawn][::3], hills[drawn][::3], {beta: one[drawn][::3] for beta, one in found.items()}


def _hill(place, middle, spread):
    return (-(((place - middle) / spread) ** 2) / 2).exp() / spread / 2.5066


# --- students of the clock


def small(width, seed):
    return transformer(clock(1).tokens, len(clock(1).words), width=width, length=8, seed=seed)


def stack(width, seeds, away=0):
    """A network for each seed."""
    return StackedModel([small(width, away + seed) for seed in seeds])


@cache
def teachers(seeds):
    """A language model of width 16 for each seed, on texts of the truth that it sees once each."""
    texts = [clock(64 * TEACHER_STEPS, seed=10_000 + seed).texts for seed in seeds]
    begin = stack(TEACHER_WIDTH, seeds, away=1000)
    return learn(begin, texts, steps=TEACHER_STEPS, learning_rate=1e-2, seed=seeds).finish().student


@cache
def texts_of(seeds, writer):
    """Texts to learn from, after the same prompts: of the truth, or of the teachers at a temperature."""
    true = [clock(POOL, seed=seed).texts for seed in seeds]
    temperature = TEXTS[writer]
    if temperature is None:
        return true
    return generate(teachers(seeds), true, words=WORDS, temperature=temperature, seed=seeds)


def arm_run(arm, seeds, student, steps=300, every=300):
    """The run of one arm from where the students stand."""
    how = {"steps": steps, "learning_rate": 5e-3, "batch_size": 32, "seed": seeds, "record_every": every}
    if arm in TEXTS:
        return learn(student, texts_of(seeds, arm), **how)
    if arm == CONTROL:
        return learn(student, [elsewhere(texts) for texts in texts_of(seeds, "teacher's texts")], **how)
    prompts = texts_of(seeds, "teacher's texts")
    objective, own = (OWN[arm], 1.0) if arm in OWN else (DIVERGENCES[arm], 0.0)
    return distill(teachers(seeds), student, prompts, objective, own=own, words=WORDS, **how)


def elsewhere(texts):
    """The same texts, each after the prompt of the next."""
    prompts, words = texts.tokens[:, :2], texts.tokens[:, 2:]
    return Texts(torch.cat([prompts.roll(1, 0), words], 1), texts.start, texts.end)


@cache
def started(seeds, width, start):
    """Students where the arms part."""
    begin, steps = stack(width, seeds), STARTS[start]
    if not steps:
        return begin
    how = {"steps": steps, "learning_rate": 1e-2, "batch_size": 32, "seed": seeds}
    return learn(begin, texts_of(seeds, "true texts"), **how).finish().student


def judged(seeds, student, **columns):
    """A row for each seed, of how rightly it speaks when it is read at three temperatures; in percent."""
    found = clock_measures(student)
    found = {"text_kl": found["kl"], "styles": found["styles"], "choice": found["choice"]}
    for name, temperature in READ_OUT.items():
        found[name] = 100 * clock_measures(student, temperature)["right"]
    return [
        {"seed": seed, **columns, **{name: float(values[n]) for name, values in found.items()}}
        for n, seed in enumerate(seeds)
    ]


@result({"start": tuple(STARTS)}, tolerance=3.0)
def whose_words(seeds, start, steps=300):
    """Students that learn from other texts and by other divergences, all from one start, at two widths."""
    seeds, found = tuple(seeds), []
    for width, arms in ARMS[start].items():
        begin = started(seeds, width, start)
        done = {"the start": begin, "the teacher": teachers(seeds)}
        done |= {arm: arm_run(arm, seeds, begin, steps).finish().student for arm in arms}
        for arm, student in done.items():
            found += judged(seeds, student, start=start, width=width, arm=arm)
    return found


def rows_of(table, start, width):
    """The rows of one start and width."""
    return table[(table.start == start) & (table.width == width)]


def means(rows):
    """The means of each arm over the seeds."""
    return rows.groupby("arm", sort=False)[["right", "text_kl", "styles", "right_greedy"]].mean().round(2)


def read_out(table):
    """How probable a right text is at each temperature of the reading, for the warm students."""
    warm = table[table.start == "warm"].groupby(["width", "arm"], sort=False)
    return warm[list(READ_OUT)].mean().round(1)


def worth_of_own(table):
    """What own texts add to a warm student's right texts, over the teacher's texts, for each width."""
    table, found = table[table.start == "warm"], {}
    for arm in OWN:
        own, given = (table[table.arm == one] for one in (arm, arm.removeprefix("own texts, ")))
        for width, rows in own.groupby("width", sort=False):
            base = given[given.width == width].set_index("seed").right
            found.setdefault(f"width {width}", {})[arm] = short(paired(rows.set_index("seed").right, base))
    return pd.DataFrame(found)
