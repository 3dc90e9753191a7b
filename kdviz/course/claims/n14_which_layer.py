"""Page 14: three stored tables, and one training of learned weights."""

import pandas as pd

from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n14_which_layer as experiments

PAIRS = [(mine, theirs) for mine in (1, 2, 3) for theirs in (1, 2, 3)]
CONTROLS = ("shuffled", "untrained")
WEIGHTS = {"hint": 10.0, "similarities": 1000.0}
LABELS = {"arm": "hard labels"}
SCALED = "ALP, layers of one size"


def cell(loss, *pair, minus=LABELS, pairs="right"):
    """A cell of a map, over hard labels or over another arm."""
    own = experiments.best_on_validation(table("layer_pairs", arm=loss, pairs=pairs), ["arm"], ["weight"])
    cell = {"student_layer": pair[0], "teacher_layer": pair[1]}
    return over(table(own, **cell), minus)


def at(loss, *pair):
    """A cell of the first map, to be compared with."""
    cell = {"student_layer": pair[0], "teacher_layer": pair[1]}
    return {"arm": loss, "pairs": "right", "weight": WEIGHTS[loss], **cell}


def over(rows, minus, base="layer_pairs"):
    """These rows, one a seed, minus an arm of a stored table."""
    both = pd.concat([rows.assign(side="own"), table(base, **minus).assign(side="other")])
    return gain(both, {"side": "own"}, minus={"side": "other"})


def honest(loss, minus=LABELS, pairs="right"):
    """What validation chooses of a loss, over another arm."""
    return over(experiments.chosen_pairs(table("layer_pairs", arm=loss, pairs=pairs)), minus)


def choice(loss):
    row = experiments.chosen_pairs(table("layer_pairs", arm=loss, pairs="right")).iloc[0]
    return row.student_layer, row.teacher_layer


def mixed(arm, minus=None, pairs="right"):
    """An arm of section 2 at its chosen weight, over hard labels or over another such arm."""
    rows = experiments.chosen_weights(table("learned_layers", pairs=pairs))
    return over(table(rows, arm=arm), LABELS) if minus is None else gain(rows, arm, minus=minus)


def on_maps(arm, minus="hard labels", pairs="right"):
    """An arm of section 3 at its chosen weight, over another with the right teacher."""
    rows = experiments.chosen_weights(table("feature_losses"))
    return gain(rows, {"arm": arm, "pairs": pairs}, minus={"arm": minus, "pairs": "right"})


def ahead(arm):
    """The right teacher minus the untrained one, each at its chosen weight."""
    rows = experiments.chosen_weights(table("feature_losses", arm=arm))
    return gain(rows, {"pairs": "right"}, minus={"pairs": "untrained"})


def spread(values):
    return max(values) - min(values)


GAINING = [one for one in experiments.MAPS if on_maps(one).mean > 4]

CLAIMS = [
    Claim(
        "All nine pairs gain, and both controls lose in every cell.",
        stored=[
            'len(PAIRS) == 9 and all(cell("hint", *pair).better for pair in PAIRS)',
            'all(cell("hint", *pair, pairs=control).worse for pair in PAIRS for control in CONTROLS)',
        ],
    ),
    Claim(
        "Even a pair that looks wrong, the student's last layer from the teacher's first, is worth eight points.",
        stored='cell("hint", 3, 1).about(8, within=0.3)',
    ),
    Claim(
        "Middle to middle gains ten and a half, and the worst pair nearly six.",
        stored=[
            'cell("hint", 2, 2).about(10 + 0.5, within=0.3)',
            'cell("hint", 2, 2).mean == max(cell("hint", *pair).mean for pair in PAIRS)',
            '5.7 < min(cell("hint", *pair).mean for pair in PAIRS) < 6',
        ],
    ),
    Claim(
        "The middle pair is the best again, at eleven points, but the worst is worth only three.",
        stored=[
            'cell("similarities", 2, 2).about(11, within=0.5)',
            'cell("similarities", 2, 2).mean == max(cell("similarities", *pair).mean for pair in PAIRS)',
            'abs(min(cell("similarities", *pair).mean for pair in PAIRS) - 3) < 0.3',
        ],
    ),
    Claim(
        "At the middle pair the difference between the two is null; from the teacher's last to the student's first layer the hint is nearly three points ahead.",
        stored=[
            'cell("similarities", 2, 2, minus=at("hint", 2, 2)).null',
            'cell("hint", 1, 3, minus=at("similarities", 1, 3)).about(2.7, within=0.2)',
        ],
    ),
    Claim(
        "The choice of layers moves the similarities by eight points.",
        stored='cell("similarities", 2, 2, minus=at("similarities", 1, 3)).about(8, within=0.5)',
    ),
    Claim(
        "The choice between the two losses, at their best pair, is null.",
        stored='cell("similarities", 2, 2, minus=at("hint", 2, 2)).null',
    ),
    Claim(
        "Similarities of a network that has learned nothing gain four points between the last layers.",
        stored='cell("similarities", 3, 3, pairs="untrained").about(4, within=0.4)',
    ),
    Claim(
        "For the hint validation takes the student's last layer from the teacher's middle one, and loses less than a point to the best cell, which is null.",
        stored=[
            'choice("hint") == (3, 2)',
            'honest("hint", at("hint", 2, 2)).null and -1 < honest("hint", at("hint", 2, 2)).mean < 0',
        ],
    ),
    Claim(
        "Over last from last, the pair one takes by habit, it is a point ahead.",
        stored='honest("hint", at("hint", 3, 3)).about(1.2, within=0.3)',
    ),
    Claim(
        "And the row of soft targets, which need no layer at all: they gain as much as the chosen hint, and the chosen similarities are a point or two better.",
        stored=[
            'honest("hint", {"arm": "soft targets"}).null and abs(honest("hint", {"arm": "soft targets"}).mean) < 0.2',
            'honest("similarities", {"arm": "soft targets"}).about(1.6, within=0.5)',
        ],
        differs="no layer is what they need",
    ),
    Claim(
        "Remember: nearly any pair helps, the habit costs a point or two, and a map of test accuracies is no choice.",
        stored=[
            "all(cell(loss, *pair).better for loss in WEIGHTS for pair in PAIRS)",
            'cell("hint", 2, 2, minus=at("hint", 3, 3)).about(1.8, within=0.3) and cell("similarities", 2, 2, minus=at("similarities", 3, 3)).about(1.0, within=0.3)',
        ],
        differs="that a map is no choice is advice",
    ),
    Claim(
        "Within twenty steps all three layers of the student listen to the teacher's first layer and to hardly anything else.",
        live="all(float(1 - heard[20][:, i, 1:].sum(1).mean()) > 0.9 for i in range(3)) and any(float(1 - heard[2][:, i, 1:].sum(1).mean()) < 0.5 for i in range(3))",
        differs="the layers are the teacher's three",
    ),
    Claim(
        "It has by far the smallest numbers.",
        live="all(float(kd.trace(teacher, fifty.test.inputs, experiments.HIDDEN).features[one].square().mean()) > 5 * float(kd.trace(teacher, fifty.test.inputs, experiments.HIDDEN).features['activation1'].square().mean()) for one in experiments.HIDDEN[1:])",
    ),
    Claim(
        "Hard labels and ALP, beside the same loss with its weights held at a third. Which gains more? → the equal weights",
        stored='mixed("equal weights", "ALP").better and mixed("equal weights").better',
        differs="a third is the weight",
    ),
    Claim("The learned weights are null over hard labels.", stored='mixed("ALP").null'),
    Claim(
        "The same loss with equal weights gains eleven points.",
        stored='mixed("equal weights").about(11, within=0.3)',
    ),
    Claim(
        "ALP is null over hard labels, and so is its control, for which the teacher spoke of other images.",
        stored='mixed("ALP").null and mixed("ALP", pairs="shuffled").null',
    ),
    Claim(
        "With equal weights the same loss gains eleven points, and it is ahead of ALP on every seed.",
        stored='mixed("equal weights").about(11, within=0.3) and mixed("equal weights", "ALP").above == 30',
    ),
    Claim(
        "Scaled to one size here, ALP gains nine points, and its control loses seven.",
        stored=[
            "mixed(SCALED).about(9, within=0.4)",
            'mixed(SCALED, pairs="shuffled").about(-7, within=0.6)',
        ],
    ),
    Claim(
        "So the scale was the fault.",
        stored='mixed(SCALED, "ALP").better and mixed(SCALED, "ALP").above == 30',
    ),
    Claim(
        "Yet equal weights, which need neither scaling nor learning, are still nearly two points ahead.",
        stored='mixed("equal weights", SCALED).about(2, within=0.3)',
    ),
    Claim(
        "Over equal weights that is null, and over last to last it is two points ahead.",
        stored=[
            'mixed("all nine pairs", "equal weights").null',
            'mixed("all nine pairs", "last to last").about(2, within=0.4)',
        ],
    ),
    Claim(
        "Its shuffled control loses almost thirty points.",
        stored='mixed("all nine pairs", pairs="shuffled").about(-30, within=1.9)',
    ),
    Claim(
        "On one pair of layers the losses lie further apart than all pairs of layers did.",
        stored="spread([on_maps(one).mean for one in experiments.MAPS]) > max(spread([cell(loss, *pair).mean for pair in PAIRS]) for loss in WEIGHTS) + 5",
    ),
    Claim(
        "Eight of the twelve gain four and a half points or more, and the best nearly seventeen.",
        stored=[
            "len(experiments.MAPS) == 12 and len(GAINING) == 8 and all(on_maps(one).better for one in GAINING)",
            "4 + 0.3 < min(on_maps(one).mean for one in GAINING) < 4 + 0.7",
            "any(on_maps(one).about(17, within=0.5) for one in GAINING)",
        ],
    ),
    Claim(
        "AB, which only asks of each unit whether it is active, stands first; over soft targets, which need no layer, it is null.",
        stored='on_maps("AB").mean == max(on_maps(one).mean for one in experiments.MAPS) and on_maps("AB", "soft targets").null',
    ),
    Claim(
        "The flow of FSP, the singular vectors and VID are null.",
        stored='all(on_maps(one).null for one in ("FSP", "SVD", "VID"))',
    ),
    Claim(
        "With other images none of the eight gains.",
        stored='len(GAINING) == 8 and not any(on_maps(one, pairs="shuffled").better for one in GAINING)',
    ),
    Claim(
        "But statistics, the mean and the spread of each channel, gains a sure point from the right teacher and over four from an untrained one, and FSP, null with the right teacher, gains two and a half from it.",
        stored=[
            'on_maps("statistics").about(1, within=0.3) and on_maps("statistics", pairs="untrained").better and on_maps("statistics", pairs="untrained").mean > 4',
            'on_maps("FSP").null and on_maps("FSP", pairs="untrained").about(2 + 0.5, within=0.3)',
        ],
    ),
    Claim(
        "Overhaul and channel-wise gain a little from untrained maps too, and the right teacher is surely ahead of them by nine points and more.",
        stored='all(on_maps(one, pairs="untrained").better and ahead(one).better and round(ahead(one).mean) >= 9 for one in ("overhaul", "channel-wise"))',
    ),
    Claim(
        "Holds: every pair of layers gains, for hints and for similarities, and shuffled layers lose everywhere.",
        stored='all(cell(loss, *pair).better and cell(loss, *pair, pairs="shuffled").worse for loss in WEIGHTS for pair in PAIRS)',
    ),
    Claim(
        "ALP is more than ten points behind, and nearly two where the layers are of one size.",
        stored=[
            'mixed("equal weights", "ALP").better and mixed("equal weights", "ALP").mean > 10',
            'mixed("equal weights", SCALED).about(2, within=0.3)',
        ],
    ),
    Claim(
        "It moves a loss by five or eight points; twelve losses on one pair lie nearly seventeen apart.",
        stored=[
            "[round(spread([cell(loss, *pair).mean for pair in PAIRS])) for loss in WEIGHTS] == [5, 8]",
            "len(experiments.MAPS) == 12 and round(spread([on_maps(one).mean for one in experiments.MAPS])) == 17",
        ],
    ),
    Claim(
        "Similarities of a random layer gain four points.",
        stored='cell("similarities", 3, 3, pairs="untrained").about(4, within=0.4)',
    ),
]

EXEMPT = {
    'Does not hold here: "learned weights of layers are better than equal ones".': "its numbers are in the next sentence",
    "A cell is one pair of layers: what a hint between the two adds to hard labels, on thirty seeds.": "what is drawn",
    "So which of the two losses is better depends on the layer.": "follows from the next sentence",
    "Whoever had no such control would count these four points for the teacher.": "a warning; the number is claimed before",
    "The honest way: one pair and one weight for all seeds, by the validation images.": "how the choice is made",
    "It has found the one that costs it least.": "a reading of the picture",
    "A learned weight is not a better weight.": "a summary of the sentence before",
    "Beside the two stand ten other losses on feature maps, all on one pair of layers: a convolutional teacher and a student of the same shape with 50 labels, each loss at the better of two weights.": "how the experiment is made",
    "What helps there is not what a teacher knows.": "a reading of the sentence before",
    "Remember: a gain over labels is the teacher's only where an untrained network does not give it.": "advice",
    'Does not hold here: "the choice of layer matters more than the choice of loss".': "its numbers are in the next sentence",
    'Does not hold: "what gains over labels comes from what the teacher has learned".': "its number is in the next sentence",
}
