"""The zoo for exercises whose answer is no loss: wrong answers, and right ones in other clothes."""

import itertools
import math

import numpy as np
import pytest
import torch
from exercise_answers import solve
from scipy.optimize import brentq
from torch.nn.functional import log_softmax, logsigmoid, one_hot, softmax

from kdviz.course.exercises import exercise

# --- 1.2: a temperature for an entropy


def entropies(logits, temperature, base=2.0):
    q = softmax(logits / temperature, -1)
    return torch.special.entr(q).sum(-1) / math.log(base)


def temperature_where(entropy, bits):
    return brentq(lambda power: float(entropy(math.exp(power))) - bits, -5, 8)


def searched(entropy):
    """The temperature at which ``entropy(logits, T)`` has the value that is asked."""
    return lambda logits, bits: math.exp(temperature_where(lambda t: entropy(logits, t), bits))


def mean_entropy(logits, temperature):
    return entropies(logits, temperature).mean()


right_temperature = searched(mean_entropy)


def bisected_arithmetically(logits, bits):
    low, high = 0.05, 400.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if mean_entropy(logits, middle) < bits else (low, middle)
    return torch.tensor([[high]])


def by_newton(logits, bits):
    power = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    for _ in range(30):
        missing = mean_entropy(logits, power.exp()) - bits
        slope = torch.autograd.grad(missing, power)[0]
        power = (power - 0.7 * missing / slope).detach().requires_grad_()
    return power.exp()


def on_a_fine_grid(logits, bits):
    grid = np.exp(np.linspace(-3, 6, 4000))
    return grid[np.argmin([abs(float(mean_entropy(logits, t)) - bits) for t in grid])]


def in_place(logits, bits):
    logits.sub_(logits.amax(-1, keepdim=True))
    return right_temperature(logits, bits)


def of_the_first_call(logits, bits, kept=[]):  # noqa: B006 it is the mistake
    kept.append(right_temperature(logits, bits))
    return kept[0]


WRONG = {
    "1.2": {
        "constant": lambda logits, bits: 4.0,
        "nats": searched(lambda logits, t: entropies(logits, t, math.e).mean()),
        "decimal": searched(lambda logits, t: entropies(logits, t, 10.0).mean()),
        "inverse": lambda logits, bits: 1 / right_temperature(logits, bits),
        "of the mean": searched(lambda logits, t: torch.special.entr(softmax(logits / t, -1).mean(0)).sum()),
        "first image": lambda logits, bits: right_temperature(logits[:1], bits),
        "last image missing": lambda logits, bits: right_temperature(logits[:-1], bits),
        "median": searched(lambda logits, t: entropies(logits, t).median()),
        "mean of temperatures": lambda logits, bits: (
            sum(right_temperature(row[None], bits) for row in logits) / len(logits)
        ),
        "rounded": lambda logits, bits: round(right_temperature(logits, bits)),
        "off by three percent": lambda logits, bits: 1.03 * right_temperature(logits, bits),
        "the bits that are left": lambda logits, bits: right_temperature(
            logits, math.log2(logits.shape[1]) - bits
        ),
        "the entropy": lambda logits, bits: mean_entropy(logits, right_temperature(logits, bits)),
        "cleared": lambda logits, bits: right_temperature(logits.fill_(1).addcmul_(logits, logits), 1e-6),
        "of the first call": of_the_first_call,
        "negative": lambda logits, bits: -right_temperature(logits, bits),
        "infinite": lambda logits, bits: math.inf,
        "not a number": lambda logits, bits: math.nan,
        "one each": lambda logits, bits: entropies(logits, 1.0),
    }
}
RIGHT = {
    "1.2": {
        "by a root finder": right_temperature,
        "bisected": bisected_arithmetically,
        "by Newton": by_newton,
        "on a grid": on_a_fine_grid,
        "in place": in_place,
        "single precision": lambda logits, bits: right_temperature(logits.float(), bits),
        "numpy": lambda logits, bits: np.float32(right_temperature(logits, bits)),
        "other names": lambda z, b: right_temperature(z, b),
    }
}

# --- 1.4: a control


def shuffled(order):
    """Each image's wrong classes in the order that ``order(how many, generator)`` gives."""

    def answer(probabilities, labels, generator):
        result = probabilities.clone()
        for row, label in zip(result, labels, strict=True):
            wrong = torch.arange(len(row)) != label
            row[wrong] = row[wrong][order(len(row) - 1, generator)]
        return result

    return answer


def randperm(count, generator):
    return torch.randperm(count, generator=generator)


def exchanged_with_anyone(count, generator):
    """The well-known slip: each is exchanged with *any* other, which is not every order alike."""
    order = torch.arange(count)
    for place in range(count):
        other = int(torch.randint(count, (1,), generator=generator))
        order[[place, other]] = order[[other, place]]
    return order


def one_circle(count, generator):
    order = torch.empty(count, dtype=torch.long)
    circle = torch.randperm(count, generator=generator)
    order[circle] = circle.roll(1)
    return order


def by_multinomial(count, generator):
    return torch.multinomial(torch.ones(count), count, generator=generator)


def by_noise(count, generator):
    return torch.rand(count, generator=generator, dtype=torch.float64).argsort()


def by_topk(count, generator):
    return torch.randn(count, generator=generator).topk(count).indices


def inserted(count, generator):
    order = []
    for thing in range(count):
        order.insert(int(torch.randint(thing + 1, (1,), generator=generator)), thing)
    return torch.tensor(order)


def after(change):
    """The right answer to changed arguments."""
    return lambda p, y, g: shuffled(randperm)(*change(p, y, g))


def then(change):
    """The right answer, changed."""
    return lambda p, y, g: change(shuffled(randperm)(p, y, g))


def spread_evenly(probabilities, labels, generator):
    at = one_hot(labels, probabilities.shape[1]).bool()
    rest = (1 - probabilities[at]) / (probabilities.shape[1] - 1)
    return torch.where(at, probabilities, rest[:, None].expand_as(probabilities))


def every_second_image(probabilities, labels, generator):
    result = shuffled(randperm)(probabilities, labels, generator)
    result[::2] = probabilities[::2]
    return result


WRONG["1.4"] = {
    "exchanged with anyone": shuffled(exchanged_with_anyone),
    "one circle": shuffled(one_circle),
    "half precision": after(lambda p, y, g: (p.half().to(p.dtype), y, g)),
    "half precision after": then(lambda p: p.half().to(p.dtype)),
    "of the image before": after(lambda p, y, g: (p.roll(1, 0), y, g)),
    "label before": after(lambda p, y, g: (p, y.roll(1), g)),
    "label one off": after(lambda p, y, g: (p, (y + 1) % 10, g)),
    "spread evenly": spread_evenly,
    "every second image": every_second_image,
    "sorted": shuffled(lambda n, g: torch.arange(n).flip(0)),
    "with replacement": shuffled(lambda n, g: torch.randint(n, (n,), generator=g)),
    "first three stay": shuffled(lambda n, g: torch.cat([torch.arange(3), 3 + randperm(n - 3, g)])),
    "without a generator": shuffled(lambda n, g: torch.randperm(n)),
    "logits": then(lambda p: p.log()),
    "first image alone": then(lambda p: p[:1]),
    "one number": then(lambda p: p.sum()),
}
RIGHT["1.4"] = {
    "multinomial": shuffled(by_multinomial),
    "noise": shuffled(by_noise),
    "largest noise": shuffled(by_topk),
    "inserted one by one": shuffled(inserted),
    "twice": shuffled(lambda n, g: randperm(n, g)[randperm(n, g)]),
    "backwards": shuffled(lambda n, g: randperm(n, g).argsort().flip(0)),
    "other names": lambda a, b, c: shuffled(randperm)(a, b, c),
}

# --- 12.1: a step


def step(*changes):
    """The solution of 12.1 with some of its text replaced."""
    source = exercise("12.1").source
    for present, instead in changes:
        assert present in source
        source = source.replace(present, instead)
    scope = {}
    exec(source, scope)
    return scope["my_step"]


FORGET, BACK, STEP = (
    f"    {line}\n" for line in ("optimizer.zero_grad()", "loss.backward()", "optimizer.step()")
)
LOSS = '4**2 * kl_div(log_softmax(z / 4, 1), q, reduction="batchmean")'
WRONG["12.1"] = {
    "eval mode": step(("student.train()", "student.eval()")),
    "teacher attached": step(("with torch.no_grad():", "if True:")),
    "no square": step(("4**2 * ", "")),
    "gradients add up": step((FORGET, "")),
    "forgotten after backward": step((FORGET, ""), (BACK, BACK + FORGET)),
    "no step": step((STEP, "")),
    "no backward": step((BACK, "")),
    "step first": step((STEP, ""), (BACK, STEP + BACK)),
    "mean over classes": step(('"batchmean"', '"mean"')),
    "summed": step(('"batchmean"', '"sum"')),
    "no logarithm": step(("log_softmax(z / 4, 1), q", "softmax(z / 4, 1), q")),
    "weights exchanged": step(("0.1 *", "0.9 *"), ("+ 0.9 *", "+ 0.1 *")),
    "no weights": step(("0.1 * cross", "cross"), ("0.9 * soft", "soft")),
    "labels left out": step(("0.1 * cross_entropy(z, labels) + ", "")),
    "teacher left out": step((" + 0.9 * soft", "")),
    "labels of others": step(("(z, labels)", "(z, labels.roll(1))")),
    "answers for others": step(("teacher(inputs) / 4, 1)", "teacher(inputs) / 4, 1).roll(1, 0)")),
    "student at one": step(("log_softmax(z / 4, 1)", "log_softmax(z, 1)")),
    "teacher at one": step(("teacher(inputs) / 4", "teacher(inputs)")),
    "other temperature": step(("z / 4", "z / 2"), ("(inputs) / 4", "(inputs) / 2"), ("4**2", "2**2")),
    "student detached": step(("z = student(inputs)", "z = student(inputs).detach().requires_grad_()")),
    "soft term detached": step(("0.9 * soft", "0.9 * soft.detach()")),
    "asked twice": step(("cross_entropy(z, labels)", "cross_entropy(student(inputs), labels)")),
    "over the samples": step(("z / 4, 1)", "z / 4, 0)")),
    "reversed": step(
        (LOSS, "4**2 * kl_div(q.log(), softmax(z / 4, 1), reduction='batchmean')"),
    ),
    "sign": step((BACK, "    (-loss).backward()\n")),
    "teacher in train mode": step(("student.train()", "student.train(), teacher.train()")),
}  # fmt: skip
RIGHT["12.1"] = {
    "log target": step(
        ("q = softmax(", "q = log_softmax("),
        ('reduction="batchmean"', 'reduction="batchmean", log_target=True'),
    ),
    "written out": step((LOSS, "4**2 * (q * (q.log() - log_softmax(z / 4, 1))).sum(1).mean()")),
    "cross-entropy with q": step((LOSS, "4**2 * cross_entropy(z / 4, q)")),
    "detached": step(
        ("with torch.no_grad():", "if True:"), ("teacher(inputs) / 4", "teacher(inputs).detach() / 4")
    ),
    "forgotten first": step((FORGET, ""), ("    student.train()\n", "    student.train()\n" + FORGET)),
    "not to None": step(("zero_grad()", "zero_grad(set_to_none=False)")),
    "teacher asked in eval mode": step(("student.train()", "student.train(), teacher.eval()")),
    "returns nothing": step(("    return loss", "    return None")),
    "sixteen": step(("4**2", "16.0")),
    "mean over all times classes": step(('"batchmean")', '"mean") * z.shape[1]')),
}

# --- 12.2: two logits


def two(first, second):
    return lambda z: torch.stack([first(z), second(z)], 1)


WRONG["12.2"] = {
    "exchanged": two(lambda z: z, lambda z: 0 * z),
    "both signs": two(lambda z: -z, lambda z: z),
    "probabilities": two(lambda z: 1 - z.sigmoid(), lambda z: z.sigmoid()),
    "by way of probabilities": two(lambda z: (1 - z.sigmoid()).log(), lambda z: z.sigmoid().log()),
    "clamped": two(lambda z: (1 - z.sigmoid()).clamp(1e-7).log(), lambda z: z.sigmoid().clamp(1e-7).log()),
    "rows and columns": lambda z: torch.stack([torch.zeros_like(z), z]),
    "one column": lambda z: z[:, None],
    "z itself": lambda z: z,
    "a list": lambda z: [[0.0, float(each)] for each in z],
    "constant": lambda z: torch.zeros(len(z), 2),
    "half precision": two(lambda z: (0 * z).half(), lambda z: (1.01 * z).half()),
    "absolute": two(lambda z: 0 * z, lambda z: z.abs()),
    "clipped": two(lambda z: 0 * z, lambda z: z.clamp(-30, 30)),
    "first sample": lambda z: torch.stack([0 * z, z[:1].expand_as(z)], 1),
    "the sample before": two(lambda z: 0 * z, lambda z: z.roll(1)),
    "infinite": two(lambda z: 0 * z - math.inf, lambda z: z),
}
RIGHT["12.2"] = {
    "halves": two(lambda z: -z / 2, lambda z: z / 2),
    "a constant": two(lambda z: 0 * z + 3, lambda z: z + 3),
    "log-probabilities": two(lambda z: logsigmoid(-z), logsigmoid),
    "padded": lambda z: torch.nn.functional.pad(z[:, None], (1, 0)),
    "other logit free": two(lambda z: -z, lambda z: 0 * z),
    "in place": lambda z: torch.stack([torch.zeros_like(z), z.mul_(2).div_(2)], 1),
    "normalised": lambda z: log_softmax(torch.stack([0 * z, z], 1), 1),
}

EACH = [
    [
        pytest.param(name, answer, id=f"{name} {called}")
        for name in zoo
        for called, answer in zoo[name].items()
    ]
    for zoo in (WRONG, RIGHT)
]


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize(("name", "answer"), EACH[0])
def test_a_wrong_answer_is_refused(name, answer):
    feedback = exercise(name).check(answer)
    assert not feedback.passed and feedback.begun and feedback.message


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize(("name", "answer"), EACH[1])
def test_a_right_answer_passes(name, answer):
    feedback = exercise(name).check(answer)
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("name", WRONG)
def test_the_first_right_answer_agrees_with_the_solution(name):
    assert exercise(name).check(solve(name)).passed


def test_the_zoo_is_large():
    wrong, right = (sum(map(len, zoo.values())) for zoo in (WRONG, RIGHT))
    assert wrong >= 78 and right >= 32
    assert list(itertools.chain(WRONG)) == list(RIGHT)
