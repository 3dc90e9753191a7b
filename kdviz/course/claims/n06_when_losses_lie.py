"""Page 06: every room is computed on the page."""

from kdviz.course.claims import Claim

CLAIMS = [
    Claim(
        'With 100 classes, the student that "learns 90 % from the teacher" learns 8 %.',
        live="abs(100 * (0.9 / 100) / (0.1 + 0.9 / 100) - 8) < 0.5 and 100 * 0.9 == 90",
    ),
    Claim(
        "The lower curve falls by orders of magnitude, so a temperature sweep with it is really a sweep of the weight.",
        live="gradient(without_square, z_student, z_teacher, 64).norm() < gradient(without_square, z_student, z_teacher, 1).norm() / 100",
    ),
    Claim(
        "Property: as T grows, the loss tends to logit matching with centred logits.",
        live='fails(tends_to_logit_matching, response.soft_targets) == "passes" and fails(tends_to_logit_matching, without_square) == "caught"',
    ),
    Claim(
        "What does the accuracy of the student with the cut wire do as T goes from 1 to 16? → "
        "nothing at all\n"
        "Its loss never reaches the student, so T cannot matter.",
        live="len(set(reached['cut'])) == 1 and (some[0], some[-1]) == (1, 16)",
    ),
    Claim(
        "The two losses differ by a factor that grows with N. A weight of 3,000, tuned for one, is next to nothing for the other, and all the less the larger your batch.",
        live="all(a < b for a, b in zip(ratios, ratios[1:]))",
        differs="3,000 is RepDistiller's weight",
    ),
    Claim(
        "The loss shrinks with the batch.",
        live="ratios[-1] > 4 * ratios[0]",
    ),
    Claim(
        "The right loss falls to zero at 1.",
        live="abs(response.soft_targets(z_teacher, z_teacher, 1.0)) < 1e-6",
    ),
    Claim(
        "The collapsed form stays at zero, whichever channels are exchanged: a student that mixes up what its channels mean is perfect for it. The real one notices two.",
        live="all(abs(channels_collapsed(one, factor)) < 1e-9 for one in swapped) and factor_transfer(swapped[1], factor) > 0",
        differs="two is the second of the list",
    ),
    Claim(
        "Without the square the pull is the same at every distance, so a weight that was right far away is too heavy at the end, and the student jumps about its goal.",
        live='max(pulls["without the square"]) - min(pulls["without the square"]) < 1e-6',
    ),
    Claim(
        "Thirteen defects of published distillation code. In how many of them does training stop "
        "with an error? → in none\n"
        "Each of them gives a number that looks like a loss, and training goes on.",
        live="all(math.isfinite(float(one)) for one in (averaged(z_student, z_teacher), "
        "dist_squared(z_student, z_teacher, 4.0), channels_collapsed(swapped[1], factor), "
        "fsp_without_square(g_teacher + away, g_teacher), *reached['cut']))",
    ),
]
EXEMPT = {
    "It trains, it prints a table, and often the table shows a gain.": "an introduction; no number of ours",
    'The loss is then C times too small for C classes, and "90 % soft targets" are something else.': "arithmetic",
    "Without it the gradient of the soft targets falls like 1/T^2 (section 4 of notebook 01).": "calculus",
    "DIST compares the probabilities of teacher and student by their correlation, one minus the cosine of the two after each has lost its mean.": "a definition",
    "In one compression toolkit this was so for a while, and the table of that time still showed gains.": "history of another's code",
    "Whatever such a table gains, it does not come from this loss.": "logic: its gradient is zero",
    "Here is every loss of kdviz on one page: its formula, what it needs, what one unit of it is, what it costs, and what it cannot see.": "an announcement",
    "Explain: a table gains from a loss whose gradient never arrives.": "a question",
}
