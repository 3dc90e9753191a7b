"""Page 10: nearly all of it is stored; the score, the costs and the mistakes are computed on the page."""

from kdviz.course.claims import Claim, difference, gain, table
from kdviz.course.experiments import n10_who_teaches_whom_search as search
from kdviz.course.experiments.n10_who_teaches_whom import TEACHER_WIDTHS, WIDTHS
from kdviz.measure import distillation_score

SOFT, HARD, STOPPED = "soft targets", "hard labels", "hard labels, stopped"
HEART, EARLY, SMALL = "large, by heart", "large, stopped early", "small"
CHAIN = "by way of 64, 32, 16, 8"


def by_size(regime, width, minus=HARD):
    return gain("sizes", SOFT, minus=minus, regime=regime, width=width)


def by_sizes(regime):
    return [by_size(regime, width) for width in WIDTHS]


def under(width, steps, minus=HARD, of="accuracy"):
    """The student of 4 units under a teacher of this width."""
    return gain("capacity_gap", f"teacher of {width:,}", minus=minus, of=of, steps=steps)


def wider(steps, of):
    """Each wider teacher minus the next narrower one."""
    arms = [f"teacher of {width:,}" for width in TEACHER_WIDTHS]
    pairs = zip(arms[1:], arms, strict=False)
    return [gain("capacity_gap", wide, minus=narrow, of=of, steps=steps) for wide, narrow in pairs]


def chain(arm, minus="direct", steps=600):
    return gain("chains", arm, minus=minus, steps=steps)


def noisy(arm, minus, of="accuracy"):
    return gain("noisy_teachers", arm, minus=minus, of=of)


def past_its_teacher(arm, student=None):
    """A student, by default the teacher's own, minus this teacher."""
    teacher = table("noisy_teachers", arm=arm).set_index("seed").teacher_accuracy
    own = table("noisy_teachers", arm=student or arm).set_index("seed").accuracy
    return difference(own.sort_index(), teacher.sort_index())


def mean(name, of="accuracy", **where):
    return table(name, **where)[of].mean()


def kind(student):
    return gain("kinds", SOFT, minus=HARD, student=student)


KINDS = ("simplified", "quantised copy", "efficient operations", "searched", "same")


def kinds_apart(one, other):
    return gain(table("kinds", arm=SOFT), {"student": one}, minus={"student": other})


LABELS, TAUGHT, DISTANCE = "accuracy, by labels", "accuracy, by the teacher", "distance to the teacher"
COLD, CAREFUL, LARGEST = "distance at temperature 1", "trained to the end", "by size alone"


def grades(most=900):
    return search.graded(table("small_networks"), most)


def ranked(grade, minus=LABELS):
    """The rank correlation of a grade, or what it has over another's."""
    return gain(grades(), grade, minus=minus, of="rank_correlation")


def rank(grade):
    return round(table(grades(), arm=grade).rank_correlation.mean(), 2)


def takes(grade, network):
    """On how many seeds a grade chooses this network."""
    return int((table(grades(), arm=grade).network == network).sum())


def found_by(grade, minus, most=900):
    return gain(grades(most), grade, minus=minus)


def policy(steps):
    """What the policy found over what a draw of as many does, and how many networks it took."""
    tried = search.policies(table("small_networks"), steps)
    return difference(tried["policy"], tried["at random"]), round(tried.networks.mean())


def winner(rows, teacher, alpha, size="parameters"):
    """The student with the lowest score among means over seeds."""
    means = rows.groupby("student")[["accuracy", size]].mean()
    scores = {
        name: distillation_score(row[size], teacher[size], row.accuracy, teacher["accuracy"], alpha)
        for name, row in means.iterrows()
    }
    return min(scores, key=scores.get)


def winners(rows, teacher):
    return {winner(rows, teacher, alpha / 100) for alpha in range(101)}


def faithful(of):
    return gain("faithful", SOFT, minus=HARD, of=of, images=1200)


def bridge(arm: str, minus: str):
    """A residual student or a thin copy, and its rivals."""
    return gain("bridges", arm, minus=minus)


def token(minus):
    """A Transformer that hears its teacher at a token of its own, and its rivals."""
    return gain("tokens", "distillation token", minus=minus)


def state(arm, weight):
    """Patient-KD's term at one weight, beside the same soft targets without it."""
    treated = table("patient", arm=arm, weight=weight).set_index("seed").accuracy
    alone = table("patient", arm=SOFT).set_index("seed").accuracy
    return difference(treated.sort_index(), alone.sort_index())


def best_weight(arm):
    return table("patient", arm=arm).groupby("weight").validation_accuracy.mean().idxmax()


CLAIMS = [
    # How small may a student be?
    Claim(
        "Size and missing accuracy count half each. Which student has the best (lowest) score? → a "
        "middle one (16 to 32)\n"
        "It is the student of 16 units, as the explorer below shows. Drag its α, and the winner moves.",
        live=[
            'winner(everything, master, 0.5) in ("16 units", "32 units")',
            'winner(everything, master, 0.5) == "16 units"',
            "len(winners(everything, master)) > 2",
        ],
        differs="the other numbers name the widths, and below is a place",
    ),
    Claim(
        "Several of them win, each on its own stretch of α: the more size counts, the smaller the winner.",
        live=[
            "len(winners(everything, master)) > 3",
            "[int(winner(everything, master, a / 100).split()[0]) for a in range(101)]"
            " == sorted([int(winner(everything, master, a / 100).split()[0]) for a in range(101)], reverse=True)",
        ],
    ),
    Claim(
        "The student of 4 units, which is wrong about three images in ten.",
        live='winner(everything, master, 0.95) == "4 units"',
        stored='abs(mean("sizes", regime="all labels", width=4, arm=SOFT) - 100 * (1 - 3 / 10)) < 2',
    ),
    Claim(
        "Any α from about a half on: a network without weights has the size 0, and the score forgives it the rest.",
        stored="distillation_score(1e-9, 1, 10, 98, 0.4) > 0.4 and distillation_score(1e-9, 1, 10, 98, 0.5) < 0.5",
    ),
    Claim(
        "No. With hard labels alone it would have been more accurate.",
        stored='by_size("all labels", 2).worse and by_size("all labels", 16).worse',
    ),
    Claim(
        "At α = 0.5 the student of 16 units wins, and the winner moves with α.",
        live='winner(everything, master, 0.5) == "16 units" and len(winners(everything, master)) > 2',
    ),
    Claim(
        "With all labels and 600 steps every one of these students is more accurate without its teacher.",
        stored='all(one.worse for one in by_sizes("all labels"))',
        differs="600 are the steps of the table",
    ),
    # 1. The score
    Claim(
        "A student of a tenth of the size that keeps 95 % of the accuracy has, at α = 0.5, a score of 0.5 · 0.1 + 0.5 · 0.05 = 0.075.",
        stored="abs(distillation_score(0.1, 1, 95, 100, 0.5) - 0.075) < 1e-9 and abs(0.5 * 0.1 + 0.5 * 0.05 - 0.075) < 1e-9",
    ),
    Claim(
        "All four published values are met, to three digits, and each of the four students wins for some α.",
        live="len(kd.measure.best_by_weight(list(published), list(published.values()), 100, 71.76)) == len(published) == 4",
        differs="the cell asserts the three digits",
    ),
    Claim(
        "Keeping the teacher scores α itself.",
        stored="all(abs(distillation_score(1, 1, 97, 97, a / 10) - a / 10) < 1e-9 for a in range(11))",
    ),
    Claim(
        "A constant guesser, without any weights, scores 0.449 at α = 0.5, which is better than the teacher.",
        stored="abs(distillation_score(1e-9, 1, 10, 97.9, 0.5) - 0.449) < 5e-4 and 0.5 > 0.449",
    ),
    # 2. By size
    Claim(
        "50 labels. Which students gain most from the teacher? → the larger ones\n"
        "The gain grows with the student: nothing that can be seen at 2 units, seven points at 64.",
        stored=[
            'by_size("50 labels", 64).mean > by_size("50 labels", 8).mean + 1 > by_size("50 labels", 2).mean + 1',
            'by_size("50 labels", 2).null and by_size("50 labels", 64).about(7, within=0.5)',
        ],
        differs="nothing that can be seen is null",
    ),
    Claim(
        "With fifty labels the gain grows from null at 2 units to seven points at 64.",
        stored='by_size("50 labels", 2).null and by_size("50 labels", 64).about(7)',
        differs="fifty labels are the regime",
    ),
    Claim(
        "With all labels every student is less accurate with its teacher, and the small ones suffer most: ten points at 4 units.",
        stored='all(one.worse for one in by_sizes("all labels")) and by_size("all labels", 4).about(-10)',
    ),
    # 3. The capacity gap
    Claim(
        "The teacher grows from 16 to 1,024 units, and becomes more accurate. What becomes of its "
        "student of 4 units? → it becomes less accurate\n"
        "By about two points after 600 steps, and by one after 3,000.",
        stored=[
            'all(under(16, steps, "teacher of 1,024").better for steps in (600, 3000))',
            'under(16, 600, "teacher of 1,024").about(2, within=0.6) and under(16, 3000, "teacher of 1,024").about(1)',
        ],
        differs="4 is the width of the table",
    ),
    Claim(
        "The larger the teacher, the larger the gap, at both budgets.",
        stored='all(one.better for steps in (600, 3000) for one in wider(steps, "kl"))',
    ),
    Claim(
        "After 600 steps every teacher harms, and the largest harms most.",
        stored=[
            "all(under(width, 600).worse for width in TEACHER_WIDTHS)",
            "min(TEACHER_WIDTHS, key=lambda width: under(width, 600).mean) == 1024",
        ],
    ),
    Claim(
        "After 3,000 steps each student is within a point of its twin, on either side of it.",
        stored=[
            "all(abs(under(width, 3000).mean) < 1 for width in TEACHER_WIDTHS)",
            "{under(width, 3000).mean > 0 for width in TEACHER_WIDTHS} == {True, False}",
        ],
    ),
    Claim(
        "So most of the harm was a lack of steps, as in notebook 02: four units need time for soft answers.",
        stored="all(abs(under(width, 3000).mean) < 0.3 * abs(under(width, 600).mean) for width in TEACHER_WIDTHS)",
        differs="four is the width of the table",
    ),
    Claim(
        "The teacher of 16 units is about two points worse than the one of 1,024, and its student is better at both budgets, by two points and by one.",
        stored=[
            'under(16, 600, "teacher of 1,024", of="teacher_accuracy").about(-2, within=0.5)',
            'under(16, 600, "teacher of 1,024").about(2, within=0.6) and under(16, 3000, "teacher of 1,024").about(1)',
        ],
    ),
    # 4. Assistants
    Claim(
        "From 256 units to 4, at 600 steps a stage: which helps the student most? → no assistant, "
        "but five times the steps\n"
        "They gain about fourteen points; an assistant gains half a point.",
        stored=[
            'chain("direct, as many steps").mean > 5 + max(chain("by way of 16").mean, chain(CHAIN).mean)',
            'chain("direct, as many steps").about(14, within=0.6) and chain("by way of 16").about(0.5, within=0.2)',
        ],
        differs="256, 4 and 600 are those of the table; five stages are five times 600 steps",
    ),
    Claim(
        "At 600 steps a stage one assistant gains half a point, and with four of them the difference is null. The same effort, spent on more steps, gains fourteen points.",
        stored=[
            'chain("by way of 16", steps=600).about(0.5, within=0.2) and chain(CHAIN, steps=600).null',
            'chain("direct, as many steps", steps=600).about(14, within=0.6)',
        ],
        differs="four assistants are the arm",
    ),
    Claim(
        "At 3,000 steps a stage both bridges are null, and five times the steps still gain two points.",
        stored=[
            'chain("by way of 16", steps=3000).null and chain(CHAIN, steps=3000).null',
            'chain("direct, as many steps", steps=3000).about(2) and 5 == 1 + 4',
        ],
    ),
    Claim(
        "From 600 to 3,000 steps they gain nearly nine points as well, and after 3,000 steps student and twin are level: the difference is null.",
        stored=[
            'chain("hard labels, as many steps", HARD, 600).about(9) and chain("direct", HARD, 3000).null',
        ],
    ),
    Claim(
        "After 15,000 steps hard labels are nearly a point worse than after 3,000, and the student with a teacher is almost two points better than they ever were at these three budgets.",
        stored=[
            'chain("hard labels, as many steps", HARD, 3000).about(-1) and 15000 == 5 * 3000',
            'chain("direct, as many steps", HARD, 3000).about(2)',
        ],
        differs="three budgets: 600, 3,000 and 15,000",
    ),
    # 5. A better network
    Claim(
        "The teacher by heart has 70 % on test, the small one 86 %. How much better is the small "
        "one's student? → it is no better\n"
        "The teacher of 86 % has a student of 86 %, and the teacher of 70 % one of 87 %.",
        stored=[
            "not noisy(SMALL, HEART).better and noisy(SMALL, HEART).mean < 0",
            'abs(mean("noisy_teachers", "teacher_accuracy", arm=HEART) - 70) < 1',
            'abs(mean("noisy_teachers", "teacher_accuracy", arm=SMALL) - 86) < 1',
            'abs(mean("noisy_teachers", arm=SMALL) - 86) < 0.6 and abs(mean("noisy_teachers", arm=HEART) - 87) < 0.6',
        ],
    ),
    Claim(
        "As a network the one by heart is sixteen points worse. As a teacher it is no worse than the small one, and its student passes it by nearly eighteen points.",
        stored=[
            'noisy(HEART, SMALL, of="teacher_accuracy").about(-16)',
            "not noisy(HEART, SMALL).worse",
            "past_its_teacher(HEART).about(18)",
        ],
    ),
    Claim(
        "With hard labels alone the same student has 92 %: both teachers do harm, the one by heart nearly five points and the small one six.",
        stored=[
            'abs(mean("noisy_teachers", arm=HARD) - 92) < 0.5',
            "noisy(HEART, HARD).about(-5) and noisy(SMALL, HARD).about(-6)",
        ],
    ),
    Claim(
        "And when the answers of the one by heart are permuted, its student gets better, by five points on thirty of thirty seeds.",
        stored='noisy(f"{HEART}, permuted", HEART).about(5, seeds=30)',
    ),
    Claim(
        "So its second choices do not help: in their right places they do harm, as page 07 found (section 3).",
        stored='noisy(HEART, f"{HEART}, permuted").worse',
    ),
    Claim(
        "That the student passes this teacher is no merit of the teacher's either, for with hard labels alone it passes it by twenty-two points.",
        stored="past_its_teacher(HEART, HARD).about(22)",
        differs="twenty-two is read as twenty and two",
    ),
    Claim(
        "Its student is the best of the three, and permuting its answers costs more than two points: here the second choices do teach.",
        stored=[
            "noisy(EARLY, HEART).better and noisy(EARLY, SMALL).better",
            'noisy(f"{EARLY}, permuted", EARLY).mean < -2 and noisy(f"{EARLY}, permuted", EARLY).worse',
        ],
        differs="three are the teachers",
    ),
    Claim(
        "It beats hard labels by more than a point.",
        stored="noisy(EARLY, HARD).better and noisy(EARLY, HARD).mean > 1",
    ),
    Claim(
        "But hard labels, stopped where validation was best, are as good: the difference is null.",
        stored="noisy(EARLY, STOPPED).null",
    ),
    Claim(
        "Its doubts are worth a look, too: it disagrees with 41 % of its labels, and 40 % are wrong.",
        stored='abs(mean("noisy_teachers", "doubted", arm=EARLY) - 41) < 1',
        differs="40 % is the noise of the table",
    ),
    # 6. Kinds
    Claim(
        "The quantised copy has all the teacher's parameters, and a thirteenth of its bytes. The separable network has the fewest parameters, yet more multiply-accumulates (MACs) than the teacher.",
        live=[
            'costs["quantised copy"].parameters == costs["the teacher"].parameters',
            'abs(costs["the teacher"].bytes / costs["quantised copy"].bytes - 13) < 0.5',
            'min(kinds, key=lambda one: costs[one].parameters) == "efficient operations"',
            'costs["efficient operations"].macs > costs["the teacher"].macs',
        ],
    ),
    Claim(
        "50 labels. Which student is best after distillation? → the quantised copy\n"
        "It has a head start: it begins with the teacher's weights.",
        stored='all(kinds_apart("quantised copy", one).better for one in KINDS if one != "quantised copy")',
        differs="50 are the labels of the table",
    ),
    Claim(
        "All five gain over hard labels with as many steps, between five and twelve points.",
        stored="all(kind(one).better and 5 - 0.5 < kind(one).mean < 12 + 0.6 for one in KINDS) and len(KINDS) == 5",
    ),
    Claim(
        "The quantised copy is best, and surely better than same.",
        stored='kinds_apart("quantised copy", "same").better',
    ),
    Claim(
        "Rounded to 2 bits and untrained it has 48 %; fifty labels alone bring it to 87, and the teacher to 96.",
        stored=[
            f'abs(mean("kinds", student="quantised copy", arm="{arm}") - {found}) < 0.6'
            for arm, found in (("as copied", 48), ("hard labels", 87), ("soft targets", 96))
        ],
        differs="2 bits and fifty labels are those of the table",
    ),
    Claim(
        "The one with efficient operations is far behind the others after its 400 steps, with and without a teacher.",
        stored='all(mean("kinds", student="efficient operations", arm=arm) < 10 + min(mean("kinds", student=one, arm=arm) for one in KINDS if one != "efficient operations") - 20 for arm in (SOFT, HARD))',
        differs="400 are the steps of the table",
    ),
    Claim(
        "In parameters the quantised copy scores no better than its teacher, for it is as large. In bytes it wins, until size is nearly all that counts. In MACs the separable network falls behind a guesser.",
        live=[
            'distillation_score(owner["parameters"], owner["parameters"], 96.1, master["accuracy"], 0.5) >= 0.5',
            'winner(named, {**master, **owner}, 0.5, "bytes") == "quantised copy"',
            'winner(named, {**master, **owner}, 0.99, "bytes") != "quantised copy"',
            'distillation_score(20032, 18944, 70.3, master["accuracy"], 0.5) > 0.449',
        ],
        differs="a lower score is a better one",
    ),
    # 7. Several teachers
    Claim(
        "What do five teachers gain for the student over one? → several points, but only with other "
        "labels\n"
        "Eight points with other labels, and less than half a point with the same ones.",
        stored=[
            'gain("several_teachers", "five, other labels", minus="one teacher").mean > 5',
            'gain("several_teachers", "five, same labels", minus="one teacher").mean < 1',
            'gain("several_teachers", "five, other labels", minus="one teacher").about(8)',
            'gain("several_teachers", "five, same labels", minus="one teacher").mean < 0.5',
        ],
    ),
    Claim(
        "With the same labels the student gains less than half a point.",
        stored='gain("several_teachers", "five, same labels", minus="one teacher").better and gain("several_teachers", "five, same labels", minus="one teacher").mean < 0.5',
    ),
    Claim(
        "With other labels it gains eight: though no teacher saw more than fifty, the student wins two thirds of what a teacher with all 250 would give it, and no teacher had to show its labels to another.",
        stored=[
            'gain("several_teachers", "five, other labels", minus="one teacher").about(8)',
            'abs(gain("several_teachers", "five, other labels", minus="one teacher").mean / gain("several_teachers", "one, all their labels", minus="one teacher").mean - 2 / 3) < 0.05',
        ],
        differs="fifty and 250 are the labels of the table",
    ),
    # 8. Fidelity
    Claim(
        "More images make the student more faithful, and more accurate too; at no size is it a copy.",
        stored=[
            'all(mean("faithful", of, arm=SOFT, images=a) < mean("faithful", of, arm=SOFT, images=b) for of in ("agreement", "accuracy") for a, b in zip((50, 100, 200, 400), (100, 200, 400, 1200)))',
            'mean("faithful", "agreement", arm=SOFT, images=1200) < 100',
        ],
    ),
    Claim(
        "With all images it agrees with its teacher on 99.5 % of the test, but the stranger does so nearly as often: the difference is null in agreement and in accuracy.",
        stored=[
            'abs(mean("faithful", "agreement", arm=SOFT, images=1200) - 99.5) < 0.1',
            'faithful("agreement").null and faithful("accuracy").null',
        ],
    ),
    Claim(
        "The column kl looks at the whole answer instead of the first choice, and there the two are far apart: the student's divergence from its teacher is a fifth of the stranger's, and smaller on all thirty seeds.",
        stored=[
            'abs(mean("faithful", "kl", arm=SOFT, images=1200) / mean("faithful", "kl", arm=HARD, images=1200) - 1 / 5) < 0.03',
            'faithful("kl").below == 30',
        ],
        differs="a fifth is written as 1 / 5",
    ),
    # 9. Mistakes
    Claim(
        "The distilled student falls most on the 5s and the 8s, and is a little better on 0s, 3s, 4s and 9s.",
        live="set(sorted(range(10), key=lambda d: shares['student'][d] - shares['hard labels'][d])[:2]) == {5, 8} and all(shares['student'][d] > shares['hard labels'][d] for d in (0, 3, 4, 9))",
        differs="the lowest two of the differences are those that fall most",
    ),
    Claim(
        "(With fifty labels a stop gains nothing for a student of 16 units, as the table of page 11 says.)",
        stored='gain("transferred", "50 labels, stopped", minus="50 labels", steps=600).mean < 0',
        differs="fifty labels and 16 units are the cast's",
    ),
    # What holds
    Claim(
        "Holds, exactly: the score's published values; the teacher scores α; a constant guesser may beat it.",
        stored="distillation_score(1e-9, 1, 10, 97.9, 0.5) < distillation_score(1, 1, 97.9, 97.9, 0.5)",
        differs="the cells of section 1 assert the published values",
    ),
    Claim(
        "Holds on these digits: the larger the teacher, the further a student of 4 units stays from its answers, and the teacher of 16 units teaches it better than the one of 1,024.",
        stored=[
            'all(one.better for steps in (600, 3000) for one in wider(steps, "kl"))',
            'all(under(16, steps, "teacher of 1,024").better for steps in (600, 3000))',
        ],
        differs="4 is the width of the table",
    ),
    Claim(
        "Holds: the student of a teacher of 70 % passes it by nearly 18 points. Yet its lessons did harm: hard labels alone, and even its answers permuted, make the better student.",
        stored=[
            'abs(mean("noisy_teachers", "teacher_accuracy", arm=HEART) - 70) < 1',
            "past_its_teacher(HEART).about(18)",
            'noisy(HARD, HEART).better and noisy(f"{HEART}, permuted", HEART).better',
        ],
    ),
    Claim(
        "Holds: five teachers help where they saw other data.",
        stored='gain("several_teachers", "five, other labels", minus="one teacher").better',
        differs="five are the teachers of the arm",
    ),
    Claim(
        "Null: chains of assistants, once the student has 3,000 steps a stage; agreement with one's teacher against that of a stranger, though not the KL.",
        stored='chain("by way of 16", steps=3000).null and chain(CHAIN, steps=3000).null and faithful("agreement").null and faithful("kl").worse',
    ),
    Claim(
        'Does not hold: "tiny students cannot be distilled". With five times the steps the gap to hard labels is within a point.',
        stored="all(abs(under(width, 3000).mean) < 1 for width in TEACHER_WIDTHS) and 3000 == 5 * 600",
    ),
    Claim(
        'Does not hold: "the lowest score is the best student". It depends on α and on the unit of size.',
        live='len(winners(everything, master)) > 2 and winner(named, {**master, **owner}, 0.5, "bytes") != winner(named, {**master, **owner}, 0.5)',
    ),
    Claim(
        "The residual student is thirteen points better than its first half alone, and a paper could show just that.",
        stored='bridge("residual", "4 units").about(13, within=0.5)',
    ),
    Claim(
        "But one student of 8 units, as large and trained as long, is three points better still.",
        stored='bridge("8 units", "residual").about(3, within=0.4) and 8',
    ),
    Claim(
        "Against 8 units that never hear a teacher the residual student is null.",
        stored='bridge("residual", "8 units, labels alone").null',
        differs="8 is in the arm",
    ),
    Claim(
        "Block by block holds: the thin network is three points better than all at once on the teacher's answers, and ten better than on the labels alone.",
        stored=[
            'bridge("block by block", "all at once").about(3, within=0.4)',
            'bridge("block by block", "all at once, labels alone").about(10, within=0.4)',
        ],
    ),
    Claim(
        "More than a point of the three comes with the hints, which the answers do not have.",
        stored='bridge("all at once, the same hints", "all at once").better and bridge("all at once, the same hints", "all at once").mean > 1',
        differs="the three are told above",
    ),
    Claim(
        "With the same hints all at once it is still 1.8 ± 1.2 points better.",
        stored="""bridge("block by block", "all at once, the same hints").about(1.8, within=0.06)
                  and abs(bridge("block by block", "all at once, the same hints").half - 1.2) < 0.06""",
    ),
    Claim(
        "So here, for once, learning in pieces helps.",
        stored='bridge("block by block", "all at once, the same hints").better',
    ),
    Claim(
        "Holds with 50 labels: a thin copy that takes the teacher's place block by block is better than the same network all at once.",
        stored='all(bridge("block by block", rival).better for rival in ("all at once", "all at once, the same hints", "all at once, labels alone"))',
        differs="50 is how many are labelled",
    ),
    Claim(
        'Does not hold with 50 labels: "a residual student closes the gap". One student of the same size is three points better.',
        stored='bridge("8 units", "residual").about(3, within=0.4) and 50',
        differs="closes is what is denied",
    ),
    Claim(
        "The answers are worth 27 points.",
        stored='token("50 labels").about(27, within=0.5)',
    ),
    Claim(
        "The token for them is null, against one token as against two without a division of work.",
        stored='all(token(rival).null for rival in ("one token, hard answers", "two tokens, no division"))',
        differs="one and two are in the arms",
    ),
    Claim(
        "Shuffled answers do harm, as a control should.",
        stored='gain("tokens", "distillation token, shuffled answers", minus="50 labels").worse',
    ),
    Claim(
        "And what was never in question matters more: the same student, taught by the whole soft answer instead of its most likely class, is ten points better.",
        stored='gain("tokens", "one token, soft targets", minus="one token, hard answers").about(10, within=0.6)',
    ),
    Claim(
        "Null, both ways, at the β that validation chose: the states add nothing that thirty seeds can tell.",
        stored='all(state(arm, best_weight(arm)).null for arm in ("skip", "last")) and table("patient").seed.nunique() == 30',
    ),
    Claim(
        "At ten times that weight last does harm.",
        stored='state("last", 10.0).worse and best_weight("last") == 10.0 / 10',
    ),
    Claim(
        "And look at the control: at the smallest weight the states of other images bring nearly two points, and surely.",
        stored='state("skip, shuffled", 0.1).about(1.7, within=0.2) and table("patient", arm="skip").weight.min() == 0.1 and 2',
    ),
    # A search, and a teacher in it
    Claim(
        "In the order of the 40 the teacher is null: accuracy by the teacher stands at 0.85 and the distance to it at 0.87, accuracy by labels at 0.86.",
        stored=[
            "ranked(TAUGHT).null and ranked(DISTANCE).null",
            "(rank(TAUGHT), rank(DISTANCE), rank(LABELS)) == (0.85, 0.87, 0.86)",
            'table("small_networks").network.nunique() == 40',
        ],
    ),
    Claim(
        "All are ahead of mere size (0.73) and behind a training to the end (0.97).",
        stored=[
            "all(ranked(one, LARGEST).better and ranked(CAREFUL, one).better for one in (LABELS, TAUGHT, DISTANCE))",
            "(rank(LARGEST), rank(CAREFUL)) == (0.73, 0.97)",
        ],
    ),
    Claim(
        "Within 900 parameters both accuracies take the network without any hidden layer on 23 seeds of thirty: nothing learns faster, and nothing is sooner at its end.",
        stored='[takes(one, "none") for one in (LABELS, TAUGHT)] == [23, 23] and table("small_networks").seed.nunique() == 30',
        differs="900 is the limit",
    ),
    Claim(
        "The distance at T = 4 never takes it, and its choice is three points better, as good as that of the careful search.",
        stored=[
            'takes(DISTANCE, "none") == 0 and found_by(DISTANCE, LABELS).about(3, within=0.2)',
            "found_by(DISTANCE, CAREFUL).null",
        ],
        differs="4 is the temperature; as good as is null",
    ),
    Claim(
        "At T = 1 it falls for the quick one on 19 seeds, and one point is left of the three.",
        stored='takes(COLD, "none") == 19 and found_by(COLD, LABELS).about(1, within=0.2)',
        differs="1 is the temperature; the three are those of the sentence before",
    ),
    Claim(
        "And without the limit nothing is left: the choice by distance is null against that by labels, and against the largest network, for which nobody has to search.",
        stored="found_by(DISTANCE, LABELS, 2000).null and found_by(DISTANCE, LARGEST, 2000).null",
    ),
    Claim(
        "After 16 steps it has tried 20 of the 40, and what it found earns nearly three hundredths more than the best of as many draws.",
        stored="policy(16)[0].about(2.7, within=0.3) and policy(16)[1] == 20",
        differs="16 are the steps",
    ),
    Claim(
        "Null: a teacher in a search, as to the order of 40 small networks.",
        stored="ranked(TAUGHT).null and ranked(DISTANCE).null",
        differs="40 are those of the table",
    ),
    Claim(
        "Holds within 900 parameters: its distance chooses better than accuracy does, by three points at T = 4 and by one at T = 1.",
        stored="found_by(DISTANCE, LABELS).about(3, within=0.2) and found_by(COLD, LABELS).about(1, within=0.2)",
        differs="900 is the limit, 4 and 1 are temperatures",
    ),
    Claim(
        "Null with 50 labels: a token of its own for the teacher's answers, and the states of a Transformer's layers beside its soft targets.",
        stored="""all(token(rival).null for rival in ("one token, hard answers", "two tokens, no division"))
                  and all(state(arm, best_weight(arm)).null for arm in ("skip", "last")) and 50""",
    ),
]

EXEMPT = {
    "The searched student of the table cost six trainings.": "how the experiment is made",
    "Whoever trains all of them to the end and takes the best on validation is on the safe side.": "what is done",
    "The quick way gives each 100 steps in place of 600, at four times the usual learning rate, and then needs a grade that says which one will be good:": "how the experiment is made",
    "Ask what a search gains over the largest network that fits.": "advice",
    "Had one of the two true arms gained as much, it would have looked like a success.": "a warning",
    "So this is the answer to trust least on the page: a small gain beside a control that gains as well shows nothing about what was transferred.": "a warning",
    "Remember: ask of a trick what its parts are worth, and of a gain whether the control has it too.": "advice",
    "Each counts half, unless you say otherwise, and lower is better.": "a definition",
    "The scores stand above, and below them what each student gained from its teacher.": "what is drawn",
    "Find an α at which a constant guesser beats the teacher.": "an instruction",
    "Remember: beside a score, ask for the gain over the same student without a teacher.": "advice",
    "Now the student stays and the teacher grows.": "what is done",
    "The literature calls that the capacity gap: a better teacher can be a worse teacher if it is too large for its student.": "a name, and what others report",
    "A chain costs more training, so it has two controls: the student without a bridge, and the student without a bridge but with all the steps that the longest chain takes.": "what is done",
    "Remember: a chain of teachers costs steps, so its rival gets as many.": "advice",
    "Now 40 % of the labels are wrong, for everybody, and there are three teachers.": "what is done",
    "If the second choices teach, the student must now be worse.": "a prediction that the next cell tests",
    "The story does not survive its controls.": "what the sentences after it show",
    "A quantised copy is the teacher itself, with its weights rounded to 2 bits.": "a definition",
    "There are four costs, and they do not agree.": "an introduction to the sentences after it",
    "The time, for 397 images on your machine, was measured five times.": "what is done",
    "Remember: ask which cost it is that hurts, and measure it more than once.": "advice",
    "That may depend on what they saw: five times the same fifty labels, or five times others.": "a question",
    "Back to the student of 4 units that was ten points worse with a teacher.": "a reference to section 2",
    "The lost points have an address.": "an introduction to the sentence after it",
    "Tell: a small student is worse than with hard labels.": "a question",
    "Test: a chain of four assistants gains two points.": "a question",
    "Explain: a student passes its teacher by eighteen points.": "a question",
    "Explain: the teacher may be worse than the labels that it learned.": "an answer in general",
}
