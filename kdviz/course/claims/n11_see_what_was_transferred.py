"""Page 11: thirty seeds are stored; ten are trained on the page, to be looked at."""

from kdviz.course.claims import Claim, gain, table

STUDENT, FEW, STOPPED, ALL = "student", "50 labels", "50 labels, stopped", "1,200 labels"
SOFT, HARD = "soft targets, T = 4", "hard labels"


def heard(minus, of="accuracy", steps=600):
    """The student minus another network of the cast."""
    return gain("transferred", STUDENT, minus=minus, of=of, steps=steps)


def mean(arm, of="accuracy", steps=600):
    return table("transferred", arm=arm, steps=steps)[of].mean()


def alike(minus, method="integrated_gradients", first=30):
    """How much more the student's attributions resemble its teacher's than another pair resembles each other."""
    rows = table("similar_attributions", method=method)
    return gain(rows[rows.seed < first], STUDENT, minus=minus, of="rank_correlation")


def similarity(arm, method="integrated_gradients"):
    return table("similar_attributions", method=method, arm=arm).rank_correlation.mean()


def threes(keep=10, steps=600, arm=SOFT, of="recall"):
    return gain("rare_class", arm, minus=HARD, of=of, keep=keep, steps=steps)


def found(arm, keep=10, steps=600):
    return table("rare_class", arm=arm, keep=keep, steps=steps).recall.mean()


def overconfident(arm, steps=600):
    return mean(arm, "confidence", steps) - mean(arm, "accuracy", steps)


MADE, MADE_ALONE = "made images, teacher", "made images, labels"


def tree(arm: str, minus: str, leaves: int, of: str = "stability"):
    """A tree beside another one with as many leaves."""
    return gain("trees", arm, minus=minus, of=of, leaves=leaves)


CLAIMS = [
    # 1. Fidelity
    Claim(
        "After 600 steps, which network agrees most with the good teacher? → the student with 1,200 "
        "labels, which never heard it\n"
        "By about one point of agreement; with four times the steps the two agree with it equally often.",
        stored=[
            'heard(ALL, "agreement").worse',
            'heard(ALL, "agreement").about(-1) and heard(ALL, "agreement", 2400).null and 2400 == 4 * 600',
        ],
        differs="1,200 labels is the arm; the difference after 2,400 steps is null, and the text of section 1 says so",
    ),
    Claim(
        "And the student of the poor teacher? → faithful and not good\n"
        "It gives its teacher's answer on nearly all images, the wrong answers too.",
        stored='mean("student of the poor teacher", "agreement_with_poor") > 94 and mean("student of the poor teacher") < 88',
    ),
    Claim(
        "It gives that teacher's answer on 96 % of the images and is wrong as often as the teacher is: high fidelity, low accuracy.",
        stored=[
            'abs(mean("student of the poor teacher", "agreement_with_poor") - 96) < 0.5',
            'abs(mean("student of the poor teacher") - mean("poor teacher")) < 0.5',
        ],
    ),
    Claim(
        "It agrees with the good teacher as often as that teacher's own student, or more, and it never heard it.",
        stored='mean(ALL, "agreement") >= mean(STUDENT, "agreement")',
    ),
    Claim(
        "Against 50 labels, stopped or not, the student gains about thirteen points of agreement. Against 1,200 labels it is one point behind, in agreement and in accuracy. But that rival had its 600 steps, and so had the student: with 2,400 steps each, both differences are null.",
        stored=[
            'heard(FEW, "agreement").about(13) and heard(STOPPED, "agreement").about(13)',
            'heard(ALL, "agreement", 600).about(-1) and heard(ALL, "accuracy", 600).about(-1)',
            'heard(ALL, "agreement", 2400).null and heard(ALL, "accuracy", 2400).null',
        ],
        differs="50 and 1,200 labels are the arms",
    ),
    Claim(
        'So "agrees with its teacher on 97 %" says nothing alone.',
        stored='abs(mean(STUDENT, "agreement") - 97) < 0.5',
    ),
    # 2. Attributions
    Claim(
        "Of two students with 50 labels and no teacher: how far do their attributions resemble each "
        "other (mean rank correlation)? → about 0.7\n"
        "Two networks that learned digits look at ink, whoever taught them.",
        stored='abs(similarity("two label-only students") - 100 * 0.7) < 3',
        differs="50 labels is the arm, and two are the students",
    ),
    Claim(
        "The student looks where its teacher looks, far more than label-only students of 50 labels do, stopped or not, and more than two of those resemble each other.",
        stored='all(alike(arm).mean > 10 and alike(arm).better for arm in (FEW, STOPPED, "two label-only students"))',
        differs="50 labels is the arm",
    ),
    Claim(
        "But the student with 1,200 labels, which never heard this teacher, looks there nearly as much: of 83 points of likeness less than one is the teacher's own.",
        stored="abs(similarity(STUDENT) - 83) < 1 and abs(alike(ALL).mean) < 1",
        differs="1,200 labels is the arm",
    ),
    Claim(
        "The same picture: the stranger is behind, by less than a point.",
        stored='alike(ALL, "occlusion").better and alike(ALL, "occlusion").mean < 1',
    ),
    Claim(
        "By the first five seeds the student is surely closer to its teacher than the stranger; by the first ten the difference is null; by twenty and by thirty it is sure again.",
        stored=[
            'alike(ALL, "occlusion", 5).better and alike(ALL, "occlusion", 10).null',
            'alike(ALL, "occlusion", 20).better and alike(ALL, "occlusion", 30).better',
        ],
    ),
    # 3. Calibration
    Claim(
        "The student heard targets at T = 4. Its mean confidence, beside its accuracy? → within 3 "
        "points of right\n"
        "It is about a point surer than it is right.",
        stored=[
            "abs(overconfident(STUDENT)) < 3",
            "abs(overconfident(STUDENT) - 1) < 0.5",
        ],
        differs="T = 4 is the cast's",
    ),
    Claim(
        "After 600 steps the student is a point surer than it is right: it takes over the teacher's confidence and is a little less accurate.",
        stored='abs(overconfident(STUDENT, 600) - 1) < 0.5 and heard("teacher").worse and abs(mean(STUDENT, "confidence") - mean("teacher", "confidence")) < 2',
    ),
    Claim(
        "Its calibration error is smaller than that of all three label-only students, by one to three points.",
        stored='all(heard(arm, "calibration_error").worse and -3.5 < heard(arm, "calibration_error").mean < -1 for arm in (FEW, STOPPED, ALL)) and 3 == len((FEW, STOPPED, ALL))',
    ),
    Claim(
        "The student with 1,200 labels was too modest after 600 steps because it was not yet done.",
        stored="overconfident(ALL, 600) < -2 < overconfident(ALL, 2400) and mean(ALL, steps=2400) > mean(ALL, steps=600)",
        differs="1,200 labels is the arm",
    ),
    Claim(
        "With 2,400 steps each, the difference in calibration between the two is null.",
        stored='heard(ALL, "calibration_error", 2400).null',
    ),
    Claim(
        "Against 50 labels it stays, also where these were stopped.",
        stored='heard(FEW, "calibration_error", 2400).worse and heard(STOPPED, "calibration_error", 2400).worse',
        differs="50 labels is the arm",
    ),
    # 4. Harm
    Claim(
        "The small student either learns the labels or hears the teacher at T = 4, and with the teacher it is about three points less accurate.",
        stored='threes(of="accuracy").about(-3)',
        differs="T = 4 is the arm",
    ),
    Claim(
        "The teacher recognises three quarters of the threes. How many does a student recognise "
        "with soft targets at T = 4, beside hard labels? → more than 15 points fewer\n"
        "Of the threes that hard labels find, it misses more than half.",
        stored=[
            "found(SOFT) < 0.5 * found(HARD)",
            "threes().mean < -15 and threes().worse",
        ],
        differs="threes are the digit",
    ),
    Claim(
        "Of the threes that hard labels find, more than half are missed, and no seed gains, while on the other nine digits the student is less than a point worse.",
        stored=[
            "found(SOFT) < 0.5 * found(HARD) and threes().above == 0",
            'threes(of="accuracy_on_others").worse and threes(of="accuracy_on_others").mean > -1',
        ],
        differs="nine digits",
    ),
    Claim(
        "A teacher that finds three quarters of them did not prevent it.",
        stored='abs(found("teacher") - 75) < 2 and threes().worse',
        differs="three quarters are 75 %",
    ),
    Claim("At T = 1 the difference is null.", stored='threes(arm="soft targets, T = 1").null'),
    Claim(
        "With their due share of images the threes pay about one point, and the other digits nearly as much: that is the usual price of soft targets after 600 steps (notebook 02).",
        stored='threes(120).about(-1) and threes(120, of="accuracy_on_others").about(-1)',
        differs="600 are the steps of the table",
    ),
    Claim(
        "Four times as many steps. How many of the missing threes are still missing? → less than a "
        "quarter\n"
        "Of twenty-five points about one is left.",
        stored="threes().about(-25) and abs(threes(steps=2400).mean + 1) < 0.6",
        differs="twenty-five is read as twenty and five; what is left is null, and the next text says so",
    ),
    Claim(
        "Of twenty-five points about one is left, and that difference is null: it may be nothing, and it may still be three points of harm.",
        stored="threes().about(-25) and threes(steps=2400).null and -2 < threes(steps=2400).mean < -0.5 and -4 < threes(steps=2400).low < -2.5",
        differs="twenty-five is read as twenty and five",
    ),
    Claim(
        "What is left afterwards thirty seeds cannot say.",
        stored="threes(steps=2400).null and threes(steps=2400).count == 30",
        differs="thirty are the seeds of the table",
    ),
    Claim(
        'The mean said "three points less"; the row of the rare digit said "more than half of it"; the longer run said "most of it not yet learned".',
        stored=[
            'threes(of="accuracy").about(-3) and found(SOFT) < 0.5 * found(HARD)',
            "abs(threes(steps=2400).mean) < 0.2 * abs(threes().mean)",
        ],
    ),
    # What holds
    Claim(
        "Holds on these digits: a student of a poor teacher copies its mistakes, and is faithful and no better.",
        stored='abs(mean("student of the poor teacher") - mean("poor teacher")) < 0.5 and mean("student of the poor teacher", "agreement_with_poor") > 94',
    ),
    Claim(
        "Null: against a student with 1,200 labels and 2,400 steps, agreement, accuracy and calibration.",
        stored='all(heard(ALL, of, 2400).null for of in ("agreement", "accuracy", "calibration_error"))',
        differs="1,200 labels is the arm",
    ),
    Claim(
        "After 600 steps the stranger with 1,200 labels agrees more, and after 2,400 the difference is null.",
        stored='heard(ALL, "agreement", 600).worse and heard(ALL, "agreement", 2400).null',
        differs="1,200 labels is the arm",
    ),
    Claim(
        "Holds at 600 steps: the harm to a rare digit. After 2,400 steps it shrinks from twenty-five points to about one, with an interval of two on either side.",
        stored=[
            "threes().about(-25, within=0.7) and threes().worse and abs(threes(steps=2400).mean + 1) < 0.6",
            "abs(threes(steps=2400).half - 2) < 0.5",
        ],
        differs="600 and 2,400 are the steps of the table; twenty-five is read as twenty and five",
    ),
    Claim(
        "The null of ten seeds never meant that there was no difference. It meant that ten seeds were too few to see one so small.",
        stored='alike(ALL, "occlusion", 10).null and alike(ALL, "occlusion", 30).better',
        differs="ten are the first seeds",
    ),
    Claim(
        "Holds, by less than a point of a hundred: after 600 steps the student's attributions are closer to the teacher's than those of the stranger with 1,200 labels.",
        stored='all(alike(ALL, method).better and alike(ALL, method).mean < 1 for method in ("integrated_gradients", "occlusion"))',
        differs="1,200 labels is the arm, and correlations are told times a hundred",
    ),
    Claim(
        "So most of the harm belongs to the run of 600 steps, in which the rare digit was not learned yet.",
        stored="abs(threes(steps=2400).mean) < 0.2 * abs(threes().mean) and found(HARD) < 50",
        differs="600 are the steps of the table",
    ),
    Claim(
        "Holds: with 50 labels, soft targets bring agreement, attributions and calibration closer to the teacher's.",
        stored=[
            'all(heard(arm, "agreement").better and heard(arm, "calibration_error").worse for arm in (FEW, STOPPED))',
            "alike(FEW).better and alike(STOPPED).better",
        ],
        differs="50 labels is the arm",
    ),
    Claim(
        "Made images that the teacher labels do make the tree stable: 26 points more than all labels with 16 leaves.",
        stored='tree(MADE, "all labels", 16).about(26, within=1)',
    ),
    Claim(
        "But the control does nearly the same without a teacher, with 21 points, and the difference of the two is null at 16 and 64 leaves; at 8 it is barely better, by 7 ± 7.",
        stored=[
            'tree(MADE_ALONE, "all labels", 16).about(21, within=1)',
            "tree(MADE, MADE_ALONE, 16).null and tree(MADE, MADE_ALONE, 64).null",
            "tree(MADE, MADE_ALONE, 8).about(7, within=0.6) and abs(tree(MADE, MADE_ALONE, 8).half - 7) < 0.6",
        ],
    ),
    Claim(
        "The price is paid at 16 leaves, where both are nearly seven points less accurate than all labels.",
        stored='all(tree(arm, "all labels", 16, "accuracy").about(-6.7, within=0.3) for arm in (MADE, MADE_ALONE))',
        differs="nearly seven is 6.7",
    ),
    Claim(
        "Soft targets are null against all labels, in stability and in accuracy, at every size: what the teacher knows about the wrong classes does not reach a tree.",
        stored='all(tree("soft targets", "all labels", n, of).null for n in (8, 16, 64) for of in ("stability", "accuracy"))',
    ),
    Claim(
        "The tree of 64 leaves agrees with its teacher on four images in five.",
        stored='abs(table("trees", leaves=64, arm=MADE).agreement.mean() - 80) < 2',
        differs="four in five is 80 %",
    ),
    Claim(
        'Does not hold here: "the teacher makes a tree stable". With 16 leaves 5,000 made images do it, and who labels them is null.',
        stored='tree(MADE_ALONE, "all labels", 16).better and tree(MADE, MADE_ALONE, 16).null and 5000',
    ),
]

EXEMPT = {
    "The networks of the cast were trained for 600 steps on thirty seeds, and once more for 2,400.": "what is done",
    "Two checks: the result is that of kdviz's function, which calls the library captum; and the pixels of each image add up to what the logit gained on the way.": "the next cell asserts the first and prints the second",
    "Now thirty seeds, and a second yardstick: the student with 1,200 labels.": "what is done",
    "Occlusion hides a window of 2 × 2 pixels and asks how far the logit falls.": "a definition",
    "It is complete as well: over all units of a layer it sums to what the logit gained.": "a property, which the next cell prints",
    "A network is calibrated if, of all answers that it gives with confidence 0.8, 80 % are right.": "a definition",
    'But before we write "distillation harms rare classes", one more control.': "an introduction",
    "Each class has some forty test images, so one image is two and a half points, and the worst of ten classes always looks bad.": "arithmetic",
    "In the table gap is the student's accuracy on a class minus the teacher's, and half is the half width of that class's own 95 % interval.": "what the columns mean",
    'Does not hold: "the student agrees with its teacher more than a stranger does".': "the next sentence has the numbers",
    "Find: the mean falls by three points.": "a question",
    "Lukasik et al. 2021, Teacher's pet: understanding and mitigating biases in distillation: harm to small groups.": "a reference",
}
