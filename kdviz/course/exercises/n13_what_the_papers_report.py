"""Notebook 13: misprints, and what a published sentence lacks."""

import numpy as np

from kdviz.course.exercises.diagnosis import LetterGrader, NumberGrader

# --- 13.1 misprints


def _table(rows, wrong, seed):
    """Rows with two decimals, and a printed gain that is wrong in the first few, up and down."""
    random = np.random.default_rng(seed)
    baseline = random.uniform(50, 95, rows).round(2)
    accuracy = (baseline + random.uniform(0.2, 6, rows)).round(2)
    printed = (accuracy - baseline).round(2)
    printed[:wrong] += np.where(np.arange(wrong) % 3, 0.1, -0.63)
    return {"baseline": baseline, "accuracy": accuracy, "printed": printed.round(2)}


def _misprints(baseline, accuracy, printed):
    return (abs(accuracy - baseline - printed) > 0.005).sum()


grade_misprints = NumberGrader(
    _misprints, calls=[_table(40, 5, 131), _table(73, 3, 132), _table(20, 7, 133)], samples_and_classes=False
)


@grade_misprints.mistake
def exactly(baseline, accuracy, printed):
    """You ask for exact equality, and computers do not hold two decimals exactly: 94.01 - 93.07 is not quite
    0.94. Allow for half of the last digit."""
    return (accuracy - baseline != printed).sum()


@grade_misprints.mistake
def the_right_ones(baseline, accuracy, printed):
    """You count the rows that are right. Those that are wrong are asked."""
    return len(baseline) - _misprints(baseline, accuracy, printed)


@grade_misprints.mistake
def too_large_only(baseline, accuracy, printed):
    """You find only gains that are printed too large. A misprint may also be too small: take the distance."""
    return (printed - (accuracy - baseline) > 0.005).sum()


@grade_misprints.mistake
def too_small_only(baseline, accuracy, printed):
    """You find only gains that are printed too small. A misprint may also be too large: take the distance."""
    return (accuracy - baseline - printed > 0.005).sum()


@grade_misprints.mistake
def share(baseline, accuracy, printed):
    """That is the share of the rows. Their number is asked: a sum, not a mean."""
    return _misprints(baseline, accuracy, printed) / len(baseline)


@grade_misprints.mistake
def of_the_accuracy(baseline, accuracy, printed):
    """You compare the printed gain with an accuracy. Subtract the baseline first."""
    return (abs(accuracy - printed) > 0.005).sum()


@grade_misprints.mistake
def how_far(baseline, accuracy, printed):
    """You add up how far off the gains are. How many are off is asked."""
    return abs(accuracy - baseline - printed).sum()


# --- 13.2 what is missing

grade_missing = LetterGrader(
    {
        "A": "the same recipe for both",
        "B": "several seeds",
        "C": "the runs that failed",
        "D": "the sizes",
    },
    choices=("several seeds", "the same recipe for both", "the sizes", "the runs that failed"),
    questions={
        "A": "Two papers, two houses. What else differs between them besides the loss?",
        "B": "One house, one recipe, two tenths of a point. What moves a single run that far?",
        "C": "All of them gained. Who would have printed the others?",
        "D": "Compressed means smaller. Which number is not there?",
    },
    one="lack",
    each="sentence",
)
