"""Page 04: hints and attention are stored tables; the regressor and the match are trained on the page."""

import pandas as pd

from kdviz.course.claims import Claim, Gain, difference, gain, table
from kdviz.course.experiments import n04_features as experiments

TWO, ONE = "hard labels", "hard labels in one stage"
HINT, SIMILAR, SHUFFLED = (
    f"{first}, then hard labels" for first in ("hint", "similarities", "shuffled hint")
)


def hint(weight: float, labels: int = 50, base: str = "hard labels") -> Gain:
    """What a hint adds to its base."""
    return gain("knowledge", {"arm": "hint", "weight": weight}, minus="none", labels=labels, base=base)


def best(arm: str, labels: int = 50, base: str = "hard labels", name: str = "knowledge") -> Gain:
    """What a kind of knowledge adds to its base, at the weight that validation chose."""
    return gain(experiments.chosen(table(name)), arm, minus="none", labels=labels, base=base)


def soft(labels: int, over: str = "none") -> Gain:
    """Soft targets minus something on hard labels, at its chosen weight."""
    rows = experiments.chosen(table("knowledge", labels=labels))
    return difference(_of(rows, "soft targets", "none"), _of(rows, "hard labels", over))


def control(pairs: str, weight: float) -> Gain:
    """Hints of other images minus hard labels alone."""
    wrong = table("shuffled_pairs", arm="hint", base="hard labels", pairs=pairs, weight=weight)
    return difference(_accuracy(wrong), _accuracy(_alone(50)))


def untrained(weight: float) -> Gain:
    return difference(_accuracy(table("untrained_knowledge", weight=weight)), _accuracy(_alone(50)))


def right_minus_untrained(weight: float) -> Gain:
    right = table("knowledge", arm="hint", base="hard labels", labels=50, weight=weight)
    return difference(_accuracy(right), _accuracy(table("untrained_knowledge", weight=weight)))


def rival(arm: str, steps: int, stopped: str, labels: int) -> Gain:
    """The hint at weight 1 minus a student without a teacher."""
    right = table("knowledge", arm="hint", base="hard labels", labels=labels, weight=1.0)
    return difference(_accuracy(right), _accuracy(_rows(arm, steps, stopped, labels)))


def over_labels(arm: str, steps: int, stopped: str, labels: int) -> Gain:
    """A student without a teacher minus hard labels."""
    return difference(_accuracy(_rows(arm, steps, stopped, labels)), _accuracy(_alone(labels)))


def rivals() -> list[Gain]:
    arms = ("hard labels", "label smoothing")
    return [
        rival(arm, steps, stop, n)
        for arm in arms
        for steps in (600, 2400)
        for stop in ("no", "yes")
        for n in (50, 100)
    ]


def thin(arm: str, minus: str) -> Gain:
    return gain("deep_and_thin", arm, minus=minus)


def spread(arm: str, minus: str) -> pd.Series:
    """The differences of the seeds."""
    wide = table("deep_and_thin").pivot(index="seed", columns="arm", values="accuracy")
    return wide[arm] - wide[minus]


def patient(stopped: str) -> Gain:
    """With twice the steps: hint first minus labels in one stage."""
    return gain("deep_and_patient", HINT, minus=ONE, stopped=stopped)


def early_over_patient(stopped: str) -> Gain:
    """Hint first at 1,500 steps minus labels at 3,000."""
    late = table("deep_and_patient", arm=ONE, stopped=stopped)
    return difference(_accuracy(table("deep_and_thin", arm=HINT)), _accuracy(late))


def attention(maps: str, base: str = "hard labels") -> Gain:
    return best(f"attention, {maps}", 100, base, "attention")


def right_minus_shuffled(base: str) -> Gain:
    rows = experiments.chosen(table("attention"))
    return gain(rows, "attention, first maps", minus="attention, shuffled", base=base)


def loud(maps: str) -> Gain:
    here = {"arm": f"attention, {maps}", "weight": 10.0}
    return gain("attention", here, minus="none", base="hard labels")


def _alone(labels):
    return table("knowledge", arm="none", base="hard labels", labels=labels)


def _rows(arm, steps, stopped, labels):
    return table("labels_alone", arm=arm, steps=steps, stopped=stopped, labels=labels)


def _of(rows, base, arm):
    return _accuracy(rows[(rows.base == base) & (rows.arm == arm)])


def _accuracy(rows):
    return rows.set_index("seed").accuracy.sort_index()


CLAIMS = [
    # 1-3. The regressor, and the match as it forms (trained on the page)
    Claim(
        "An untrained student of 16 numbers: how much of the teacher's layer can a regressor "
        "explain? → about a third\n"
        "A random layer still keeps a good part of what distinguishes two images, and a regressor "
        "finds it.",
        live='0.25 < explained(views["untrained student"]) < 0.45',
        differs="two images are no count",
    ),
    Claim(
        "The hint raises the fraction far above the untrained student's, and above what the 16 principal components of the pixels give, so the student did learn.",
        live=[
            'explained(views["hint"]) > explained(views["untrained student"]) + 0.2',
            'explained(views["hint"]) > explained(views["16 components"])',
        ],
    ),
    Claim(
        "But the plain 64 pixels explain about as much, and 256 random units explain more.",
        live=[
            'abs(explained(views["64 pixels"]) - explained(views["hint"])) < 0.08',
            'explained(views["256 random units"]) > explained(views["hint"])',
        ],
        differs="64 and 256 are the sizes",
    ),
    # 4. Does it help?
    Claim(
        "Fifty labels plus a hint, weights from 0.01 to 10. What do you expect? → a gain that grows "
        "and then stays\n"
        "On thirty seeds it grows from about one point at weight 0.01 to between five and six at 1, "
        "and at 10 it is still five.",
        stored=[
            "hint(0.01).mean < hint(0.1).mean < hint(1.0).mean",
            "hint(10.0).better",
            "hint(0.01).about(1.3, within=0.3)",
            "5 < hint(1.0).mean < 6",
            "hint(10.0).about(5, within=0.4)",
            'table("knowledge").seed.nunique() == 30',
        ],
    ),
    Claim(
        "At weight 1 they gain several points, on nearly every seed.",
        stored="hint(1.0).mean > 3 and hint(1.0).above >= 28",
    ),
    Claim(
        "With 50 and 100 hard labels the gain grows up to weight 1.",
        stored="all(hint(0.01, n).mean < hint(0.1, n).mean < hint(1.0, n).mean > hint(10.0, n).mean for n in (50, 100))",
    ),
    Claim(
        "With 1,000 labels it is half a point at 0.1, and at 10 the hint costs almost a point.",
        stored=["hint(0.1, 1000).about(0.55, within=0.2)", "hint(10.0, 1000).about(-0.8, within=0.2)"],
        differs="half a point is 0.55, and almost a point is 0.8",
    ),
    Claim(
        "Added to soft targets it gains a point at best, and costs one to two at 10.",
        stored=[
            'max(hint(w, n, "soft targets").mean for w in (0.01, 0.1, 1.0) for n in (50, 100, 1000)) < 1.3',
            'all(hint(10, n, "soft targets").worse for n in (50, 100, 1000))',
            'all(-2.5 < hint(10, n, "soft targets").mean < -0.8 for n in (50, 100, 1000))',
        ],
        differs="one to two are -1.0, -1.2 and -2.3",
    ),
    Claim(
        "A hint gains nearly six points over 50 or 100 hard labels.",
        stored='all(best("hint", n).about(5.7, within=0.3) for n in (50, 100))',
        differs="nearly six is 5.6 and 5.7",
    ),
    Claim(
        "Soft targets by themselves gain more.",
        stored='all(soft(n, over="hint").better for n in (50, 100)) and soft(50).mean > 6',
    ),
    Claim(
        "Together they are a point better than soft targets with 100 labels; with 50 and with 1,000 that is null.",
        stored=[
            'best("hint", 100, "soft targets").about(1, within=0.3)',
            'best("hint", 50, "soft targets").null and best("hint", 1000, "soft targets").null',
        ],
    ),
    Claim(
        "Relations gain about as much as hints: notebook 05 has the whole table.",
        stored='all(abs(best(arm, n).mean - best("hint", n).mean) < 1.5 for arm in ("distances", "similarities", "neighbours") for n in (50, 100))',
        differs="their gains are the claims of page 05; better is asked by their distance",
    ),
    Claim("The hint is ahead of every one of them.", stored="all(one.better for one in rivals())"),
    Claim(
        "More steps and an early stop gain nothing that is sure over hard labels here, but label smoothing does: almost two points with 600 steps.",
        stored=[
            'not any(over_labels("hard labels", s, stop, n).better for s in (600, 2400) for stop in ("no", "yes") for n in (50, 100) if (s, stop) != (600, "no"))',
            'all(over_labels("label smoothing", 600, "no", n).about(1.8, within=0.3) for n in (50, 100))',
        ],
        differs="almost two is 1.7 and 1.8",
    ),
    Claim(
        "So beside the strongest student without a teacher, about four of the hint's nearly six points are left.",
        stored="abs(min(one.mean for one in rivals()) - 4) < 0.5",
        differs="nearly six is the claim above",
    ),
    # 5. The control
    Claim(
        "Both controls fail, as they should: at every weight they are surely below hard labels.",
        stored='all(control(pairs, w).worse for pairs in ("shuffled", "shuffled within a class") for w in (0.01, 0.1, 1.0, 10.0)) and control("shuffled", 0.01).mean < -1',
    ),
    Claim(
        "Even features of another image of the same digit cost one point at the smallest weight and nine at the largest.",
        stored=[
            'control("shuffled within a class", 0.01).about(-1, within=0.3)',
            'control("shuffled within a class", 10.0).about(-9, within=0.5)',
        ],
    ),
    Claim(
        "So what helps is to have the features of the image itself.",
        stored='control("shuffled", 1.0).worse and hint(1.0).mean > 0 and hint(1.0).better',
    ),
    Claim(
        "Yet a control that costs twenty-five points at weight 1 is a poison, and cannot stand for an additional task that does no harm.",
        stored='control("shuffled", 1.0).about(-25, within=1)',
        differs="twenty-five is read as twenty and five",
    ),
    Claim(
        "Such hints are null at the two small weights, and at 1 and 10 they cost three and six points.",
        stored=[
            "untrained(0.01).null and untrained(0.1).null",
            "untrained(1.0).about(-3, within=0.5)",
            "untrained(10).about(-6, within=0.5)",
        ],
        differs="two counts the weights",
    ),
    Claim(
        "At every weight the trained teacher's hint is surely better than the untrained network's.",
        stored="all(right_minus_untrained(w).better for w in (0.01, 0.1, 1.0, 10.0))",
    ),
    # 6. Deep and thin
    Claim(
        "Hints first gain about ten points on average. Where does the mean come from? → from nearly "
        "all seeds, and one of them adds very much\n"
        "29 of 30 seeds gain. One of them gains 81 points, and the median is about six.",
        stored=[
            "thin(HINT, TWO).about(10, within=1, seeds=29) and sum(spread(HINT, TWO) > 40) == 1",
            "thin(HINT, TWO).better and thin(HINT, TWO).above == 29 and len(spread(HINT, TWO)) == 30",
            "abs(spread(HINT, TWO).max() - 81) < 1",
            "abs(spread(HINT, TWO).median() - 6) < 0.5",
        ],
        differs="it is asked as a count",
    ),
    Claim(
        "One student in thirty never starts: it says one digit for every image, which is right 10 % of the time.",
        stored='sum(table("deep_and_thin", arm=TWO).accuracy < 30) == 1 and abs(table("deep_and_thin", arm=TWO).accuracy.min() - 10) < 1 and table("deep_and_thin").seed.nunique() == 30',
    ),
    Claim(
        "With hints first it happens to none, which may be luck (one in thirty is rare), and the whole cloud moves to the right, which is not.",
        stored='table("deep_and_thin", arm=HINT).accuracy.min() > 80 and thin(HINT, TWO).better',
        differs="one in thirty is the claim above",
    ),
    Claim(
        "Hard labels has the two schedules of the others; in one stage the same labels do better by two points, so the restart costs something by itself.",
        stored="thin(ONE, TWO).about(2, within=0.6)",
        differs="costs is the other side of better",
    ),
    Claim(
        "Hint first beats both opponents, on nearly every seed; the median gains are six and four points.",
        stored=[
            "thin(HINT, TWO).better and thin(HINT, TWO).above >= 28",
            "thin(HINT, ONE).better and thin(HINT, ONE).above >= 28",
            "abs(spread(HINT, TWO).median() - 6) < 0.5 and abs(spread(HINT, ONE).median() - 4) < 0.5",
        ],
    ),
    Claim(
        "Similarities first shows why one looks at seeds: over two schedules the interval of the mean is null and the signed ranks are sure, since one seed that gains 78 points makes any mean uncertain.",
        stored=[
            "thin(SIMILAR, TWO).null",
            "abs(spread(SIMILAR, TWO).max() - 78) < 1 and spread(SIMILAR, TWO).max() > 0",
        ],
        live="stats.wilcoxon(spread(SIMILAR, TWO)).pvalue < 0.05",
        differs="two counts the schedules",
    ),
    Claim(
        "Over one stage they are null by both.",
        stored="thin(SIMILAR, ONE).null",
        live="stats.wilcoxon(spread(SIMILAR, ONE)).pvalue > 0.05",
    ),
    Claim(
        "The control: shuffled hints are null against labels with two schedules, worse than one stage, and eleven points worse than right hints.",
        stored=[
            "thin(SHUFFLED, TWO).null",
            "thin(SHUFFLED, ONE).worse",
            "thin(SHUFFLED, HINT).about(-11, within=0.6)",
        ],
        differs="two counts the schedules",
    ),
    Claim(
        "Soft targets, the winner of section 4, are null against both opponents here: these seeds cannot tell whether they help.",
        stored='thin("soft targets", TWO).null and thin("soft targets", ONE).null',
    ),
    Claim(
        "The hint first is about eight points better than they are.",
        stored='thin(HINT, "soft targets").about(8, within=0.6)',
    ),
    Claim(
        "With 3,000 steps for both, hint first is still more than six points ahead, on 28 of 30 seeds.",
        stored="all(patient(stop).better and patient(stop).mean > 6 and patient(stop).above == 28 for stop in ('no', 'yes')) and set(table('deep_and_patient').steps) == {3000} and table('deep_and_patient').seed.nunique() == 30",
    ),
    Claim(
        "Its students of 1,500 steps are surely ahead of the labels of 3,000, stopped or not.",
        stored="all(early_over_patient(stop).better for stop in ('no', 'yes'))",
        differs="1,500 and 3,000 are the steps of the two tables",
    ),
    # 7. Attention
    Claim(
        "100 labels. Attention transfer at its best weight, over hard labels: the gain? → one or "
        "two points\n"
        "Between the first maps it is +1.4 ± 0.9, on thirty seeds. Then look at its control.",
        stored=[
            'attention("first maps").about(1.5, within=0.5)',
            'attention("first maps").about(1.4, within=0.1) and abs(attention("first maps").half - 0.9) < 0.06 and table("attention").seed.nunique() == 30',
        ],
        differs="one or two are 1.0 to 2.0",
    ),
    Claim(
        "A point or two, or null. Between the first maps, of 8 × 8 places, the gain over hard labels is sure. Between the second, of 4 × 4, it is null.",
        stored=[
            '0 < attention("first maps").low and attention("first maps").mean < 2',
            'attention("second maps").null',
        ],
        differs="8 × 8 and 4 × 4 are sizes",
    ),
    Claim(
        "Now the control, the first maps of other images: over hard labels its gain is null as well, with nearly the same mean, and right minus shuffled is null.",
        stored=[
            'attention("shuffled").null and abs(attention("shuffled").mean - attention("first maps").mean) < 0.6 and attention("shuffled").mean > 0',
            'right_minus_shuffled("hard labels").null',
        ],
    ),
    Claim(
        "So thirty seeds cannot say that it was the teacher's attention that helped.",
        stored='right_minus_shuffled("hard labels").null and table("attention").seed.nunique() == 30',
    ),
    Claim(
        "Over soft targets they can: there the right maps are a point better than shuffled ones.",
        stored='right_minus_shuffled("soft targets").about(1, within=0.3)',
    ),
    Claim(
        "And at the largest weight the second maps cost more than ten points over hard labels.",
        stored='loud("second maps").worse and loud("second maps").mean < -10',
        differs="ten is asked as -10",
    ),
    # 8. Mistakes
    Claim(
        "A gain is an exchange here too: many images are won, and some are given away.",
        live="won.sum() > lost.sum() > 0",
    ),
    # What holds
    Claim(
        "Holds on these digits: with 50 or 100 hard labels a hint gains several points, over a wide range of weights, and shuffled hints cost points.",
        stored=[
            "all(hint(w, n).better and hint(w, n).mean > 3 for w in (0.1, 1.0, 10.0) for n in (50, 100))",
            'control("shuffled", 0.01).worse and control("shuffled", 0.01).mean < -1',
        ],
    ),
    Claim(
        "Holds: over deep thin students that learn from labels, hints first gain on nearly all seeds at equal steps, and shuffled hints do not.",
        stored=[
            "thin(HINT, TWO).above >= 28 and thin(HINT, ONE).above >= 28",
            "not thin(SHUFFLED, TWO).better",
        ],
    ),
    Claim(
        "Only partly: a hint on top of soft targets. It gains a point with 100 labels, and is null with 50 and 1,000.",
        stored=[
            'best("hint", 100, "soft targets").about(1, within=0.3)',
            'best("hint", 50, "soft targets").null and best("hint", 1000, "soft targets").null',
        ],
    ),
    Claim(
        "Only partly: attention transfer. It gains a point or two, and over hard labels right minus shuffled maps is null.",
        stored=['attention("first maps").about(1.5, within=0.5)', 'right_minus_shuffled("hard labels").null'],
        differs="a point or two is 1.0 to 2.0",
    ),
    Claim(
        "Null: soft targets for deep thin students; attention between the second maps.",
        stored=[
            'thin("soft targets", TWO).null and thin("soft targets", ONE).null',
            'attention("second maps").null and attention("second maps", "soft targets").null',
        ],
    ),
    Claim(
        'Does not hold: "a falling hint loss shows that the student learns". Random units and a regressor can do that.',
        live='explained(views["256 random units"]) > explained(views["hint"])',
    ),
]
EXEMPT = {
    "So for these students twice the steps do not replace the hint; more were not tried on thirty seeds.": "sums up the two claims before it",
    "Remember: two stages need an opponent with as many steps, and a look at every seed.": "advice",
    "Now all of it with 30 seeds, with more labels, and with soft targets in the place of hard ones.": "an announcement",
    "(A processor of another kind rounds differently, which can turn the answers to a few test images; one of 397 is a quarter of a point.)": "arithmetic; the tolerance is that of the table",
    '"We added a hint with weight 10, and it hurt" would be true, and would say nothing about hints.': "sums up the claims before it",
    "Two pairs of layers, three weights, two bases: with that much choice, a gain whose interval just leaves zero out is a reason to measure again, not a finding.": "how the experiment is made, and advice",
    "Remember: a picture that convinces is no gain, and a gain without its control is no attention.": "advice",
    "One weight was chosen for all seeds by validation images, and the splits of the seeds overlap. kd.losses.feature holds a dozen more losses on features: put one in the place of hint in the second code cell, where the three students are trained.": "how the experiment is made",
    "Sweep: a friend added a hint with weight 10 to soft targets and lost a point.": "a question",
    "Judge: attention transfer gains a point, its shuffled control almost as much.": "a question",
    "At a tenth and at 1 the same hint may gain.": "advice: it says may",
    "Better still, labels with as many steps as they need.": "advice",
    "If it contains zero, these seeds cannot say that the attention helped.": "a definition",
}
