"""Page 21: five stored tables, and one student asked in two ways."""

from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n21_learn_on_and_forget as experiments


def lwf(weight, arm="yesterday", regime="one head", heads="own", of="old_accuracy"):
    """Learning on with a teacher at this weight, over learning on without one."""
    where = {"regime": regime, "heads": heads}
    treated = {"arm": arm, "weight": weight}
    return gain("forgetting", treated, minus={"arm": "no teacher"}, of=of, **where)


def mean(name, of="accuracy", **where):
    return float(table(name, **where)[of].mean())


KEPT = experiments.KEPT


def kept_best():
    """Each way to keep the old, at its best on validation."""
    return experiments.at_their_best(table("other_keepers"), table("forgetting"))


def keeper(arm, minus="no teacher", of="accuracy"):
    return gain(kept_best(), arm, minus=minus, of=of)


def rate(value, of):
    return mean("other_keepers", of=of, arm="slower", learning_rate=value, heads="own")


def kept(each, arm="yesterday", minus="no teacher", heads="all"):
    """An arm of the kept images over another, at the weight that is best on validation."""
    rows = table("kept_images", kept=each, heads=heads)
    return gain(experiments.best_on_validation(rows, ["arm"], ["weight"]), arm, minus=minus)


def start(arm, minus="scratch", of="needed", rate=None):
    """A way to begin over another: at this learning rate, or each at the one that needs the fewest steps."""
    rows = table("grown")
    means = rows.groupby(["arm", "learning_rate"]).needed.mean()
    own, other = ({"arm": one, "learning_rate": rate or means[one].idxmin()} for one in (arm, minus))
    return gain(rows, own, minus=other, of=of)


def refinery(generation):
    """A generation of the refinery over the same network on hard labels."""
    return gain("refined", "refinery", minus="labels", generation=generation)


CLAIMS = [
    Claim(
        "With λ = 3 the student still knows nearly every old digit, where only the old head may answer.",
        live="own['old_accuracy'] > 96 and learn_on(3.0).training is False",
    ),
    Claim(
        "The same student, the same old digits. Now all ten logits may answer. How many of them does it name? → hardly any",
        stored='mean("forgetting", of="old_accuracy", regime="one head", heads="all", arm="yesterday", weight=3.0) < 4',
        differs="hardly any is a few percent",
    ),
    Claim(
        "With all ten logits the points run to the left, with a teacher as without one: within sixty steps most of the old digits are lost.",
        live="all(one['all'][steps.index(60) + 1, :, 0].mean() < 0.5 for one in (alone, helped))",
        differs="ten logits",
    ),
    Claim(
        "Without a teacher 95 % of the old digits are still named.",
        stored='round(mean("forgetting", of="old_accuracy", regime="one head", heads="own", arm="no teacher")) == 95',
    ),
    Claim(
        "Yesterday's network gives three points more, and at λ = 3 that costs nothing: the change on new digits is null.",
        stored=["lwf(3.0).about(3, within=0.3)", 'lwf(3.0, of="new_accuracy").null'],
        differs="what costs nothing is null",
    ),
    Claim(
        "Both controls fail: at λ = 3 the shuffled answers lose eight points, and the teacher that knows nothing three and a half.",
        stored=[
            'lwf(3.0, "shuffled").about(-8, within=0.3)',
            'lwf(3.0, "knows nothing").about(-3.5, within=0.2)',
        ],
        differs="a half",
    ),
    Claim(
        "No λ brings the old digits back: at 1, at 3 and at 30 the difference is null.",
        stored='all(lwf(weight, heads="all").null for weight in (1.0, 3.0, 30.0))',
    ),
    Claim(
        "Now 77 % of the old digits are named among all ten without any teacher.",
        stored='round(mean("forgetting", of="old_accuracy", regime="own head", heads="all", arm="no teacher")) == 77',
        differs="ten logits",
    ),
    Claim(
        "A small λ makes that worse, by eight points at λ = 1, and a large one better, by six and a half at λ = 30.",
        stored=[
            'lwf(1.0, regime="own head", heads="all").about(-8, within=0.3)',
            'lwf(30.0, regime="own head", heads="all").about(6.5, within=0.3)',
        ],
        differs="six and a half",
    ),
    Claim(
        "Yesterday's answers gain 1.6 points over learning on, of the two that both at once gains.",
        stored=[
            'keeper("yesterday").about(1.6, within=0.05)',
            'keeper("both at once").about(2, within=0.1)',
        ],
    ),
    Claim(
        "Features gain one and relations half a point.",
        stored=[
            'keeper("features").about(1, within=0.2)',
            'keeper("relations").about(0.5, within=0.1)',
        ],
        differs="a half",
    ),
    Claim(
        "Slower learning forgets less and learns less, and validation takes the usual rate, the highest of the four.",
        stored=[
            'rate(0.001, "old_accuracy") > rate(0.002, "old_accuracy") > rate(0.005, "old_accuracy")',
            'rate(0.001, "new_accuracy") < rate(0.002, "new_accuracy") < rate(0.005, "new_accuracy")',
            'set(kept_best()[kept_best().arm == "slower"].learning_rate) == {0.005}',
        ],
        differs="the rates are four",
    ),
    Claim(
        "But the new digits lose 24 points: what the layer has learned to see in 0 to 4 is not what tells 5 from 9.",
        stored='keeper("only the head", of="new_accuracy").about(-24, within=0.3)',
        differs="the digits are named",
    ),
    Claim(
        "It keeps all that was known, for nothing that knows it has moved.",
        live="(experiments.only_the_head([yesterday], [today], steps=20)[0].logits.weight[:5] == yesterday.logits.weight[:5]).all()",
    ),
    Claim(
        "Kept images alone lift the accuracy on all digits to 57, 80 and 91 %.",
        stored='[round(mean("kept_images", kept=each, heads="all", arm="no teacher")) for each in KEPT] == [57, 80, 91]',
    ),
    Claim(
        "Yesterday's network adds nothing to them: with one image of each it loses a point, with five and with twenty it is null.",
        stored=[
            "kept(1).about(-1.3, within=0.1)",
            "kept(5).null and kept(20).null",
        ],
        differs="a point is 1.3",
    ),
    Claim(
        "With one image the nearest mean gains 23 points.",
        stored="""gain("kept_images", {"heads": "nearest", "arm": "no teacher"}, minus={"heads": "all", "arm": "no teacher"}, kept=1)
                  .about(23, within=0.5)""",
    ),
    Claim(
        "There the teacher gains a point with one image and half a point with five, and is null with twenty.",
        stored=[
            'kept(1, heads="nearest").about(1.1, within=0.1)',
            'kept(5, heads="nearest").about(0.6, within=0.1)',
            'kept(20, heads="nearest").null',
        ],
        differs="a half, and 1.1",
    ),
    Claim(
        "iCaRL, with one image, is 30 points ahead of no teacher by its logits alone: its sigmoids compare no class with another.",
        stored='kept(1, "iCaRL").about(30, within=0.4)',
        differs="ahead",
    ),
    Claim(
        "With twenty images, by nearest means, it loses two points to no teacher.",
        stored='kept(20, "iCaRL", heads="nearest").about(-2, within=0.2)',
    ),
    Claim(
        "The control fails: where nothing new was learned, twenty kept images give 70 %.",
        stored='round(mean("kept_images", kept=20, heads="nearest", arm="never learned on")) == 70',
    ),
    Claim(
        "The answers are the same, and so are the units: 128 of them, of which 16 are different, also after 50 steps.",
        live="[len(large.hidden1.weight), different, longer is not large and 50] == [128, 16, 50]",
    ),
    Claim(
        "Holds: yesterday's answers on today's images keep three points of the old task, for nothing on the new one, as long as its own head may answer.",
        stored=["lwf(3.0).about(3, within=0.3)", 'lwf(3.0, of="new_accuracy").null'],
        differs="nothing is null",
    ),
    Claim(
        "Beside five kept images the teacher is null.",
        stored="kept(5).null",
    ),
    Claim(
        "At the rate 0.002 Net2Net with noise is 82 steps ahead of the network from scratch.",
        stored='start("Net2Net, noise", rate=0.002).about(-82, within=0.5)',
        differs="0.002 is the rate, fewer steps are ahead",
    ),
    Claim(
        "At the best rate of each the two are null in steps, and Net2Net ends behind: it loses 0.4 points with noise, and 0.65 without.",
        stored=[
            'start("Net2Net, noise").null',
            'start("Net2Net, noise", of="accuracy").about(-0.4, within=0.05)',
            'start("Net2Net", of="accuracy").about(-0.65, within=0.05)',
        ],
    ),
    Claim(
        "To be taught by the small network is null in steps and in the end.",
        stored=['start("taught").null', 'start("taught", of="accuracy").null'],
    ),
    Claim(
        "Padded is 17 steps ahead of the network from scratch and ends half a point above it.",
        stored=[
            'start("padded").about(-17, within=0.5)',
            'start("padded", of="accuracy").about(0.5, within=0.1)',
        ],
        differs="a half; fewer steps are ahead",
    ),
    Claim(
        "At the best rate of each it is null, and random units beside the old ones are faster.",
        stored=['start("Net2Net").null and start("Net2Net, noise").null', 'start("padded").worse'],
        differs="fewer steps are faster",
    ),
    Claim(
        "Each generation of the refinery is a little worse: the second loses 1.2 points to hard labels of the same crops, and the third 1.6.",
        stored=["refinery(1).about(-1.2, within=0.05)", "refinery(2).about(-1.6, within=0.05)"],
    ),
    Claim(
        "They lose 1.6 points in two steps.",
        stored="refinery(2).about(-1.6, within=0.05)",
        differs="two steps are the third generation",
    ),
]

EXEMPT = {
    "The same over thirty seeds.": "how the experiment is made",
    'Does not hold: "learning without forgetting".': "its number is in the next sentence",
    'Does not hold here: "who begins with the answers of a smaller network learns faster".': "its number is in the next sentence",
    'Does not hold here: "labels get better from one network to the next".': "its number is in the next sentence",
    'Does not hold here: "kept images and a teacher add up".': "its number is in the next sentence",
}
