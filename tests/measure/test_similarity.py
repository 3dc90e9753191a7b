"""Similarity of representations: against independent workings, and where it is known by construction."""

import numpy as np
import pytest
import torch
from scipy import linalg, optimize, spatial, stats

from kdviz.measure import cka, cka_map, hsic, neighbour_overlap, neighbours, procrustes, procrustes_distance
from kdviz.measure.similarity import tsne_places
from kdviz.models import mlp
from kdviz.tracing import trace

random = np.random.default_rng(0)
WIDE = random.normal(size=(40, 12))
NARROW = WIDE[:, :5] @ random.normal(size=(5, 5)) + 0.5 * random.normal(size=(40, 5))


def hsic_by_sums(k, m, unbiased):
    """HSIC as its definition counts it, entry by entry."""
    n = len(k)
    if not unbiased:
        h = np.eye(n) - np.ones((n, n)) / n
        return np.trace(k @ h @ m @ h) / (n - 1) ** 2
    # Song et al. 2012, the U-statistic: averages over 2, 3 and 4 different samples.
    pairs = sum(k[i, j] * m[i, j] for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    triples = quadruples = 0.0
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            others = [q for q in range(n) if q not in (i, j)]
            triples += k[i, j] * m[i, others].sum()
            rest = m[np.ix_(others, others)]
            quadruples += k[i, j] * (rest.sum() - np.trace(rest))
    triples /= n * (n - 1) * (n - 2)
    quadruples /= n * (n - 1) * (n - 2) * (n - 3)
    return pairs - 2 * triples + quadruples


def kernel_of(x, kernel, width):
    if kernel == "linear":
        return x @ x.T
    squares = spatial.distance.squareform(spatial.distance.pdist(x, "sqeuclidean"))
    sigma_squared = width**2 * np.median(spatial.distance.pdist(x, "sqeuclidean"))
    return np.exp(-squares / (2 * sigma_squared))


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("width", [0.5, 1.0])
def test_cka_is_what_its_definition_counts(kernel, unbiased, width):
    k, m = kernel_of(WIDE, kernel, width), kernel_of(NARROW, kernel, width)
    expected = hsic_by_sums(k, m, unbiased) / np.sqrt(
        hsic_by_sums(k, k, unbiased) * hsic_by_sums(m, m, unbiased)
    )
    found = cka(torch.tensor(WIDE), NARROW, kernel, unbiased, width)
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0.05 < found < 0.95


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("unbiased", [False, True])
def test_hsic_is_what_its_definition_counts(kernel, unbiased):
    k, m = kernel_of(WIDE, kernel, 0.5), kernel_of(NARROW, kernel, 0.5)
    found = hsic(torch.tensor(WIDE), NARROW, kernel, unbiased, width=0.5)
    assert found == pytest.approx(hsic_by_sums(k, m, unbiased), rel=1e-10)
    assert hsic(WIDE, WIDE, kernel, unbiased, 0.5) == pytest.approx(hsic_by_sums(k, k, unbiased), rel=1e-10)
    ratio = found / np.sqrt(
        hsic(WIDE, WIDE, kernel, unbiased, 0.5) * hsic(NARROW, NARROW, kernel, unbiased, 0.5)
    )
    assert cka(WIDE, NARROW, kernel, unbiased, 0.5) == pytest.approx(ratio, rel=1e-10)


def test_linear_hsic_is_the_squared_covariance_and_its_unbiased_estimate_averages_to_that_of_all():
    everyone = random.normal(size=(2000, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    x, y = everyone[:, :1], everyone[:, 1:]
    covariance = np.cov(x[:, 0], y[:, 0])[0, 1]
    assert hsic(x, y, unbiased=False) == pytest.approx(covariance**2, rel=1e-10)
    parts = [hsic(x[at : at + 5], y[at : at + 5]) for at in range(0, 2000, 5)]
    assert np.mean(parts) == pytest.approx(0.25, abs=4 * np.std(parts) / np.sqrt(len(parts)))


def test_features_that_never_change_have_no_hsic():
    assert hsic(np.ones((5, 2)), WIDE[:5]) == 0
    with pytest.raises(ValueError, match="at least 4 samples"):
        hsic(WIDE[:3], NARROW[:3])
    with pytest.raises(ValueError, match="kernel must be one of"):
        hsic(WIDE, NARROW, "cosine")


def test_the_biased_linear_cka_is_the_formula_of_the_features():
    x, y = WIDE - WIDE.mean(0), NARROW - NARROW.mean(0)
    expected = linalg.norm(y.T @ x) ** 2 / (linalg.norm(x.T @ x) * linalg.norm(y.T @ y))
    assert cka(WIDE, NARROW, unbiased=False) == pytest.approx(expected, abs=1e-12)


def test_unrelated_features_are_alike_only_to_the_biased_estimate():
    random = np.random.default_rng(1)
    draws = [random.normal(size=(2, 30, 200)) for _ in range(20)]
    biased = [cka(x, y, unbiased=False) for x, y in draws]
    unbiased = [cka(x, y) for x, y in draws]
    assert np.mean(biased) > 0.8
    assert abs(np.mean(unbiased)) < 0.05


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_a_map_holds_the_cka_of_each_pair_of_layers(kernel):
    maps = np.random.default_rng(2).normal(size=(40, 3, 2, 2))
    found = cka_map([WIDE, maps], [NARROW, WIDE, maps], kernel)
    assert found.shape == (2, 3)
    assert found[0, 0] == pytest.approx(cka(WIDE, NARROW, kernel))
    assert found[1, 1] == pytest.approx(cka(maps.reshape(40, 12), WIDE, kernel))
    assert found[0, 1] == found[1, 2] == pytest.approx(1)


def test_a_dead_layer_has_no_cka():
    dead = np.full((40, 3), 0.1)
    assert np.isnan(cka_map([WIDE], [dead, WIDE])[0]).tolist() == [True, False]
    assert np.isnan(cka_map([WIDE], [dead], "rbf")).all()
    with pytest.raises(ValueError, match="hardly differs between samples"):
        cka(WIDE, dead)
    with pytest.raises(ValueError, match="same for all samples"):
        procrustes(dead, WIDE)


@pytest.mark.parametrize("swapped", [False, True], ids=["onto the wider", "onto the narrower"])
def test_procrustes_is_scipys_on_features_filled_up_with_zeros(swapped):
    x, y = (WIDE, NARROW) if swapped else (NARROW, WIDE)
    filled = [np.hstack([part, np.zeros((40, 12 - part.shape[1]))]) for part in (x, y)]
    *_, disparity = spatial.procrustes(*filled)
    distance = 2 - 2 * np.sqrt(1 - disparity)
    assert procrustes_distance(x, y) == pytest.approx(distance, abs=1e-12)

    laid, onto = procrustes(x, y)
    assert laid.shape == onto.shape == (40, 12)
    centred = [part - part.mean(0) for part in filled]
    x_unit, y_unit = (part / np.sqrt((part**2).sum(1).mean()) for part in centred)
    np.testing.assert_allclose(onto, y_unit)
    turn, _ = linalg.orthogonal_procrustes(x_unit, y_unit)
    if not swapped:
        np.testing.assert_allclose(laid, x_unit @ turn, atol=1e-9)
    # Where zeros fill the wider space, more than one rotation is the best; all give the same distance.
    assert ((laid - onto) ** 2).sum(1).mean() == pytest.approx(distance)
    np.testing.assert_allclose(laid @ laid.T, x_unit @ x_unit.T, atol=1e-9)


def test_the_distance_does_not_depend_on_which_comes_first():
    assert procrustes_distance(WIDE, NARROW) == pytest.approx(procrustes_distance(NARROW, WIDE))


def test_neighbours_are_those_of_the_sorted_distances():
    distances = spatial.distance.cdist(WIDE, WIDE)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(neighbours(torch.tensor(WIDE), 7), distances.argsort(1)[:, :7])


def test_neighbours_are_scikit_learns():
    from sklearn.neighbors import kneighbors_graph

    graph = kneighbors_graph(NARROW, 4, include_self=False).toarray()
    ours = np.zeros_like(graph)
    np.put_along_axis(ours, neighbours(NARROW, 4), 1, axis=1)
    np.testing.assert_array_equal(ours, graph)


def test_overlap_counted_by_hand():
    line = np.array([[0.0], [1.0], [3.0], [7.0]])
    # Nearest: 1, 0, 1, 2 on the line; 1, 0, 3, 2 once 3 has moved to 3.5.
    moved = np.array([[0.0], [1.0], [3.0], [3.5]])
    assert neighbour_overlap(line, moved, 1) == 0.75


def kl_on_the_map(y, p, rows, places):
    closeness = 1 / (1 + ((places - y) ** 2).sum(1))
    return (p * np.log(p / (closeness / closeness.sum())[rows])).sum()


def test_a_new_point_goes_where_the_divergence_of_tsne_is_least():
    random = np.random.default_rng(3)
    places = 5 * random.normal(size=(40, 2))
    new = WIDE[:6] + 0.5 * random.normal(size=(6, 12))
    found = tsne_places(new, WIDE, places, perplexity=5, rounds=3000)
    for y, sample in zip(found, new, strict=True):
        squares = ((WIDE - sample) ** 2).sum(1)
        rows = squares.argsort()[:15]

        def gaussian(precision, near=squares[rows]):
            weights = np.exp(-precision * (near - near.min()))
            return weights / weights.sum()

        def excess(log_precision, gaussian=gaussian):
            p = gaussian(np.exp(log_precision))
            return stats.entropy(p) - np.log(5)

        p = gaussian(np.exp(optimize.brentq(excess, -8, 8)))
        here = kl_on_the_map(y, p, rows, places)
        least = optimize.minimize(kl_on_the_map, y.astype(float), (p, rows, places))
        assert here == pytest.approx(least.fun, abs=1e-3)
        assert here < kl_on_the_map(p @ places[rows], p, rows, places) - 0.05


def test_a_copy_is_placed_in_the_cluster_of_its_original():
    random = np.random.default_rng(4)
    points = np.repeat(10 * random.normal(size=(8, 6)), 5, 0) + 0.1 * random.normal(size=(40, 6))
    places = np.repeat(20 * random.normal(size=(8, 2)), 5, 0) + random.normal(size=(40, 2))
    found = tsne_places(points, points, places)
    nearest = spatial.distance.cdist(found, places).argmin(1)
    np.testing.assert_array_equal(nearest // 5, np.arange(40) // 5)
    with pytest.raises(ValueError, match=r"shape \(known, 2\).*got \(39, 2\) for 40"):
        tsne_places(points, points, places[:39])


def test_rotated_shuffled_and_untrained_are_told_apart():
    teacher = mlp(64, 32, 10, seed=0)
    inputs = torch.tensor(np.random.default_rng(5).normal(size=(200, 64)), dtype=torch.float32)
    with torch.no_grad():
        known = trace(teacher, inputs, ("activation1",)).features["activation1"].double()
        other = trace(mlp(64, 16, 10, seed=9), inputs, ("activation1",)).features["activation1"].double()
    rotation = torch.tensor(stats.ortho_group.rvs(32, random_state=1))
    copies = {
        "rotated": 3 * known @ rotation + 5,
        "shuffled": known[torch.randperm(200, generator=torch.Generator().manual_seed(2))],
        "untrained": other,
    }
    alike = {name: cka(known, copy) for name, copy in copies.items()}
    curved = {name: cka(known, copy, "rbf") for name, copy in copies.items()}
    apart = {name: procrustes_distance(copy, known) for name, copy in copies.items()}
    near = {name: neighbour_overlap(known, copy, 10) for name, copy in copies.items()}
    for similarity in (alike, curved):
        assert similarity["rotated"] == pytest.approx(1)
        assert abs(similarity["shuffled"]) < 0.1 < similarity["untrained"] < 0.9
    assert apart["rotated"] == pytest.approx(0, abs=1e-9)
    assert 0.3 < apart["untrained"] < apart["shuffled"] < 2
    assert near["rotated"] == 1
    assert near["shuffled"] < 0.07 < near["untrained"] < 0.6


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: cka(WIDE, NARROW[:-1]), "the same samples, row for row; they have 40 and 39"),
        (lambda: cka(WIDE[:3], NARROW[:3]), "at least 4 samples; got 3"),
        (lambda: cka(WIDE, NARROW, "cosine"), "kernel must be one of 'linear', 'rbf'; got 'cosine'"),
        (lambda: cka(WIDE, NARROW, "rbf", width=0), "width must be above 0"),
        (lambda: cka_map([], [WIDE]), "at least one layer"),
        (lambda: cka(WIDE[:, 0], NARROW), r"must have shape \(samples, width\).*got \(40,\)"),
        (lambda: cka(WIDE * np.nan, NARROW), "finite"),
        (lambda: neighbours(WIDE, 40), "from 1 to 39"),
        (lambda: neighbours(WIDE, True), "whole number"),
        (lambda: neighbour_overlap(WIDE, NARROW[:-1]), "40 and 39"),
    ],
)
def test_bad_input_is_told_what_was_expected(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()
