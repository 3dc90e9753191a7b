"""The experiments of notebook 18: values worked out otherwise, and what must hold."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.svm import SVC

from kdviz.course.experiments import n18_what_only_the_teacher_sees as experiments

NAMES = list(experiments.WORLDS)


@pytest.mark.parametrize("name", NAMES)
def test_the_exact_accuracy_is_that_of_many_samples(name):
    whole, _ = experiments.triplets(name, seed=3, samples=200_000)
    small, _ = experiments.triplets(name, seed=3)
    # The truth is drawn first, so that it is the same whatever the number of samples.
    assert np.array_equal(whole.rules, small.rules)
    student = experiments.logistic(small.inputs, small.labels, 1e-2)
    teacher = experiments.taught(small)
    for inputs, weights, rules in (
        (whole.inputs, student, whole.rules),
        (whole.privileged, teacher, whole.privileged_rules),
    ):
        counted = 100 * ((inputs @ weights > 0) == whole.labels).mean()
        assert counted == pytest.approx(experiments.exact_accuracy(weights, rules), abs=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_every_feature_is_standard_normal_and_classes_are_balanced(name):
    world, _ = experiments.triplets(name, seed=1, samples=20_000)
    for seen in (world.inputs, world.privileged):
        assert np.abs(seen.mean(0)).max() < 0.05 and np.abs(seen.std(0) - 1).max() < 0.05
    assert abs(world.labels.mean() - 0.5) < 0.02


def test_accuracies_known_beforehand():
    # Along the rule, at right angles to it, at 60 degrees, and against it.
    rules = np.array([[1.0, 0.0]])
    angles = np.radians([0, 90, 60, 180])
    known = [experiments.exact_accuracy(np.array([np.cos(a), np.sin(a)]), rules) for a in angles]
    assert known == pytest.approx([100, 50, 100 * (1 - 1 / 3), 0])


def test_shuffling_exchanges_what_the_teacher_sees_and_nothing_else():
    world, _ = experiments.triplets("relevant features", seed=0)
    other = experiments.shuffled(world, seed=0)
    assert np.array_equal(other.inputs, world.inputs) and np.array_equal(other.labels, world.labels)
    assert (other.privileged == world.privileged).all(1).mean() < 0.05
    assert np.array_equal(np.sort(other.privileged, 0), np.sort(world.privileged, 0))


def test_logistic_regression_at_one_feature_is_the_root_of_its_slope():
    # One sample x = 1 with target 1: sigmoid(w) - 1 + penalty w = 0, so at penalty sigmoid(-1) w = 1.
    found = experiments.logistic(np.ones((1, 1)), np.ones(1), penalty=1 / (1 + np.e))
    assert found == pytest.approx([1.0], abs=1e-12)


def test_two_terms_are_one_with_a_blended_target():
    random = np.random.default_rng(0)
    inputs, teacher, labels = (
        random.standard_normal((30, 4)),
        random.standard_normal(30),
        random.random(30) > 0.5,
    )
    targets = experiments.blended(labels, teacher, soft_weight=0.3, temperature=2.0)

    def loss(weights):
        said = expit(inputs @ weights)
        terms = [
            -(t * np.log(said) + (1 - t) * np.log(1 - said)).mean() for t in (labels, expit(teacher / 2))
        ]
        return 0.7 * terms[0] + 0.3 * terms[1] + 0.05 * weights @ weights

    free = minimize(
        loss, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14, "maxiter": 9999}
    )
    assert experiments.logistic(inputs, targets, 0.1) == pytest.approx(free.x, abs=1e-5)


def test_without_a_penalty_a_teacher_of_the_same_inputs_is_learned_exactly():
    world, _ = experiments.triplets("clean labels", seed=0)
    teacher = experiments.logistic(world.inputs, world.labels, 1e-2)
    for temperature in (1.0, 7.0):
        soft = experiments.blended(world.labels, world.inputs @ teacher, 1.0, temperature)
        assert experiments.logistic(world.inputs, soft, 0.0) == pytest.approx(teacher / temperature, abs=1e-8)


def test_svm_plus_is_the_least_of_its_primal():
    random = np.random.default_rng(0)
    inputs, seen = random.standard_normal((25, 3)), random.standard_normal((25, 2))
    labels, cost, gamma = inputs @ [1, 2, 0] + 0.5 * random.standard_normal(25) > 0, 0.5, 0.3
    signs, correcting = 2.0 * labels - 1, np.column_stack([seen, np.ones(25)])

    def value(both):
        weights, slope = both[:3], both[3:]
        return weights @ weights / 2 + gamma / 2 * slope @ slope + cost * (correcting @ slope).sum()

    limits = [
        {"type": "ineq", "fun": lambda both: correcting @ both[3:]},
        {"type": "ineq", "fun": lambda both: signs * (inputs @ both[:3]) - 1 + correcting @ both[3:]},
    ]
    start = np.array([0, 0, 0, 0, 0, 1.0])
    free = minimize(value, start, method="SLSQP", constraints=limits, options={"ftol": 1e-10, "maxiter": 999})
    found = experiments.svm_plus(inputs, seen, labels, cost, gamma)
    assert found == pytest.approx(free.x[:3], abs=1e-4)


def test_a_support_vector_machine_is_that_of_scikit_learn():
    world, _ = experiments.triplets("clean labels", seed=0, samples=40)
    for cost in (0.01, 1.0):
        wanted = SVC(kernel="linear", C=cost, tol=1e-8).fit(
            np.vstack([world.inputs, -world.inputs]), np.concatenate([world.labels, ~world.labels])
        )
        # Of mirrored samples the bias is 0, and each sample is there twice.
        found = experiments.svm(world.inputs, world.labels, 2 * cost)
        assert found == pytest.approx(wanted.coef_[0], abs=1e-4)


def test_two_linear_layers_learn_the_part_that_the_samples_span():
    random = np.random.default_rng(0)
    teacher = random.standard_normal(experiments.FEATURES)
    teacher /= np.linalg.norm(teacher)
    inputs = random.standard_normal((10, experiments.FEATURES))
    span = experiments.projected(inputs, teacher)
    assert inputs @ span == pytest.approx(inputs @ teacher)
    # An orthogonal projection: what is left is at right angles to every sample.
    assert np.abs(inputs @ (teacher - span)).max() < 1e-10 and abs(span @ (teacher - span)) < 1e-10
    learned = experiments.deep_linear(inputs, teacher, steps=2000)
    assert learned @ span / np.linalg.norm(learned) / np.linalg.norm(span) > 0.999


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_a_linear_teacher_is_handed_over_at_as_many_samples_as_features(factor):
    few, last, all_ = experiments.transferred([10, 49, 50], factor, seeds=range(5))
    assert few > last > 1e-3 * factor and all_ < 1e-4


def test_disagreement_is_an_angle():
    teacher, other = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    assert experiments.disagreement(other, teacher) == pytest.approx(25)
    # Three times as long along the teacher, the student's direction lies nearer: arctan(1/3).
    assert experiments.disagreement(other, teacher, 3.0) == pytest.approx(100 * np.arctan(1 / 3) / np.pi)
