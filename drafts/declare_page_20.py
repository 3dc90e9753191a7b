p='kdviz/course/pages.toml'; s=open(p).read()
a='''topics = ["5.7 Quantised"]
planned = true'''
assert a in s
s=s.replace(a,'''topics = ["5.7 Quantised"]
sections."5.7 Quantised" = "4"
parts."Quantised" = "2"
teaches = "prune, quantise, factorise, or narrow; what mends a cut network; the order of two cuts; three methods for few bits, beside training without a teacher"
minutes = 25
seconds = 20
difficulty = "medium"
needs = ["10_who_teaches_whom"]
exercises = 2
results = ["compressed", "orders", "few_bits"]''')
open(p,'w').write(s)
p='kdviz/course/thumbnails.py'; s=open(p).read()
s=s.replace('''_DRAWN = {"13_what_the_papers_report": _reported}''','''def _cut():
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


_DRAWN = {"13_what_the_papers_report": _reported, "20_small_in_other_ways": _cut}''')
open(p,'w').write(s)
