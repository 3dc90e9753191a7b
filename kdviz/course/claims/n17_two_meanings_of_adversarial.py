"""Page 17: two stored tables, the student that fools its discriminator, and three networks under attack."""

from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n17_two_meanings_of_adversarial as experiments

STEPS, MARGIN = "20 steps", "20 steps, margin"
KNOWN, EPSILON = experiments.KNOWN, experiments.EPSILON


def taught(arm, minus="labels"):
    return gain("fooled", arm, minus=minus)


def told(arm):
    """How many answers the discriminator gives to whom they are from, in the mean over the seeds."""
    return float(table("fooled", arm=arm).told_apart.mean())


def under(attack, arm, minus="undefended"):
    return gain("withstood", arm, minus=minus, attack=attack)


def right(attack, arm):
    return float(table("withstood", attack=attack, arm=arm).accuracy.mean())


def masked(arm):
    return float(table("withstood", attack=STEPS, arm=arm).masked.mean())


CLAIMS = [
    Claim(
        "At the end it is right about little more than half of the answers, where guessing would be right about half.",
        live='50 < curves["told apart"][-1] < 60',
        differs="a half is 50 in percent",
    ),
    Claim(
        "And yet the student agrees with its teacher on one image in six.",
        live='abs(curves["agreement"][-1] - 100 / 6) < 2',
    ),
    Claim(
        "Beside 50 labels the discriminator gains a little more than one point.",
        stored='taught("labels and discriminator").about(1.3, within=0.1) and KNOWN == 50',
        differs="a little more than one",
    ),
    Claim(
        "With exchanged answers its gain is null, and so is the difference between the two rows: what it gave was hardly about the images.",
        stored=[
            'taught("the same, answers exchanged").null',
            'taught("the same, answers exchanged", "labels and discriminator").null',
        ],
        differs="the rows are two",
    ),
    Claim(
        "Soft targets gain thirteen points, from the very answers that the discriminator saw.",
        stored='taught("soft targets").about(13, within=0.3)',
    ),
    Claim(
        "And in the last column it is nearly fooled in all rows that have one, whatever stands in the other columns.",
        stored="all(50 < told(arm) < 60 for arm in experiments.CRITICS)",
    ),
]

EXEMPT = {}
