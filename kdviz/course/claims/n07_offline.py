"""Page 07: kept answers and teachers of many ages are stored tables; the network with a past is trained live."""

import pandas as pd

from kdviz.course.claims import Claim, Gain, difference, gain, table


def kept(arm: str, minus: str, images: str) -> Gain:
    return gain("cached_answers", arm, minus=minus, regime=f"{images} images")


def of_teacher(arm: str, steps: int) -> dict:
    return {"arm": arm, "teacher_steps": steps}


OLD, YOUNG = of_teacher("wide teacher", 3000), of_teacher("wide teacher", 50)
NARROW, WIDE = of_teacher("narrow teacher", 400), of_teacher("wide teacher", 1000)
HARD, STOPPED = of_teacher("hard labels", 0), of_teacher("hard labels, stopped", 0)


def aged(arm: dict, minus: dict, of: str = "accuracy") -> Gain:
    return gain("teacher_age", arm, minus=minus, of=of)


def over_its_teacher(steps: int) -> Gain:
    rows = table("teacher_age", arm="wide teacher", teacher_steps=steps)
    return difference(rows.accuracy.tolist(), rows.teacher_accuracy.tolist())


def permuted(steps: int) -> Gain:
    return gain("teacher_age", "permuted", minus="wide teacher", teacher_steps=steps)


def chosen(minus: dict) -> Gain:
    """The student of the wide teacher that is best on validation, for each seed, minus another arm."""
    best = table("teacher_age", best="teacher_validation", arm="wide teacher").assign(arm="chosen")
    rows = pd.concat([best, table("teacher_age", **minus)])
    return gain(rows, "chosen", minus=minus["arm"])


def believed(arm: str) -> float:
    return table("teacher_age", arm=arm, teacher_steps=3000).believed.mean()


def detour(arm: str, minus: str = "straight", of: str = "accuracy") -> Gain:
    return gain("assistant_chains", arm, minus=minus, of=of)


def of_six() -> list[float]:
    """The wide teachers' mean test accuracy by their steps."""
    return table("teacher_age", arm="wide teacher").groupby("teacher_steps").teacher_accuracy.mean()


CLAIMS = [
    Claim(
        "A wide network trains on 40 % wrong labels. What does it believe of the wrongly labelled "
        "images? → first the right digit, later the label\n"
        "After 200 steps its mean probability of the right digit is the larger one, and after 3,000 "
        "that of the wrong label.",
        live=[
            "beliefs(routes['wide (256)'][200])[:, 0].mean() > beliefs(routes['wide (256)'][200])[:, 1].mean()",
            "beliefs(routes['wide (256)'][3000])[:, 0].mean() < beliefs(routes['wide (256)'][3000])[:, 1].mean()",
        ],
    ),
    Claim(
        "Somewhere between step 500 and 1,500: by 3,000 nearly all of them have crossed.",
        live=[
            "(beliefs(routes['wide (256)'][500]) @ torch.tensor([1.0, -1.0]) > 0).double().mean() > 0.5",
            "(beliefs(routes['wide (256)'][1500]) @ torch.tensor([1.0, -1.0]) > 0).double().mean() < 0.5",
            "(beliefs(routes['wide (256)'][3000]) @ torch.tensor([1.0, -1.0]) > 0).double().mean() < 0.1",
        ],
    ),
    Claim(
        "Most never do: after 3,000 steps the narrow network still gives most wrongly labelled images the right digit.",
        live="(beliefs(routes['narrow (16)'][3000]) @ torch.tensor([1.0, -1.0]) > 0).double().mean() > 0.6",
        differs="3,000 is the step",
    ),
    # 2. How little can be kept
    Claim(
        "The teacher's first choice only, kept for 50 images. Compared with 50 hard labels? → the "
        "same within 1 point\n"
        "The difference is null, and its interval reaches less than a point to either side.",
        stored=[
            'kept("first choice", "hard labels", "50").null',
            'kept("first choice", "hard labels", "50").low > -1 and kept("first choice", "hard labels", "50").high < 1',
            'kept("all logits", "hard labels", "50").better',
        ],
    ),
    Claim(
        "One byte for each logit is as good as four: both differences are null, with intervals of at most 0.1 points.",
        stored=[
            f'kept("in bytes", "all logits", "{images}").null and kept("in bytes", "all logits", "{images}").half < 0.1'
            for images in ("50", "1,200")
        ]
        + ['kept("all logits", "hard labels", "50").better'],
        differs="four bytes are the size of a logit",
    ),
    Claim(
        "With 50 images the control gives up the whole gain: a first choice is a label, and against 50 hard labels it is null.",
        stored=[
            'kept("first choice", "hard labels", "50").null',
            'kept("all logits", "hard labels", "50").better',
        ],
    ),
    Claim(
        "Three logits keep five of the six points.",
        stored=[
            'kept("largest three", "hard labels", "50").about(5, within=0.3)',
            'kept("all logits", "hard labels", "50").about(6, within=0.4)',
        ],
        differs="three is the number of logits",
    ),
    Claim(
        "With 1,200 images the first choice is only one point worse than all logits.",
        stored='kept("first choice", "all logits", "1,200").about(-1, within=0.1)',
    ),
    Claim(
        "There the gain of twelve points comes from *more labelled images*, eleven of them from labels that a machine wrote; dark knowledge adds the last point.",
        stored=[
            'kept("all logits", "hard labels", "1,200").about(12, within=0.5)',
            'kept("first choice", "hard labels", "1,200").about(11, within=0.5)',
            'kept("all logits", "first choice", "1,200").about(1, within=0.1)',
        ],
    ),
    # 3. Which teacher
    Claim(
        "After 3,000 steps the wide teacher has 70 % on test. What does its student reach? → more "
        "than 80 %\n"
        "It reaches 87 %, more than its teacher on every seed.",
        stored=[
            'abs(table("teacher_age", **OLD).accuracy.mean() - 87) < 0.5 and table("teacher_age", **OLD).accuracy.mean() > 80',
            "over_its_teacher(3000).about(18, seeds=30)",
        ],
    ),
    Claim(
        "The blue line is the teacher: it is best after 200 steps, and then it learns the wrong labels.",
        stored="of_six().idxmax() == 200",
    ),
    Claim(
        "At 200 steps it is within a point of its teacher; at 3,000 it is *18 points better*.",
        stored=[
            "over_its_teacher(200).about(-0.5, within=0.4)",
            "over_its_teacher(3000).about(18) and over_its_teacher(3000).better",
        ],
        differs="200 and 3,000 are steps",
    ),
    Claim(
        "In the first pair the teachers are more than 17 points apart, and the difference of their students is **null**.",
        stored=[
            'aged(OLD, YOUNG, of="teacher_accuracy").mean < -17',
            "aged(OLD, YOUNG).null",
        ],
    ),
    Claim(
        "In the second pair it is as one would expect: the better teacher, by five and a half points, has the better student, by four.",
        stored=[
            'aged(NARROW, WIDE, of="teacher_accuracy").about(5.5, within=0.1)',
            "aged(NARROW, WIDE).about(4, within=0.3)",
        ],
        differs="five and a half is 5.5",
    ),
    Claim(
        "The teacher of 3,000 steps, its dark knowledge permuted. How is its student now? → better, "
        "by more than 3 points\n"
        "It gains five points, on every seed.",
        stored="permuted(3000).about(5, seeds=30) and permuted(3000).low > 3",
    ),
    Claim(
        "The control did not get worse. It gained five points, on every seed.",
        stored="permuted(3000).about(5, seeds=30) and permuted(3000).better",
    ),
    Claim(
        "With the teacher of 200 steps permuting costs two points, as it should where dark knowledge helps.",
        stored="permuted(200).about(-2) and permuted(200).worse",
        differs="200 and 2 are told by steps and by mean; that dark knowledge helps is the reading of this cost",
    ),
    Claim(
        "With the teacher of 3,000 it helps, and the student of the permuted answers believes only half as many of the wrong labels.",
        stored='permuted(3000).better and believed("permuted") < 0.55 * believed("wide teacher")',
    ),
    Claim(
        "So the student that outgrew its teacher by 18 points is *five points worse* than the same student without a teacher.",
        stored=["over_its_teacher(3000).about(18)", "aged(OLD, HARD).about(-5)"],
        differs="five is the size of a difference below zero",
    ),
    Claim(
        "With the teacher chosen on validation it gains a point and a half over hard labels.",
        stored="chosen(HARD).about(1.5, within=0.3)",
    ),
    Claim(
        "And a student that stops itself gains as much: between these two the difference is **null**. Early stopping helped on either side.",
        stored=["chosen(STOPPED).null", "aged(STOPPED, HARD).better", "chosen(HARD).better"],
    ),
    # 4. Detours
    Claim(
        "Which detour gains more than 2 points over going straight? → the route\n"
        "It gains fourteen points over going straight, on every seed. But it also had more steps: "
        "read on before you believe in it.",
        stored=[
            'detour("along the route").about(14, seeds=30)',
            'max(detour(arm).mean for arm in ("by way of 64", "by way of 16", "by way of 8", "five assistants")) < 2',
        ],
    ),
    Claim(
        "Three of the four assistants are **null**, and the one of 16 gains 0.7 points, as one of four that were tried.",
        stored=[
            'all(detour(arm).null for arm in ("by way of 64", "by way of 8", "five assistants"))',
            'detour("by way of 16").about(0.7, within=0.1)',
        ],
        differs="three and four count the arms",
    ),
    Claim(
        "The route gains *fourteen points*, on every seed.",
        stored='detour("along the route").about(14, seeds=30)',
    ),
    Claim(
        "Against the same four stages the route is **null**: these seeds cannot tell the checkpoints from the finished teacher.",
        stored='detour("along the route", "straight, four stages").null and detour("straight, four stages").better',
        differs="four is the number of stages",
    ),
    Claim(
        "It is half a point better than 2,400 steps straight, and so are the four stages with the finished teacher; each stage begins with a high learning rate again.",
        stored=[
            'detour("along the route", "straight, 4 × steps").about(0.5, within=0.1)',
            'detour("straight, four stages", "straight, 4 × steps").about(0.5, within=0.15)',
        ],
        differs="2,400 steps are 4 × 600",
    ),
    Claim(
        "Against hard labels with the same number of steps it is null, too.",
        stored='detour("along the route", "hard labels, 4 × steps").null and detour("hard labels, 4 × steps").better',
    ),
    Claim(
        "So no route is needed for these fourteen points: *patience* is enough.",
        stored=[
            'detour("along the route").about(14) and detour("straight, 4 × steps").about(14)',
            'detour("hard labels, 4 × steps").about(14, within=0.6)',
        ],
    ),
    Claim(
        "With 600 steps soft targets are six points worse than hard labels; with 2,400 they are less than one point worse.",
        stored=[
            'detour("straight", "hard labels").about(-6)',
            'detour("straight, 4 × steps", "hard labels, 4 × steps").worse',
            'detour("straight, 4 × steps", "hard labels, 4 × steps").mean > -1',
        ],
        differs="600 and 2,400 are steps",
    ),
    Claim(
        "After 600 steps the student on hard labels agrees *more* with the teacher than the one that learned its answers, by six points.",
        stored='detour("hard labels", of="agreement").about(6)',
        differs="600 is the number of steps",
    ),
    Claim(
        "In KL divergence it is the other way round, and the distilled one is nearer.",
        stored='detour("hard labels", of="kl").better',
    ),
    # What holds
    Claim(
        "**Holds**: one byte a logit is null against four. With 50 images dark knowledge is the whole gain, with 1,200 one point of twelve.",
        stored=[
            'kept("in bytes", "all logits", "50").null and kept("in bytes", "all logits", "1,200").null',
            'kept("first choice", "hard labels", "50").null and kept("all logits", "hard labels", "50").better',
            'kept("all logits", "first choice", "1,200").about(1, within=0.1)',
            'kept("all logits", "hard labels", "1,200").about(12, within=0.5)',
        ],
        differs="four bytes are the size of a logit",
    ),
    Claim(
        "**Holds**: a teacher's accuracy is not its quality. Of two teachers more than 17 points apart, the students' difference is null.",
        stored=['aged(OLD, YOUNG, of="teacher_accuracy").mean < -17', "aged(OLD, YOUNG).null"],
        differs="two counts the teachers",
    ),
    Claim(
        "**Null**: the student of a teacher that was stopped early, against a student that stops early by itself. Three of four assistants. The route against the same stages without it.",
        stored=[
            "chosen(STOPPED).null and chosen(HARD).better",
            'all(detour(arm).null for arm in ("by way of 64", "by way of 8", "five assistants"))',
            'detour("by way of 16").better',
            'detour("along the route", "straight, four stages").null',
        ],
        differs="three and four count the assistants",
    ),
    Claim(
        '**Does not hold**: "the student outgrew its teacher, so the teacher\'s dark knowledge was good". Permuting it gained five points, and no teacher at all was five points better.',
        stored=["permuted(3000).about(5)", "aged(HARD, OLD).about(5)"],
    ),
    Claim(
        "One byte a logit, or with so many images perhaps only the first choice: on 1,200 images it was one point worse.",
        stored='kept("first choice", "all logits", "1,200").about(-1, within=0.1)',
    ),
]

EXEMPT = {
    "Here is one that has learned from bad labels: 40 % of them are wrong.": "how the experiment is made",
    "If it stands on the right, the network knows better than its label; if it stands at the top, the network believes the label.": "a legend",
    "Do not rely on that: the file grows with the images and the classes, and a teacher does not.": "arithmetic",
    "For ImageNet, 1.28 million images × 1,000 classes × 4 bytes make 5 GB, fifty times a common teacher.": "arithmetic",
    "Each number of steps is a training of its own, whose learning rate falls to zero at its end.": "how the experiment is made",
    'In "permuted" the wide teacher\'s logits of all classes but the given label are shuffled for each image, so that the right digit loses its place.': "how the control is made",
    "If the story is right, that student must be worse.": "what the story predicts",
    "Teacher assistants (Mirzadeh and others, 2020) are networks of a size in between, such as 1,024 → 16 → 4.": "a definition",
    "Holds, exactly: on unchanged images kept answers give the same student as a live teacher, bit for bit.": "asserted by a cell of the page",
    "Cho and Hariharan, Mirzadeh et al. and Jin et al. report their gains on CIFAR-100 and ImageNet, with convolutional networks and far longer training; nothing here speaks against them there.": "what others report",
    'Read: "our student beats its teacher by 10 points".': "a question",
    "Test: a curriculum of six stages beats a single one.": "a question",
}
