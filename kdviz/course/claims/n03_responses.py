"""Page 03: seven losses tuned on validation, and the two halves of DKD, over thirty stored seeds."""

from kdviz.course.claims import Claim, Gain, gain, table
from kdviz.course.experiments.n03_responses import RESPONSE_LOSSES

DKD, DIST, STANDARDISED = "decoupled (DKD)", "correlation (DIST)", "logit standardisation"
LOSSES = list(RESPONSE_LOSSES)


def tuned(arm: str, minus: str = "hard labels", regime: str = "50 labels") -> Gain:
    """A loss minus another, each with the setting that its seed chose on validation."""
    rows = table("response_losses", regime=regime)
    best = rows.loc[rows.groupby(["arm", "seed"]).validation_accuracy.idxmax()]
    return gain(best, arm, minus=minus)


def spread() -> float:
    """How far the best and the worst loss are apart."""
    means = [tuned(arm).mean for arm in LOSSES]
    return max(means) - min(means)


def shuffled(arm: str) -> Gain:
    return tuned(arm, regime="50 labels, shuffled")


def everything(arm: str) -> Gain:
    return tuned(arm, regime="all labels")


def at(arm: str, temperature: float, weight: float, minus="hard labels") -> Gain:
    """A loss at one setting minus hard labels, or minus another loss at the same."""
    setting = {"temperature": temperature, "soft_weight": weight}
    rival = {"arm": minus} if minus == "hard labels" else {"arm": minus, **setting}
    return gain("response_losses", {"arm": arm, **setting}, minus=rival, regime="50 labels")


def halves(temperature: float, *, minus=(0, 0), **weights) -> Gain:
    """TCKD and NCKD with these weights minus the same with others; by default minus hard labels."""
    treated, baseline = (
        {"temperature": temperature, "target_weight": target, "other_weight": other}
        for target, other in ((weights["tckd"], weights["nckd"]), minus)
    )
    return gain("dkd_halves", treated, minus=baseline)


def lost(arm: str) -> float:
    """The points that shuffling takes from a loss."""
    return tuned(arm).mean - shuffled(arm).mean


def muted() -> int:
    """On how many seeds soft targets of a shuffled teacher chose T = 1 or the smallest weight."""
    rows = table(
        "response_losses", regime="50 labels, shuffled", arm="soft targets", best="validation_accuracy"
    )
    return ((rows.temperature == 1) | (rows.soft_weight == 0.1)).sum()


BY_IMAGE = (
    "largest logit",
    "mean of the largest logits",
    "colder where student and teacher differ",
    "colder where the student doubts",
    "learned (CTKD)",
)


def by_image(arm: str, minus: str = "soft targets"):
    """A rule for the temperature, each arm at what validation chose on each seed."""
    rows = table("temperatures_by_image")
    best = rows.loc[rows.groupby(["arm", "seed"]).validation_accuracy.idxmax()]
    return gain(best, arm, minus=minus)


CLAIMS = [
    # What does a loss want?
    Claim(
        "DKD, T = 4. On how many of the test images does it push the true class up most? → on "
        "hardly any\n"
        "It pushes the true class up on nearly all images, but a wrong class more.",
        live=[
            'rows_of_pushes(pushes, label)["decoupled (DKD)"][0] < 5',
            'rows_of_pushes(pushes, label)["decoupled (DKD)"][1] > 95',
        ],
    ),
    Claim(
        "Soft targets and reverse KL push the true class up most on more than nine images in ten.",
        live='all(rows_of_pushes(pushes, label)[name][0] > 90 for name in ("soft targets", "reverse KL"))',
        differs="nine in ten are 90 %",
    ),
    Claim(
        "DKD pushes it up too, but on nearly every image it pushes a *wrong* class more.",
        live='rows_of_pushes(pushes, label)["decoupled (DKD)"][0] < 5 and rows_of_pushes(pushes, label)["decoupled (DKD)"][1] > 95',
    ),
    Claim(
        "Note also who is nearly the same: Jensen-Shannon and reverse KL point almost where soft targets point.",
        live='all(torch.cosine_similarity(pushes[name], soft_push(pushes), dim=-1).mean() > 0.9 for name in ("Jensen-Shannon", "reverse KL"))',
    ),
    # 1. DKD, by hand
    Claim(
        "At $T = 1$ NCKD reaches the student with a factor of almost 0, at 16 with more than three quarters.",
        live="left(z_fifty, fifty, 1) < 0.02 and left(z_fifty, fifty, 16) > 0.75",
        differs="three quarters are 0.75",
    ),
    # 2. Which half teaches?
    Claim(
        "If NCKD is what teaches, then *without* its factor it should already help at $T = 1$, where page 02 found that soft targets gain a point at most.",
        stored='max(at("soft targets", 1, weight).mean for weight in (0.1, 0.5, 0.9)) < 1.2',
        differs="the first half is a question; what page 02 found is its own claim",
    ),
    Claim(
        "50 labels, T = 1. What does NCKD alone (weight 1) gain over hard labels? → 5 to 8 points\n"
        "About six. Soft targets at the same temperature gain a point at most.",
        stored=[
            "5 < halves(1, tckd=0, nckd=1).mean < 8 and halves(1, tckd=0, nckd=1).about(6)",
            'max(at("soft targets", 1, weight).mean for weight in (0.1, 0.5, 0.9)) < 1.2',
        ],
    ),
    Claim(
        "The theory could have failed here, and it held: NCKD alone gains about six points at $T = 1$ and seven at $T = 4$, on each of the thirty seeds.",
        stored=[
            "halves(1, tckd=0, nckd=1).about(6, seeds=30)",
            "halves(4, tckd=0, nckd=1).about(7, seeds=30)",
        ],
    ),
    Claim(
        "TCKD alone gains a few tenths of a point at $T = 1$ and is null at $T = 4$.",
        stored=["halves(1, tckd=1, nckd=0).about(0.2, within=0.2)", "halves(4, tckd=1, nckd=0).null"],
    ),
    Claim(
        "At $T = 4$ the loud NCKD, with its weight of 8 and alone, is worse than the quiet one, by about two points.",
        stored="halves(4, tckd=0, nckd=8, minus=(0, 1)).about(-2)",
    ),
    Claim(
        "There TCKD gains nearly three points when it is added, and with it the famous 8 is better than 1, by a little less than a point.",
        stored=[
            "halves(4, tckd=1, nckd=8, minus=(0, 8)).about(3)",
            "halves(4, tckd=1, nckd=8, minus=(1, 1)).about(0.8, within=0.2)",
        ],
    ),
    # 3. What a loss cannot see
    Claim(
        "The 5 changes only logit matching as Ba and Caruana wrote it; a softmax or a centring hides it from all others.",
        live="all((abs(value(one, z_student + 5, z_teacher) / value(one, z_student, z_teacher) - 1) > 1e-6) == (name == 'logit matching, not centred') for name, one in losses.items())",
    ),
    Claim(
        "A teacher with doubled logits more than doubles the value of soft targets, and changes that of DIST by about a quarter.",
        live=[
            'value(losses["soft targets"], z_student, 2 * z_teacher) > 2 * value(losses["soft targets"], z_student, z_teacher)',
            'abs(abs(value(losses["correlation (DIST)"], z_student, 2 * z_teacher) / value(losses["correlation (DIST)"], z_student, z_teacher) - 1) - 0.25) < 0.08',
        ],
    ),
    # 4. Seven losses, one experiment
    Claim(
        "Each loss tuned on validation. How far apart are the best and the worst of the seven, on "
        "average? → 1 to 4 points\n"
        "Over thirty seeds they are about two points apart, and each of the seven gains six points "
        "or more over hard labels.",
        stored=[
            "1 < spread() < 4 and abs(spread() - 2) < 0.5",
            "all(tuned(arm).mean > 6 and tuned(arm).better for arm in LOSSES) and len(LOSSES) == 7",
            'tuned("soft targets").count == 30',
        ],
    ),
    Claim(
        "All seven gain, on every seed, and the differences between them are small beside the gain.",
        stored=[
            "all(tuned(arm).above == 30 for arm in LOSSES) and len(LOSSES) == 7",
            "spread() < tuned(DIST).mean / 2",
        ],
        live="all((small[arm] > small['hard labels']).mean() > 0.8 for arm in arms)",
    ),
    Claim(
        "It takes far more than eight.",
        live='len(small) == 8 and all(kd.measure.seeds_needed(small[arm] - small["soft targets"], 0.5) > 12 for arm in arms[1:])',
    ),
    Claim(
        "By the printed estimate thirty are too few for most of these pairs, so expect intervals somewhat wider than ± 0.5.",
        live='sum(kd.measure.seeds_needed(small[arm] - small["soft targets"], 0.5) > 30 for arm in arms[1:]) >= 3',
        stored='max(tuned(arm, "soft targets").half for arm in LOSSES[1:]) > 0.5',
    ),
    Claim(
        "**DKD** gains about a point over soft targets, **reverse KL** half a point.",
        stored='tuned(DKD, "soft targets").about(1) and tuned("reverse KL", "soft targets").about(0.5, within=0.2)',
    ),
    Claim(
        "**Jensen-Shannon** and **logit matching** are null.",
        stored='all(tuned(arm, "soft targets").null for arm in ("Jensen-Shannon", "logit matching"))',
    ),
    Claim(
        "**DIST** and **standardisation** *lose* about a point.",
        stored='all(tuned(arm, "soft targets").about(-1, within=0.3) for arm in (DIST, STANDARDISED))',
    ),
    Claim("From best to worst they are two points apart.", stored="abs(spread() - 2) < 0.5"),
    Claim(
        "These are six comparisons at 95 %, so one that is barely sure, such as that of reverse KL, may be luck.",
        stored='len(LOSSES[1:]) == 6 and 0 < tuned("reverse KL", "soft targets").low < 0.2',
        differs="95 % is the level of the intervals",
    ),
    Claim(
        "Over logit matching DKD still gains almost a point; reverse KL is null.",
        stored=[
            'tuned(DKD, "logit matching").about(0.9, within=0.2)',
            'tuned("reverse KL", "logit matching").null',
        ],
    ),
    Claim(
        "At $T = 1$ DKD beats soft targets by five points, on nearly every seed. A paper could print that. At 16 the difference is null.",
        stored=[
            'at(DKD, 1, 0.5, minus="soft targets").about(5) and at(DKD, 1, 0.5, minus="soft targets").above >= 28',
            'at(DKD, 16, 0.5, minus="soft targets").null',
        ],
    ),
    # 5. The control that should fail
    Claim(
        "With shuffled dark knowledge, tuned on validation as before: which loss is hurt most? → "
        "decoupled (DKD)\n"
        "It ends about seven points below hard labels.",
        stored="shuffled(DKD).about(-7) and all(shuffled(arm).mean > shuffled(DKD).mean for arm in LOSSES if arm != DKD)",
    ),
    Claim(
        "DKD falls *below hard labels*, by about seven points, and no seed escapes.",
        stored="shuffled(DKD).about(-7, seeds=0)",
    ),
    Claim(
        "Logit matching falls too, by between two and three points.",
        stored='-3 < shuffled("logit matching").mean < -2 and shuffled("logit matching").worse',
    ),
    Claim(
        "Soft targets stay a little above: on 23 of 30 seeds validation chose $T = 1$ or the smallest weight, where a teacher is hardly heard.",
        stored='shuffled("soft targets").about(0.8, within=0.2) and shuffled("soft targets").count == 30 and muted() == 23',
    ),
    Claim(
        "At 0.001 the false answers do no harm that ten seeds can see, and the true ones still gain a point.",
        live=[
            'difference(trials["shuffled"][0.001], trials["shuffled"][0.0]).null and len(trials["true"]) == 10',
            'difference(trials["true"][0.001], trials["true"][0.0]).about(1, within=0.9)',
        ],
    ),
    Claim(
        "At 0.01 the true ones gain four.",
        live='difference(trials["true"][0.01], trials["true"][0.0]).about(4, within=1)',
    ),
    Claim(
        "So the fall by seven points is also a fact about our *grid*: it had no quiet setting for DKD.",
        stored="shuffled(DKD).about(-7)",
    ),
    Claim(
        "And four losses *gain* a little from shuffled knowledge, DIST the most. So a part of their gain cannot come from which wrong class resembles which.",
        stored=[
            "sum(shuffled(arm).better for arm in LOSSES) == 4",
            "max(LOSSES, key=lambda arm: shuffled(arm).mean) == DIST and 1 < shuffled(DIST).mean < 3",
        ],
    ),
    # 6. All labels
    Claim(
        "With all 1,200 labels notebook 02 found that soft targets cost accuracy.",
        stored='gain("longer_training", "soft targets", minus="hard labels", steps=600).worse',
        differs="1,200 is the number of labels",
    ),
    Claim(
        "The order is turned around. DKD, best with few labels, costs half a point. Standardisation is null.",
        stored=[
            "max(LOSSES, key=lambda arm: tuned(arm).mean) == DKD and min(LOSSES, key=lambda arm: everything(arm).mean) == DKD",
            "everything(DKD).about(-0.5, within=0.2)",
            "everything(STANDARDISED).null",
        ],
    ),
    Claim(
        "DIST gains about a third of a point, barely surely, and as one of seven comparisons.",
        stored="everything(DIST).about(1 / 3, within=0.1) and everything(DIST).low < 0.1 and len(LOSSES) == 7",
    ),
    # 7. A rule that sounds wise
    Claim(
        "30 % wrong labels: how does the conditional student compare with hard labels? → worse\n"
        "By several points and on every seed.",
        live='gain(found, "conditional", minus="hard labels").high < -4 and gain(found, "conditional", minus="hard labels").above == 0',
    ),
    Claim(
        "It is much worse, on every seed.",
        live='gain(found, "conditional", minus="hard labels").high < -4 and gain(found, "conditional", minus="hard labels").above == 0',
    ),
    Claim(
        "Nearly every label that the teacher doubts is wrong, and it doubts about seven in ten of the wrong ones.",
        live="flipped[doubted].double().mean() > 0.95 and abs(doubted[flipped].double().mean() - 7 / 10) < 0.1",
    ),
    Claim(
        "And the gain of soft targets here is no triumph either: notebook 02 showed what early stopping does for the baseline.",
        live='gain(found, "soft targets", minus="hard labels").better',
    ),
    # What holds
    Claim(
        "**Holds**, exactly: soft targets are TCKD + (1 − q) NCKD on each image. Logit standardisation is blind to the scale of the logits.",
        live=[
            "torch.allclose(kl(q, p), tckd + (1 - q[range(len(label)), label]) * nckd)",
            'abs(value(losses["logit standardisation"], 2 * z_student, 2 * z_teacher) - value(losses["logit standardisation"], z_student, z_teacher)) < 1e-9',
        ],
    ),
    Claim(
        "**Holds** on these digits: NCKD is what teaches. Alone and at $T = 1$ it gains about six points, TCKD alone a few tenths of a point at most.",
        stored=[
            "halves(1, tckd=0, nckd=1).about(6)",
            "max(halves(t, tckd=1, nckd=0).mean for t in (1, 4)) < 0.4",
        ],
    ),
    Claim(
        "**Holds**: the halves need each other where NCKD is loud. At $T = 4$ and weight 8 TCKD gains nearly three points when it is added, and only with it is the weight 8 better than 1.",
        stored=[
            "halves(4, tckd=1, nckd=8, minus=(0, 8)).about(3)",
            "halves(4, tckd=1, nckd=8, minus=(1, 1)).better and halves(4, tckd=0, nckd=8, minus=(0, 1)).worse",
        ],
    ),
    Claim(
        "**Holds**: with 50 labels DKD gains about a point over tuned soft targets. It also loses most when dark knowledge is shuffled.",
        stored='tuned(DKD, "soft targets").about(1) and lost(DKD) > max(lost(arm) for arm in LOSSES if arm != DKD)',
        differs="50 labels are the regime",
    ),
    Claim(
        "**Null** with 50 labels: Jensen-Shannon and logit matching against soft targets; the weight 8 against 1 at $T = 1$.",
        stored=[
            'all(tuned(arm, "soft targets", regime="50 labels").null for arm in ("Jensen-Shannon", "logit matching"))',
            "all(halves(1, tckd=t, nckd=8, minus=(t, 1)).null for t in (0, 1))",
        ],
    ),
    Claim(
        '**Does not hold**: "the newer loss is better". With 50 labels DIST and standardisation lose to soft targets; with all labels they are the two that do not lose to hard labels.',
        stored=[
            'all(tuned(arm, "soft targets", regime="50 labels").worse for arm in (DIST, STANDARDISED))',
            "[arm for arm in LOSSES if not everything(arm).worse] == [DIST, STANDARDISED]",
        ],
    ),
    Claim(
        '**Does not hold**: "listen only to a teacher who is right", when the labels are wrong.',
        live='gain(found, "conditional", minus="hard labels").worse',
    ),
    Claim(
        "The pushes are equal up to rounding.",
        live="apart < 1e-12 and push(made_up).abs().max() > 1e-4",
    ),
    Claim(
        "The two values are not: they differ by the entropy of the target, a constant that no student can change.",
        live="abs(value(smoothed, z_student, z_teacher) - value(made_up, z_student, z_teacher) - float(entropy)) < 1e-5",
        differs="two are counted",
    ),
    Claim(
        "All five are null against soft targets with one temperature that was chosen, and the intervals are narrow: a gain of half a point would have been seen.",
        stored=[
            "all(by_image(arm).null and 0.5 > by_image(arm).high for arm in BY_IMAGE) and len(BY_IMAGE) == 5",
        ],
    ),
    Claim(
        "Over hard labels each gains seven points, as soft targets do.",
        stored='all(by_image(arm, "hard labels").about(7.3, within=0.3) for arm in (*BY_IMAGE, "soft targets"))',
        differs="seven is 7.3",
    ),
    Claim(
        "The largest logit is null against its control too.",
        stored='by_image("largest logit", "mean of the largest logits").null',
    ),
    Claim(
        "Null with 50 labels: temperatures that differ from image to image or are learned, against one temperature chosen on validation.",
        stored="all(by_image(arm).null for arm in BY_IMAGE)",
        differs="50 is how many are labelled",
    ),
]

EXEMPT = {
    "Soft targets date from 2015, and many newer losses claim to be better.": "what others claim",
    "Half of the loss is hard labels, half is DKD with the weights of a grid, over thirty seeds that were computed before: a column of 0 has no NCKD, a row of 0 no TCKD.": "how the experiment is made",
    "We train eight seeds now.": "how the experiment is made",
    "A table of thirty seeds was computed before, and some rows of one seed are computed again.": "how the experiment is made",
    "Here is the mean gain over hard labels at the middle weight, 0.5, for each temperature.": "an announcement",
    "What a loss still gains then does not come from that knowledge; where it falls far, it was leaning on it.": "what the control means",
    "Remember: a control tells how much of a gain is knowledge, and how much a method risks.": "what a control means",
    "30 % of the labels are wrong.": "how the experiment is made",
    "The published gains of these losses come from CIFAR-100 and ImageNet, with other students; nothing here speaks against them there.": "the papers' own results",
    "Test: a loss keeps its gain under shuffled dark knowledge.": "a question",
    "Test: that the gain does not come from which wrong class resembles which.": "what the control means",
}


# For live conditions


def soft_push(pushes):
    return pushes["soft targets"]


def rows_of_pushes(pushes, label) -> dict:
    """For each loss: percent of images on which the true class is pushed up most, and up at all."""
    place = range(len(label))
    return {
        name: (
            100 * float((push.argmax(-1) == label).double().mean()),
            100 * float((push[place, label] > 0).double().mean()),
        )
        for name, push in pushes.items()
    }


def left(logits, labels, temperature) -> float:
    """What the teacher leaves to the wrong classes, on average."""
    return float(1 - (logits / temperature).softmax(-1)[range(len(labels)), labels].mean())
