"""The exercises of notebook 02: the interval, the number of seeds, an honest choice, and five reports."""

import math

import numpy as np
import torch
from scipy import stats

from kdviz.course.exercises.base import Exercise, NotYet
from kdviz.course.exercises.diagnosis import Mistake, Slip, ask, check_letters, check_numbers
from kdviz.measure import paired, seeds_needed


def _check_values(answer, right, calls, mistakes, slips=()):
    """As ``check_numbers``, with a message of its own where more than one number comes back."""
    for call in calls:
        count = _how_many(ask(answer, **call))
        if count != 1:
            raise NotYet(
                f"Your function should return one number; it returned {count}. What turns them into one?"
            )
    check_numbers(answer, right, calls, mistakes, slips)


def _how_many(value):
    if isinstance(value, (list, tuple)):
        return len(value)
    return math.prod(getattr(value, "shape", ()))


# --- 2.1 the half width


def _accuracies(seeds, seed):
    """Two lists of accuracies that share what the seed does to both."""
    random = np.random.default_rng(seed)
    shared = random.normal(85, 3, seeds)
    return {"treated": shared + random.normal(1, 1, seeds), "baseline": shared + random.normal(0, 0.5, seeds)}


def _width_calls():
    return [_accuracies(8, 0), _accuracies(5, 1)]


def _half_width(treated, baseline):
    interval = paired(treated, baseline)
    return (interval.high - interval.low) / 2


def _width_with(factor, degrees=1):
    """The half width with another factor in front, or another divisor in the standard deviation."""

    def width(treated, baseline):
        differences = treated - baseline
        n = len(differences)
        return factor(n) * np.std(differences, ddof=degrees) / math.sqrt(n)

    return width


def _student(n):
    return stats.t.ppf(0.975, n - 1)


def _welch(treated, baseline):
    interval = stats.ttest_ind(treated, baseline, equal_var=False).confidence_interval(0.95)
    return (interval.high - interval.low) / 2


def _two_errors_added(treated, baseline):
    return _student(len(treated)) * math.hypot(stats.sem(treated), stats.sem(baseline))


_UNPAIRED = (
    "That is an unpaired interval: the spread between the seeds is still in it. Take the differences first, "
    "seed by seed; what a seed does to both then falls out."
)
WIDTH_MISTAKES = (
    Mistake("Welch", _UNPAIRED, _welch),
    Mistake("errors added", _UNPAIRED, _two_errors_added),
    Mistake(
        "normal",
        "The factor 1.96 belongs to the normal distribution. With few seeds the spread itself is uncertain: "
        "take the t distribution's, with n − 1 degrees of freedom.",
        _width_with(lambda n: 1.96),
    ),
    Mistake(
        "two",
        "The factor 2 is a rule of thumb. Take the t distribution's, with n − 1 degrees of freedom.",
        _width_with(lambda n: 2.0),
    ),
    Mistake(
        "one-sided",
        "Your interval leaves out 5 % on each side, so it is a 90 % interval. Which quantile leaves 2.5 %?",
        _width_with(lambda n: stats.t.ppf(0.95, n - 1)),
    ),
    Mistake(
        "degrees of freedom",
        "The t distribution has n degrees of freedom in your answer. One is used up by the mean.",
        _width_with(lambda n: stats.t.ppf(0.975, n)),
    ),
    Mistake(
        "population",
        "The standard deviation divides by n. For a sample divide by n − 1 (numpy: `ddof=1`).",
        _width_with(_student, degrees=0),
    ),
    Mistake(
        "not of the mean",
        "That is the interval of a single seed's difference. The mean of n seeds is surer by √n.",
        _width_with(lambda n: _student(n) * math.sqrt(n)),
    ),
    Mistake("no factor", "That is the standard error alone; a factor is missing.", _width_with(lambda n: 1)),
)
WIDTH_SLIPS = (
    Slip("whole", "That is the whole width, from low to high. Half of it is asked.", lambda **call: 2),
    Slip("sign", "A width is not negative.", lambda **call: -1),
)


def _grade_width(answer):
    _check_values(answer, _half_width, _width_calls(), WIDTH_MISTAKES, WIDTH_SLIPS)
    return "It is half the width of `kdviz.measure.paired`."


# --- 2.2 how many seeds


def _count_calls():
    random = np.random.default_rng(2)
    return [
        {"differences": random.normal(1, 2.5, 10), "half_width": 0.5},
        {"differences": random.normal(0, 1, 8), "half_width": 0.6},
    ]


def _first_count(enough):
    """The smallest number of seeds that is enough."""
    return next(count for count in range(2, 100_000) if enough(count))


def _counted(factor, degrees=1, whole=1.0):
    def count(differences, half_width):
        spread = np.std(differences, ddof=degrees)
        return _first_count(lambda n: whole * factor(n) * spread <= half_width * math.sqrt(n))

    return count


def _factor_of_those_seen(differences, half_width):
    factor, spread = _student(len(differences)), np.std(differences, ddof=1)
    return _first_count(lambda n: factor * spread <= half_width * math.sqrt(n))


def _no_root(differences, half_width):
    spread = np.std(differences, ddof=1)
    return _first_count(lambda n: _student(n) * spread <= half_width * n)


COUNT_MISTAKES = (
    Mistake(
        "one too few",
        "With that many seeds the interval is still too wide; one more is needed.",
        lambda **call: seeds_needed(**call) - 1,
    ),
    Mistake(
        "more",
        "How many are needed in all is asked, not how many more.",
        lambda differences, half_width: seeds_needed(differences, half_width) - len(differences),
    ),
    Mistake(
        "factor of those seen",
        "Your factor of the t distribution is the one for the seeds already seen. With more seeds it gets "
        "smaller.",
        _factor_of_those_seen,
    ),
    Mistake(
        "normal",
        "Your factor is the normal distribution's 1.96. The t distribution's, with n − 1 degrees of freedom, "
        "asks for more seeds.",
        _counted(lambda n: 1.96),
    ),
    Mistake(
        "population",
        "The standard deviation divides by n. For a sample divide by n − 1 (numpy: `ddof=1`).",
        _counted(_student, degrees=0),
    ),
    Mistake(
        "whole width",
        "You make the whole width of the interval that small. Half of it is asked: the ± of the mean.",
        _counted(_student, whole=2.0),
    ),
    Mistake(
        "no root",
        "Your interval shrinks with n. It shrinks with √n: for half the width you need four times the seeds.",
        _no_root,
    ),
)


def _grade_count(answer):
    _check_values(answer, seeds_needed, _count_calls(), COUNT_MISTAKES)
    return "It is the number that `kdviz.measure.seeds_needed` gives."


# --- 2.3 an honest choice


def _choice_calls():
    random = np.random.default_rng(3)
    calls = []
    for shape in ((6, 4), (7, 7)):
        true = random.normal(90, 1, shape)
        calls.append(
            {
                "validation": torch.from_numpy(true + random.normal(0, 1, shape)),
                "test": torch.from_numpy(true + random.normal(0, 1, shape)),
            }
        )
    return calls


def chosen_on_validation(validation, test):
    """The mean over seeds of the test accuracy of the cell that each seed chooses on validation."""
    return float(test.gather(1, validation.argmax(1, keepdim=True)).mean())


CHOICE_MISTAKES = (
    Mistake(
        "best on test",
        "You choose on the test images. Then their luck is part of what you report. Look at them once, for "
        "the cell that validation has chosen.",
        lambda validation, test: test.max(1).values.mean(),
    ),
    Mistake(
        "validation reported",
        "You report the accuracy by which you chose. It is the best of many, so it flatters. Report the "
        "chosen cell's accuracy on test.",
        lambda validation, test: validation.max(1).values.mean(),
    ),
    Mistake(
        "one for all",
        "You choose one cell for all seeds, by its mean. That is honest too, but here each seed chooses "
        "alone.",
        lambda validation, test: test[:, validation.mean(0).argmax()].mean(),
    ),
    Mistake(
        "best seed of each cell",
        "You choose a seed for each cell. Choose a cell for each seed: a row is a seed.",
        lambda validation, test: test.gather(0, validation.argmax(0, keepdim=True)).mean(),
    ),
    Mistake(
        "worst",
        "You choose the cell with the lowest validation accuracy.",
        lambda validation, test: test.gather(1, validation.argmin(1, keepdim=True)).mean(),
    ),
    Mistake(
        "best seed of all",
        "You report the best seed. Take the mean over the seeds.",
        lambda validation, test: test.gather(1, validation.argmax(1, keepdim=True)).max(),
    ),
)


def _grade_choice(answer):
    calls = _choice_calls()
    _check_values(answer, chosen_on_validation, calls, CHOICE_MISTAKES)
    honest = chosen_on_validation(**calls[0])
    flattering = float(calls[0]["test"].max(1).values.mean())
    return f"On the check's first grid: {honest:.1f} chosen on validation, {flattering:.1f} best on test."


# --- 2.4 five reports

FLAWS = ("one seed", "chosen on test", "not paired", "weak baseline", "none")
REPORTS = {"A": "chosen on test", "B": "none", "C": "weak baseline", "D": "one seed", "E": "not paired"}
_WHY = {
    "A": "Where did the 0.25 and the 8 come from? Ask which images had a say in that.",
    "B": "Ask of it what you ask of the others: the seeds, the pairs, the choice, the baseline.",
    "C": "The labels are noisy. Ask what the baseline could have reached, with what it was allowed to do.",
    "D": "Count how often the whole comparison was made.",
    "E": "Thirty and thirty. Ask whether what a seed does to one, it does to the other too.",
}


def _grade_reports(answer):
    check_letters(answer, REPORTS, FLAWS, _WHY, one="flaw", each="report")
    return "You would make a good reviewer. And the only report without a flaw is the one without a gain."


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="2.1",
        title="The ± of a paired mean",
        question=(
            "Write `half_width(treated, baseline)`: half the width of the 95 % t interval of the mean paired "
            "difference, the number behind the ±. Both are numpy arrays with one accuracy for each seed, in "
            "the same order. Use no interval function of a library; the quantile `scipy.stats.t.ppf` is "
            "welcome."
        ),
        answer="half_width",
        minutes=5,
        difficulty="easy",
        hints=(
            "First one array of differences. Then its standard deviation as a sample, and from that the "
            "standard error of the mean.",
            "The factor in front is a quantile of the t distribution with n − 1 degrees of freedom. 95 % in "
            "the middle leave 2.5 % on each side, so `ppf` is asked for 0.975.",
        ),
        source="""
import numpy as np
from scipy import stats

def half_width(treated, baseline):
    differences = treated - baseline
    n = len(differences)
    error = np.std(differences, ddof=1) / np.sqrt(n)
    return stats.t.ppf(0.975, n - 1) * error
""",
        grade=_grade_width,
    ),
    Exercise(
        name="2.2",
        title="How many seeds would I need?",
        question=(
            "Write `seeds_needed(differences, half_width)`: the smallest number of seeds at which the 95 % t "
            "interval of the mean is at most ± `half_width`. `differences` holds the paired differences seen "
            "so far; take their spread for the true one. Start counting at 2."
        ),
        answer="seeds_needed",
        minutes=10,
        difficulty="medium",
        hints=(
            "The spread stays as it is; what changes with n is the factor of the t distribution and the √n.",
            "No formula gives n directly, since the factor depends on n too. Count up from 2 and stop at the "
            "first n that is enough.",
        ),
        source="""
import numpy as np
from scipy import stats

def seeds_needed(differences, half_width):
    spread = np.std(differences, ddof=1)
    n = 2
    while stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n) > half_width:
        n = n + 1
    return n
""",
        grade=_grade_count,
    ),
    Exercise(
        name="2.3",
        title="Choose, then report",
        question=(
            "Write `chosen_on_validation(validation, test)`. Both are tensors of accuracies with one row for "
            "each seed and one column for each cell of a grid. Each seed chooses its own cell. Return the "
            "mean, over the seeds, of the number that may be reported."
        ),
        answer="chosen_on_validation",
        minutes=5,
        difficulty="medium",
        hints=(
            "Two steps for each seed: which column does it choose, and what does it report of that column? "
            "Only one of the two tensors has a say in each step.",
            "`tensor.argmax(1)` gives a column for each row. A loop over the rows is fine; `tensor.gather` "
            "does it without.",
        ),
        source="""
def chosen_on_validation(validation, test):
    columns = validation.argmax(1)
    reported = [row[column] for row, column in zip(test, columns)]
    return sum(reported) / len(reported)
""",
        grade=_grade_choice,
    ),
    Exercise(
        name="2.4",
        title="Five reports, one sound",
        question="""What is the flaw of each report? Choose from `"one seed"`, `"chosen on test"`,
`"not paired"`, `"weak baseline"` and `"none"`; each belongs to one report.

- **A**: "We tried 40 pairs of temperature and weight. The best, T = 8 and 0.25, gains 0.9 ± 0.3 on the 397
  test images, paired over 30 seeds."
- **B**: "T = 4 and 0.9 were fixed beforehand. The gain on test is 0.2 ± 0.3, paired over 30 seeds."
- **C**: "40 % of the labels are wrong. T = 4 and 0.9 were fixed beforehand. After 1,500 steps soft targets
  gain 12 ± 1 points over hard labels on test, paired over 30 seeds."
- **D**: "T was chosen on validation. On test the student has 94.0 %, its twin from the same start 93.2 %."
- **E**: "T was chosen on validation. On test, 30 students reach 94.0 %, and 30 baselines on thirty other
  splits 93.2 %."

Hand in `{"A": "…", …, "E": "…"}`.""",
        answer="flaws",
        minutes=5,
        difficulty="easy",
        hints=(
            "Ask of each: how many seeds, shared by both sides? Which images chose the setting? And was the "
            "other side given what it needs to do well?",
            "Four sections of this page show one flaw each. And one of the reports says little, but says it "
            "correctly.",
        ),
        source="""
flaws = {"A": "chosen on test", "B": "none"}
flaws |= {"C": "weak baseline", "D": "one seed", "E": "not paired"}
""",
        grade=_grade_reports,
    ),
)
