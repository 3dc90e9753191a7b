"""The path of a student of the clock, in torch: what ``engine.js`` computes, number by number.

With it Python packs paths that a page shows at once, and the tests hold the page to torch.
"""

import torch

from kdviz.datasets import clock
from kdviz.datasets.texts import next_words
from kdviz.losses import cross_entropy, jensen_shannon
from kdviz.measure import text_log_probabilities
from kdviz.models import window_network
from kdviz.training.texts import continued
from kdviz.training.updates import cosine

TEXTS = ("data", "teacher", "greedy", "own")
STARTS = ("warm", "cold")
READ_OUT = (0.0, 0.25, 0.5, 0.75, 1.0)
TEACHER_UNITS, STUDENT_UNITS = 64, 10
PLAN = {"steps": 600, "every": 20, "texts": 32, "rate": 0.01, "longest": 6}
_MASK = 2**32 - 1


class Chance:
    """Doty-Humphrey's sfc32, filled as ``random`` in the playground's ``engine.js`` fills it."""

    def __init__(self, seed, purpose):
        filled = 2166136261 ^ seed
        for letter in purpose:
            filled = (filled ^ ord(letter)) * 16777619 & _MASK
        self.state = (filled, seed, filled * 2654435769 & _MASK, 1)
        for _ in range(16):
            self()

    def __call__(self):
        a, b, c, count = self.state
        made = (a + b + count) & _MASK
        turned = (c << 21 | c >> 11) & _MASK
        self.state = b ^ b >> 9, (c + (c << 3)) & _MASK, (turned + made) & _MASK, (count + 1) & _MASK
        return made / 2**32

    def numbers(self, *shape):
        count = int(torch.tensor(shape).prod())
        return torch.tensor([self() for _ in range(count)], dtype=torch.float64).reshape(shape)


def cold(seed):
    """A student that knows nothing: embeddings within 1, layers as torch begins them."""
    student = window_network(clock(1).tokens, len(clock(1).words), STUDENT_UNITS).double()
    chance = Chance(seed, "cold start")
    with torch.no_grad():
        for name, part in student.named_parameters():
            fans = {"embedding": 1, "hidden": student.hidden.in_features, "logits": STUDENT_UNITS}
            part.copy_((2 * chance.numbers(*part.shape) - 1) / fans[name.split(".")[0]] ** 0.5)
    return student


def loss_of(ours, theirs, labels, beta):
    """The loss of a step, in the mean over the words: of the words alone where β is None."""
    if beta is None:
        return cross_entropy(ours, labels)
    return jensen_shannon(ours, theirs, beta, form="normalised")


def walk(teacher, student, settings, steps=PLAN["steps"]):
    """Train ``student`` in place, in float64; yields the step, 0 first and each time one is done."""
    chance, every = Chance(settings["seed"], "texts"), clock(1).every
    optimizer = torch.optim.Adam(student.parameters())
    yield 0
    for step in range(steps):
        draws = chance.numbers(PLAN["texts"], 1 + PLAN["longest"])
        texts = _texts(settings["text"], teacher, student, every, draws)
        labels, tokens = next_words(*texts), texts[0][:, :-1]
        learned = labels >= 0
        with torch.no_grad():
            theirs = teacher(tokens)[learned]
        optimizer.zero_grad()
        loss_of(student(tokens)[learned], theirs, labels[learned], settings["beta"]).backward()
        for group in optimizer.param_groups:
            group["lr"] = PLAN["rate"] * cosine(step, PLAN["steps"])
        optimizer.step()
        yield step + 1


def _texts(whose, teacher, student, every, draws):
    """The texts of a step: of each draws are a time, and a style or the words."""
    times = (draws[:, 0] * (len(every) // 3)).long()
    if whose == "data":
        style = torch.searchsorted(clock(1).shares.cumsum(0), draws[:, 1].contiguous(), right=True).clamp(
            max=2
        )
        found = every[3 * times + style]
        return found.tokens, found.start, found.end
    prompts = every[3 * times]
    model, temperature = (student, 1) if whose == "own" else (teacher, float(whose == "teacher"))
    said, end = continued(
        model, prompts.tokens[None], prompts.start[None], draws[None, :, 1:], temperature, 0
    )
    return said[0], prompts.start, end[0]


def judged(student):
    """What the plane and the bar show: for each temperature KL, styles, and the mass of each style."""
    rows = []
    truth = clock(1).shares
    for temperature in READ_OUT:
        log_p = text_log_probabilities(student, clock(1).every, temperature).view(-1, 3)
        given = (log_p - log_p.logsumexp(1, keepdim=True)).nan_to_num(nan=-torch.inf).exp()
        styles = (-torch.xlogy(given, given).sum(1)).exp().mean()
        kl = (truth * (truth.log() - log_p)).sum(1).mean()
        rows.append(torch.stack([kl, styles, *log_p.exp().mean(0)]))
    return torch.stack(rows)
