"""Numbers that papers and repositories report, as they report them; every row has its source.

The tables are in ``data/published``: facts copied from the survey of Gou et al. 2021 (Tables 5 and 6), from
Alkhulaifi et al. 2021, and from the README files of repositories. Here they get the names of the course.
"""

from functools import cache

import pandas as pd

from kdviz.course.paths import course_folder

NAMES = {
    "category": "knowledge",
    "teacher_acc": "teacher_accuracy",
    "student_baseline_acc": "baseline_accuracy",
    "distilled_acc": "accuracy",
}
ROW = ["method", "dataset", "teacher", "student"]
KNOWLEDGE = {"ResK": "response", "FeaK": "feature", "RelK": "relation"}

BENCHMARKS = {
    "RepDistiller": ("HobbitLong/RepDistiller", "KD"),
    "SSKD": ("xuguodong03/SSKD", "KD"),
    "Zoo": ("AberHu/Knowledge-Distillation-Zoo", "ST"),
}
"""Repositories that ran many losses on CIFAR-100, each under one recipe, and their name for plain KD."""


@cache
def _read(name):
    return pd.read_csv(course_folder() / "data" / "published" / f"{name}.csv").rename(columns=NAMES)


def survey() -> pd.DataFrame:
    """The 73 rows of Tables 5 and 6 of Gou et al. 2021, in percent.

    ``printed_gain`` is the gain as the survey prints it. Three of these are misprints: they are not the
    difference of the accuracies printed beside them.
    """
    rows = _read("survey-results")
    rows = rows[rows.source.str.startswith("Gou et al.")].reset_index(drop=True)
    gain = (rows.accuracy - rows.baseline_accuracy).round(2)
    printed = rows[ROW].merge(_read("printed_gains"), on=ROW, how="left").printed_gain
    return _named(rows).assign(gain=gain, printed_gain=printed.fillna(gain))


def sized() -> pd.DataFrame:
    """The rows of benchmarks for which the parameters of teacher and student are known, in percent."""
    rows = _read("extra_benchmarks").dropna(subset=["teacher_params", "student_params", "baseline_accuracy"])
    gain = (rows.accuracy - rows.baseline_accuracy).round(2)
    return _named(rows).assign(gain=gain, share=rows.student_params / rows.teacher_params)


def benchmark(name: str) -> pd.DataFrame:
    """What one repository reports for CIFAR-100, in percent; ``over_kd`` is accuracy minus plain KD's."""
    if name not in BENCHMARKS:
        raise ValueError(f"no benchmark is called {name!r}; there are {', '.join(BENCHMARKS)}")
    repository, plain = BENCHMARKS[name]
    rows = _read("repository-results")
    rows = rows[(rows.source_repo == repository) & (rows.dataset == "CIFAR-100")]
    rows = rows[~rows.method.str.startswith("DML")]  # peers: they have no teacher
    numbers = ["teacher_accuracy", "baseline_accuracy", "accuracy"]
    pair = rows.teacher + " → " + rows.student
    rows = rows.assign(pair=pair, **{column: rows[column].astype(float) for column in numbers})
    rows["over_kd"] = rows.accuracy - rows.pair.map(rows[rows.method == plain].set_index("pair").accuracy)
    rows["method"] = rows.method.replace({plain: "KD", "Fitnet": "FitNet"})
    rows["source"] = rows.source_repo + ", " + rows.source_file
    return rows[["method", "pair", "teacher", "student", *numbers, "over_kd", "source"]].reset_index(
        drop=True
    )


def reductions() -> pd.DataFrame:
    """What Alkhulaifi et al. 2021 report: relative reductions of accuracy and size, in percent."""
    return _read("alkhulaifi_reductions").rename(columns=lambda name: name.split("(")[0])


def _named(rows):
    """The kind of knowledge in words, several joined by +."""
    kinds = rows.knowledge.replace(KNOWLEDGE, regex=True)
    return rows.assign(knowledge=kinds).drop(columns="FOUND|RECALLED")
