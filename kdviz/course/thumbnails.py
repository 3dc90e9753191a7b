"""The small picture of each gallery page, drawn from the page's own numbers, for the index and the map."""

from functools import cache

from kdviz.course.pages import Page

WIDTH, HEIGHT = 180, 72
TEACHER, STUDENT, QUIET = "#3f97cc", "#e0762b", "#8a929b"  # seen on light and on dark


def thumbnail(page: Page) -> str:
    """The picture of a page as an SVG element, which says nothing to a screen reader; or nothing."""
    if page.name not in _DRAWN:
        return ""
    return (
        f'<svg class="thumbnail" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{_drawn(page.name)}</svg>'
    )


@cache
def _drawn(name):
    return _DRAWN[name]()


def _place(values, low, high, room=8):
    """Values as places between two edges, the smallest at ``low``."""
    first, last = min(values), max(values)
    start, end = (low + room, high - room) if low < high else (low - room, high + room)
    return [round(start + (value - first) / (last - first) * (end - start), 1) for value in values]


def _reported():
    """The gains of the survey's rows over their accuracy without a teacher."""
    from kdviz.course.published import survey

    rows = survey()
    colour = {"response": TEACHER, "feature": STUDENT}
    x, y = _place(rows.baseline_accuracy.tolist(), 0, WIDTH), _place(rows.gain.tolist(), HEIGHT, 0)
    return "".join(
        f'<circle cx="{a}" cy="{b}" r="2.6" fill="none" stroke="{colour.get(kind, QUIET)}"/>'
        for a, b, kind in zip(x, y, rows.knowledge, strict=True)
    )


def _pairs():
    """The gain of a hint between each layer of the student and each of the teacher; a loss is grey."""
    from kdviz.course.experiments.n14_which_layer import gains_of_pairs
    from kdviz.course.results import load

    rows = load("layer_pairs").rows
    maps = [gains_of_pairs(rows, "hint", pairs) for pairs in ("right", "shuffled")]
    most = max(abs(gain.mean) for found in maps for gain in found.values())
    return "".join(
        f'<rect x="{90 * panel + 28 * theirs - 18}" y="{24 * (3 - mine)}" width="26" height="22" '
        f'fill="{STUDENT if gain.mean > 0 else QUIET}" fill-opacity="{abs(gain.mean) / most:.2f}"/>'
        for panel, found in enumerate(maps)
        for (mine, theirs), gain in found.items()
    )


def _forked():
    """The learned weight of the good teacher, a line a seed from the middle to where it went."""
    from kdviz.course.results import load

    rows = load("two_teachers").rows
    ends = rows[(rows.arm == "learned") & (rows.beside == "renamed")].teacher_weight
    return "".join(
        f'<path d="M8 36C60 36 60 {y} 172 {y}" fill="none" stroke="{TEACHER if weight > 50 else QUIET}" '
        'stroke-opacity="0.5"/>'
        for weight, y in zip(ends, (round(64 - 0.56 * weight, 1) for weight in ends), strict=True)
    )


def _attacked():
    """What three networks read under 20 steps (outlined), and under 20 against the margin."""
    from kdviz.course.results import load

    means = load("withstood").rows.groupby(["attack", "arm"]).accuracy.mean()
    arms = ["undefended", "defensive distillation", "adversarial training"]
    return "".join(
        f'<rect x="{x}" y="{HEIGHT - high:.1f}" width="36" height="{high:.1f}" fill="none" stroke="{QUIET}"/>'
        f'<rect x="{x}" y="{HEIGHT - low:.1f}" width="36" height="{low:.1f}" fill="{STUDENT}"/>'
        for x, high, low in zip(
            (16, 72, 128),
            0.7 * means["20 steps"][arms],
            0.7 * means["20 steps, margin"][arms],
            strict=True,
        )
    )


def _worlds():
    """In each of the four worlds the accuracy of labels alone, of the student, and of its teacher."""
    from kdviz.course.experiments.n18_what_only_the_teacher_sees import chosen
    from kdviz.course.results import load

    rows = chosen(load("privileged_worlds").rows)
    means = rows.groupby(["regime", "arm"], sort=False)[["accuracy", "teacher_accuracy"]].mean()
    own = means.xs("privileged", level="arm")
    labels = means.xs("hard labels", level="arm").accuracy
    y = _place([*labels, *own.accuracy, *own.teacher_accuracy], HEIGHT, 0)
    return "".join(
        f'<path d="M{x} {low}V{high}" stroke="{QUIET}"/><circle cx="{x}" cy="{low}" r="3" fill="{QUIET}"/>'
        f'<circle cx="{x}" cy="{high}" r="5" fill="none" stroke="{TEACHER}" stroke-width="2"/>'
        f'<circle cx="{x}" cy="{right}" r="3.5" fill="{STUDENT}"/>'
        for x, low, right, high in zip((24, 68, 112, 156), y[:4], y[4:8], y[8:], strict=True)
    )


def _paired():
    """The ear at the lowest noise by how many pairs are wrong: at random, and always the next digit."""
    from kdviz.course.results import load

    rows = load("wrong_pairs").rows.query("sense == 'tone' and hiss == 1")
    means = rows.groupby(["arm", "wrong"]).accuracy.mean()
    lines = ""
    for arm, color in (("at random", STUDENT), ("next digit", QUIET)):
        own = means[arm]
        places = [f"{8 + 164 * a:.1f} {68 - 0.64 * b:.1f}" for a, b in own.items()]
        lines += f'<path d="M{"L".join(places)}" fill="none" stroke="{color}" stroke-width="2"/>'
        for place in places:
            lines += '<circle cx="{}" cy="{}" r="2.5" fill="{}"/>'.format(*place.split(), color)
    return lines


def _cut():
    """The accuracy of each way to be small by its bytes: as cut, dotted, and mended by labels."""
    from math import log

    from kdviz.course.results import load

    rows = load("compressed").rows
    means = rows.groupby(["student", "arm", "network"])[["bytes", "accuracy"]].mean().reset_index()
    x, y = _place([log(size) for size in means.bytes], 0, WIDTH), _place(means.accuracy.tolist(), HEIGHT, 0)
    whole = max(zip(x, y, strict=True))
    looks = {"as cut": (QUIET, "2 3"), "labels": (STUDENT, "none")}
    lines = means.assign(x=x, y=y)[means.arm.isin(looks)].sort_values("bytes")
    return f'<circle cx="{whole[0]}" cy="{whole[1]}" r="4" fill="{TEACHER}"/>' + "".join(
        f'<path d="M{"L".join(f"{a} {b}" for a, b in [*zip(own.x, own.y, strict=True), whole])}" fill="none" '
        f'stroke="{looks[arm][0]}" stroke-width="1.6" stroke-dasharray="{looks[arm][1]}"/>'
        for (_, arm), own in lines.groupby(["student", "arm"])
    )


def _whose():
    """Each way to learn by how rightly the student speaks and by what it misses; the path of β is drawn."""
    from math import log

    from kdviz.course.experiments.n23_whose_words import DIVERGENCES
    from kdviz.course.results import load

    rows = load("whose_words").rows.query("start == 'warm' and width == 8")
    means = rows[rows.text_kl < 6].groupby("arm")[["right", "text_kl"]].mean()
    x = dict(zip(means.index, _place(means.right.tolist(), 0, WIDTH), strict=True))
    y = dict(zip(means.index, _place([log(kl) for kl in means.text_kl], HEIGHT, 0), strict=True))
    path = "L".join(f"{x[arm]} {y[arm]}" for arm in DIVERGENCES)
    return f'<path d="M{path}" fill="none" stroke="{STUDENT}" stroke-width="1.6"/>' + "".join(
        f'<circle cx="{x[arm]}" cy="{y[arm]}" r="3" fill="{TEACHER if arm == "the teacher" else QUIET}"/>'
        for arm in means.index
    )


def _kept():
    """Each way to teach without the data, by the bytes it kept and the accuracy."""
    from math import log

    from kdviz.course.experiments.n16_nothing_but_the_teacher import KINDS
    from kdviz.course.results import load

    tables = ("drawn_images", "inverted_images", "generators")
    means = {}
    for name in tables:
        means |= load(name).rows.groupby("arm")[["kept", "accuracy"]].mean().to_dict("index")
    looks = dict(zip(KINDS, (QUIET, TEACHER, STUDENT, "#222222"), strict=False))
    shown = [(arm, colour) for kind, colour in looks.items() for arm in KINDS[kind]]
    x = _place([log(max(means[arm]["kept"], 1)) for arm, _ in shown], 0, WIDTH)
    y = _place([means[arm]["accuracy"] for arm, _ in shown], HEIGHT, 0)
    return "".join(
        f'<circle cx="{a}" cy="{b}" r="3.5" fill="{colour}"/>'
        for a, b, (_, colour) in zip(x, y, shown, strict=True)
    )


def _learned_on():
    """The accuracy on old digits by λ: their own head above, all ten logits below; controls are dotted."""
    from kdviz.course.results import load

    rows = load("forgetting").rows.query("regime == 'one head'")
    means = rows.groupby(["heads", "arm", "weight"]).old_accuracy.mean()
    lines = ""
    for heads, arm, color, dashes in (
        ("own", "yesterday", STUDENT, "none"),
        ("all", "yesterday", TEACHER, "none"),
        ("own", "shuffled", QUIET, "2 3"),
        ("own", "knows nothing", QUIET, "2 3"),
    ):
        own = [means[heads, "no teacher", 0.0], *means[heads, arm]]
        x = [round(WIDTH * place / (len(own) - 1), 1) for place in range(len(own))]
        path = "L".join(f"{a} {HEIGHT * (1 - b / 100):.1f}" for a, b in zip(x, own, strict=True))
        lines += (
            f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dashes}"/>'
        )
    return lines


def _turned():
    """What each teacher saves of the error of 50 angles: right, noisy, biased, and the two controls."""
    from kdviz.course.results import load

    rows = load("angles_taught").rows.query("regime == 'exact angles'")
    means = rows.groupby("arm").degrees.mean()
    saved = means["50 angles"] - means
    shown = ("teacher's answers", "noisy teacher", "biased teacher", "answers shuffled")
    low, *y = _place([0.0, *saved[list(shown)]], HEIGHT, 0)
    bars = "".join(
        f'<path d="M{x} {low}V{high}" stroke="{STUDENT if high < low else QUIET}" stroke-width="22"/>'
        for x, high in zip((24, 68, 112, 156), y, strict=True)
    )
    return f'<path d="M0 {low}H{WIDTH}" stroke="{QUIET}"/>{bars}'


_DRAWN = {
    "13_what_the_papers_report": _reported,
    "14_which_layer": _pairs,
    "15_many_teachers": _forked,
    "16_nothing_but_the_teacher": _kept,
    "17_two_meanings_of_adversarial": _attacked,
    "18_what_only_the_teacher_sees": _worlds,
    "19_another_sense": _paired,
    "20_small_in_other_ways": _cut,
    "21_learn_on_and_forget": _learned_on,
    "22_answers_that_are_no_classes": _turned,
    "23_whose_words": _whose,
}
