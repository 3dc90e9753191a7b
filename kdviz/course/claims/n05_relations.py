"""Page 05: the two losses are written and trained on the page; what they gain is in stored tables."""

import pandas as pd

from kdviz.course.claims import Claim, Gain, difference, gain, table
from kdviz.course.experiments import n04_features as knowledge

RELATIONS = ("distances", "angles", "similarities", "neighbours")
ADDED = ("distances", "similarities", "neighbours")
KINDS = ("hint", *ADDED)


def only(arm: str, minus: str, of: str = "accuracy") -> Gain:
    """Students that learn relations only, and what is beside them."""
    return gain("relations_only", arm, minus=minus, of=of)


def best(arm: str, labels: int, base: str = "hard labels") -> Gain:
    """What a kind of knowledge adds to its base, at the weight that validation chose."""
    return gain(knowledge.chosen(table("knowledge")), arm, minus="none", labels=labels, base=base)


def soft_minus(arm: str, labels: int) -> Gain:
    """Soft targets alone minus hard labels with a kind of knowledge."""
    rows = knowledge.chosen(table("knowledge", labels=labels))
    soft = rows[(rows.base == "soft targets") & (rows.arm == "none")]
    return difference(_accuracy(soft), _accuracy(rows[(rows.base == "hard labels") & (rows.arm == arm)]))


def every() -> pd.DataFrame:
    """50 labels: right and shuffled pairs."""
    return pd.concat([table("knowledge", labels=50).assign(pairs="right"), table("shuffled_pairs")])


def pairs(kind: str, weight: float, base: str = "hard labels", arm: str = "distances") -> Gain:
    """Over the base alone."""
    rows = table(every(), arm=arm, base=base, weight=weight, pairs=kind)
    alone = table("knowledge", arm="none", base=base, labels=50)
    return difference(_accuracy(rows), _accuracy(alone))


def against(first: str, second: str, weight: float, base: str = "soft targets") -> Gain:
    """Pairs minus other pairs, at one weight."""
    rows = table(every(), arm="distances", base=base, weight=weight)
    return gain(rows, {"pairs": first}, minus={"pairs": second})


def at_their_best() -> tuple[Gain, Gain]:
    """On soft targets, at the weight that validation chose: shuffled over the base, right minus shuffled."""
    rows = table(every(), arm="distances", base="soft targets")
    right, shuffled = (_accuracy(knowledge.chosen(table(rows, pairs=kind))) for kind in ("right", "shuffled"))
    alone = _accuracy(table("knowledge", arm="none", base="soft targets", labels=50))
    return difference(shuffled, alone), difference(right, shuffled)


def onto_soft() -> list[Gain]:
    return [best(arm, n, "soft targets") for arm in KINDS for n in (50, 100, 1000)]


LISTENERS = ("image", "thumbnail", "tone")


def heard(arm: str, sense: str, minus: str = "alone", of: str = "accuracy") -> Gain:
    """A network of this sense in a graph, over the same by itself or in another graph."""
    return gain("modalities", arm, minus=minus, of=of, sense=sense)


def to_noise(arm: str) -> list[float]:
    """How much each of the other networks listens to noise, the mean over seeds."""
    return [table("modalities", arm=arm, sense=sense).edge_from_noise.mean() for sense in LISTENERS]


def _accuracy(rows):
    return rows.set_index("seed").accuracy.sort_index()


MORE = ("correlation congruence", "DarkRank", "IRG", "InfoNCE", "locality preserving")


def more(arm: str, minus: str = "distances", of: str = "accuracy") -> Gain:
    """Losses that page 05 does not write by hand, beside the distances."""
    return gain("more_relations", arm, minus=minus, of=of)


CLAIMS = [
    Claim(
        "With the constant mean the embedding shrinks, by orders of magnitude.",
        live='follow(ConstantMean("hidden2", "activation1"))[0][-1] < mean_distance(start) / 30',
    ),
    Claim(
        "A student is trained with the constant mean. What happens? → its embedding shrinks towards "
        "a point\n"
        "The next cells train it, and the text below them says why.",
        live="sizes[-1] < sizes[0] / 3",
    ),
    Claim(
        "As it does, the steps of training become larger and larger beside it, and the loss rises.",
        live="wrong_value > 10 * distance_loss(s, t)",
    ),
    Claim(
        "The other student, with the right mean, grows at first and then keeps its size, although nothing in the loss asks for one.",
        live="mean_distance(student) > mean_distance(start)",
    ),
    Claim(
        "At a fifth of the usual one the student still learns something in 600 steps while it shrinks.",
        live="sizes[-1] < sizes[0] and value < distance_loss(before, t) and 600",
    ),
    Claim(
        "Yet its similarities got worse than before training.",
        live="similarity_loss(s, t) > similarity_loss(before, t) and -similarity_loss(s, t) < -similarity_loss(before, t)",
    ),
    Claim(
        "Holds: a constant in the wrong place leaves the value of a loss alone and ruins the training.",
        live="with_constant_mean(s, t) == distance_loss(s, t) and wrong_value > 10 * distance_loss(s, t)",
    ),
    Claim(
        "Nearest of 50 labelled images. How often is it right in the student's 8 numbers? → more "
        "often than in the pixels\n"
        "By seven points, on every seed.",
        stored='only("distances", "pixels").about(7, within=0.4, seeds=30)',
    ),
    Claim(
        "The student beats the pixels on every seed.",
        stored='only("distances", "pixels").better and only("distances", "pixels").above == 30',
    ),
    Claim(
        "50 labels is the twin that trained on these 50 labels: its embedding is worse than the pixels.",
        stored='only("50 labels", "pixels").worse',
    ),
    Claim(
        "And a student with shuffled pairs is forty points behind; against an untrained one it is null.",
        stored=[
            'only("distances", "distances, shuffled pairs").about(40, within=1.5)',
            'only("distances, shuffled pairs", "untrained").null',
        ],
    ),
    Claim(
        "Distances, angles, similarities, neighbours: all four are surely behind the teacher, by one to one and a half points, and behind a student that learned from all 1,200 labels by less than two.",
        stored=[
            'all(only(arm, "teacher").worse and -1.5 < only(arm, "teacher").mean < -0.8 for arm in RELATIONS)',
            'all(only(arm, "all labels").worse and only(arm, "all labels").mean > -2 for arm in RELATIONS)',
        ],
        differs="four are all of RELATIONS, and 1,200 is the training set",
    ),
    Claim(
        "Among these four relations, five of the six differences are null.",
        stored="sum(only(a, b).null for a in RELATIONS for b in RELATIONS if a < b) == 5",
        differs="six are the pairs of four",
    ),
    Claim(
        "Soft targets on the same images are null against distances and angles, and a little better than the other two, with a geometry that is less the teacher's (last column).",
        stored=[
            'only("soft targets", "distances").null and only("soft targets", "angles").null',
            'only("soft targets", "similarities").better and only("soft targets", "neighbours").better',
            'all(only("soft targets", arm, of="cka").worse for arm in RELATIONS)',
        ],
        differs="two are named",
    ),
    Claim(
        "With all 1,200 labelled images to vote, the plain pixels win. Digits of 8 × 8 pixels are that easy. No embedding here beats them: the teacher's is null, and the students' are surely behind. The student's gain is in the 50, where a few examples must speak for all.",
        stored=[
            'only("teacher", "pixels", of="vote_accuracy").null',
            'all(only(arm, "pixels", of="vote_accuracy").worse for arm in (*RELATIONS, "soft targets", "all labels", "50 labels"))',
            'only("distances", "pixels").better',
        ],
        differs="1,200, 50 and 8 × 8 are sizes",
    ),
    Claim(
        "50 labels, hard labels plus distances at weight 10. Which pairs surely help, on thirty "
        "seeds? → only the right ones\n"
        "At weight 10 right pairs gain almost four points, those shuffled within a digit are null, "
        "and shuffled ones cost seven.",
        stored=[
            'pairs("right", 10.0).about(3.8, within=0.3)',
            'pairs("shuffled within a class", 10.0).null',
            'pairs("shuffled", 10.0).about(-7, within=0.3)',
        ],
        differs="almost four is 3.7",
    ),
    Claim(
        "The right distances help over three orders of magnitude of the weight.",
        stored='all(pairs("right", w).better for w in (1.0, 10.0, 100.0, 1000.0))',
        differs="three orders of magnitude are 1 to 1,000",
    ),
    Claim(
        "Shuffled, the same loss harms from weight 10 on, the more the heavier it is.",
        stored='pairs("shuffled", 1.0).null and 0 > pairs("shuffled", 10.0).high and pairs("shuffled", 10.0).mean > pairs("shuffled", 100.0).mean > pairs("shuffled", 1000.0).mean',
        differs="at weight 1 it is null, which 'from 10 on' says",
    ),
    Claim(
        "Shuffled within a class it gains a point at weight 1 and is null at 10 (ten seeds alone would have called it harm).",
        stored=[
            'pairs("shuffled within a class", 1.0).about(1, within=0.3)',
            'pairs("shuffled within a class", 10.0).null',
        ],
    ),
    Claim(
        "At 100, where the right pairs gain most, it costs almost five points: there what is special to the single image matters.",
        stored=[
            'pairs("shuffled within a class", 100.0).about(-4.6, within=0.3)',
            'max((1.0, 10.0, 100.0, 1000.0), key=lambda w: pairs("right", w).mean) == 100',
            'against("right", "shuffled within a class", 100.0, "hard labels").better',
        ],
        differs="almost five is 4.6",
    ),
    Claim(
        "With 50 or 100 labels each kind of knowledge gains four to six points over hard labels, and notebook 04 shows that hard labels at their best do not catch up.",
        stored="all(best(arm, n).better and 4 < best(arm, n).mean < 6 for arm in KINDS for n in (50, 100))",
    ),
    Claim(
        "With 1,000 labels: relations are null, and hints gain half a point.",
        stored=["all(best(arm, 1000).null for arm in ADDED)", 'best("hint", 1000).about(0.55, within=0.2)'],
    ),
    Claim(
        "With 50 or 100 labels soft targets gain more than any of the four.",
        stored="all(soft_minus(arm, n).better for arm in KINDS for n in (50, 100))",
        differs="four are the kinds",
    ),
    Claim(
        "On top of them distances gain a point with 50 labels and hints one with 100; nine of the twelve cells are null, and neighbours with 1,000 labels cost a little.",
        stored=[
            'best("distances", 50, "soft targets").about(1, within=0.3)',
            'best("hint", 100, "soft targets").about(1, within=0.3)',
            "sum(one.null for one in onto_soft()) == 9 and len(onto_soft()) == 12",
            'best("neighbours", 1000, "soft targets").worse',
        ],
    ),
    Claim(
        "One gain on top of soft targets is left for relations: distances, with 50 labels, 0.8 points. Thirty seeds, an interval without zero, a weight chosen on validation.",
        stored='best("distances", 50, "soft targets").about(0.8, within=0.1) and table("knowledge").seed.nunique() == 30 and [best(arm, n, "soft targets").better for arm in ADDED for n in (50, 100, 1000)].count(True) == 1',
    ),
    Claim(
        "Soft targets plus shuffled distances, at the best weight: what is left of the gain? → all "
        "of it\n"
        "The shuffled pairs gain +1.1 ± 0.7 at their best weight, the right ones +0.8 ± 0.7.",
        stored=[
            "at_their_best()[0].about(1.1, within=0.06) and abs(at_their_best()[0].half - 0.7) < 0.06",
            'best("distances", 50, "soft targets").about(0.8, within=0.06)',
        ],
    ),
    Claim(
        "Give the control the same fairness, a weight chosen on validation, and it gains as much as the right distances: right minus shuffled is null. So that gain need not be knowledge about images, and these seeds cannot tell.",
        stored=["at_their_best()[1].null", "at_their_best()[0].better"],
    ),
    Claim(
        "The shuffled pairs gain at weight 10, where the three kinds of pairs are null against each other.",
        stored=[
            'pairs("shuffled", 10.0, "soft targets").better',
            'against("right", "shuffled", 10.0).null and against("right", "shuffled within a class", 10.0).null and against("shuffled", "shuffled within a class", 10.0).null',
        ],
        differs="three kinds are named",
    ),
    Claim(
        "At 100, the choice of the right pairs, shuffled ones cost five points, and right minus shuffled is six.",
        stored=[
            'pairs("shuffled", 100.0, "soft targets").about(-5, within=0.5)',
            'against("right", "shuffled", 100.0).about(6, within=0.5)',
        ],
        differs="100 is asked as 100.0",
    ),
    Claim(
        "Over hard labels in section 7 the control failed, as it should: at weight 10 right minus shuffled is eleven points.",
        stored='against("right", "shuffled", 10.0, "hard labels").about(11, within=0.5)',
    ),
    Claim(
        "These four are wins. The other list is shorter and not empty: some images were better off in pixels.",
        live="won.sum() > lost.sum() > 0 and won.sum() >= 4",
    ),
    Claim(
        "Holds on these digits: relations alone, without labels, give an embedding in which 50 labelled images say nearly as much as in the teacher's.",
        stored='all(only(arm, "teacher").mean > -1.5 and only(arm, "pixels").better for arm in RELATIONS)',
        differs="50 is how many are labelled",
    ),
    Claim(
        "Holds: added to 50 or 100 hard labels, each relation gains points at its best weight, and with 50 labels shuffled pairs do not.",
        stored=[
            "all(best(arm, n).better for arm in ADDED for n in (50, 100))",
            'not any(pairs("shuffled", w, arm=arm).better for arm in ("distances", "similarities") for w in knowledge.KINDS[arm].weights)',
        ],
    ),
    Claim(
        "Only partly: distances on top of soft targets. They gain a point with 50 labels, and at its best weight shuffled pairs gain as much.",
        stored=[
            'best("distances", 50, "soft targets").about(1, within=0.3)',
            "at_their_best()[0].better and at_their_best()[1].high > 0 > at_their_best()[1].low",
        ],
    ),
    Claim(
        "Null: nine of twelve kinds on top of soft targets; relations with 1,000 labels.",
        stored=[
            "sum(one.null for one in onto_soft()) == 9 and len(onto_soft()) == 12",
            "all(best(arm, 1000).null for arm in ADDED)",
        ],
    ),
    Claim(
        'Does not hold: "the embedding is better than the pixels".',
        stored='only("distances", "pixels", of="vote_accuracy").worse',
    ),
    Claim(
        "Add 5 to all of the student's numbers, double them, and turn the space. What does the "
        "carpet above do? → it stays as it is\n"
        "Adding moves all images alike, turning keeps all distances, and the doubling is divided "
        "out by the mean.",
        live="(distances(moved) - distances(s)).abs().max() < 1e-6",
    ),
    Claim(
        "Before training most edges are in one graph only; the student has most of its edges from its teacher, and has never seen a label.",
        live=[
            'experiments.edge_overlap(graphs["before training"], hers) < 0.5',
            '(graphs["student, 8 numbers"] & hers).sum() > graphs["student, 8 numbers"].sum() / 2',
        ],
    ),
    Claim(
        "Correlation congruence is null against the distances in the first column, and IRG a point behind.",
        stored=['more("correlation congruence").null', 'more("IRG").about(-1, within=0.3)'],
        differs="a point behind is said of IRG alone",
    ),
    Claim(
        "DarkRank is more than four points behind: it keeps the order of neighbours and lets the distances go.",
        stored='more("DarkRank").worse and more("DarkRank").mean < -4',
        differs="behind is below",
    ),
    Claim(
        "InfoNCE is thirty points behind, and still better than an untrained student.",
        stored=['more("InfoNCE").about(-30, within=1)', 'more("InfoNCE", "untrained").better'],
        differs="thirty behind is -30",
    ),
    Claim(
        "And locality preserving, all by itself, is worse than no training: it only ever pulls images together, so its best answer is one point for all of them.",
        stored='more("locality preserving", "untrained").worse',
    ),
    Claim(
        "In the second column all five are surely below the distances.",
        stored='all(more(arm, of="edge_overlap").worse for arm in MORE) and len(MORE) == 5',
    ),
    Claim(
        "Even these share fewer than two edges in three with their teacher: 8 numbers have no room for all of the relations among 256.",
        stored='62 < table("more_relations", arm="distances").edge_overlap.mean() < 100 * 2 / 3',
        differs="8 and 256 are sizes",
    ),
    Claim(
        "With the teacher's features of other images, distances, DarkRank and InfoNCE fall by about forty points each, as a control should.",
        stored="""all(more(arm, minus=f"{arm}, shuffled pairs").about(41, within=1.5)
                  for arm in ("distances", "DarkRank", "InfoNCE"))""",
        differs="about forty is 41",
    ),
    # A graph that controls
    Claim(
        "Given edges pay: the tone gains nearly nine points over learning alone, the thumbnail two and a half, and the image, which knew most, is null.",
        stored=[
            'heard("given", "tone").about(9, within=0.6) and heard("given", "thumbnail").about(2.5, within=0.2)',
            'heard("given", "image").null',
        ],
        differs="two and a half is 2.5",
    ),
    Claim(
        "All alike, the same lessons cost the tone eight points and the image nearly four.",
        stored='heard("all alike", "tone").about(-8, within=0.3) and heard("all alike", "image").about(-4, within=0.6)',
    ),
    Claim(
        "Every edge from noise began at 33 %, and the gradient took it down, for noise is hard to imitate; but only to 20 to 24 %, where the given edges have about one.",
        stored=[
            'all(round(edge) == 33 for edge in to_noise("all alike"))',
            'all(heard("learned", sense, "all alike", "edge_from_noise").worse for sense in LISTENERS)',
            'round(min(to_noise("learned"))) == 20 and round(max(to_noise("learned"))) == 24',
            'all(abs(edge - 1) < 0.5 for edge in to_noise("given"))',
        ],
    ),
    Claim(
        "So the image and the tone still lose about three points each.",
        stored='all(heard("learned", sense).about(-3, within=0.3) for sense in ("image", "tone"))',
    ),
    Claim(
        "It is better than all alike, and worse than given for all three.",
        stored='all(heard("learned", sense, "all alike").better and heard("given", sense, "learned").better for sense in LISTENERS)',
    ),
    Claim(
        "The sum says who is easy to imitate, and not who is right: that had to come from labels, 50 more of them (page 15, section 1, has the case where it goes wrong).",
        stored='all(heard("given", sense, "learned").better for sense in LISTENERS) and 50',
        differs="15 is a page, 1 a section",
    ),
    Claim(
        "They leave noise a fifth, and the image and the tone lose three points.",
        stored=[
            'all(abs(edge / 100 - 1 / 5) < 0.05 for edge in to_noise("learned"))',
            'all(heard("learned", sense).about(-3, within=0.3) for sense in ("image", "tone"))',
        ],
    ),
]
EXEMPT = {
    'Does not hold: "edges between networks can be learned with the rest".': "its numbers are in the next sentence",
    "Here are four networks, each with a sense of its own for the same sample: its image, a thumbnail of 4 × 4, a tone for its digit under loud noise, and noise alone.": "what is done",
    "Each has learned 50 labels by itself, for 150 steps.": "how the experiment is made",
    "The edges e_{kj} sum to 1.": "a definition",
    "The repair never comes: mu shrinks too.": "calculus; the figure above it shows the shrinking",
    "Now 30 seeds, and more relations: angles are RKD's second term, similarities are SP, and neighbours is probabilistic knowledge transfer (PKT).": "definitions",
    "Ten seeds are few for the smaller of these differences.": "an announcement",
    "Remember: ask of every gain on relations what it is worth with the relations of other images.": "advice",
    "Now the table of this page: 30 seeds, four kinds of knowledge.": "an announcement",
    "Each stands at the weight that is best on validation images, and its gain is measured on test images.": "how the experiment is made",
    "So the pairs do matter there; what thirty seeds do not show is that right pairs at their best give more than shuffled ones at theirs.": "sums up the claims before it",
    "Why the shuffled ones gain at all is not tested on this page.": "says what was not done",
    "One weight was chosen for all seeds by validation images, and the splits of the seeds overlap.": "how the experiment is made",
    "Test: a relation gains 0.8 points on top of soft targets.": "a question",
}
