"""What published numbers can say: no network is trained here, reported rows are counted and compared."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from kdviz.course.published import benchmark, survey
from kdviz.measure import paired


def observations() -> pd.DataFrame:
    """The survey's rows by data set and scheme: how many, how many with a gain, and the median gain."""
    rows = survey()
    return rows.groupby(["dataset", "scheme"]).gain.agg(
        rows="size", with_gain=lambda gain: (gain > 0).sum(), median="median"
    )


def knowledge_by_scheme() -> pd.DataFrame:
    """Of each scheme's rows, how many transfer features, and how many responses (a row may do both)."""
    rows = survey()
    has = {kind: rows.knowledge.str.contains(kind) for kind in ("feature", "response")}
    return pd.DataFrame({**has, "rows": 1}).groupby(rows.scheme).sum()


def gap_and_gain(draws: int = 1000, seed: int = 0) -> tuple[float, np.ndarray]:
    """Rank correlation of capacity gap and gain over the rows that state a teacher; and with other teachers.

    The gap is the teacher's accuracy minus the student's without it. The control gives each row the accuracy
    of another row's teacher on the same data set, drawn ``draws`` times.
    """
    rows = survey().dropna(subset=["teacher_accuracy"]).reset_index(drop=True)
    random = np.random.default_rng(seed)
    by_dataset = rows.groupby("dataset").teacher_accuracy

    def correlation(teacher):
        return spearmanr(teacher - rows.baseline_accuracy, rows.gain).statistic

    exchanged = [correlation(by_dataset.transform(random.permutation)) for _ in range(draws)]
    return correlation(rows.teacher_accuracy), np.array(exchanged)


def over_kd(name: str) -> dict:
    """Of each loss in a benchmark, accuracy minus plain KD's over the pairs it ran on; best first."""
    rows = benchmark(name)
    plain = rows[rows.method == "KD"].set_index("pair").accuracy
    found = {
        method: paired(own.accuracy.to_numpy(), plain[own.pair].to_numpy())
        for method, own in rows.groupby("method")
        if method != "KD" and len(own) >= 5
    }
    return dict(sorted(found.items(), key=lambda item: -item[1].mean))


def two_rankings(first: str, second: str, draws: int = 1000, seed: int = 0) -> dict:
    """Rank correlations of the losses that two benchmarks share, by their mean over plain KD.

    "the two recipes" is one number. The others are drawn: "halves of" a benchmark compares the means over one
    half of its pairs with those over the other half; "names exchanged" gives the second benchmark's numbers
    to other losses.
    """
    one, other = (
        benchmark(name).pivot(index="pair", columns="method", values="over_kd") for name in (first, second)
    )
    shared = [name for name in one if name in other and name != "KD"]
    one, other, random = one[shared], other[shared], np.random.default_rng(seed)

    def correlation(left, right):
        return spearmanr(left, right).statistic

    def halved(table):
        order = random.permutation(len(table))
        return correlation(*(table.iloc[half].mean() for half in np.array_split(order, 2)))

    return {
        "losses": len(shared),
        "the two recipes": correlation(one.mean(), other.mean()),
        f"halves of {first}": np.array([halved(one) for _ in range(draws)]),
        f"halves of {second}": np.array([halved(other) for _ in range(draws)]),
        "names exchanged": np.array(
            [correlation(one.mean(), random.permutation(other.mean())) for _ in range(draws)]
        ),
    }
