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
