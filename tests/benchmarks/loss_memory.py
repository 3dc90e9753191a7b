"""Time and peak memory of losses on relations and on maps, beside the straightforward form.

    python tests/benchmarks/loss_memory.py

One forward and backward pass in float32 with one thread. "plain" is what published code does, written out
here: for the angles all N x N differences of width D and all N x N x N cosines at once, for NST the products
of all pairs of channels at all places. Each case runs in a process of its own, plain and ours in turn, so
that a busy machine slows both alike; the least of the rounds is printed. Memory is how far the process grows
beyond its inputs. A plain case that would need more than LIMIT is not run, and what it keeps at the least is
printed instead.
"""

import multiprocessing
import resource
import time

import torch
from torch.nn.functional import kl_div, log_softmax, mse_loss, normalize, smooth_l1_loss, softmax

from kdviz.losses.feature import attention_transfer, channel_wise, neuron_selectivity, pearson
from kdviz.losses.relation import (
    angle_relation,
    channel_correlation,
    correlation_congruence,
    distance_relation,
    flow_of_solution,
    probabilistic_transfer,
    similarity_preserving,
)

EMBEDDINGS = [(64, 128), (64, 2048), (256, 128), (256, 2048), (512, 128), (512, 2048)]
MAPS = [(samples, channels, 8, 8) for samples in (64, 256) for channels in (64, 256, 512)]
LIMIT = 2.5e9  # bytes
SECONDS, ROUNDS = 0.3, 2


def plain_distances(student, teacher):
    with torch.no_grad():
        taught = relative_distances(teacher)
    return smooth_l1_loss(relative_distances(student), taught)


def relative_distances(features):
    squares = features.pow(2).sum(1)
    distances = squares.unsqueeze(1) + squares.unsqueeze(0) - 2 * features @ features.t()
    distances = distances.clamp(min=1e-12).sqrt().clone()
    distances[range(len(features)), range(len(features))] = 0
    return distances / distances[distances > 0].mean()


def plain_angles(student, teacher):
    with torch.no_grad():
        taught = cosines(teacher)
    return smooth_l1_loss(cosines(student), taught)


def cosines(features):
    directions = normalize(features.unsqueeze(0) - features.unsqueeze(1), dim=2)
    return torch.bmm(directions, directions.transpose(1, 2))


def plain_similarity(student, teacher):
    def similarities(features):
        return normalize(features @ features.t())

    with torch.no_grad():
        taught = similarities(teacher)
    return mse_loss(similarities(student), taught)


def plain_congruence(student, teacher, gamma=0.4):
    def kernel(features):
        features = normalize(features)
        products = features @ features.t()
        factor = torch.exp(torch.tensor(-2 * gamma))
        return sum(factor * (2 * gamma) ** p / (1, 1, 2)[p] * products**p for p in range(3))

    with torch.no_grad():
        taught = kernel(teacher)
    return mse_loss(kernel(student), taught)


def plain_transfer(student, teacher, epsilon=1e-7):
    def chances(features):
        features = normalize(features)
        kernel = (features @ features.t() + 1) / 2
        return kernel / kernel.sum(1, keepdim=True)

    with torch.no_grad():
        q = chances(teacher)
    return (q * torch.log((q + epsilon) / (chances(student) + epsilon))).mean()


def plain_selectivity(student, teacher):
    def patterns(maps):
        return normalize(maps.view(*maps.shape[:2], -1), dim=2)

    def kernel(x, y):
        return (x.unsqueeze(2) * y.unsqueeze(1)).sum(-1).pow(2).mean((1, 2))

    ours, theirs = patterns(student), patterns(teacher)
    return (kernel(ours, ours) + kernel(theirs, theirs) - 2 * kernel(ours, theirs)).mean()


def plain_attention(student, teacher):
    def attention(maps):
        return normalize(maps.pow(2).mean(1).view(len(maps), -1))

    with torch.no_grad():
        taught = attention(teacher)
    return (attention(student) - taught).pow(2).mean()


def plain_channels(student, teacher, temperature=4.0):
    p = log_softmax(student.view(-1, 64) / temperature, 1)
    with torch.no_grad():
        q = softmax(teacher.view(-1, 64) / temperature, 1)
    return kl_div(p, q, reduction="sum") * temperature**2 / (student.shape[0] * student.shape[1])


def plain_pearson(student, teacher):
    def standardised(maps):
        channels = maps.permute(1, 0, 2, 3).reshape(maps.shape[1], -1)
        return (channels - channels.mean(-1, keepdim=True)) / (channels.std(-1, keepdim=True) + 1e-6)

    with torch.no_grad():
        taught = standardised(teacher)
    return mse_loss(standardised(student), taught) / 2


def plain_correlation(student, teacher):
    def correlations(maps):
        maps = maps.view(*maps.shape[:2], -1)
        return normalize(torch.bmm(maps, maps.permute(0, 2, 1)), dim=2)

    with torch.no_grad():
        taught = correlations(teacher)
    difference = correlations(student) - taught
    return (difference * difference).view(len(student), -1).sum() / student.shape[1] / len(student)


def plain_flow(student, teacher):
    def flow(maps):
        maps = maps.view(*maps.shape[:2], -1)
        return (maps.unsqueeze(2) * maps.unsqueeze(1)).mean(-1)

    with torch.no_grad():
        taught = flow(teacher)
    return (flow(student) - taught).pow(2).mean()


def transfer(student, teacher):
    return probabilistic_transfer(student, teacher, "authors")


def attention(student, teacher):
    return attention_transfer(student, teacher, "authors")


def flow(student, teacher):
    return flow_of_solution(student, student, teacher, teacher, "repdistiller")


FORMS = {
    "angle": (plain_angles, angle_relation, EMBEDDINGS),
    "distance": (plain_distances, distance_relation, EMBEDDINGS),
    "similarity": (plain_similarity, similarity_preserving, EMBEDDINGS),
    "congruence": (plain_congruence, correlation_congruence, EMBEDDINGS),
    "transfer": (plain_transfer, transfer, EMBEDDINGS),
    "selectivity": (plain_selectivity, neuron_selectivity, MAPS),
    "flow": (plain_flow, flow, MAPS),
    "attention": (plain_attention, attention, MAPS),
    "channel-wise": (plain_channels, channel_wise, MAPS),
    "Pearson": (plain_pearson, pearson, MAPS),
    "channels": (plain_correlation, channel_correlation, MAPS),
}


def peak_bytes():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def work(loss, shape, answer):
    student, teacher = torch.randn(2, *shape)
    student.requires_grad_()
    # Once small, so that no round pays for torch's own first steps.
    loss(student[:4], teacher[:4]).backward()
    before, passes, least, start = peak_bytes(), 0, float("inf"), time.perf_counter()
    while passes == 0 or time.perf_counter() - start < SECONDS:
        began = time.perf_counter()
        loss(student, teacher).backward()
        least, passes = min(least, time.perf_counter() - began), passes + 1
    answer.send((least, peak_bytes() - before))


def measured(loss, shape):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=work, args=(loss, shape, theirs))
    process.start()
    seconds, grown = ours.recv()
    process.join()
    return seconds, grown


def plain_needs(name, shape):
    """What a plain form keeps for the way back where that grows fastest."""
    if name == "angle":
        samples, width = shape
        return 4 * (2 * samples**2 * width + 3 * samples**3)
    if name in ("selectivity", "flow"):
        samples, channels, height, width = shape
        return 4 * samples * channels**2 * height * width
    return 0


def line(name, shape):
    plain, ours, _ = FORMS[name]
    needs = plain_needs(name, shape)
    loss = (ours,) if needs > LIMIT else (plain, ours)
    rounds = [[measured(form, shape) for form in loss] for _ in range(ROUNDS)]
    best = [tuple(map(min, zip(*results, strict=True))) for results in zip(*rounds, strict=True)]
    cells = [f"{1e3 * seconds:7.1f} ms {grown / 1e6:4.0f} MB" for seconds, grown in best]
    if len(loss) == 1:
        cells.insert(0, f"not run, {needs / 1e9:.1f} GB")
        ratio = ""
    else:
        time_ratio, memory_ratio = (a / max(b, 1e-9) for a, b in zip(*best, strict=True))
        ratio = f"{time_ratio:5.1f} x time, {memory_ratio:5.1f} x memory"
    size = " x ".join(map(str, shape))
    return f"{name:12} {size:>16} {cells[0]:>18} {cells[1]:>18}   {ratio}"


def main():
    torch.set_num_threads(1)
    print(f"{'':12} {'N x width':>16} {'plain':>18} {'ours':>18}   plain / ours")
    for name, (_, _, shapes) in FORMS.items():
        for shape in shapes:
            print(line(name, shape), flush=True)


if __name__ == "__main__":
    main()
