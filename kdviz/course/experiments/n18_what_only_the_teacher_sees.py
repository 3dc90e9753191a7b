"""What only the teacher sees: four worlds of privileged information, and students that are linear."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize, nnls
from scipy.special import expit

from kdviz.course.experiments.arms import best_on_validation, short
from kdviz.course.results import result
from kdviz.measure import paired

FEATURES, SAMPLES = 50, 200


# --- four worlds, those of Lopez-Paz et al. 2016, section 5


@dataclass(frozen=True)
class World:
    """Triplets, and what decides a label: the accuracy of a linear classifier follows without test samples.

    inputs      what teacher and student may see, (samples, features), each feature standard normal
    privileged  what only the teacher sees, of the same samples, likewise
    labels      whether the sample is of the second class
    rules       (rules, features): what decides a label goes along with the input by these correlations
    privileged_rules    the same of what the teacher sees
    """

    inputs: np.ndarray
    privileged: np.ndarray
    labels: np.ndarray
    rules: np.ndarray
    privileged_rules: np.ndarray


def clean_labels(random, truth, samples):
    """Only the teacher sees the distance to the boundary, before noise came upon the label."""
    inputs, size = random.standard_normal((samples, FEATURES)), np.linalg.norm(truth)
    distance = inputs @ truth
    labels = distance + random.standard_normal(samples) > 0
    noisy = np.hypot(size, 1)
    return World(inputs, distance[:, None] / size, labels, truth[None] / noisy, np.array([[size / noisy]]))


def clean_features(random, truth, samples):
    """Only the teacher sees the features before noise came upon them."""
    clean, noise = random.standard_normal((2, samples, FEATURES))
    rule = truth[None] / np.linalg.norm(truth)
    return World((clean + noise) / 2**0.5, clean, clean @ truth > 0, rule / 2**0.5, rule)


def relevant_features(random, truth, samples):
    """Only the teacher sees which three features decide; they are the same for all samples."""
    inputs, relevant = random.standard_normal((samples, FEATURES)), truth[:3]
    rule = np.eye(3, FEATURES).T @ relevant / np.linalg.norm(relevant)
    return World(inputs, inputs[:, :3], inputs[:, :3] @ relevant > 0, rule[None], rule[None, :3])


def relevant_window(random, truth, samples):
    """Only the teacher sees which three neighbours decide; they are others for each sample."""
    inputs, relevant = random.standard_normal((samples, FEATURES)), truth[:3]
    window = (random.integers(FEATURES, size=(samples, 1)) + np.arange(3)) % FEATURES
    seen = np.take_along_axis(inputs, window, axis=1)
    rule = np.eye(3, FEATURES).T @ relevant / np.linalg.norm(relevant)
    rules = np.stack([np.roll(rule, first) for first in range(FEATURES)])
    return World(inputs, seen, seen @ relevant > 0, rules, rule[None, :3])


WORLDS = {
    "clean labels": clean_labels,
    "clean features": clean_features,
    "relevant features": relevant_features,
    "a window for each": relevant_window,
}


def triplets(name, seed, samples=SAMPLES):
    """A world of this seed: training samples, and as many for validation."""
    random = np.random.default_rng(seed)
    whole = WORLDS[name](random, random.standard_normal(FEATURES), 2 * samples)
    return part(whole, slice(samples)), part(whole, slice(samples, None))


def part(world, rows):
    taken = {name: getattr(world, name)[rows] for name in ("inputs", "privileged", "labels")}
    return replace(world, **taken)


def shuffled(world, seed):
    """The control: each sample with what the teacher would see of another one."""
    order = np.random.default_rng(1000 + seed).permutation(len(world.labels))
    return replace(world, privileged=world.privileged[order])


def exact_accuracy(weights, rules):
    """How often the sign of <w, x> is the label, in percent, over all samples there could be.

    Two normal numbers that go along by rho have the same sign with probability 1/2 + arcsin(rho) / pi.
    """
    length = np.linalg.norm(weights) or 1.0  # no weights at all guess
    return 100 * (0.5 + np.arcsin(rules @ weights / length).mean() / np.pi)


# --- students and teachers that are linear


def logistic(inputs, targets, penalty):
    """The weights of logistic regression on targets from 0 to 1, by Newton's method.

    They make the mean cross-entropy plus ``penalty / 2 * |w|**2`` least.
    """
    weights, count = np.zeros(inputs.shape[1]), len(inputs)
    for _ in range(100):
        said = expit(inputs @ weights)
        slope = inputs.T @ (said - targets) / count + penalty * weights
        bend = (inputs.T * (said * (1 - said))) @ inputs / count + penalty * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            return weights
    raise ValueError(f"Newton's method has not settled in 100 steps at penalty {penalty:g}; raise it")


def taught(world):
    """A teacher's weights; what it says on the samples that it was trained on is ``privileged @ weights``."""
    return logistic(world.privileged, world.labels, penalty=1e-3)


def blended(labels, teacher, soft_weight, temperature):
    """Targets of generalized distillation: cross-entropy is linear in its target, so two terms are one."""
    return (1 - soft_weight) * labels + soft_weight * expit(teacher / temperature)


def drawn(seed):
    """A draw of each world for :func:`kdviz.explorers.privileged`, with its teacher and the shuffled one."""
    found = {}
    for name, make in WORLDS.items():
        world, _ = triplets(name, seed)
        told = {"inputs": world.inputs, "labels": world.labels, "rules": world.rules, "says": make.__doc__}
        weights, other = taught(world), shuffled(world, seed)
        told["teacher"] = world.privileged @ weights, exact_accuracy(weights, world.privileged_rules)
        # What belongs to another sample is independent of this one's label.
        told["shuffled"] = other.privileged @ taught(other), 50.0
        found[name] = told
    return found


PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
TEACHERS = {
    "privileged": lambda world, seed: world,
    "shuffled": shuffled,
    "own inputs": lambda world, seed: replace(world, privileged=world.inputs, privileged_rules=world.rules),
}


@result({"regime": tuple(WORLDS)}, tolerance=0.1)
def privileged_worlds(seeds, regime):
    """Students on labels, and students of three teachers: one that sees more, and two controls.

    One control sees what belongs to another sample, the other what the student sees.
    """
    return [row for seed in seeds for row in _of_seed(seed, regime)]


def _of_seed(seed, regime):
    world, validation = triplets(regime, seed)

    def row(arm, targets, penalty, teacher_accuracy=np.nan, soft_weight=0.0, temperature=0.0):
        measured = measure(logistic(world.inputs, targets, penalty), world, validation)
        settings = {"soft_weight": soft_weight, "temperature": temperature, "penalty": penalty}
        found = {"seed": seed, "regime": regime, "arm": arm, **settings, **measured}
        return {**found, "teacher_accuracy": teacher_accuracy}

    rows = [row("hard labels", world.labels, penalty) for penalty in PENALTIES]
    for arm, sees in TEACHERS.items():
        seen = sees(world, seed)
        weights = taught(seen)
        # What belongs to another sample is independent of this one's label.
        right = 50.0 if arm == "shuffled" else exact_accuracy(weights, seen.privileged_rules)
        for soft_weight in (0.2, 0.5, 1.0):
            for temperature in (1.0, 16.0):
                targets = blended(world.labels, seen.privileged @ weights, soft_weight, temperature)
                rows += [row(arm, targets, one, right, soft_weight, temperature) for one in PENALTIES]
    return rows


def measure(weights, world, validation):
    guessed = validation.inputs @ weights > 0
    return {
        "validation_accuracy": 100 * (guessed == validation.labels).mean(),
        "accuracy": exact_accuracy(weights, world.rules),
    }


def chosen(table):
    """The rows of the setting that is best on validation, for each world and arm."""
    tuned = ["soft_weight", "temperature", "penalty", "cost", "gamma"]
    return best_on_validation(table, ["regime", "arm"], [name for name in tuned if name in table])


def gains(table, baseline):
    """What each arm gains over one of them in each world: a table of texts."""
    found = {}
    for regime, rows in table.groupby("regime", sort=False):
        arms = {arm: own.set_index("seed").accuracy for arm, own in rows.groupby("arm", sort=False)}
        base = arms.pop(baseline)
        own = {arm: short(paired(own, base)) for arm, own in arms.items()}
        found[regime] = {baseline: f"{base.mean():.1f} %", **own}
    return pd.DataFrame(found)


# --- SVM+, which asks what is hard


def svm(inputs, labels, cost):
    """The weights of a linear SVM: the least of ``|w|**2 / 2 + cost * sum(slack)``, found from its dual."""
    ours = _signed(inputs, labels)

    def dual(duals):
        weights = duals @ ours
        return weights @ weights / 2 - duals.sum(), ours @ weights - 1

    options = {"maxiter": 100_000, "maxfun": 200_000, "maxcor": 30, "ftol": 1e-14, "gtol": 1e-9}
    start, bounds = np.full(len(labels), cost / 2), [(0, cost)] * len(labels)
    return minimize(dual, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x @ ours


def svm_plus(inputs, correcting, labels, cost, gamma):
    """The weights of a linear SVM+ (Vapnik and Vashist 2009): its slacks depend on what is privileged.

    The least of ``|w|**2 / 2 + gamma / 2 * |v|**2 + cost * sum(slack)`` with ``slack = <v, (x*, 1)>``, where
    ``slack >= 0`` and ``y <w, x> >= 1 - slack`` for all samples. With w and v, scaled, as one vector z that
    is the point nearest to another one that meets all limits ``G z >= h``, and Lawson and Hanson find it by
    least squares with numbers that are not negative.
    """
    ours = _signed(inputs, labels)
    theirs = np.column_stack([correcting, np.ones(len(labels))]) / gamma**0.5
    limits = np.block([[ours, theirs], [np.zeros_like(ours), theirs]])
    near = np.concatenate([np.zeros(ours.shape[1]), -cost * theirs.sum(0)])
    least = np.repeat([1.0, 0.0], len(labels)) - limits @ near
    system = np.vstack([limits.T, least])
    goal = np.eye(len(system))[-1]
    rest = system @ nnls(system, goal, maxiter=20_000)[0] - goal
    weights = near[: ours.shape[1]] - rest[: ours.shape[1]] / rest[-1]
    # Where the slacks alone meet all limits no weights are needed, and what is left is rounding.
    return weights if np.linalg.norm(weights) > 1e-5 else 0 * weights


def _signed(inputs, labels):
    return inputs * (2.0 * labels - 1)[:, None]


def _margin(world):
    """How far on the right side the teacher puts each sample."""
    said = world.privileged @ taught(world) * (2.0 * world.labels - 1)
    return said[:, None] / said.std()


CORRECTIONS = {
    "SVM+": lambda world, seed: world.privileged,
    "SVM+, shuffled": lambda world, seed: shuffled(world, seed).privileged,
    "SVM+ on the margin": lambda world, seed: _margin(world),
    "SVM+ on the margin, shuffled": lambda world, seed: _margin(shuffled(world, seed)),
}


@result({"regime": tuple(WORLDS)}, tolerance=1.0)
def correcting_functions(seeds, regime):
    """A linear SVM beside SVM+, whose slacks come from what is privileged, or from a teacher's margin."""
    rows = []
    for seed in seeds:
        world, validation = triplets(regime, seed)

        def row(arm, weights, cost, gamma=0.0, seed=seed, held=(world, validation)):
            found = {"seed": seed, "regime": regime, "arm": arm, "cost": cost, "gamma": gamma}
            return {**found, **measure(weights, *held)}

        for cost in (0.001, 0.01, 0.1, 1.0):
            rows.append(row("SVM", svm(world.inputs, world.labels, cost), cost))
        for arm, correcting in CORRECTIONS.items():
            seen = correcting(world, seed)
            for cost, gamma in itertools.product((0.001, 0.01, 0.1, 1.0), (0.01, 1.0)):
                weights = svm_plus(world.inputs, seen, world.labels, cost, gamma)
                rows.append(row(arm, weights, cost, gamma))
    return rows


# --- what a linear teacher hands over: Phuong and Lampert 2019


def projected(inputs, teacher):
    """What a linear student learns of a linear teacher's soft answers: the part that the inputs span."""
    return np.linalg.lstsq(inputs, inputs @ teacher)[0]


def stretched(inputs, teacher, factor):
    """The inputs, so many times as long in the direction of the teacher; that direction has length 1."""
    return inputs + (factor - 1) * np.outer(inputs @ teacher, teacher)


def disagreement(student, teacher, factor=1.0):
    """How often student and teacher name another class, in percent, over all inputs so stretched."""
    ours, theirs = (stretched(each, teacher, factor) for each in (student[None], teacher[None]))
    cosine = (ours * theirs).sum() / np.linalg.norm(ours) / np.linalg.norm(theirs)
    return 100 * np.arccos(np.clip(cosine, -1, 1)) / np.pi


def transferred(counts, factor=1.0, targets=None, seeds=range(30)):
    """The mean disagreement after so many samples: of the student above, or of one on hard answers."""
    return [np.mean([_apart(seed, count, factor, targets) for seed in seeds]) for count in counts]


def _apart(seed, count, factor, targets):
    random = np.random.default_rng(seed)
    teacher = random.standard_normal(FEATURES)
    teacher /= np.linalg.norm(teacher)
    inputs = stretched(random.standard_normal((count, FEATURES)), teacher, factor)
    if targets == "hard":
        return disagreement(logistic(inputs, inputs @ teacher > 0, penalty=1e-3), teacher, factor)
    return disagreement(projected(inputs, teacher), teacher, factor)


def deep_linear(inputs, teacher, hidden=20, steps=20_000, rate=0.5):
    """The product of two layers that learn the teacher's soft answers by gradient descent from near zero."""
    random = np.random.default_rng(0)
    first, second = 1e-3 * random.standard_normal((FEATURES, hidden)), 1e-3 * random.standard_normal(hidden)
    soft = expit(inputs @ teacher)
    for _ in range(steps):
        slope = inputs.T @ (expit(inputs @ first @ second) - soft) / len(inputs)
        first, second = first - rate * np.outer(slope, second), second - rate * first.T @ slope
    return first @ second
