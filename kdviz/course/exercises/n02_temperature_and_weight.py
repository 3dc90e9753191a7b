"""Notebook 02: the interval, the number of seeds, an honest choice, and five reports."""

import math

import numpy as np
from scipy import stats

from kdviz.course.exercises.diagnosis import LetterGrader, NumberGrader
from kdviz.course.exercises.draws import normal
from kdviz.measure import paired, seeds_needed

# --- 2.1 the half width


def _accuracies(seeds, seed):
    """Two lists of accuracies that share what the seed does to both."""
    random = np.random.default_rng(seed)
    common = random.normal(85, 3, seeds)
    return {"treated": common + random.normal(1, 1, seeds), "baseline": common + random.normal(0, 0.5, seeds)}


def _half_width(treated, baseline):
    interval = paired(treated, baseline)
    return (interval.high - interval.low) / 2


grade_half_width = NumberGrader(
    _half_width,
    calls=[_accuracies(8, seed=0), _accuracies(5, seed=1)],
    forbidden=(
        r"kdviz\.measure\..*|scipy\.stats\..*\.(interval|confidence_interval|ttest_\w+)",
        "The value is right, but a library made the interval. Work it out yourself, with `ppf` alone.",
    ),
)


def _quantile(n):
    return stats.t.ppf(0.975, n - 1)


def _width(treated, baseline, factor, ddof=1):
    """The half width with another factor in front, or another divisor in the standard deviation."""
    differences = treated - baseline
    n = len(differences)
    return factor(n) * np.std(differences, ddof=ddof) / math.sqrt(n)


def _welch(treated, baseline):
    interval = stats.ttest_ind(treated, baseline, equal_var=False).confidence_interval(0.95)
    return (interval.high - interval.low) / 2


def _errors_added(treated, baseline):
    return _quantile(len(treated)) * math.hypot(stats.sem(treated), stats.sem(baseline))


_UNPAIRED = (
    "That is an unpaired interval: the spread between the seeds is still in it. Take the differences first, "
    "seed by seed; what a seed does to both then falls out."
)
grade_half_width.mistake(_welch, _UNPAIRED)
grade_half_width.mistake(_errors_added, _UNPAIRED)


@grade_half_width.mistake
def normal_quantile(treated, baseline):
    """The factor 1.96 belongs to the normal distribution. With few seeds the spread itself is uncertain:
    take the t distribution's, with n − 1 degrees of freedom."""
    return _width(treated, baseline, lambda n: 1.96)


@grade_half_width.mistake
def rule_of_thumb(treated, baseline):
    """The factor 2 is a rule of thumb. Take the t distribution's, with n − 1 degrees of freedom."""
    return _width(treated, baseline, lambda n: 2.0)


@grade_half_width.mistake
def one_sided(treated, baseline):
    """Your interval leaves out 5 % on each side, so it is a 90 % interval. Which quantile leaves 2.5 %?"""
    return _width(treated, baseline, lambda n: stats.t.ppf(0.95, n - 1))


@grade_half_width.mistake
def degrees_of_freedom(treated, baseline):
    """The t distribution has n degrees of freedom in your answer. One is used up by the mean."""
    return _width(treated, baseline, lambda n: stats.t.ppf(0.975, n))


@grade_half_width.mistake
def spread_of_a_population(treated, baseline):
    """The standard deviation divides by n. For a sample divide by n − 1 (numpy: `ddof=1`)."""
    return _width(treated, baseline, _quantile, ddof=0)


@grade_half_width.mistake
def width_of_a_single_seed(treated, baseline):
    """That is the interval of a single seed's difference. The mean of n seeds is surer by √n."""
    return _width(treated, baseline, lambda n: _quantile(n) * math.sqrt(n))


@grade_half_width.mistake
def no_factor(treated, baseline):
    """That is the standard error alone; a factor is missing."""
    return _width(treated, baseline, lambda n: 1)


grade_half_width.slip(2, "That is the whole width, from low to high. Half of it is asked.")
grade_half_width.slip(-1, "A width is not negative.")


# --- 2.2 how many seeds

grade_seeds_needed = NumberGrader(
    seeds_needed,
    calls=[
        {"differences": np.random.default_rng(2).normal(1, 2.5, 10), "half_width": 0.5},
        {"differences": np.random.default_rng(3).normal(0, 1, 8), "half_width": 0.6},
    ],
)


def _first_count(enough):
    """The smallest number of seeds that is enough."""
    return next(count for count in range(2, 100_000) if enough(count))


def _needed(differences, half_width, factor=_quantile, ddof=1, root=math.sqrt):
    """The number of seeds by a formula that may be wrong in one of its parts."""
    spread = np.std(differences, ddof=ddof)
    return _first_count(lambda n: factor(n) * spread <= half_width * root(n))


@grade_seeds_needed.mistake
def one_too_few(differences, half_width):
    """With that many seeds the interval is still too wide; one more is needed."""
    return seeds_needed(differences, half_width) - 1


@grade_seeds_needed.mistake
def how_many_more(differences, half_width):
    """How many are needed in all is asked, not how many more."""
    return seeds_needed(differences, half_width) - len(differences)


@grade_seeds_needed.mistake
def factor_of_those_seen(differences, half_width):
    """Your factor of the t distribution is the one for the seeds already seen. With more seeds it gets
    smaller."""
    return _needed(differences, half_width, factor=lambda n: _quantile(len(differences)))


@grade_seeds_needed.mistake
def counted_with_the_normal_quantile(differences, half_width):
    """Your factor is the normal distribution's 1.96. The t distribution's, with n − 1 degrees of freedom,
    asks for more seeds."""
    return _needed(differences, half_width, factor=lambda n: 1.96)


@grade_seeds_needed.mistake
def counted_with_the_spread_of_a_population(differences, half_width):
    """The standard deviation divides by n. For a sample divide by n − 1 (numpy: `ddof=1`)."""
    return _needed(differences, half_width, ddof=0)


@grade_seeds_needed.mistake
def counted_by_the_whole_width(differences, half_width):
    """You make the whole width of the interval that small. Half of it is asked: the ± of the mean."""
    return _needed(differences, half_width / 2)


@grade_seeds_needed.mistake
def counted_without_a_root(differences, half_width):
    """Your interval shrinks with n. It shrinks with √n: for half the width you need four times the seeds."""
    return _needed(differences, half_width, root=float)


# --- 2.3 an honest choice


def _grids(shape, seed):
    """Accuracies on validation and on test that scatter around the same true ones."""
    true, *noise = normal(3, *shape, seed=seed)
    return {"validation": 90 + true + noise[0], "test": 90 + true + noise[1]}


def _chosen_on_validation(validation, test):
    """The mean over seeds of the test accuracy of the cell that each seed chooses on validation."""
    return float(test.gather(1, validation.argmax(1, keepdim=True)).mean())


grade_chosen_on_validation = NumberGrader(
    _chosen_on_validation,
    calls=[_grids((6, 4), seed=24), _grids((7, 7), seed=21)],
    samples_and_classes=False,
)


@grade_chosen_on_validation.mistake
def best_on_test(validation, test):
    """You choose on the test images. Then their luck is part of what you report. Look at them once, for
    the cell that validation has chosen."""
    return test.max(1).values.mean()


grade_chosen_on_validation.praise_numbers = {
    "honest": _chosen_on_validation(**grade_chosen_on_validation.calls[0]),
    "flattering": float(best_on_test(**grade_chosen_on_validation.calls[0])),
}


@grade_chosen_on_validation.mistake
def validation_reported(validation, test):
    """You report the accuracy by which you chose. It is the best of many, so it flatters. Report the
    chosen cell's accuracy on test."""
    return validation.max(1).values.mean()


@grade_chosen_on_validation.mistake
def one_cell_for_all(validation, test):
    """You choose one cell for all seeds, by its mean. That is honest too, but here each seed chooses
    alone."""
    return test[:, validation.mean(0).argmax()].mean()


@grade_chosen_on_validation.mistake
def best_seed_of_each_cell(validation, test):
    """You choose a seed for each cell. Choose a cell for each seed: a row is a seed."""
    return test.gather(0, validation.argmax(0, keepdim=True)).mean()


@grade_chosen_on_validation.mistake
def worst_cell(validation, test):
    """You choose the cell with the lowest validation accuracy."""
    return test.gather(1, validation.argmin(1, keepdim=True)).mean()


@grade_chosen_on_validation.mistake
def best_seed_of_all(validation, test):
    """You report the best seed. Take the mean over the seeds."""
    return test.gather(1, validation.argmax(1, keepdim=True)).max()


# --- 2.4 five reports

grade_flaws = LetterGrader(
    {"A": "chosen on test", "B": "none", "C": "weak baseline", "D": "one seed", "E": "not paired"},
    choices=("one seed", "chosen on test", "not paired", "weak baseline", "none"),
    questions={
        "A": "Where did the 0.25 and the 8 come from? Ask which images had a say in that.",
        "B": "Ask of it what you ask of the others: the seeds, the pairs, the choice, the baseline.",
        "C": "The labels are noisy. Ask what the baseline could have reached, with what it was allowed "
        "to do.",
        "D": "Count how often the whole comparison was made.",
        "E": "Thirty and thirty. Ask whether what a seed does to one, it does to the other too.",
    },
    one="flaw",
    each="report",
)
