"""Losses on features against their formulas, worked in plain numpy."""

import math
from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from kdviz.losses import feature, relation
from kdviz.tracing import Trace


def lengths_one(array):
    return array / np.sqrt((array**2).sum())


def softmax(values):
    powers = np.exp(values - values.max())
    return powers / powers.sum()


def divergence(q, p):
    return sum(a * math.log(a / b) for a, b in zip(q, p, strict=True))


def means(maps, size):
    """Maps averaged down to size x size, for sizes that divide."""
    samples, channels, height, width = maps.shape
    fields = maps.reshape(samples, channels, size, height // size, size, width // size)
    return fields.mean((3, 5))


@pytest.mark.parametrize("form", ["paper", "repdistiller", "zoo"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2, 2)])
def test_activation_boundaries(form, shape, random, agrees):
    teacher = random(*shape, seed=1).numpy()
    scale = {"paper": 1 / shape[0], "repdistiller": 3 / 1000 / shape[0], "zoo": 1 / teacher.size}[form]

    def by_hand(student):
        costs = [
            max(0, 1.5 - s) ** 2 if t > 0 else max(0, 1.5 + s) ** 2
            for s, t in zip(student.flat, teacher.flat, strict=True)
        ]
        return scale * sum(costs)

    agrees(
        lambda s: feature.activation_boundary(s, torch.tensor(teacher), form, 1.5), by_hand, random(*shape)
    )


def normalised(maps, weight, relu):
    """A convolution of size 1 without a bias, and batch normalisation by hand."""
    mixed = np.einsum("oc,nchw->nohw", weight, maps)
    centred = mixed - mixed.mean((0, 2, 3), keepdims=True)
    found = centred / np.sqrt((centred**2).mean((0, 2, 3), keepdims=True) + 1e-5)
    return np.maximum(found, 0) if relu else found


@pytest.mark.parametrize(
    "loss, function",
    [
        (feature.Hint("maps", form="repdistiller"), lambda s, t: feature.hint(s, t, "repdistiller")),
        (feature.ActivationBoundary("maps"), feature.activation_boundary),
        (
            feature.FeatureOverhaul("maps", margins=(-0.5,) * 4),
            lambda s, t: feature.feature_overhaul(s, t, torch.full((4,), -0.5)),
        ),
        (relation.ChannelCorrelation("maps"), relation.channel_correlation),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@pytest.mark.parametrize("relu", [False, True])
def test_published_regressors_end_in_batch_normalisation(loss, function, relu, random):
    loss = replace(loss, adapter="convolution_batch_norm_relu" if relu else "convolution_batch_norm")
    student, teacher = random(5, 3, 2, 2), random(5, 4, 2, 2, seed=1)
    traces = Trace(random(5, 10), {"maps": student}), Trace(random(5, 10), {"maps": teacher})
    learned = loss.initial(*traces)
    assert sorted(learned) == ["bias", "gain", "weight"]
    assert torch.equal(learned["gain"], torch.ones(4)) and not learned["bias"].any()
    adapted = normalised(student.numpy(), learned["weight"][:, :, 0, 0].numpy(), relu)
    expected = function(torch.from_numpy(adapted), teacher)
    torch.testing.assert_close(loss(*traces, None, learned), expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("form", ["paper", "zoo"])
def test_the_overhaul(form, random, agrees):
    teacher, margins = random(2, 3, 2, 2, seed=1).numpy(), np.array([-0.5, -1.0, 0.0])

    def by_hand(student):
        total = 0.0
        for place in np.ndindex(student.shape):
            goal, s = max(teacher[place], margins[place[1]]), student[place]
            total += 0 if s <= goal <= 0 else (s - goal) ** 2
        return total / (student.size if form == "zoo" else len(student))

    inputs = torch.tensor(teacher), torch.tensor(margins)
    agrees(lambda s: feature.feature_overhaul(s, *inputs, form), by_hand, random(2, 3, 2, 2))


def test_margins_are_mean_negative_responses():
    gain, bias = torch.tensor([1.0, -2.0, 0.5, 1.0]).double(), torch.tensor([0.0, 0.5, -1.0, 4.0]).double()
    values = torch.linspace(-12, 12, 400_001, dtype=torch.float64)[:, None]
    density = torch.exp(-values.square() / 2)
    responses = gain.abs() * values + bias
    negative = (responses < 0).double() * density
    expected = (responses * negative).sum(0) / negative.sum(0)
    # Fewer than one value in a thousand of the last channel is negative.
    expected[3] = -3 * gain[3]
    torch.testing.assert_close(feature.margins_of_batch_norm(gain, bias), expected, rtol=1e-4, atol=1e-6)
    silent = feature.margins_of_batch_norm(torch.zeros(2), torch.tensor([-0.7, 0.7]))
    torch.testing.assert_close(silent, torch.tensor([-0.7, 0.0]))


def test_margins_of_a_batch(random):
    maps = random(3, 2, 2, 2)
    maps[:, 1] = maps[:, 1].abs()
    found = feature.margins_of_batch(maps)
    first = maps[:, 0]
    assert found[0].item() == pytest.approx(first[first < 0].mean().item(), rel=1e-12)
    assert found[1] == 0


@pytest.mark.parametrize("form", ["paper", "authors"])
def test_factors(form, random, agrees):
    teacher = random(2, 3, 2, 2, seed=1).numpy()

    def factor(sample):
        return lengths_one(sample.ravel())

    def by_hand(student):
        distances = [np.abs(factor(s) - factor(t)).sum() for s, t in zip(student, teacher, strict=True)]
        return np.mean(distances) / (1 if form == "paper" else len(factor(teacher[0])))

    agrees(
        lambda s: feature.factor_transfer(s, torch.tensor(teacher), form),
        by_hand,
        random(2, 3, 2, 2),
        rtol=1e-5,
    )


def test_translators_and_paraphrasers_are_three_convolutions(random):
    maps = random(2, 4, 5, 5)
    weights = feature.initial_paraphraser(maps, rate=0.5)
    expected = maps
    for layer in (1, 2, 3):
        named = (weights[f"encoder{layer}_{part}"] for part in ("weight", "bias"))
        expected = functional.leaky_relu(functional.conv2d(expected, *named, padding=1), 0.1)
    assert expected.shape[1] == 2
    torch.testing.assert_close(feature.paraphrase(maps, weights), expected)
    torch.testing.assert_close(feature.translate(maps, weights), expected)


def test_a_paraphraser_learns_to_rebuild(random):
    maps = random(8, 4, 4, 4)
    begun = feature.reconstruction_loss(maps, feature.initial_paraphraser(maps))
    weights = feature.train_paraphraser(maps, steps=100, learning_rate=1e-2)
    ended = feature.reconstruction_loss(maps, weights)
    assert ended < 0.6 * begun
    rebuilt = feature.paraphrase(maps, weights)
    for layer in (1, 2, 3):
        named = (weights[f"decoder{layer}_{part}"] for part in ("weight", "bias"))
        rebuilt = functional.leaky_relu(functional.conv2d(rebuilt, *named, padding=1), 0.1)
    assert ended.item() == pytest.approx(((rebuilt - maps) ** 2).sum().item() / 8, rel=1e-10)


def test_hierarchical_context(random, agrees):
    teacher = random(2, 2, 8, 8, seed=1).numpy()

    def by_hand(student):
        difference = student - teacher
        parts = [(1.0, difference)] + [(2.0**-k, means(difference, s)) for k, s in ((1, 4), (2, 2), (3, 1))]
        return sum(w * (part**2).mean() for w, part in parts) / sum(w for w, _ in parts)

    agrees(
        lambda s: feature.hierarchical_context(s, torch.tensor(teacher)),
        by_hand,
        random(2, 2, 8, 8),
        rtol=1e-5,
    )


def test_review_fuses_a_map_with_the_deeper_one(random):
    shallow, deep = random(3, 4, 4, 4), random(3, 6, 2, 2, seed=1)
    goals = random(3, 5, 8, 8, seed=2), random(3, 7, 2, 2, seed=3)
    loss = feature.KnowledgeReview(("a", "b"))

    def traced(*maps):
        return Trace(random(3, 10), dict(zip("ab", maps, strict=True)))

    weights = loss.initial(traced(shallow, deep), traced(*goals))

    def normalised(maps, name):
        weight = weights[f"{name}_weight"]
        maps = functional.conv2d(maps, weight, padding=weight.shape[-1] // 2)
        return functional.batch_norm(
            maps, None, None, weights[f"{name}_gain"], weights[f"{name}_bias"], training=True
        )

    below = normalised(deep, "in1")
    enlarged, mine = functional.interpolate(below, size=(4, 4)), normalised(shallow, "in0")
    both = torch.cat([mine, enlarged], 1)
    gates = torch.sigmoid(functional.conv2d(both, weights["gate0_weight"], weights["gate0_bias"]))
    mixed = functional.interpolate(mine * gates[:, :1] + enlarged * gates[:, 1:], size=(8, 8))
    expected = [normalised(mixed, "out0"), normalised(below, "out1")]
    found = feature.review([shallow, deep], [(8, 8), (2, 2)], weights)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    value = loss(traced(shallow, deep), traced(*goals), None, weights)
    context = sum(feature.hierarchical_context(a, b) for a, b in zip(expected, goals, strict=True))
    torch.testing.assert_close(value, context)


@pytest.mark.parametrize("form", ["sample", "batch"])
def test_statistics(form, random, agrees):
    teacher = random(3, 2, 2, 3, seed=1).numpy()

    def moments(maps):
        values = (
            maps.reshape(*maps.shape[:2], -1) if form == "sample" else np.moveaxis(maps, 1, 0).reshape(2, -1)
        )
        return values.mean(-1), values.std(-1)

    def by_hand(student):
        return sum(
            ((ours - theirs) ** 2).mean()
            for ours, theirs in zip(moments(student), moments(teacher), strict=True)
        )

    agrees(lambda s: feature.feature_statistics(s, torch.tensor(teacher), form), by_hand, random(3, 2, 2, 3))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2, 2)])
def test_hints_without_lengths_are_cosines(shape, random, agrees):
    teacher = random(*shape, seed=1).numpy()

    def by_hand(student):
        cosines = [
            (lengths_one(s).ravel() * lengths_one(t).ravel()).sum()
            for s, t in zip(student, teacher, strict=True)
        ]
        return 2 - 2 * np.mean(cosines)

    agrees(lambda s: feature.normalised_hint(s, torch.tensor(teacher)), by_hand, random(*shape))


@pytest.mark.parametrize("form", ["paper", "authors"])
def test_soft_targets_of_normalised_features(form, random, agrees):
    z_teacher, f_teacher = random(4, 3, seed=1).numpy(), random(4, 5, seed=2).numpy()

    def shrunk(logits, features):
        factor = 2.5 / np.sqrt((features**2).sum())
        return softmax(logits * (min(1.0, factor) if form == "authors" else factor))

    def by_hand(logits, features):
        rows = zip(logits, features, z_teacher, f_teacher, strict=True)
        return np.mean([divergence(shrunk(zt, ft), shrunk(zs, fs)) for zs, fs, zt, ft in rows])

    taught = torch.tensor(z_teacher), torch.tensor(f_teacher)
    agrees(
        lambda z, f: feature.feature_normalised(z, taught[0], f, taught[1], 2.5, form),
        by_hand,
        random(4, 3),
        2 * random(4, 4, seed=3),
        rtol=1e-5,
    )


def test_layer_projection(random, agrees):
    teachers = [random(3, 4, seed=seed).numpy() for seed in (1, 2, 3)]

    def by_hand(*students):
        total = 0.0
        for layer in students:
            for n, s in enumerate(layer):
                attention = softmax(np.array([(s * t[n]).sum() for t in teachers]))
                mixture = sum(a * t[n] for a, t in zip(attention, teachers, strict=True))
                total += ((s - mixture) ** 2).mean()
        return total / len(students[0])

    taught = [torch.tensor(t) for t in teachers]
    agrees(
        lambda a, b: feature.layer_projection([a, b], taught),
        by_hand,
        random(3, 4),
        random(3, 4, seed=9),
        rtol=1e-5,
    )


def test_semantic_calibration(random, agrees):
    teachers = [[random(3, 2, 2, 2, seed=10 * i + j).numpy() for j in range(3)] for i in range(2)]
    attention = random(3, 2, 3, seed=99).softmax(-1).numpy()

    def by_hand(*maps):
        total = 0.0
        for n in range(3):
            for i in range(2):
                for j in range(3):
                    cost = ((maps[3 * i + j][n] - teachers[i][j][n]) ** 2).mean()
                    total += attention[n, i, j] * cost
        return total / 3 / 2

    taught = [[torch.tensor(t) for t in row] for row in teachers]
    agrees(
        lambda *maps: feature.semantic_calibration([maps[:3], maps[3:]], taught, torch.tensor(attention)),
        by_hand,
        *[random(3, 2, 2, 2, seed=50 + place) for place in range(6)],
    )


def test_similarity_attention(random):
    draws = count()
    students, teachers = [random(4, 3, 2, 2, seed=1)], [random(4, 2, 2, 2, seed=s) for s in (2, 3)]
    weights = {
        f"{name}_{part}{layer}": random(*shape, seed=next(draws))
        for name in ("query0", "key0", "key1")
        for layer, inputs, outputs in ((1, 4, 6), (2, 6, 3))
        for part, shape in (("weight", (outputs, inputs)), ("bias", (outputs,)))
    }

    def embedded(maps, name):
        flat = maps.numpy().reshape(4, -1)
        hidden = flat @ flat.T
        for layer in (1, 2):
            weight, bias = (weights[f"{name}_{part}{layer}"].numpy() for part in ("weight", "bias"))
            hidden = hidden @ weight.T + bias
            hidden = np.maximum(hidden, 0) if layer == 1 else hidden
        return [lengths_one(row) for row in hidden]

    query, keys = (
        embedded(students[0], "query0"),
        [embedded(t, f"key{j}") for j, t in enumerate(teachers)],
    )
    expected = [[softmax(np.array([(query[n] * key[n]).sum() for key in keys]))] for n in range(4)]
    found = feature.similarity_attention(students, teachers, weights)
    np.testing.assert_allclose(found.numpy(), np.array(expected), rtol=1e-10)


@pytest.mark.parametrize("vectors", [1, 2])
def test_singular_vectors(vectors, random, agrees):
    teachers = [random(2, 3, 2, 2, seed=1).numpy(), random(2, 4, 2, 3, seed=2).numpy()]

    def directions(sample, count):
        matrix = sample.reshape(len(sample), -1).T
        _, strengths, rows = np.linalg.svd(matrix, full_matrices=False)
        return rows[:count].T, lengths_one(strengths[:count])

    def described(student, teacher):
        goal, strengths = directions(teacher, vectors)
        offered, _ = directions(student, vectors + 3)
        ours = []
        for k in range(goal.shape[1]):
            goal[:, k] *= np.sign(goal[np.abs(goal[:, k]).argmax(), k])
            cosines = offered.T @ goal[:, k]
            best = np.abs(cosines).argmax()
            ours.append(offered[:, best] * np.sign(cosines[best]))
        return np.array(ours).T * strengths, goal * strengths

    def relation(shallow, deep):
        return np.exp(-((shallow[:, None, :] - deep[None, :, :]) ** 2) / 8)

    def by_hand(*students):
        total = 0.0
        for n in range(2):
            layers = [described(s[n], t[n]) for s, t in zip(students, teachers, strict=True)]
            for (first, first_goal), (second, second_goal) in pairwise(layers):
                total += ((relation(first, second) - relation(first_goal, second_goal)) ** 2).sum()
        return total / 2

    taught = [torch.tensor(t) for t in teachers]
    agrees(
        lambda a, b: feature.singular_vectors([a, b], taught, vectors),
        by_hand,
        random(2, 3, 2, 2, seed=5),
        random(2, 4, 2, 3, seed=6),
        # Its slope counts small gaps between singular values as a little larger.
        rtol=1e-4,
    )


@pytest.mark.parametrize("form", ["paper", "plain"])
def test_jacobians(form, random, agrees):
    teacher = random(3, 2, 4, seed=1).numpy()

    def by_hand(student):
        change = lengths_one if form == "paper" else lambda array: array
        return np.mean([((change(s) - change(t)) ** 2).sum() for s, t in zip(student, teacher, strict=True)])

    agrees(lambda s: feature.jacobian_matching(s, torch.tensor(teacher), form), by_hand, random(3, 2, 4))


def test_jacobians_reach_the_weights_of_a_network(random):
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)).double()
    inputs = random(6, 4).requires_grad_()
    largest = model(inputs).max(-1).values.sum()
    (gradients,) = torch.autograd.grad(largest, inputs, create_graph=True)
    feature.jacobian_matching(gradients, random(6, 4, seed=1)).backward()
    assert model[0].weight.grad.abs().sum() > 1e-3


def test_rocket_hint(random, agrees):
    booster = random(4, 3, seed=1).numpy()
    agrees(
        lambda z: feature.rocket_hint(z, torch.tensor(booster)),
        lambda z: ((z - booster) ** 2).sum() / 4,
        random(4, 3),
    )
