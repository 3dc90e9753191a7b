"""Every relation loss and form against its formula in plain Python loops: its value and its gradient."""

import itertools
import math

import numpy as np
import pytest
import torch

from kdviz.losses import relation

N, D, WIDER = 6, 4, 5


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


STUDENT, TEACHER = random(N, D, seed=1), random(N, WIDER, seed=2)


def huber(difference):
    return difference**2 / 2 if abs(difference) <= 1 else abs(difference) - 0.5


def length(vector):
    return math.sqrt(sum(v * v for v in vector))


def unit(vector):
    return vector / length(vector)


def cosine(a, b):
    return float(a @ b) / (length(a) * length(b))


def pairs(count, distinct=False):
    return [(i, j) for i in range(count) for j in range(count) if i != j or not distinct]


def distances_by_hand(x):
    plain = {(i, j): length(x[i] - x[j]) for i, j in pairs(len(x))}
    positive = [d for d in plain.values() if d > 0]
    mean = sum(positive) / len(positive)
    return {pair: d / mean for pair, d in plain.items()}


def distance_by_hand(form):
    def by_hand(s, t):
        if form == "mmrazor":
            s, t = np.array([unit(x) for x in s]), np.array([unit(x) for x in t])
        a, b = distances_by_hand(s), distances_by_hand(t)
        which = pairs(len(s), distinct=form == "paper")
        return sum(huber(a[pair] - b[pair]) for pair in which) / len(which)

    return by_hand


def angle_by_hand(form):
    def by_hand(s, t):
        if form == "mmrazor":
            s, t = np.array([unit(x) for x in s]), np.array([unit(x) for x in t])
        total, count = 0.0, 0
        for a, b, c in itertools.product(range(len(s)), repeat=3):
            if len({a, b, c}) < 3:
                count += form != "paper"
                continue
            difference = cosine(s[b] - s[a], s[c] - s[a]) - cosine(t[b] - t[a], t[c] - t[a])
            total, count = total + huber(difference), count + 1
        return total / count

    return by_hand


def similarity_by_hand(s, t):
    def rows(x):
        return [unit(np.array([xi @ xj for xj in x])) for xi in x]

    return sum(((a - b) ** 2).sum() for a, b in zip(rows(s), rows(t), strict=True)) / len(s) ** 2


def congruence_by_hand(kernel):
    def by_hand(s, t):
        def difference(i, j):
            return kernel(cosine(s[i], s[j])) - kernel(cosine(t[i], t[j]))

        return sum(difference(i, j) ** 2 for i, j in pairs(len(s))) / len(s) ** 2

    return by_hand


def taylor(gamma, order):
    return lambda c: sum(
        math.exp(-2 * gamma) * (2 * gamma) ** p / math.factorial(p) * c**p for p in range(order + 1)
    )


def transfer_of_others_by_hand(s, t):
    total = 0.0
    for i in range(len(s)):
        others = [j for j in range(len(s)) if j != i]
        p, q = ({j: (cosine(x[i], x[j]) + 1) / 2 for j in others} for x in (s, t))
        p, q = ({j: k / sum(kernel.values()) for j, k in kernel.items()} for kernel in (p, q))
        total += sum(q[j] * math.log(q[j] / p[j]) for j in others) / len(s)
    return total


def transfer_with_itself_by_hand(s, t):
    epsilon, total = 1e-7, 0.0
    s, t = (np.array([x / (length(x) + epsilon) for x in features]) for features in (s, t))
    for i in range(len(s)):
        p, q = ([(x[i] @ x[j] + 1) / 2 for j in range(len(s))] for x in (s, t))
        p, q = ([k / sum(kernel) for k in kernel] for kernel in (p, q))
        total += sum(b * math.log((b + epsilon) / (a + epsilon)) for a, b in zip(p, q, strict=True))
    return total / len(s) ** 2


def contrastive_by_hand(temperature):
    def by_hand(s, t):
        total = 0.0
        for i in range(len(s)):
            right = cosine(s[i], t[i]) / temperature
            row = sum(math.exp(cosine(s[i], t[j]) / temperature) for j in range(len(s)))
            column = sum(math.exp(cosine(s[j], t[i]) / temperature) for j in range(len(s)))
            total -= 2 * right - math.log(row) - math.log(column)
        return total / len(s)

    return by_hand


def order_probability(scores, order):
    probability = 1.0
    for place in range(len(order)):
        left = sum(math.exp(scores[j]) for j in order[place:])
        probability *= math.exp(scores[order[place]]) / left
    return probability


def dark_rank_by_hand(form, alpha=3.0, beta=3.0, neighbours=4):
    def by_hand(s, t):
        s, t = ([unit(x) for x in features] for features in (s, t))
        total = 0.0
        for i in range(len(s)):
            others = [j for j in range(len(s)) if j != i]
            p, q = ({j: -alpha * length(x[i] - x[j]) ** beta for j in others} for x in (s, t))
            order = sorted(q, key=lambda j: -q[j])[:neighbours]
            if form == "hard":
                total -= math.log(order_probability(p, order))
                continue
            for other in itertools.permutations(order):
                chance = order_probability(q, other)
                total += chance * math.log(chance / order_probability(p, other))
        return total / len(s)

    return by_hand


def locality_by_hand(neighbours, width):
    def by_hand(s, t):
        total = 0.0
        for i in range(len(s)):
            others = [j for j in range(len(s)) if j != i]
            for j in sorted(others, key=lambda j: length(t[i] - t[j]))[:neighbours]:
                total += math.exp(-(length(t[i] - t[j]) ** 2) / width) * length(s[i] - s[j]) ** 2
        return total / len(s)

    return by_hand


def edges_by_hand(s, t):
    def edges(x):
        squares = {(i, j): length(x[i] - x[j]) ** 2 for i, j in pairs(len(x))}
        return {pair: square / max(squares.values()) for pair, square in squares.items()}

    a, b = edges(s), edges(t)
    return sum((a[pair] - b[pair]) ** 2 for pair in a) / len(a)


EMBEDDING_CASES = {
    "distances, authors": (relation.distance_relation, {}, distance_by_hand("authors")),
    "distances, paper": (relation.distance_relation, {"form": "paper"}, distance_by_hand("paper")),
    "distances, mmrazor": (relation.distance_relation, {"form": "mmrazor"}, distance_by_hand("mmrazor")),
    "angles, authors": (relation.angle_relation, {}, angle_by_hand("authors")),
    "angles, paper": (relation.angle_relation, {"form": "paper"}, angle_by_hand("paper")),
    "angles, mmrazor": (relation.angle_relation, {"form": "mmrazor"}, angle_by_hand("mmrazor")),
    "similarity preserving": (relation.similarity_preserving, {}, similarity_by_hand),
    "congruence, paper": (relation.correlation_congruence, {}, congruence_by_hand(taylor(0.4, 2))),
    "congruence, order 5": (
        relation.correlation_congruence,
        {"gamma": 1.5, "order": 5},
        congruence_by_hand(taylor(1.5, 5)),
    ),
    "congruence, gaussian": (
        relation.correlation_congruence,
        {"form": "gaussian", "gamma": 0.7},
        congruence_by_hand(lambda c: math.exp(-0.7 * (2 - 2 * c))),
    ),
    "congruence, bilinear": (
        relation.correlation_congruence,
        {"form": "bilinear"},
        congruence_by_hand(lambda c: c),
    ),
    "transfer, paper": (relation.probabilistic_transfer, {}, transfer_of_others_by_hand),
    "transfer, authors": (relation.probabilistic_transfer, {"form": "authors"}, transfer_with_itself_by_hand),
    "dark rank, hard": (relation.dark_rank, {}, dark_rank_by_hand("hard")),
    "dark rank, soft": (relation.dark_rank, {"form": "soft"}, dark_rank_by_hand("soft")),
    "dark rank, other settings": (
        relation.dark_rank,
        {"alpha": 2.0, "beta": 0.5, "length": 3, "form": "soft"},
        dark_rank_by_hand("soft", 2.0, 0.5, 3),
    ),
    "locality": (relation.locality_preserving, {"neighbours": 2, "width": 9.0}, locality_by_hand(2, 9.0)),
    "edges": (relation.edge_difference, {}, edges_by_hand),
}


def finite_differences(by_hand, student, *rest, step=1e-5):
    gradient = np.zeros_like(student)
    for place in np.ndindex(*student.shape):
        there, back = student.copy(), student.copy()
        there[place] += step
        back[place] -= step
        gradient[place] = (by_hand(there, *rest) - by_hand(back, *rest)) / (2 * step)
    return gradient


def check(loss, by_hand, student, *rest):
    """The value and the gradient with respect to the student of a loss and of its formula by hand."""
    student = student.clone().requires_grad_()
    value = loss(student, *rest)
    (gradient,) = torch.autograd.grad(value, student)
    plain = [part.numpy() for part in rest]
    assert value.item() == pytest.approx(by_hand(student.detach().numpy(), *plain), rel=1e-9)
    expected = finite_differences(by_hand, student.detach().numpy(), *plain)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("case", EMBEDDING_CASES)
def test_losses_between_embeddings_equal_their_formulas(case):
    loss, settings, by_hand = EMBEDDING_CASES[case]
    check(lambda s, t: loss(s, t, **settings), by_hand, STUDENT, TEACHER)


def test_angles_of_three_samples_worked_on_paper():
    # A right angle at the first sample and 45 degrees at the others, against three angles of 60 degrees.
    student = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    teacher = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]], dtype=torch.float64)
    expected = 2 * (0.5 * 0.5**2 + 2 * 0.5 * (math.sqrt(0.5) - 0.5) ** 2)
    assert relation.angle_relation(student, teacher).item() == pytest.approx(expected / 27, rel=1e-12)
    by_distinct = relation.angle_relation(student, teacher, form="paper").item()
    assert by_distinct == pytest.approx(expected / 6, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.07, 0.1, 2.0])
def test_info_nce_equals_its_formula(temperature):
    by_hand = contrastive_by_hand(temperature)
    check(
        lambda s, t: relation.info_nce(s, t, temperature=temperature),
        by_hand,
        STUDENT,
        random(N, D, seed=3),
    )


def test_contrastive_heads_are_linear_maps():
    heads = [{"weight": random(3, w, seed=w), "bias": random(3, seed=9)} for w in (D, WIDER)]

    def by_hand(s, t):
        s, t = (
            x @ head["weight"].numpy().T + head["bias"].numpy() for x, head in zip((s, t), heads, strict=True)
        )
        return contrastive_by_hand(0.1)(s, t)

    check(lambda s, t: relation.info_nce(s, t, *heads), by_hand, STUDENT, TEACHER)


def flow_by_hand(form):
    def pooled(x, size):
        count, channels, height, _ = x.shape
        step = height // size
        smaller = np.zeros((count, channels, size, size))
        for n, c, i, j in np.ndindex(*smaller.shape):
            field = x[n, c, i * step : (i + 1) * step, j * step : (j + 1) * step]
            smaller[n, c, i, j] = field.mean() if form == "repdistiller" else field.max()
        return smaller

    def flow(first, second):
        size = min(first.shape[-1], second.shape[-1])
        first, second = pooled(first, size), pooled(second, size)
        return np.array(
            [[[(a * b).sum() / size**2 for b in second[n]] for a in first[n]] for n in range(len(first))]
        )

    def by_hand(s1, s2, t1, t2):
        difference = flow(s1, s2) - flow(t1, t2)
        total = sum(entry**2 for entry in difference.ravel())
        return total / (len(s1) if form == "paper" else difference.size)

    return by_hand


@pytest.mark.parametrize("form", ["paper", "repdistiller"])
def test_flow_of_solution_equals_its_formula(form):
    maps = [random(3, *shape, seed=place) for place, shape in enumerate([(2, 4, 4), (3, 2, 2)] * 2)]
    check(lambda *m: relation.flow_of_solution(*m, form=form), flow_by_hand(form), *maps)
    backwards = (maps[1], maps[0], maps[3], maps[2])
    check(lambda *m: relation.flow_of_solution(*m, form=form), flow_by_hand(form), *backwards)


@pytest.mark.parametrize("form", ["cifar", "imagenet"])
def test_channel_correlation_equals_its_formula(form):
    def rows(sample):
        return [unit(np.array([(a * b).sum() for b in sample])) for a in sample]

    def by_hand(s, t):
        total = sum(
            ((a - b) ** 2).sum()
            for mine, theirs in zip(s, t, strict=True)
            for a, b in zip(rows(mine), rows(theirs), strict=True)
        )
        samples, channels = s.shape[:2]
        return total / (channels * samples if form == "cifar" else channels * samples**2)

    student, teacher = random(3, 4, 2, 3), random(3, 4, 3, 3, seed=1)
    check(lambda s, t: relation.channel_correlation(s, t, form=form), by_hand, student, teacher)


def change_by_hand(s1, s2, t1, t2):
    def relative(x):
        squares = np.array([[length(a - b) ** 2 for b in x] for a in x])
        return squares / squares.max()

    def change(first, second):
        return ((relative(first) - relative(second)) ** 2).mean()

    return (change(s1, s2) - change(t1, t2)) ** 2


def moves_by_hand(s1, s2, t1, t2):
    def moves(first, second):
        squares = [length(a - b) ** 2 for a, b in zip(first, second, strict=True)]
        return [square / max(squares) for square in squares]

    return sum((a - b) ** 2 for a, b in zip(moves(s1, s2), moves(t1, t2), strict=True)) / len(s1)


def test_changes_between_layers_equal_their_formulas():
    layers = STUDENT, random(N, 3, seed=3), TEACHER, random(N, 7, seed=4)
    check(relation.edge_change_difference, change_by_hand, *layers)
    layers = STUDENT, random(N, D, seed=3), TEACHER, random(N, WIDER, seed=4)
    check(relation.vertex_change_difference, moves_by_hand, *layers)


@pytest.mark.parametrize("form, change", [("edges", change_by_hand), ("vertices", moves_by_hand)])
def test_instance_relationship_graph_adds_up_its_parts(form, change):
    logits = random(N, 3, seed=7), random(N, 3, seed=8)
    layers = random(N, D, seed=3), random(N, D, seed=4), random(N, WIDER, seed=5), random(N, WIDER, seed=6)
    value = relation.instance_relationship_graph(
        *logits, layers[:2], layers[2:], vertex=0.5, edge=2.0, change=3.0, form=form
    )
    plain = [layer.numpy() for layer in layers]
    edges = (edges_by_hand(plain[0], plain[2]) + edges_by_hand(plain[1], plain[3])) / 2
    vertices = ((logits[0] - logits[1]) ** 2).mean().item()
    assert value.item() == pytest.approx(0.5 * vertices + 2 * edges + 3 * change(*plain), rel=1e-10)


def test_the_graph_of_the_zoo_has_edges_of_three_layers_and_the_moves_of_two():
    # KD-Zoo: two maps and the embedding, whose widths are not those of the maps.
    logits = random(N, 3, seed=7), random(N, 3, seed=8)
    ours = random(N, 2, 2, 2), random(N, 2, 2, 2, seed=1), random(N, D, seed=2)
    theirs = random(N, 2, 2, 2, seed=3), random(N, 2, 2, 2, seed=4), random(N, WIDER, seed=5)
    value = relation.instance_relationship_graph(*logits, ours, theirs, form="vertices")
    flat = [[x.numpy().reshape(N, -1) for x in layers] for layers in (ours, theirs)]
    edges = sum(edges_by_hand(s, t) for s, t in zip(*flat, strict=True)) / 3
    vertices = ((logits[0] - logits[1]) ** 2).mean().item()
    moves = moves_by_hand(*flat[0][:2], *flat[1][:2])
    assert value.item() == pytest.approx(0.1 * vertices + 5 * edges + 5 * moves, rel=1e-10)


def test_vertices_of_maps_are_brought_to_one_size():
    logits = random(N, 3, seed=7), random(N, 3, seed=8)
    first, second, other = random(N, 2, 4, 4), random(N, 4, 2, 2, seed=1), random(N, 3, 2, 2, seed=2)
    value = relation.instance_relationship_graph(
        *logits, [first, second], [other, 2 * other], vertex=0.0, edge=0.0, change=1.0, form="vertices"
    )
    pooled = first.reshape(N, 2, 2, 2, 2, 2).mean((3, 5)).numpy()
    halved = ((second[:, 0::2] + second[:, 1::2]) / 2).numpy()
    flat = [x.reshape(N, -1) for x in (pooled, halved, other.numpy(), 2 * other.numpy())]
    assert value.item() == pytest.approx(moves_by_hand(*flat), rel=1e-10)


def similarity_of_copies_by_hand(temperature, keep):
    def by_hand(s, s_copies, t, t_copies):
        each, entries = len(s_copies) // len(s), []
        for m in range(len(s_copies)):
            p, q = (
                np.exp([cosine(copies[m], x) / temperature for x in originals])
                for copies, originals in ((s_copies, s), (t_copies, t))
            )
            rank = sorted(range(len(t)), key=lambda n: -q[n]).index(m // each)
            p, q = p / p.sum(), q / q.sum()
            entries.append((rank, m, sum(b * math.log(b / a) for a, b in zip(p, q, strict=True))))
        wrong = sum(rank > 0 for rank, _, _ in entries)
        kept = sorted(entries)[: len(entries) - wrong + int(wrong * keep)]
        return temperature**2 * sum(entry[2] for entry in kept) / len(kept)

    return by_hand


@pytest.mark.parametrize("keep", [0.0, 0.4, 0.75, 1.0])
def test_transformation_similarity_equals_its_formula(keep):
    parts = STUDENT, random(3 * N, D, seed=3), TEACHER, random(3 * N, WIDER, seed=4)
    check(
        lambda *p: relation.transformation_similarity(*p, temperature=0.5, keep=keep),
        similarity_of_copies_by_hand(0.5, keep),
        *parts,
    )


def attention_by_hand(first, second, senders, receivers):
    graphs = []
    for sender, receiver in zip(senders, receivers, strict=True):
        sent = [sender @ unit(x) for x in second]
        received = [receiver @ unit(x) for x in first]
        graphs.append(np.array([[a @ b / math.sqrt(len(sender)) for b in received] for a in sent]))
    return graphs


def softmax_rows(graph):
    powers = np.exp(graph)
    return powers / powers.sum(1, keepdims=True)


HEADS = random(2, 3, 5, seed=20), random(2, 3, D, seed=21)


@pytest.mark.parametrize("form", ["mean", "authors"])
def test_multi_head_graph_equals_its_formula(form):
    def by_hand(s1, s2, t1, t2):
        heads, total = [part.numpy() for part in HEADS], 0.0
        for mine, theirs in zip(
            attention_by_hand(s1, s2, *heads), attention_by_hand(t1, t2, *heads), strict=True
        ):
            p, q = softmax_rows(np.tanh(mine)), softmax_rows(np.tanh(theirs))
            if form == "authors":
                total += (p * np.log(p / q)).sum()
            else:
                total += (q * np.log(q / p)).sum() / (len(heads[0]) * len(s1))
        return total

    layers = STUDENT, random(N, 5, seed=3), random(N, D, seed=4), random(N, 5, seed=5)
    check(lambda *x: relation.multi_head_graph(*x, *HEADS, form=form), by_hand, *layers)


def test_graph_estimation_equals_its_formula():
    inner, outer = random(3, D, seed=22), random(5, 6, seed=23)
    first, second = random(N, D, seed=4), random(N, 5, seed=5)

    def by_hand(inner):
        graphs = attention_by_hand(first.numpy(), second.numpy(), *(part.numpy() for part in HEADS))
        hidden = np.array([np.maximum(0, inner @ unit(x)) for x in first.numpy()])
        gathered = np.concatenate([softmax_rows(graph) @ hidden for graph in graphs], 1)
        estimates = gathered @ outer.numpy().T
        return sum(1 - cosine(a, b) for a, b in zip(estimates, second.numpy(), strict=True)) / N

    check(lambda inner: relation.graph_estimation(first, second, *HEADS, inner, outer), by_hand, inner)
