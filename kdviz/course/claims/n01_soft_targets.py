"""Page 01: everything is trained on the page, over thirty seeds."""

from kdviz.course.claims import Claim, Gain, gain

PERMUTED, SAME, SMOOTH = "permuted dark knowledge", "teacher with the same labels", "label smoothing"


def against(everybody, arm: str, labels: int, minus: str = "hard labels") -> Gain:
    """An arm of the page's experiment minus another."""
    return gain(everybody, arm, minus=minus, labels=labels)


def recalled(omitted, temperature, column: str = "recall") -> float:
    """The percentage of 3s found, on average; without a temperature by the students of hard labels."""
    rows = omitted[omitted.temperature.isna() if temperature is None else omitted.temperature == temperature]
    return rows[column].mean()


def most_frequent(first, second, digit: int) -> tuple[int, float]:
    """The second choice that is most frequent where a digit comes first, and its fraction."""
    counts = second[first == digit].bincount(minlength=10)
    return int(counts.argmax()), float(counts.max() / counts.sum())


CLAIMS = [
    Claim(
        "With fifty images the student learns the teacher's first choices better than its second ones.",
        live="len(digits.transfer) == 50 and (z_student.topk(2).indices[:, 0] == first).double().mean() > 0.1 + (z_student.topk(2).indices[:, 1] == second).double().mean()",
    ),
    # 1. Temperature, by hand
    Claim(
        "Ten classes. At T = 1 this teacher gives its first choice more than 97 % on average. And "
        "at T = 100? → about 11 %, hardly more than the others\n"
        "Logits divided by 100 are nearly equal, and so are the ten probabilities.",
        live="10 < 100 * softmax_at(z_teacher, 100).max(-1).values.mean() < 11.8",
        differs="about 11 % lies between 10 and 11.8",
    ),
    Claim(
        "*Entropy* measures softness in one number: 0 bits when one class has everything, $\\log_2 10 \\approx 3.32$ bits when all ten are equal.",
        live="abs(math.log2(10) - 3.32) < 0.005",
        differs="a definition, and the logarithm to the base 2",
    ),
    # 2. Dark knowledge
    Claim(
        "When the teacher's first choice is a 2, which digit is most often its second choice? → 3\n"
        "More than half of the images that the teacher takes for a 2 it would take for a 3 next.",
        live="most_frequent(first, second, 2)[0] == 3 and most_frequent(first, second, 2)[1] > 0.5",
    ),
    Claim(
        "A 2 is most often a 3 next, a 4 most often a 6.",
        live="most_frequent(first, second, 2)[0] == 3 and most_frequent(first, second, 4)[0] == 6",
    ),
    # 4. Why the factor
    Claim(
        "With the factor their size stays within one order of magnitude over the whole range. Without it they fall by a factor of thousands: raising $T$ would quietly switch the teacher off, or, in a sum with the hard labels, hand all the weight to the labels.",
        live="max(size) / min(size) < 10 and max(bare) / min(bare) > 2000",
    ),
    # 5. What very high temperatures do
    Claim(
        "At T = 64 all classes look alike. Where does the gradient of the soft targets, with its "
        "T², point? → almost where logit matching points\n"
        "The factor T² keeps its size, and a few degrees are all that is left between the two.",
        live="max(size) / min(size) < 10 and angles[temperatures.index(64)] < 6",
        differs="2 is the power of T, and two are the gradients",
    ),
    Claim(
        "At low $T$ the two gradients are about 40 degrees apart; at 64 hardly any angle is left.",
        live="abs(angles[0] - 40) < 4 and angles[temperatures.index(64)] < 6",
    ),
    # 8. Does it help?
    Claim(
        "50 labels. How does the student with soft targets compare with hard labels, on average? → "
        "4 to 10 points better\n"
        "About six, on every one of the thirty seeds.",
        live='4 < gain(live, "soft targets", minus="hard labels").mean < 10 and gain(live, "soft targets", minus="hard labels").about(6, within=0.8, seeds=30)',
    ),
    Claim(
        "And the control, whose teacher has its dark knowledge permuted, against hard labels? → null\n"
        "With the ranking shuffled, the same softness shows no sure gain.",
        live='gain(live, "permuted dark knowledge", minus="hard labels").null',
    ),
    Claim(
        "With 50 labels every one of the thirty students gained, six points on average.",
        live='against(everybody, "soft targets", 50).about(6, within=0.8, seeds=30)',
    ),
    Claim(
        "The gain shrinks as labels grow.",
        live='all(against(everybody, "soft targets", more).mean < against(everybody, "soft targets", fewer).mean for fewer, more in ((50, 100), (100, 200), (200, 1200)))',
        differs="the gain is the size that shrinks",
    ),
    Claim(
        "There the soft targets *cost* about a point of accuracy in this recipe, and label smoothing gains a little.",
        live='against(everybody, "soft targets", 1200).about(-1, within=0.4) and against(everybody, "label smoothing", 1200).about(0.4, within=0.3)',
    ),
    Claim("With 50 labels, permuted dark knowledge is null.", live="against(everybody, PERMUTED, 50).null"),
    Claim(
        "With 100 and 200 it is *not* null: keeping only the teacher's confidence in each image already gains, about one and a half points and half a point.",
        live="against(everybody, PERMUTED, 100).about(1.5) and against(everybody, PERMUTED, 200).about(0.5, within=0.4) and not against(everybody, PERMUTED, 200).null",
    ),
    Claim(
        "The teacher with the same labels gains about a point with 50 labels, of the six: most of the gain comes from the labels that only the large teacher saw.",
        live='against(everybody, SAME, 50).about(1) and against(everybody, "soft targets", 50).about(6, within=0.8)',
    ),
    Claim(
        "With 1,200 labels both teachers are the same network, so both rows agree.",
        live='against(everybody, "soft targets", 1200, minus=SAME).mean == 0',
    ),
    Claim(
        "With few labels soft targets beat every control, and with 1,200 they are worse than label smoothing.",
        live=[
            'all(against(everybody, "soft targets", few, minus=arm).better for few in (50, 100, 200) for arm in controls)',
            'against(everybody, "soft targets", 1200, minus=SMOOTH).worse',
        ],
    ),
    Claim(
        "**Remember:** soft targets help where the teacher knows what the labels do not say, and most of it is which class resembles which.",
        live=[
            'against(everybody, "soft targets", 50).better and not against(everybody, "soft targets", 1200).better',
            'all(against(everybody, "soft targets", few, minus=PERMUTED).mean > against(everybody, "soft targets", few).mean / 2 for few in (50, 100, 200))',
        ],
    ),
    # 9. The omitted digit
    Claim(
        "T = 4, and not a single 3 in training. How many of the 3s in the test does the student get "
        "right? → about 5 in 6\n"
        "The twin with hard labels gets none of them right.",
        live="abs(recalled(omitted, 4) - 100 * 5 / 6) < 5 and recalled(omitted, None) < 0.5",
        differs="5 in 6 are 83 %",
    ),
    Claim(
        "Hard labels find no 3, and at $T = 1$ the student finds fewer than one in fifty.",
        live="recalled(omitted, None) < 0.5 and recalled(omitted, 1) < 100 / 50",
        differs="3 is the name of the digit",
    ),
    Claim(
        "At 4 it recognises 85 % of them, at 8 about 90 %.",
        live="abs(recalled(omitted, 4) - 85) < 2.5 and abs(recalled(omitted, 8) - 90) < 2.5",
    ),
    Claim(
        "It lifts $T = 1$ from almost nothing to more than four 3s in five: that student could tell a 3, but its bias never let it answer so.",
        live='recalled(omitted, 1) < 2 and recalled(omitted, 1, "recall_after") > 100 * 4 / 5',
        differs="3 is the name of the digit",
    ),
    Claim(
        "No image and no answer ever told it of a 3, and after the correction it finds about half of them, perhaps because a 3 fits none of the other nine digits well.",
        live='abs(recalled(omitted, None, "recall_after") - 50) < 8',
        differs="3 is the name of the digit, nine are the other digits",
    ),
    # 10. Look at the mistakes
    Claim(
        "The hard-label student files the 3s under digits that look like one, mostly the same ones that the distilled student's few mistakes fall into.",
        live="given['student'][3] > 0.5 * len(threes) and sum(n for digit, n in enumerate(given['hard labels'].tolist()) if digit != 3 and given['student'][digit]) > 0.5 * len(threes)",
        differs="mistakes fall into digits; nothing is compared",
    ),
    Claim(
        "Both lists have entries: a better mean is an exchange.",
        live="won.sum() > 0 and lost.sum() > 0",
    ),
    # What holds
    Claim(
        "**Holds** on these digits: with few labels, soft targets from a teacher that saw more beat hard labels, on every seed at 50 and at 100 labels.",
        live='all(against(everybody, "soft targets", few).above >= 29 for few in (50, 100)) and against(everybody, "soft targets", 200).better',
    ),
    Claim(
        "**Holds**: the ranking of the wrong classes matters. With it permuted, more than half of the gain is gone at 50, 100 and 200 labels.",
        live='all(against(everybody, "soft targets", few, minus=PERMUTED).mean > against(everybody, "soft targets", few).mean / 2 for few in (50, 100, 200))',
    ),
    Claim(
        "**Holds**: a digit never seen can be learned from what the teacher says about others, at $T \\ge 2$.",
        live="min(recalled(omitted, t) for t in (2, 4, 8)) > 50",
    ),
    Claim(
        "**Only partly**: most of the gain is the teacher's extra labels. With the student's own labels only, it is a point or less.",
        live=[
            "all(against(everybody, SAME, few).mean < 1.3 for few in (50, 100, 200))",
            'all(against(everybody, "soft targets", few, minus=SAME).mean > against(everybody, "soft targets", few).mean / 2 for few in (50, 100, 200))',
        ],
    ),
    Claim(
        "**Null**: label smoothing and permuted dark knowledge with 50 labels; the teacher with the same labels with 200.",
        live="against(everybody, SMOOTH, 50).null and against(everybody, PERMUTED, 50).null and against(everybody, SAME, 200).null",
    ),
    Claim(
        '**Does not hold**: "soft targets always help". With all 1,200 labels and 600 steps they cost accuracy.',
        live='against(everybody, "soft targets", 1200).worse and 600 == kd.training.updates.STEPS',
    ),
    Claim(
        "**Build**: $T^2$; without it the gradient falls about like $1 / T^2$.",
        live="max(size) / min(size) < 10 and max(bare) / min(bare) > 2000",
        differs="2 is the power of T",
    ),
]

EXEMPT = {
    "The learning rate falls along half a cosine, as it does in all of this course's trainings.": "what the code does",
    "Which is better, page 02 measures.": "an announcement",
    "Each dot is a seed, the large mark their mean, the bar its 95 % interval.": "a legend",
    "Where the interval contains zero, we write null: these seeds cannot tell it from no effect.": "a definition",
    "Its gain is what soft targets do without extra labels behind them.": "a definition",
    "We use no label: one number is added to the logit of class 3, so that its mean probability on the unlabelled training images is 10 %, the fraction that one expects of one digit in ten.": "how the correction is made",
    "A mean hides who gained and who lost.": "logic, no result",
    "Look at the images that were lost.": "an instruction",
    "Judge: a blog reports +0.8 points on one seed.": "a question",
}
