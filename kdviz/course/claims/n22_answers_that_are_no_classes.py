"""Page 22: the stored angles on thirty seeds, and the pixels of one seed, which the page says they are."""

from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n22_answers_that_are_no_classes as experiments

NOISE, BIAS, WRONG_LABELS = (
    60 * part for part in (experiments.NOISE, experiments.BIAS, experiments.WRONG_LABELS)
)
EXACT, NOISY = {"regime": "exact angles"}, {"regime": "noisy angles"}


def saved(arm, minus="50 angles", where=EXACT):
    """Degrees of error that an arm saves of another one's."""
    rows = table("angles_taught", **where)
    return gain(rows.assign(accuracy=-rows.degrees), arm, minus=minus)


def off(arm, where=EXACT):
    return table("angles_taught", arm=arm, **where).degrees.mean()


CLAIMS = [
    Claim(
        "The IoU falls to nearly nothing where a student does not know your digit.",
        live="min(said.loc[one, str(digit)] for one in students for digit in range(10)) < 1",
    ),
    Claim(
        "With 50 angles the student is off by about eight degrees. The teacher's answers now carry noise of 18 "
        "degrees each, more than twice as much. Does the student gain from copying them? → yes: the noise "
        "averages out over so many images\n"
        "It saves more than two degrees. A bias of 15 degrees is smaller than the noise and pulls always to the "
        "same side: it costs about three degrees.",
        stored=[
            'abs(off("50 angles") - 8) < 0.7 and saved("noisy teacher").better and saved("noisy teacher").mean > 2',
            'saved("biased teacher").worse and abs(saved("biased teacher").mean + 3) < 0.3',
            "NOISE == 18 and BIAS == 15",
        ],
    ),
    Claim(
        "The good teacher saves more than three degrees, and brings the student within a degree of one that "
        "knows all angles.",
        stored='saved("teacher\'s answers").mean > 3 and off("teacher\'s answers") - off("all angles") < 1',
    ),
    Claim(
        "Noise of 18 degrees takes back some of that, and the student is still surely better than with 50 angles "
        "alone: noise pulls as often to one side as to the other, and over 1,200 images it averages out.",
        stored=[
            'saved("noisy teacher").better and saved("noisy teacher", minus="teacher\'s answers").worse',
            'len(experiments.drawn(0)["transfer"][0]) == 1200 and NOISE == 18',
        ],
        differs="50 are the angles that it knows",
    ),
    Claim(
        "A bias of 15 degrees is the smaller error, and it surely harms.",
        stored='saved("biased teacher").worse and BIAS == 15 and BIAS < NOISE',
    ),
    Claim(
        "With answers shuffled each image gets the answer to another one, and the student is worse than with 50 "
        "angles.",
        stored='saved("answers shuffled").worse',
        differs="50 are the angles that it knows",
    ),
    Claim(
        "Upright images: the student gets the digit before it was turned, with the teacher's answer for it, right "
        "to two degrees.",
        stored='abs(off("teacher") - 2) < 0.3',
    ),
    Claim(
        "In the mean it ends worse than a network that always says 0, which would be off by 30 degrees.",
        stored='30 < off("upright images") < 35',
        differs="0 is what that network says",
    ),
    Claim(
        "The promise is kept: bounded by a teacher that is 15 degrees off, the student is as good as with the 50 "
        "angles alone, while imitating that teacher costs nearly two.",
        stored=[
            'abs(saved("bounded on the 50, biased").mean) < 0.3 and saved("imitate on the 50, biased").worse',
            '-2 < saved("imitate on the 50, biased").mean < -1.7 and BIAS == 15',
        ],
        differs="as good is within 0.3 degrees; 50 are the angles",
    ),
    Claim(
        "But bounded by a good teacher it is no better either: the differences are null.",
        stored='saved("bounded on the 50").null and saved("bounded on the 50, biased").null',
        differs="that it is no better is a null",
    ),
    Claim(
        "The last row has no teacher at all, since its gate is always open, and that is null too.",
        stored='saved("bounded by the angles").null and saved("bounded by the angles", where=NOISY).null',
    ),
    Claim(
        "Imitation on the same 50 images cuts the error to less than half, since the teacher's numbers are better "
        "than the labels. Even the teacher that is 15 degrees off saves nine degrees.",
        stored=[
            'off("imitate on the 50", NOISY) < off("50 angles", NOISY) / 2',
            'saved("imitate on the 50, biased", where=NOISY).about(9, within=0.3)',
            "BIAS == 15 and BIAS < WRONG_LABELS",
        ],
        differs="50 are the images; better are the numbers of the teacher, whose bias is less than the labels' noise",
    ),
    Claim(
        "The bound passes on nothing but the labels, with all their noise: its difference to them is null.",
        stored='saved("bounded on the 50", where=NOISY).null',
    ),
    Claim(
        "The five students lie within about two points of each other, and background everywhere lies among them.",
        live=[
            'len(students) == 5 and said.loc[list(students), "pixels right"].max() - said.loc[list(students), "pixels right"].min() < 3',
            'said.loc["40 maps", "pixels right"] - 1 < 100 * float((test.labels == 10).double().mean()) < said.loc[list(students), "pixels right"].max() + 1',
        ],
        differs="two points are about two",
    ),
    Claim(
        "The control, whose teacher speaks of other canvases, has more pixels right than the student of the 40 maps.",
        live='said.loc["channels shuffled", "pixels right"] > said.loc["40 maps", "pixels right"]',
        differs="40 are the maps",
    ),
    Claim(
        "Now the second column: from the best student to the control the mean IoU falls by half.",
        live='said.loc["channels shuffled", "mean IoU"] < 0.6 * said.loc[list(students), "mean IoU"].max()',
        differs="falls says what the condition does",
    ),
    Claim(
        "Copied pixel by pixel, the teacher's answers raise the share of right pixels and lower the overlap. "
        "Weighted, or channel by channel, they raise both.",
        live=[
            'said.loc["pixel by pixel", "pixels right"] > said.loc["40 maps", "pixels right"]',
            'said.loc["pixel by pixel", "mean IoU"] < said.loc["40 maps", "mean IoU"]',
            'all((said.loc[one, ["pixels right", "mean IoU"]] > said.loc["40 maps", ["pixels right", "mean IoU"]]).all() for one in ("pixels weighted", "channel by channel"))',
        ],
    ),
    Claim(
        "Copied pixel by pixel at least four of the ten digits are nearly lost, with an IoU under two percent; with "
        "the 40 maps alone that happens to two at most.",
        live='(each["pixel by pixel"] < 2).sum() >= 4 and (each["40 maps"] < 2).sum() <= 2 and len(each) == 10',
        differs="40 are the maps",
    ),
    Claim(
        "Holds: a teacher's noise averages out and its bias does not, on thirty seeds.",
        stored='saved("noisy teacher").better and saved("biased teacher").worse and table("angles_taught").seed.nunique() == 30',
    ),
    Claim(
        "Holds: the bounded loss is immune to a teacher that is off. Null: what it gains from a good one.",
        stored='saved("bounded on the 50, biased").null and saved("bounded on the 50").null',
        differs="what it gains is the null",
    ),
    Claim(
        "Holds: where the input carries nothing, the student of the best teacher is worse than saying 0.",
        stored='30 < off("upright images") < 35',
        differs="0 is said; 30 degrees is how far off that is",
    ),
    Claim(
        "Seen on one seed, and no more: pixel by pixel the overlap falls where the share of right pixels rises; "
        "channel by channel it rises.",
        live='said.loc["pixel by pixel", "mean IoU"] < said.loc["40 maps", "mean IoU"] < said.loc["channel by channel", "mean IoU"]',
    ),
]

EXEMPT = {
    "The harm is not spread evenly.": "what the next sentence says in numbers",
    "A digit is turned by up to 60 degrees to either side, and the network says by how many.": "the task",
    "Spoil the teacher in two ways: give every answer noise of 18 degrees, or turn all of them by 15 degrees in one direction.": "what is done",
    "Chen and others ask for a loss that a bad teacher cannot harm.": "a definition",
    "It is the squared distance to the truth, switched off where the student is already better than its teacher:": "a definition",
    "It opens a gate or closes it; what passes through is the label's.": "what the formula says; a test holds it",
    "And since labels are often wrong themselves, here is the table once more with noise of 24 degrees on the student's 50 angles.": "what is done",
    "06: other measures that hide what was lost.": "a pointer",
}
