"""Page 17: three stored tables, the student that fools its discriminator, and three networks under attack."""

from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n17_two_meanings_of_adversarial as experiments

STEPS, MARGIN = "20 steps", "20 steps, margin"
ATTACKS = ("gradient sign", STEPS, MARGIN, "transfer")
ARD = "from it, attacked (ARD)"
KNOWN = experiments.KNOWN


def taught(arm, minus="labels"):
    return gain("fooled", arm, minus=minus)


def together(arm, minus, of="accuracy"):
    return gain("adversarial_peers", arm, minus=minus, of=of)


def told(arm):
    """How many answers the discriminator gives to whom they are from, in the mean over the seeds."""
    return float(table("fooled", arm=arm).told_apart.mean())


def under(attack, arm, minus="undefended"):
    return gain("withstood", arm, minus=minus, attack=attack)


def right(attack, arm):
    return float(table("withstood", attack=attack, arm=arm).accuracy.mean())


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
        "Mutual learning gains half a point over two that learn apart.",
        stored='together("mutual", "apart").about(0.5, within=0.1)',
        differs="a half is 0.5",
    ),
    Claim(
        "The discriminators, at the weight that validation likes best, are null beside it.",
        stored='together("mutual, discriminators", "mutual").null',
    ),
    Claim(
        "Ten times as strong they cost one point, and the peers agree less often: who looks like the others need not say the same of an image.",
        stored=[
            'together("the same, ten times", "mutual").about(-1.1, within=0.2)',
            'together("the same, ten times", "mutual", "agreement").high < 0',
        ],
        differs="the sign is in the verb",
    ),
    Claim(
        "As a crowd, the student's answers become the teacher's: on the right the points go to the diagonal.",
        live='(panels["crowd with crowd"][-1].diff(dim=-1).abs().mean() < 0.04).item()',
    ),
    Claim(
        "On the left they do not: what the student takes for an 8 has nothing to do with what the teacher does.",
        live='abs(panels["each image with itself"][-1].T.corrcoef()[0, 1].item()) < 0.2',
        differs="8 is the name of a class",
    ),
    Claim(
        "The distilled network reads more images rightly than adversarial training does, and has learned from no attacked image.",
        stored='under(STEPS, "defensive distillation", "adversarial training").better',
    ),
    Claim(
        "The same twenty steps against the margin. How much of its lead over the undefended network does defensive distillation keep? → nothing\nOver thirty seeds it is three points worse than the undefended network.",
        stored='under(MARGIN, "defensive distillation").about(-3, within=0.1)',
        differs="twenty is in the name",
    ),
    Claim(
        "Under twenty steps up the cross-entropy it is 31 points ahead of the undefended network and five ahead of adversarial training.",
        stored=[
            'under(STEPS, "defensive distillation").about(31, within=0.5)',
            'under(STEPS, "defensive distillation", "adversarial training").about(5, within=0.5)',
        ],
        differs="twenty is in the name",
    ),
    Claim(
        "Under twenty steps against the margin it loses three points to the undefended network.",
        stored='under(MARGIN, "defensive distillation").about(-3, within=0.1)',
        differs="twenty is in the name",
    ),
    Claim(
        "Images that were made against another network, and need no gradient of this one, cost it three points more than the undefended one, too.",
        stored='under("transfer", "defensive distillation").about(-3, within=0.1)',
    ),
    Claim(
        "Adversarial training reads more than three images in four under each attack.",
        stored='all(right(attack, "adversarial training") > 100 * 3 / 4 for attack in ATTACKS)',
    ),
    Claim(
        "Copied clean, a robust teacher hands over not quite seven points of robustness, of the 25 that adversarial training gains.",
        stored=[
            'under(MARGIN, "from it, clean").about(7, within=0.5)',
            'under(MARGIN, "from it, clean").mean < 7',
            'under(MARGIN, "adversarial training").about(25, within=0.2)',
        ],
    ),
    Claim(
        "ARD gains as much as adversarial training: the difference between them is null.",
        stored=[
            'under(MARGIN, ARD, "adversarial training").null',
            "under(MARGIN, ARD).better",
        ],
    ),
    Claim(
        "The teacher itself stays eight points ahead of them: it is eight times as wide.",
        stored=[
            'under(MARGIN, "robust teacher", "adversarial training").about(8, within=0.5)',
            'under(MARGIN, "robust teacher", ARD).about(8, within=0.5)',
            "experiments.HIDDEN * 8 == 256",
        ],
    ),
    Claim(
        "Defensive distillation is 31 points ahead, and three behind when the margin is attacked.",
        stored=[
            'under(STEPS, "defensive distillation").about(31, within=0.5)',
            'under(MARGIN, "defensive distillation").about(-3, within=0.1)',
        ],
    ),
    Claim(
        'Only partly: "robustness is handed over with clean answers": seven points of 25.',
        stored=[
            'under(MARGIN, "from it, clean").about(7, within=0.5)',
            'under(MARGIN, "adversarial training").about(25, within=0.2)',
        ],
    ),
    Claim(
        "ARD is null over adversarial training.",
        stored='under(MARGIN, ARD, "adversarial training").null',
    ),
    Claim(
        "Holds: a student can fool a discriminator without agreeing with its teacher.",
        stored=[
            'told("discriminator alone") < 60',
            'table("fooled", arm="discriminator alone").agreement.mean() < 15',
        ],
    ),
]

EXEMPT = {
    "A point is a test image: to the right the teacher's logit of the class 8, upwards the student's.": "how the picture is made",
    'Does not hold: "a network that an attack does not harm is robust".': "its number is in the next sentence",
    'Does not hold here: "a robust teacher makes a student more robust than attacks alone".': "its number is in the next sentence",
}
