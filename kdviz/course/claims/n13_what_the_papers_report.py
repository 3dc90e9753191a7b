"""Page 13: reported numbers, which ship with the course; nothing is trained."""

from kdviz.course import published
from kdviz.course.claims import Claim
from kdviz.course.experiments import n13_what_the_papers_report as experiments

OBSERVED = experiments.observations()
ROWS = published.survey()
FIRST, SECOND = experiments.over_kd("RepDistiller"), experiments.over_kd("SSKD")
RANKINGS = experiments.two_rankings("RepDistiller", "SSKD")
SPREAD = ROWS.groupby(["dataset", "student"]).baseline_accuracy.agg(lambda found: found.max() - found.min())


def off():
    """By how many points each printed gain differs from its two accuracies."""
    return (ROWS.accuracy - ROWS.baseline_accuracy - ROWS.printed_gain).abs().round(2)


def median(dataset):
    return ROWS[ROWS.dataset == dataset].gain.median()


def plain(name):
    rows = published.benchmark(name)
    return rows[rows.method == "KD"]


EQUAL = published.benchmark("SSKD").merge(published.benchmark("RepDistiller"), on=["method", "accuracy"])


def spelled_alike(rows):
    """Whether both lists mean the same pair, which they spell each in its own way."""
    left, right = (
        rows[column]
        .str.lower()
        .str.replace("-", "")
        .str.replace("mobiele", "mobile")
        .str.replace("shufflev", "shufflenetv")
        for column in ("pair_x", "pair_y")
    )
    return left == right


CLAIMS = [
    Claim(
        "Three misprints. None of them changes what the survey says, but one is off by six points, and such a row could top a list.",
        stored="(off() > 0).sum() == 3 and off().max() == 6",
    ),
    Claim(
        "We gave each row the teacher of another row, and the correlation was as large.",
        stored="abs(experiments.gap_and_gain()[0] - experiments.gap_and_gain()[1].mean()) < 0.05",
    ),
    Claim(
        "The same name, the same data, no teacher: and the accuracies differ by up to fourteen points. The median gain is one point on CIFAR-10, and three and a half points on CIFAR-100.",
        stored=[
            "abs(SPREAD.max() - 14) < 0.5",
            'abs(median("CIFAR-10") - 1) < 0.15 and abs(median("CIFAR-100") - 3.5) < 0.1',
        ],
        differs="three and a half is 3.5; 10 and 100 are names of data sets",
    ),
    Claim(
        "Nine losses are in both lists, on the same networks and the same data. How alike are their "
        "two orders (rank correlation, 1 is the same)? → not alike, below 0.3\n"
        "The correlation is negative, and no further from 0 than exchanged names would give. Only "
        "the first place is the same.",
        stored=[
            'RANKINGS["the two recipes"] < 0 < 0.3 and (abs(RANKINGS["names exchanged"]) > abs(RANKINGS["the two recipes"])).mean() > 0.05',
            "[name for name in FIRST if name in SECOND][0] == [name for name in SECOND if name in FIRST][0]",
            "sum(a == b for a, b in zip([n for n in FIRST if n in SECOND], [n for n in SECOND if n in FIRST])) == 1",
        ],
    ),
    Claim(
        "Within RepDistiller the order is firm: half of its pairs predicts the other half, with 0.87. Across the two recipes nothing of it is left, for exchanged names give as much.",
        stored=[
            'abs(RANKINGS["halves of RepDistiller"].mean() - 0.87) < 0.02',
            'abs(RANKINGS["the two recipes"]) < abs(RANKINGS["names exchanged"]).max()',
        ],
    ),
    Claim(
        "Partly it is noise: the halves of the second list do not even agree with each other, since its nine losses lie within a point.",
        stored=[
            'RANKINGS["halves of SSKD"].mean() < 0.3 and RANKINGS["losses"] == 9',
            "max(SECOND[n].mean for n in FIRST if n in SECOND) - min(SECOND[n].mean for n in FIRST if n in SECOND) < 1.05",
        ],
    ),
    Claim(
        "Attention transfer loses two points in the first list, surely, and gains nearly one in the second, surely.",
        stored='abs(FIRST["AT"].mean + 2) < 0.3 and FIRST["AT"].high < 0 < SECOND["AT"].low and abs(SECOND["AT"].mean - 0.9) < 0.1',
    ),
    Claim(
        "On average one of twelve losses is above plain KD in the first list, and in the second all ten are.",
        stored=[
            "sum(found.mean > 0 for found in FIRST.values()) == 1 and len(FIRST) == 12",
            "all(found.mean > 0 for found in SECOND.values()) and len(SECOND) == 10",
        ],
    ),
    Claim(
        "All eleven accuracies of plain KD equal those of the first list, pair by pair, and of the other losses two, each on another pair. But no baseline is the same: the students of the second list were trained anew, and start higher.",
        stored=[
            "(EQUAL.method == 'KD').sum() == 11 == len(plain('SSKD')) and len(EQUAL) == 11 + 2",
            "spelled_alike(EQUAL[EQUAL.method == 'KD']).all() and not spelled_alike(EQUAL[EQUAL.method != 'KD']).any()",
            "not set(plain('SSKD').baseline_accuracy) & set(plain('RepDistiller').baseline_accuracy)",
            "plain('SSKD').baseline_accuracy.mean() > plain('RepDistiller').baseline_accuracy.mean()",
        ],
    ),
    Claim(
        "So plain KD comes from another house, and all others are measured against it from a better start.",
        stored="plain('SSKD').baseline_accuracy.mean() > plain('RepDistiller').baseline_accuracy.mean()",
    ),
    Claim(
        "Holds: within one recipe (RepDistiller, 13 pairs) CRD gains about a point over plain KD, and every other loss alone loses.",
        stored=[
            'abs(FIRST["CRD"].mean - 1) < 0.2 and FIRST["CRD"].low > 0 and FIRST["CRD"].count == 13',
            'all(found.high < 0 for name, found in FIRST.items() if name != "CRD")',
        ],
    ),
    Claim(
        'Does not hold: "the better loss of one list is the better loss of another". Of nine losses only the first keeps its place.',
        stored='RANKINGS["the two recipes"] < 0 < 0.3 and RANKINGS["losses"] == 9',
    ),
    Claim(
        'Does not hold as the rows show it: "the larger the gap, the larger the gain". Exchanged teachers show it as well.',
        stored="experiments.gap_and_gain()[1].mean() > experiments.gap_and_gain()[0] - 0.05",
    ),
]

EXEMPT = {}
