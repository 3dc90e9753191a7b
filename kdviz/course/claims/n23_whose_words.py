"""Page 23: one stored table of students that learned from other texts and by other divergences."""

from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n23_whose_words as experiments


def over(arm, minus, of="right", width=8, start="warm"):
    """An arm minus another, in points or nats."""
    return gain("whose_words", arm, minus=minus, of=of, width=width, start=start)


def mean(arm, of="right", width=8, start="warm"):
    return table("whose_words", arm=arm, width=width, start=start)[of].mean()


def own(divergence, width):
    """What own texts are worth with a divergence, over the teacher's texts."""
    return over(f"own texts, {divergence}", divergence, width=width)


CLAIMS = [
    Claim(
        "From whose texts does the student learn to say the right time most often? → the teacher's, greedy\n"
        "Greedy texts give 79 %, the teacher's texts at T = 1 give 50 %.",
        stored=[
            "mean('greedy texts') == max(map(mean, experiments.TEXTS))",
            "round(mean('greedy texts')) == 79 and round(mean(\"teacher's texts\")) == 50",
        ],
    ),
    Claim(
        "Greedy texts are far ahead: a right text has a probability of 79 % then, and of 54 % after true texts.",
        stored=[
            "round(mean('greedy texts')) == 79 and round(mean('true texts')) == 54",
            "over('greedy texts', 'true texts').better and over('greedy texts', 'true texts').above == 30",
        ],
    ),
    Claim(
        "Of three it has kept 1.2, and its KL to the truth is 4.3 nats, more than four times that of the student of true texts.",
        stored=[
            "abs(mean('greedy texts', 'styles') - 1.2) < 0.05 and mean('the teacher', 'styles') < 3",
            "abs(mean('greedy texts', 'text_kl') - 4.3) < 0.05",
            "mean('greedy texts', 'text_kl') > 4 * mean('true texts', 'text_kl')",
        ],
    ),
    Claim(
        "The teacher's texts at T = 1 are four points below true ones, since a teacher errs now and then.",
        stored="over(\"teacher's texts\", 'true texts').about(-4, within=0.3)",
    ),
    Claim(
        "At T = 0.5, where it errs less, they are three points above.",
        stored="over(\"teacher's texts, T 0.5\", 'true texts').about(3, within=0.5)",
    ),
    Claim(
        "With forward KL a right text is nearly ten points more probable than after the same texts without the teacher's distribution.",
        stored="over('forward KL', \"teacher's texts\").about(10, within=0.5)",
    ),
    Claim(
        "At β = 0.9 a right text is fourteen points more probable than at forward KL, and the KL to the truth is two and a half times as large.",
        stored=[
            "over('JS 0.9', 'forward KL').about(14, within=0.5)",
            "abs(mean('JS 0.9', 'text_kl') / mean('forward KL', 'text_kl') - (2 + 0.5)) < 0.1",
        ],
    ),
    Claim(
        "The last step turns back: reverse KL is four points below β = 0.9, and still ten above forward KL.",
        stored=[
            "over('reverse KL', 'JS 0.9').about(-4, within=0.3)",
            "over('reverse KL', 'forward KL').about(10, within=0.3)",
        ],
    ),
    Claim(
        "With forward KL own texts cost the larger student nine and a half points, and the smaller one seven.",
        stored=[
            "own('forward KL', 8).about(-(9 + 0.5), within=0.3)",
            "own('forward KL', 6).about(-7, within=0.3)",
        ],
    ),
    Claim(
        "With reverse KL they gain: six points for the larger student, and nine for the smaller.",
        stored=["own('reverse KL', 8).about(6, within=0.3)", "own('reverse KL', 6).about(9, within=0.5)"],
    ),
    Claim(
        "JS at 0.5 lies between: null, and two and a half points.",
        stored="own('JS 0.5', 8).null and own('JS 0.5', 6).about(2 + 0.5, within=0.3)",
    ),
    Claim(
        "For the larger student JS at 0.5 is eleven points ahead of forward KL where it is drawn at T = 1, and two ahead where it is read greedily.",
        stored=[
            "over('JS 0.5', 'forward KL').about(11, within=0.5)",
            "over('JS 0.5', 'forward KL', 'right_greedy').about(2, within=0.5)",
        ],
    ),
    Claim(
        "Reverse KL is ten points ahead, and then four behind: what it had gained was sharpness, and it has lost something besides.",
        stored=[
            "over('reverse KL', 'forward KL').about(10, within=0.3)",
            "over('reverse KL', 'forward KL', 'right_greedy').about(-4, within=0.5)",
        ],
    ),
    Claim(
        "Greedy texts keep eight of their nineteen points.",
        stored=[
            "over('greedy texts', 'forward KL', 'right_greedy').about(8, within=0.3)",
            "over('greedy texts', 'forward KL').about(19, within=0.5)",
        ],
    ),
    Claim(
        "The smaller student has less room for a second style, and more is left: JS at 0.5 on own texts is thirteen points ahead at T = 1, and fourteen when read greedily.",
        stored=[
            "over('own texts, JS 0.5', 'forward KL', width=6).about(13, within=0.5)",
            "over('own texts, JS 0.5', 'forward KL', 'right_greedy', width=6).about(14, within=0.5)",
        ],
    ),
    Claim(
        "It fails as it must: a right text had 32 % at the start, and has one.",
        stored=[
            "round(mean('the start')) == 32 and round(mean(experiments.CONTROL)) == 1",
            "over(experiments.CONTROL, 'the start').worse",
        ],
    ),
    Claim(
        "Read greedily, forward KL is right at 15 % of the times, JS at 0.5 at seven points less, and reverse KL at only four.",
        stored=[
            "round(mean('forward KL', 'right_greedy', start='cold')) == 15",
            "over('JS 0.5', 'forward KL', 'right_greedy', start='cold').about(-7, within=0.5)",
            "round(mean('reverse KL', 'right_greedy', start='cold')) == 4",
        ],
    ),
    Claim(
        "Its KL to the truth is 7.4 nats, that of forward KL 4.0.",
        stored="""[round(mean(arm, "text_kl", start="cold"), 1) for arm in ("reverse KL", "forward KL")] == [7.4, 4.0]""",
    ),
    Claim(
        "Holds: from a cold start reverse KL is worse than forward KL.",
        stored=[
            "over('reverse KL', 'forward KL', 'right_greedy', start='cold').worse",
            "over('reverse KL', 'forward KL', start='cold').worse",
        ],
    ),
    Claim(
        "Holds: greedy texts make a small student right most often, and cost it two of three styles.",
        stored=[
            "mean('greedy texts') == max(map(mean, experiments.ARMS['warm'][8]))",
            "over('greedy texts', 'true texts', 'styles').worse and round(mean('greedy texts', 'styles')) == 3 - 2",
        ],
    ),
    Claim(
        "Holds, up to β = 0.9: the nearer to reverse KL, the more precision and the less recall.",
        stored=[
            "all(over(far, near).better for near, far in STEPS)",
            "all(over(far, near, 'text_kl').better for near, far in STEPS)",
            "STEPS[-1][1] == 'JS 0.9'",
        ],
    ),
    Claim(
        "Read greedily, reverse KL is behind forward KL.",
        stored="over('reverse KL', 'forward KL', 'right_greedy').worse",
    ),
    Claim(
        "With forward KL they cost both students.",
        stored="own('forward KL', 8).worse and own('forward KL', 6).worse",
    ),
]
_PATH = list(experiments.DIVERGENCES)[:-1]
STEPS = list(zip(_PATH, _PATH[1:], strict=False))

EXEMPT = {
    r"Forward KL, mathrm{KL}(q Vert p), is that of the soft targets of this course: it grows where the teacher q believes in something that the student p misses.": "a definition",
    r"Reverse KL, mathrm{KL}(p Vert q), grows where the student believes in something that the teacher does not.": "a definition",
    'There are 144 times, so 432 right texts, and every other text is wrong: "twenty to quarter" is no text, and "quarter to three" at a quarter to four is the wrong time.': "what the language is",
    r"Two numbers say all: how probable a right text is (its precision), and mathrm{KL}(text{truth} Vert text{student}) of whole texts, which grows where it misses a style (its recall).": "a definition",
    "They answer the same prompts, and differ in who wrote them: the truth itself; the teacher, drawn as its probabilities are (T = 1), or more surely (T = 0.5); or the teacher's likeliest text, greedy.": "how the experiment is made",
    "Here is the path of β in the plane of the two numbers, the mean of thirty seeds.": "what is drawn",
    "Remember: own text is no gain by itself.": "its numbers are claimed before",
    'Does not hold: "a divergence that is ahead has taught more".': "its numbers are in the next sentence",
    'Does not hold: "own texts are better".': "its numbers are in the next sentence",
}
