"""Page 08: thirty pairs and four schemes are stored tables; one pair is trained on the page."""

from kdviz.course.claims import Claim, Gain, difference, gain, table

ENDS = {"all": 600, "100": 600, "40 % wrong": 1500}


def pairs(labels: str, end: bool = True):
    """The rows of a regime, at the last step or at each seed's and arm's best validation step."""
    rows = table("mutual_learning", regime=f"{labels} labels")
    if end:
        return rows[rows.step == ENDS[labels]]
    return rows.loc[rows.groupby(["arm", "seed"]).validation_accuracy.idxmax()]


def peers(labels: str, arm: str = "mutual", minus: str = "apart", of: str = "accuracy", end=True) -> Gain:
    return gain(pairs(labels, end), arm, minus=minus, of=of)


def measure(rows, arm: str, of: str) -> list[float]:
    return rows[rows.arm == arm].sort_values("seed")[of].tolist()


def late_against_stopped() -> Gain:
    """Mutual learning at its end minus networks apart that stopped."""
    late, best = pairs("40 % wrong"), pairs("40 % wrong", end=False)
    return difference(measure(late, "mutual", "accuracy"), measure(best, "apart", "accuracy"))


def against_a_vote(rows, arm: str, of: str = "accuracy", voters: str = "apart") -> Gain:
    """One network of a pair (or, by ``of``, its vote) minus the vote of two others."""
    return difference(measure(rows, arm, of), measure(rows, voters, "ensemble_accuracy"))


def both_right(labels: str) -> Gain:
    rows = pairs(labels).assign(both=lambda one: one.agreement - one.same_mistake)
    return gain(rows, "mutual", minus="apart", of="both")


def of_new_agreement(labels: str) -> float:
    """The fraction of the new agreement that is agreement on a mistake."""
    return peers(labels, of="same_mistake").mean / peers(labels, of="agreement").mean


def schemes():
    return table("online_schemes")


def scheme(arm: str, minus: str = "apart") -> Gain:
    return gain(schemes(), arm, minus=minus)


def means(of: str):
    return schemes().groupby("arm")[of].mean()


def route(arm: str):
    """The mean test accuracy along the training with wrong labels."""
    return table("mutual_learning", regime="40 % wrong labels", arm=arm).groupby("step").accuracy.mean()


EVERY = tuple(ENDS)


def relative(arm: str, minus: str) -> Gain:
    """One of three more relatives, or of KDCL's targets."""
    return gain("more_online_schemes", arm, minus=minus)


CLAIMS = [
    Claim(
        "100 labels. Two peers teach each other from the first step on. What changes most? → how "
        "often they say the same\n"
        "Over the thirty pairs of section 2 they agree on two points more of the images, and are "
        "right on half a point more.",
        stored=[
            'peers("100", of="agreement").about(2)',
            'peers("100").about(0.5, within=0.2) and len(measure(pairs("100"), "mutual", "accuracy")) == 30',
        ],
    ),
    Claim(
        "Peers that teach each other stay closer to the line.",
        live="runs['mutual'].records[-1].measures['agreement'] > runs['apart'].records[-1].measures['agreement'] - 0.01",
    ),
    # 2. Thirty pairs
    Claim(
        "All 1,200 labels. What do 30 pairs gain in accuracy by teaching each other? → nothing that "
        "30 seeds can see\n"
        "The difference is null.",
        stored='peers("all").null and peers("100").better and len(pairs("all")) == 3 * 30',
    ),
    Claim("With all labels the accuracy is **null**.", stored='peers("all").null and peers("100").better'),
    Claim(
        "With 100 labels the peers gain half a point, with wrong labels one and a half.",
        stored=[
            'peers("100").about(0.5, within=0.2)',
            'peers("40 % wrong").about(1.5, within=0.2)',
        ],
    ),
    Claim(
        "Agreement rises in all three, surely, by up to four points.",
        stored=[
            'all(peers(labels, of="agreement").better for labels in EVERY)',
            'peers("40 % wrong", of="agreement").about(4, within=0.3)',
        ],
    ),
    Claim(
        "But the control gains as well, in each regime, and label smoothing has no peer.",
        stored='all(peers(labels, "label smoothing").better for labels in EVERY)',
    ),
    Claim(
        "With all labels mutual learning is half a point *worse* than label smoothing, with 100 labels the difference is **null**, and with wrong labels it is half a point better.",
        stored=[
            'peers("all", minus="label smoothing").about(-0.5, within=0.2) and peers("all", minus="label smoothing").worse',
            'peers("100", minus="label smoothing").null',
            'peers("40 % wrong", minus="label smoothing").about(0.5, within=0.2)',
        ],
    ),
    Claim(
        "So targets that are merely softer reach most of the gain, or more than it.",
        stored='all(peers(labels, "label smoothing").mean > 0.5 * peers(labels).mean for labels in EVERY) and peers("all", "label smoothing").better',
    ),
    Claim(
        "Peers come to agree on right answers, and they also talk each other into mistakes: with all labels nearly half of the new agreement is agreement on an error, with 100 labels a third, with wrong labels a fifth.",
        stored=[
            'all(both_right(labels).better and peers(labels, of="same_mistake").better for labels in EVERY)',
            '0.35 < of_new_agreement("all") < 0.5',
            'abs(of_new_agreement("100") - 1 / 3) < 0.05',
            'abs(of_new_agreement("40 % wrong") - 1 / 5) < 0.05',
        ],
    ),
    # 3. A gain, or something else
    Claim(
        "A point and a half under wrong labels, on 29 of 30 seeds.",
        stored='peers("40 % wrong").about(1.5, within=0.2, seeds=29)',
        differs="of 30 seeds in all",
    ),
    Claim(
        "Both reach nearly the same height early. Then both learn the wrong labels by heart, and the peers are a little less far down at the end.",
        stored=[
            'abs(route("mutual").max() - route("apart").max()) < 0.5',
            'route("mutual").iloc[-1] < route("mutual").max() - 5 and route("apart").iloc[-1] < route("apart").max() - 5',
            'peers("40 % wrong").better',
        ],
    ),
    Claim(
        "Wrong labels, everybody stopped early. What is left of the gain of 1.6 points? → nothing "
        "that 30 seeds can see\n"
        "With everybody stopped, the difference is null.",
        stored='peers("40 % wrong", end=False).null and peers("40 % wrong").better and len(pairs("40 % wrong")) == 3 * 30',
    ),
    Claim(
        "With everybody stopped the gain is **null**, and against stopped label smoothing mutual learning is slightly *worse*.",
        stored=[
            'peers("40 % wrong", end=False).null',
            'peers("40 % wrong", minus="label smoothing", end=False).worse',
        ],
    ),
    Claim(
        "The last line is the sober one: a single network that stops in time is ten points better than peers that do not.",
        stored="late_against_stopped().about(-10) and late_against_stopped().worse",
        differs="better by ten is below by ten, seen from the other side",
    ),
    Claim(
        "The point and a half exists only for those who train too long.",
        stored=[
            'peers("40 % wrong").about(1.5, within=0.2)',
            'peers("40 % wrong", end=False).null',
        ],
        differs="null when stopped is what 'exists only' says",
    ),
    Claim(
        "In no regime is one mutual network better than two that vote.",
        stored='not any(against_a_vote(pairs(labels), "mutual").better for labels in EVERY) and against_a_vote(pairs("100"), "mutual").worse',
        differs="two counts the voters",
    ),
    Claim(
        "And peers that agree have less to vote about: with all labels their own vote is slightly *worse* than that of two apart, and with 100 labels the difference is null.",
        stored=[
            'against_a_vote(pairs("all"), "mutual", of="ensemble_accuracy").worse',
            'against_a_vote(pairs("100"), "mutual", of="ensemble_accuracy").null',
        ],
        differs="two counts the voters",
    ),
    Claim(
        "Only under wrong labels, where nobody stopped, is it a point better.",
        stored='against_a_vote(pairs("40 % wrong"), "mutual", of="ensemble_accuracy").about(1, within=0.2)',
    ),
    # 4. The relatives
    Claim(
        "100 labels. Whose single network gains most over learning apart? → codistillation, with "
        "copies 50 steps old\n"
        "It gains almost two points, on thirty of thirty seeds. What of that is the copies' "
        "knowledge is another question.",
        stored=[
            'scheme("codistillation").about(2, within=0.3, seeds=30)',
            'all(scheme(arm).mean < scheme("codistillation").mean for arm in ("mutual", "KDCL", "ONE"))',
        ],
        differs="50 steps is the copies' age",
    ),
    Claim(
        "Codistillation gains almost two points, on thirty of thirty seeds; KDCL more than one.",
        stored=[
            'scheme("codistillation").about(2, within=0.3, seeds=30) and scheme("codistillation").mean < 2',
            'scheme("KDCL").better and scheme("KDCL").mean > 1',
        ],
    ),
    Claim(
        "Mutual learning and ONE are **null**.",
        stored='scheme("mutual").null and scheme("ONE").null and scheme("codistillation").better',
    ),
    Claim(
        "(Section 2 gave mutual learning half a point, in a network with one layer less.",
        stored='peers("100").about(0.5, within=0.2)',
    ),
    Claim(
        "Label smoothing, with no peer at all, gains more than a point.",
        stored='scheme("label smoothing").better and scheme("label smoothing").mean > 1',
    ),
    Claim(
        "Codistillation without its delay is null.",
        stored='scheme("codistillation, no delay").null and scheme("codistillation").better',
    ),
    Claim(
        "And the noise on the images alone gains most of what KDCL gains.",
        stored='scheme("KDCL without teaching").better and scheme("KDCL without teaching").mean > 0.6 * scheme("KDCL").mean',
    ),
    Claim(
        "Its delay is worth a point and a half over fresh copies, and half of that comes from the first 50 steps, in which the copies are *untrained networks*: with burn-in, 0.8 points are left.",
        stored=[
            'scheme("codistillation", "codistillation, no delay").about(1.5, within=0.1)',
            'scheme("codistillation", "codistillation, burn-in").about(0.75, within=0.1)',
            'scheme("codistillation, burn-in", "codistillation, no delay").about(0.8, within=0.1)',
        ],
        differs="50 is the number of steps",
    ),
    Claim(
        "Copies that are 50 steps old do teach better than fresh ones, then, by less than it seemed; why, no arm on this page tests.",
        stored='scheme("codistillation, burn-in", "codistillation, no delay").better and scheme("codistillation", "codistillation, burn-in").better',
        differs="50 is the number of steps",
    ),
    Claim(
        "Codistillation is 0.6 points better; with burn-in it is **null** against it, and so is KDCL, whose ensemble adds 0.4 points to its noise.",
        stored=[
            'scheme("codistillation", "label smoothing").about(0.6, within=0.1)',
            'scheme("codistillation, burn-in", "label smoothing").null and scheme("KDCL", "label smoothing").null',
            'scheme("KDCL", "KDCL without teaching").about(0.4, within=0.1)',
        ],
    ),
    Claim(
        "Most of what these schemes gain here, softer labels gain without any peer.",
        stored='scheme("label smoothing").mean > 0.6 * scheme("codistillation").mean and scheme("label smoothing").better',
    ),
    Claim(
        "Codistillation is also the only one of the four whose single network is better than two apart that vote, by half a point.",
        stored=[
            'against_a_vote(schemes(), "codistillation").about(0.5, within=0.1)',
            'not any(against_a_vote(schemes(), arm).better for arm in ("mutual", "KDCL", "ONE"))',
        ],
        differs="two counts the voters",
    ),
    Claim(
        "But two apart with label smoothing that vote are 0.7 points better than it.",
        stored='against_a_vote(schemes(), "codistillation", voters="label smoothing").about(-0.7, within=0.1)',
        differs="the difference is below zero, seen from the other side",
    ),
    Claim(
        "ONE's branches agree most, on 98 % of the images, with the smallest divergence.",
        stored=[
            'means("agreement").idxmax() == "ONE" and abs(means("agreement").max() - 98) < 0.5',
            'means("kl").idxmin() == "ONE"',
        ],
    ),
    Claim(
        "They also share most mistakes, twice as many as two networks apart, so they are hardly two networks.",
        stored='means("same_mistake").idxmax() == "ONE" and abs(means("same_mistake")["ONE"] / means("same_mistake")["apart"] - 2) < 0.2',
    ),
    Claim(
        "The highest agreement of the table stands beside the lowest accuracy.",
        stored='means("agreement").idxmax() == means("accuracy").idxmin() == "ONE"',
    ),
    # 5. Look at the mistakes
    Claim(
        "The two apart differ on 27 images or so, the two together on fewer.",
        live="abs(int((a != b).sum()) - 27) <= 5 and (c != d).sum() < (a != b).sum()",
    ),
    Claim(
        "On about half of these images the peers have come to agree, more often on the right digit than on a mistake. In this pair they talked each other out of more mistakes than into.",
        live="abs(int(enlightened.sum() + persuaded.sum()) / int((a != b).sum()) - 0.5) < 0.2 and enlightened.sum() > persuaded.sum()",
    ),
    # What holds
    Claim(
        "**Holds**: peers that teach each other agree more. A part of that, up to nearly half, is shared mistakes.",
        stored='all(peers(labels, of="agreement").better and 0.1 < of_new_agreement(labels) < 0.5 for labels in EVERY)',
    ),
    Claim(
        "**Holds** with 100 labels: mutual learning gains half a point. But against label smoothing it is null, and two apart that vote are better.",
        stored=[
            'peers("100").about(0.5, within=0.2)',
            'peers("100", minus="label smoothing").null and against_a_vote(pairs("100"), "mutual").worse',
        ],
        differs="two counts the voters",
    ),
    Claim(
        "**Holds** with 100 labels: codistillation with *old* copies gains almost two points. Label smoothing gains 1.2 of them, and with burn-in codistillation is null against it.",
        stored=[
            'scheme("codistillation").about(2, within=0.3)',
            'scheme("label smoothing").about(1.2, within=0.1)',
            'scheme("codistillation, burn-in", "label smoothing").null',
        ],
        differs="100 is the number of labels",
    ),
    Claim(
        "**Null**: mutual learning with all labels; under wrong labels once everybody stops early; codistillation with fresh copies and ONE against learning apart; KDCL against label smoothing.",
        stored=[
            'peers("all").null and peers("40 % wrong", end=False).null and peers("40 % wrong").better',
            'scheme("codistillation, no delay").null and scheme("ONE").null and scheme("KDCL", "label smoothing").null',
            'scheme("KDCL").better',
        ],
    ),
    Claim(
        '**Does not hold**: "who agrees more is better". The scheme with the highest agreement has the lowest accuracy.',
        stored='means("agreement").idxmax() == means("accuracy").idxmin() == "ONE"',
        differs="better is in the saying that does not hold",
    ),
    Claim(
        "Minimum has the smallest cross-entropy, and must: of each wrong class it takes the least that anybody gives it, so on each image it is at least as good as the better peer, whom naive takes.",
        live='entropy["minimum"] == min(entropy.values()) and entropy["minimum"] < entropy["naive"] < min(entropy["first peer"], entropy["second peer"])',
    ),
    Claim(
        "Linear cannot be worse than either peer on the batch; on single images it may be.",
        live='entropy["linear"] < 1e-4 + min(entropy["first peer"], entropy["second peer"])',
    ),
    Claim(
        "Both are also right on more images than either peer.",
        live='min(correct["naive"], correct["minimum"]) > max(correct["first peer"], correct["second peer"])',
    ),
    Claim(
        "KDCL's naive and general targets are 0.8 and 0.7 points better than their noise unheard, minimum 0.4.",
        stored="""all(relative(f"KDCL, {target}", "KDCL without teaching").about(mean, within=0.1)
                  for target, mean in {"naive": 0.8, "general": 0.7, "minimum": 0.4}.items())""",
    ),
    Claim(
        "Naive is also half a point better than label smoothing, barely; the other two are null against it.",
        stored=[
            'relative("KDCL, naive", "label smoothing").about(0.5, within=0.1) and relative("KDCL, naive", "label smoothing").low < 0.2',
            'relative("KDCL, minimum", "label smoothing").null and relative("KDCL, general", "label smoothing").null',
        ],
        differs="two are named",
    ),
    Claim(
        "FFL and OKDDip are null against branches that hear only the labels, and both are worse than label smoothing, by more than a point.",
        stored=[
            'all(relative(arm, "branches, labels alone").null for arm in ("FFL", "OKDDip"))',
            'all(relative(arm, "label smoothing").worse and relative(arm, "label smoothing").mean < -1 for arm in ("FFL", "OKDDip"))',
        ],
    ),
    Claim(
        "Rocket loses nearly thirteen points against the same light net that does not follow, on each of the thirty seeds.",
        stored='relative("Rocket", "Rocket, not followed").about(-12.8, within=0.3) and relative("Rocket", "Rocket, not followed").below == 30',
        differs="nearly thirteen is 12.8",
    ),
]

EXEMPT = {
    "The learning rate falls along a cosine, as everywhere in kdviz.": "how the experiment is made",
    "Three regimes: all 1,200 labels, 100 labels, and 40 % wrong labels (there the peers are wide, 64, and train for 1,500 steps).": "how the experiment is made",
    "Notebook 02 made us suspicious of such gains, so look at how the networks change along their training.": "an instruction",
    "Remember: a gain of peers is asked three questions: softness, a stop, and a vote of two apart.": "advice",
    "Holds, exactly: with weight 0 mutual learning is two trainings apart.": "asserted by a cell of the page",
    "The papers report their gains with large convolutional networks on CIFAR and ImageNet, mostly without an early stop or label smoothing beside them; nothing here speaks against them there.": "what others report",
    "The intervals are at 95 % each, and there are many of them.": "what an interval is",
    "Read: a paper reports that its peers agree on 99 % of the images.": "a question",
    "Test: a gain under wrong labels.": "a question",
}
