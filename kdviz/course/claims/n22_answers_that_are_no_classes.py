"""Page 22: the stored angles on thirty seeds, and the pixels of one seed, which the page says they are."""

from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n22_answers_that_are_no_classes as experiments

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
        live='min(said.loc[one, str(digit)] for one in students for digit in range(10)) < 1',
    ),
    Claim(
        "With 50 angles the student is off by about eight degrees. The teacher's answers now carry noise of 18 "
        "degrees each, more than twice as much. Does the student gain from copying them? → yes: the noise "
        "averages out over so many images\n"
        "It saves more than two degrees. A bias of 15 degrees is smaller than the noise and pulls always to the "
        "same side: it costs more than three degrees.",
        stored=[
            'abs(off("50 angles") - 8) < 0.7 and saved("noisy teacher").better and saved("noisy teacher").mean > 2',
            'saved("biased teacher").worse and saved("biased teacher").mean < -3',
            "60 * experiments.NOISE == 18 and 60 * experiments.BIAS == 15",
        ],
    ),
    Claim(
        "The good teacher saves more than three degrees, and brings the student within a degree and a half of "
        "knowing all angles.",
        stored='saved("teacher\'s answers").mean > 3 and off("teacher\'s answers") - off("all angles") < 1.5',
    ),
    Claim(
        "Noise of 18 degrees takes back some of that, and the student is still surely better than with 50 angles "
        "alone: noise pulls as often to one side as to the other, and over 1,200 images it averages out.",
        stored=[
            'saved("noisy teacher").better and saved("noisy teacher", minus="teacher\'s answers").worse',
            'len(experiments.drawn(0)["transfer"][0]) == 1200 and 60 * experiments.NOISE == 18',
        ],
    ),
    Claim(
        "A bias of 15 degrees is the smaller error, and it surely harms.",
        stored='saved("biased teacher").worse and 60 * experiments.BIAS == 15 and experiments.BIAS < experiments.NOISE',
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
        stored='1.5 < off("teacher") < 2.2',
    ),
    Claim(
        "It ends worse than a network that always says 0, which would be off by 30 degrees.",
        stored='table("angles_taught", arm="upright images", **EXACT).degrees.min() > 30',
        differs="0 is what that network says",
    ),
    Claim(
        "The promise is kept: bounded by a teacher that is 15 degrees off, the student is as good as with the 50 "
        "angles alone, while imitating that teacher costs over two degrees.",
        stored=[
            'abs(saved("bounded on the 50, biased").mean) < 0.3 and saved("imitate on the 50, biased").worse',
            'saved("imitate on the 50, biased").mean < -2 and 60 * experiments.BIAS == 15',
        ],
        differs="as good is within 0.3 degrees; 50 are the angles",
    ),
]

EXEMPT = {
    "A digit is turned by up to 60 degrees to either side, and the network says by how many.": "the task",
    "Spoil the teacher in two ways: give every answer noise of 18 degrees, or turn all of them by 15 degrees in one direction.": "what is done",
    "Chen and others ask for a loss that a bad teacher cannot harm.": "a definition",
    "It is the squared distance to the truth, switched off where the student is already better than its teacher:": "a definition",
    "It opens a gate or closes it; what passes through is the label's.": "what the formula says; a test holds it",
    "And since labels are often wrong themselves, here is the table once more with noise of 24 degrees on the student's 50 angles.": "what is done",
    "06: other measures that hide what was lost.": "a pointer",
}
