"""The explorer's JavaScript agrees with torch to 1e-6: same logits in, same numbers out."""

import pytest
import torch
from torch.nn.functional import cosine_similarity, cross_entropy, one_hot

from kdviz.explorers import SoftTargetExplorer
from kdviz.losses.response import logit_matching, soft_targets

pytestmark = pytest.mark.browser

TEMPERATURES = [0.5, 1.0, 4.0, 20.0, 64.0, 100.0]
CLASSES = 10

# Each sample is [student logits, teacher logits, temperature].
COMPUTE = """async ([url, samples]) => {
  const m = await import(url);
  return samples.map(([student, teacher, T]) => ({
    probabilities: m.softmax(teacher, T),
    logProbabilities: m.logSoftmax(teacher, T),
    entropy: m.entropy(teacher, T),
    kl: m.kl(teacher, student, T),
    crossEntropy: m.crossEntropy(teacher, student, T),
    scaled: m.softTargetGradient(student, teacher, T),
    unscaled: m.softTargetGradient(student, teacher, T, false),
    matching: m.logitMatchingGradient(student, teacher),
    norm: m.norm(m.softTargetGradient(student, teacher, T)),
    angle: m.angle(m.softTargetGradient(student, teacher, T), m.logitMatchingGradient(student, teacher)),
  }));
}"""


def samples():
    random = torch.Generator().manual_seed(0)
    drawn = []
    for size in (0.01, 1.0, 10.0, 1000.0):
        for temperature in TEMPERATURES:
            logits = size * torch.randn(2, CLASSES, generator=random, dtype=torch.float64)
            drawn.append((logits[0], logits[1], temperature))
    extreme = torch.full((CLASSES,), -1000.0, dtype=torch.float64)
    extreme[3] = 1000.0
    drawn.append((extreme, extreme.flip(0), 0.5))
    drawn.append((torch.zeros(CLASSES, dtype=torch.float64), extreme, 100.0))
    return drawn


@pytest.fixture(scope="module")
def results(browser, module_url):
    page = browser.new_page()
    plain = [[student.tolist(), teacher.tolist(), T] for student, teacher, T in samples()]
    yield list(zip(samples(), page.evaluate(COMPUTE, [module_url(SoftTargetExplorer), plain]), strict=True))
    page.close()


def gradient(loss, student):
    student = student.clone().requires_grad_()
    return torch.autograd.grad(loss(student[None]), student)[0]


def close(given, expected):
    given = torch.tensor(given, dtype=torch.float64)
    torch.testing.assert_close(given, expected, rtol=1e-6, atol=1e-6)


def test_probabilities_and_entropy(results):
    for (_, teacher, T), found in results:
        log_q = (teacher / T).log_softmax(0)
        close(found["probabilities"], log_q.exp())
        close(found["logProbabilities"], log_q)
        close(found["entropy"], torch.special.entr(log_q.exp()).sum())


def test_kl_is_the_soft_target_loss_without_its_factor(results):
    for (student, teacher, T), found in results:
        close(T**2 * found["kl"], soft_targets(student[None], teacher[None], T))


def test_cross_entropy_is_torchs_own_with_soft_targets(results):
    for (student, teacher, T), found in results:
        close(found["crossEntropy"], cross_entropy(student / T, (teacher / T).softmax(0)))


def test_gradients_are_those_of_the_losses(results):
    for (student, teacher, T), found in results:

        def soft(logits, teacher=teacher, T=T):
            return soft_targets(logits, teacher[None], T)

        def limit(logits, teacher=teacher):
            return logit_matching(logits, teacher[None], form="limit")

        close(found["scaled"], gradient(soft, student))
        close(found["unscaled"], gradient(soft, student) / T**2)
        close(found["matching"], gradient(limit, student))
        close(found["norm"], gradient(soft, student).norm())


def test_angle_between_the_two_gradients(results):
    compared = 0
    for (student, teacher, T), found in results:
        soft = gradient(lambda z, t=teacher, T=T: soft_targets(z, t[None], T), student)
        if soft.norm() < 1e-6:
            continue  # A vanishing vector has no direction that rounding would leave alone.
        limit = gradient(lambda z, t=teacher: logit_matching(z, t[None], form="limit"), student)
        cosine = torch.tensor(found["angle"], dtype=torch.float64).deg2rad().cos()
        torch.testing.assert_close(cosine, cosine_similarity(soft, limit, dim=0), rtol=0, atol=1e-6)
        compared += 1
    assert compared >= 20


def test_the_angle_vanishes_as_the_temperature_grows(results):
    of_size_10 = results[2 * len(TEMPERATURES) : 3 * len(TEMPERATURES)]
    angles = {T: found["angle"] for (_, _, T), found in of_size_10}
    assert angles[1.0] > 30
    assert angles[100.0] < 5
    assert angles[1.0] > angles[20.0] > angles[64.0] > angles[100.0] > 0


def test_the_angle_of_equal_logits_is_not_a_number(browser, module_url):
    page = browser.new_page()
    same = one_hot(torch.tensor(3), CLASSES).tolist()
    found = page.evaluate(COMPUTE, [module_url(SoftTargetExplorer), [[same, same, 4.0, 3]]])[0]
    page.close()
    assert found["angle"] != found["angle"]
    assert abs(found["kl"]) < 1e-15
