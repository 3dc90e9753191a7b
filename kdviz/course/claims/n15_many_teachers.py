"""Page 15: four stored tables, and the fork as it is trained."""

from kdviz.course.claims import Claim, gain, table


def of_five(arm, minus="the first alone"):
    """An arm of the first table, teachers that are blind to two digits each."""
    return gain("put_together", arm, minus=minus, regime="blind to two")


def beside(second, rule, minus="the good one alone"):
    """A rule beside this second teacher, over another rule."""
    return gain("two_teachers", rule, minus=minus, beside=second)


def halves(arm, minus, temperature):
    return gain("put_together", arm, minus=minus, regime="half of the digits", temperature=temperature)


def voted(teachers, scale, minus=None, of="accuracy"):
    """So many teachers under this noise; over another number of them under the same noise."""
    rows = table("private_votes", teachers=teachers, noise_scale=scale)
    if minus is None:
        return float(rows[of].mean())
    return gain("private_votes", {"teachers": teachers}, minus={"teachers": minus}, of=of, noise_scale=scale)


def sharing(arm, minus, places="unlike"):
    return gain("many_places", arm, minus=minus, places=places)


def sent(arm):
    return float(table("many_places", arm=arm).sent.iloc[0])


def mean(name, **where):
    return float(table(name, **where).accuracy.mean())
