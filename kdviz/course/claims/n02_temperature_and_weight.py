"""Page 02: the landscape over 50 labels is trained on the page; the other regimes are stored."""

from kdviz.course.claims import Claim, Gain, difference, gain, table
from kdviz.course.experiments.n02_temperature_and_weight import SOFT_WEIGHTS, TEMPERATURES

HARD = {"temperature": 1.0, "soft_weight": 0.0}


def cell(regime: str, temperature: float, weight: float) -> Gain:
    """What a cell of a stored landscape gains over its baseline."""
    here = {"temperature": temperature, "soft_weight": weight}
    return gain("landscape", here, minus=HARD, regime=regime)


def row(regime: str, temperature: float) -> list[Gain]:
    return [cell(regime, temperature, weight) for weight in SOFT_WEIGHTS]


def warm(regime: str) -> list[Gain]:
    """All cells of a stored landscape from T = 2 on."""
    return [one for temperature in TEMPERATURES[1:] for one in row(regime, temperature)]


def live_row(accuracy, temperature: float) -> list[Gain]:
    """The gains of a row of the landscape that is trained on the page."""
    return [difference(accuracy[temperature, weight], accuracy[1.0, 0.0]) for weight in SOFT_WEIGHTS]


def noisy(arm: str, minus: str, steps: int, stop: str = "", rival: str = "stop") -> Gain:
    """With wrong labels: an arm minus another at the end, or stopped at its best validation step."""
    rows = table("label_noise", steps=steps)
    ends = rows[rows.step == steps], rows.loc[rows.groupby(["arm", "seed"]).validation_accuracy.idxmax()]
    treated, baseline = (
        ends[when == "stop"].query("arm == @name").set_index("seed").accuracy
        for when, name in ((stop, arm), (rival, minus))
    )
    return difference(treated, baseline)


def chosen(name: str, by: str, baseline, **where) -> tuple[Gain, Gain]:
    """Of a stored grid: the choice on validation minus the baseline, and best on test minus that choice."""
    rows = table(name, **where)
    first = rows.set_index("seed")[lambda one: one[by] == baseline].accuracy
    grid = rows[rows[by] != baseline]
    honest = table(grid, best="validation_accuracy").set_index("seed").accuracy
    return difference(honest, first), difference(grid.groupby("seed").accuracy.max(), honest)


def settings():
    return chosen("landscape", "soft_weight", 0.0, regime="all labels")


def copies():
    return chosen("other_orders", "copy", 0)


CLAIMS = [
    # The landscape
    Claim(
        "No seed loses there. It is the corner at T = 1 with weight 0.1, where most seeds give exactly the same accuracy with and without the teacher.",
        live=["(gains[4.0, 0.9] < 0).sum() == 0", "(gains[1.0, 0.1] == 0).mean() > 0.5"],
    ),
    Claim(
        "Temperature matters: at $T = 1$ the gain is at most about one point, at $T = 4$ about six points, and from 8 to 16 the landscape is nearly flat.",
        live=[
            "max(one.mean for one in live_row(accuracy, 1.0)) < 1.6",
            "all(one.about(6, within=1.5) for one in live_row(accuracy, 4.0))",
            "all(abs(a.mean - b.mean) < 0.8 for a, b in zip(live_row(accuracy, 8.0), live_row(accuracy, 16.0), strict=True))",
        ],
    ),
    Claim(
        "The weight hardly matters once $T$ is high: at $T = 8$ a tenth of the loss is enough for six of the seven points.",
        live=[
            "difference(accuracy[8.0, 0.1], accuracy[1.0, 0.0]).about(6, within=0.8)",
            "difference(accuracy[8.0, 1.0], accuracy[1.0, 0.0]).about(7, within=0.8)",
        ],
    ),
    # 1. One cell, by hand
    Claim(
        "Here the two agree to a tenth of a point.",
        live="abs(half(kd.measure.bootstrap(soft, hard)) - half(kd.measure.paired(soft, hard))) < 0.2",
    ),
    Claim(
        "For the temperature it is not null: at $T = 16$ the student gains about a point over the recipe of notebook 01, which was not the best one.",
        live=[
            "not difference(accuracy[16.0, 0.9], soft).null",
            "difference(accuracy[16, 0.9], soft).about(1)",
        ],
    ),
    Claim("For the weight it is null.", live="difference(soft, accuracy[4.0, 0.5]).null"),
    # 2. One seed lies
    Claim(
        "How many different best settings do the thirty people publish? → 11 to 24\n"
        "They publish about twenty different settings. The landscape is flat at the top, and on one "
        "seed luck decides which of many equally good cells looks best.",
        live=[
            "11 <= gains.idxmax(axis=1).nunique() <= 24",
            "abs(gains.idxmax(axis=1).nunique() - 20) <= 4",
        ],
    ),
    Claim(
        "The thirty people publish about twenty different settings, and even the favourite has only a few votes.",
        live=[
            "len(gains) == 30",
            "abs(gains.idxmax(axis=1).nunique() - 20) <= 4",
            "gains.idxmax(axis=1).value_counts().max() < 7",
        ],
    ),
    Claim(
        "The size of the gain is no safer: the same cell gives one person a point and another twelve.",
        live=["0.5 < gains[4.0, 0.9].min() < 2", "abs(gains[4.0, 0.9].max() - 12) < 1"],
    ),
    Claim(
        "Only the *sign* is safe where the effect is as large as here: from $T = 2$ on, no seed loses in any cell.",
        live="(gains[list(temperatures[1:])] < 0).to_numpy().sum() == 0 and temperatures[1] == 2",
    ),
    Claim(
        "Where the effect is small, not even the sign is safe.",
        live="(gains[1.0, 0.25] < 0).sum() >= 3",
    ),
    Claim(
        "Over thirty seeds the gain is small and sure, as its cell in the explorer says.",
        live=["difference(accuracy[1.0, 0.25], hard).about(0.2, within=0.2)", "len(hard) == 30"],
    ),
    Claim(
        "But six people in thirty would have reported that soft targets *harm*, and seven that they change nothing.",
        live=[
            "abs((cold[0.25] < 0).sum() - 6) <= 2",
            "abs((cold[0.25] == 0).sum() - 7) <= 3 and len(cold) == 30",
        ],
    ),
    # 3. Paired beats unpaired
    Claim(
        "Some splits are easy, some hard, and some fifty images teach more than others: the baseline itself runs from 77 to 88 %.",
        live=[
            "abs(hard.min() - 77) < 1",
            "abs(hard.max() - 88) < 1",
            "len(few_labels(seed=0).labelled) == 50",
        ],
    ),
    Claim(
        "T = 1, weight 0.9: a gain of about 1 point, sure in pairs. Is it still sure without the "
        "pairs? → no, it is null\n"
        "The interval of the unpaired difference is about five times as wide and contains zero.",
        live=[
            "Gain(**vars(kd.measure.unpaired(weak, hard))).null",
            "abs(half(kd.measure.unpaired(weak, hard)) / half(kd.measure.paired(weak, hard)) - 5) < 1",
        ],
    ),
    Claim(
        "At $T = 1$ the pairs make the interval about five times narrower: the two accuracies rise and fall together, with a correlation of 0.97.",
        live=[
            "abs(half(kd.measure.unpaired(weak, hard)) / half(kd.measure.paired(weak, hard)) - 5) < 1",
            "abs(hard.corr(weak) - 0.97) < 0.015",
        ],
    ),
    Claim(
        "At $T = 4$ the pairs help much less.",
        live="half(kd.measure.unpaired(accuracy[4.0, 0.9], hard)) < 2 * half(kd.measure.paired(soft, hard))",
    ),
    Claim(
        "At $T = 4$, where the student goes its own way, pairs save less than half of the seeds.",
        live="kd.measure.seeds_needed(accuracy[4.0, 0.9] - hard, 0.5) > 0.5 * kd.measure.seeds_needed(accuracy[4.0, 0.9].to_numpy() - np.roll(hard, 1), 0.5)",
    ),
    # 4. Three regimes
    Claim(
        "All 1,200 labels. In how many of the 64 cells do soft targets surely beat hard labels? → "
        "in none\n"
        "At T = 1 every cell is null, and from T = 2 on every cell is surely worse than hard labels.",
        stored=[
            'all(one.null for one in row("all labels", 1))',
            'all(one.worse for one in warm("all labels")) and TEMPERATURES[1] == 2',
        ],
    ),
    Claim(
        "Notebook 01 showed that hard labels find no 3 at all: about ten points of accuracy are missing, and a high $T$ wins nearly nine of them back.",
        stored='all(one.about(9, within=0.5) for one in row("omitted digit", 16)[2:])',
        differs="a tenth of the test images are 3s; that none is found, page 01 claims",
    ),
    Claim(
        "At $T = 1$ all cells are null: what the teacher says about 3s is then too small to be learned.",
        stored='all(one.null for one in row("omitted digit", 1))',
        differs="3 is the name of the digit",
    ),
    Claim(
        "In between the weight *does* matter: at $T = 2$ it decides between half a point and more than five points.",
        stored=[
            'cell("omitted digit", 2, 0.1).about(0.5, within=0.1)',
            'cell("omitted digit", 2, 1.0).mean > 5',
        ],
    ),
    Claim(
        "Not a single cell gains.",
        stored='not any(one.better for t in TEMPERATURES for one in row("all labels", t))',
    ),
    Claim(
        "At $T = 1$ every cell is null, for a teacher that is sure of itself says what the labels say.",
        stored='all(one.null for one in row("all labels", 1))',
    ),
    Claim(
        "From $T = 2$ on every cell is surely *worse* than hard labels, but not by much: full colour is one point here, not nine.",
        stored=[
            'all(one.worse for one in warm("all labels")) and TEMPERATURES[1] == 2',
            'abs(min(one.mean for one in warm("all labels")) + 1) < 0.1',
            'abs(max(one.mean for one in warm("omitted digit")) - 9) < 0.1',
        ],
    ),
    Claim(
        "It is the same code, the same digits and the same two numbers as above, so whether soft targets help belongs to the regime, not to the method.",
        stored='all(one.better for one in warm("omitted digit")) and all(one.worse for one in warm("all labels"))',
        differs="the two numbers are temperature and weight",
    ),
    # 5. Was it impatience?
    Claim(
        "That soft targets cost accuracy with all labels asks for an explanation.",
        stored='gain("longer_training", "soft targets", minus="hard labels", steps=600).worse',
    ),
    Claim(
        "All labels, T = 4, weight 0.9. What becomes of the missing accuracy after 1,800 and 3,600 "
        "steps? → the gap closes\n"
        "After 3,600 steps the difference is null.",
        stored='gain("longer_training", "soft targets", minus="hard labels", steps=3600).null',
    ),
    Claim(
        "The gap closes. After 1,800 steps soft targets are still slightly worse, and after 3,600 the difference is **null**.",
        stored=[
            'gain("longer_training", "soft targets", minus="hard labels", steps=1800).about(-0.2, within=0.1)',
            'gain("longer_training", "soft targets", minus="hard labels", steps=3600).null',
        ],
    ),
    Claim(
        "So most of the cost at 600 steps was impatience: the explanation has survived a test that it could have failed. But patience brought the student only back to its baseline, at six times the steps. Whether a small gain hides in the last interval, thirty seeds cannot say.",
        stored=[
            'gain("longer_training", "soft targets", minus="hard labels", steps=600).about(-0.9, within=0.1)',
            'gain("longer_training", "soft targets", minus="hard labels", steps=6 * 600).null',
            'gain("longer_training", "soft targets", minus="hard labels", steps=3600).count == 30',
        ],
    ),
    # 6. A gain that is something else
    Claim(
        "After 1,500 steps, how do soft targets compare with hard labels? → better by 10 to 15 points\n"
        "On every seed. Whether distillation deserves the credit is the question of this section.",
        stored='10 < noisy("soft targets", "hard labels", 1500, rival="end").mean < 15 and noisy("soft targets", "hard labels", 1500, rival="end").below == 0',
    ),
    Claim(
        "Soft targets gain about twelve points, on thirty of thirty seeds.",
        stored='noisy("soft targets", "hard labels", 1500, rival="end").about(12, seeds=30)',
    ),
    Claim(
        "In the control the teacher trained on, and its student ends nine points below the other one.",
        stored='noisy("teacher trained longer", "soft targets", 1500, rival="end").about(-9)',
    ),
    Claim(
        "At 600 steps nothing sure is left: the gain is **null**, whether the student stops as well or not.",
        stored=[
            'noisy("soft targets", "hard labels", 600).null',
            'noisy("soft targets", "hard labels", 600, stop="stop").null',
        ],
    ),
    Claim(
        "At 1,500 steps about half a point of the twelve remains, and that too does not depend on who stops.",
        stored=[
            'noisy("soft targets", "hard labels", 1500).about(0.5, within=0.2)',
            'noisy("soft targets", "hard labels", 1500, stop="stop").about(0.5, within=0.2)',
            'noisy("soft targets", "hard labels", 1500, rival="end").about(12)',
        ],
    ),
    # 7. Best on test, or chosen on validation?
    Claim(
        "Back to all labels, where no cell gains.",
        stored='not any(one.better for t in TEMPERATURES for one in row("all labels", t))',
    ),
    Claim(
        "Best on test of the 64 copies, minus the baseline: the mean over 30 seeds? → surely above "
        "0, by less than 2 points\n"
        "There is nothing to gain, and yet the best of 64 throws is above the mean of the throws.",
        live=[
            'difference(grids["64 copies"]["best on test"], grids["64 copies"]["hard labels"]).better',
            'difference(grids["64 copies"]["best on test"], grids["64 copies"]["hard labels"]).mean < 2',
        ],
    ),
    Claim(
        "The 64 copies are one method 64 times, yet the best of them on test beats the baseline *surely*.",
        live='difference(grids["64 copies"]["best on test"], grids["64 copies"]["hard labels"]).better',
    ),
    Claim(
        "Chosen on validation they are null, as one expects of a method compared with itself.",
        stored="copies()[0].null",
    ),
    Claim(
        "The 64 settings seem to gain a little when the best is picked on test, and are surely worse than the baseline, by a little, when chosen honestly.",
        live='difference(grids["64 settings"]["best on test"], grids["64 settings"]["hard labels"]).about(0.2)',
        stored="settings()[0].about(-0.3, within=0.1)",
    ),
    Claim(
        "With 50 labels the gain is real and stays above seven points when the cell is chosen honestly; picking on test adds about a point that is not there.",
        live=[
            'difference(few_grid["chosen on validation"], few_grid["hard labels"]).mean > 7',
            'difference(few_grid["best on test"], few_grid["chosen on validation"]).about(1)',
            "len(few_labels(seed=0).labelled) == 50",
        ],
    ),
    Claim(
        "This bias can never be negative, since nothing on test beats the best on test, and in none of the three grids is it null.",
        stored="copies()[1].better and settings()[1].better",
        live=[
            "len([few_grid, *grids]) == 3",
            'not difference(few_grid["best on test"], few_grid["chosen on validation"]).null',
        ],
    ),
    Claim(
        "It makes a good method look better, a harmful one harmless, and no method at all look good.",
        stored="copies()[1].better and settings()[0].worse and settings()[1].better",
    ),
    # 8. Look at the mistakes
    Claim("Here the least gain belongs to seed 0, the seed that most people run.", live="least == 0"),
    Claim(
        "And it is an exchange: far more 5s and 8s are right, and fewer 1s.",
        live="all(found['student'][digit] > found['hard labels'][digit] + 0.04 for digit in (5, 8)) and found['student'][1] < found['hard labels'][1]",
    ),
    Claim(
        "A digit has about 40 test images, so that one image is two and a half points, and this is *one* seed.",
        live="(test.labels.bincount() - 40).abs().max() <= 2 and abs(100 / 40 - 2.5) < 0.1",
    ),
    # What holds
    Claim(
        "**Holds** on these digits: with 50 labels, or a digit never seen, soft targets gain, from $T = 2$ on in every cell.",
        live="all(one.better for t in temperatures[1:] for one in live_row(accuracy, t)) and temperatures[1] == 2 and len(few_labels(seed=0).labelled) == 50",
        stored='all(one.better for one in warm("omitted digit"))',
    ),
    Claim(
        "**Holds**: in both of these regimes a high temperature gains with any weight.",
        live="all(one.better for one in live_row(accuracy, 16.0))",
        stored='all(one.better for one in row("omitted digit", 16))',
    ),
    Claim(
        "**Null**: everything at $T = 1$ where the labels are all given or a digit is omitted.",
        stored='all(one.null for regime in ("all labels", "omitted digit") for one in row(regime, 1))',
    ),
    Claim(
        '**Does not hold**: "soft targets help" with all labels. They cost up to a point at 600 steps, and the '
        "difference is null at 3,600.",
        stored=[
            'min(one.mean for one in warm("all labels")) > -1.1 and max(one.high for one in warm("all labels")) < 0',
            'gain("longer_training", "soft targets", minus="hard labels", steps=600).worse',
            'gain("longer_training", "soft targets", minus="hard labels", steps=3600).null',
        ],
    ),
    Claim(
        '**Does not hold**: "they are robust to wrong labels", as an advantage over hard labels that stop in '
        "time. Of twelve points half a point is left.",
        stored=[
            'noisy("soft targets", "hard labels", 1500, rival="end").about(12)',
            'noisy("soft targets", "hard labels", 1500).about(0.5, within=0.2)',
        ],
    ),
    Claim(
        "Fifty labels. Where is the gain over hard labels largest? → at high T, with nearly any weight\n"
        "Up a column the gain grows a lot, and along a row it hardly changes. The landscape below "
        "shows it.",
        live="min(one.mean for one in live_row(accuracy, 16.0)[1:]) > max(one.mean for one in live_row(accuracy, 1.0))",
        differs="what grows and what hardly changes is the gain, and nothing is gained or lost beside it",
    ),
]

EXEMPT = {
    "Now we try eight of each, which makes 64 cells, and give every seed its baseline: the same student on hard labels only.": "how the experiment is made",
    "Colour is the mean gain over the baseline, in percentage points, on the test images.": "a legend",
    "A hatched cell is null: its 95 % interval contains zero, so these seeds cannot tell its gain from none.": (
        "a definition"
    ),
    "Find the null cell, and look at its seeds.": "an instruction",
    "Each seed i gives one difference d_i, student minus baseline, and the mean of these differences is the gain.": "a definition",
    "With the standard deviation s of the d_i and n seeds, the 95 % interval is": "a definition",
    "Here s/sqrt n is the standard error of the mean, and the factor t, about 2 for thirty seeds, makes an interval of it.": "a definition",
    "A gain over the baseline does not yet compare two cells with each other.": "logic, no result",
    "Remember: a gain is a mean over seeds with its interval, and two settings are compared by their own paired difference.": "a definition",
    "That was 65 students a seed, 30 seeds, trained as a few large tensors.": "how the experiment is made",
    "Thirty seeds are a luxury, and many a published table rests on one run for each cell.": "no result of ours",
    "Remember: with one seed neither the best setting nor the size of a gain can be trusted, and the sign only where the effect is large.": "sums up the claims of this section",
    "Decide how narrow the interval has to be, say ± 0.5 points, and ask with the spread you have seen.": (
        "an instruction"
    ),
    "Here are two more, each with the same 65 students and 30 seeds.": "how the experiment is made",
    "Another processor rounds differently, which can turn the answer to an image or two, so a row may differ a little (one of 397 test images is a quarter of a point).": "arithmetic; the tolerance is that of the table",
    "The means over thirty seeds hardly notice.": "the tolerance is that of the table",
    "Now the opposite: a large gain that deserves suspicion.": "an announcement; the next cells measure it",
    "40 % of the training labels are wrong, for teacher and student alike; validation and test labels are right.": "how the experiment is made",
    "Before you do, look at how the baseline lost them.": "an instruction",
    "A gain over a baseline is always a claim about the baseline as well, so ask what it could have done.": (
        "advice"
    ),
    "Nothing was gained: the luckiest was picked, and luck does not come back.": (
        "by construction: the copies are one method"
    ),
    "A mean hides who gained.": "logic, no result",
    "Take the seed on which T = 4 and 0.9 gained least, and train its two students again.": "an instruction",
    "And 64 intervals of 95 % are 64 chances to be wrong: three cells that are sure by accident would be no surprise.": "arithmetic: 5 % of 64",
    "Spot: a paper tunes on test and gains 0.5.": "a question",
    "Compare: name a regime in which T = 4 loses, and why.": "a question",
    "It does not say that there is no effect.": "a definition",
    "Remember: a better mean is an exchange of mistakes; look which.": "sums up the claim of this section",
}
