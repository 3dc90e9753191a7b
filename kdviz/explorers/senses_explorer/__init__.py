"""The explorer of two senses: pairs of an image and a tone to be heard, and what is learned from them."""

import numpy as np
import pandas as pd
import traitlets

from kdviz.explorers.base import Explorer
from kdviz.explorers.validation import array, checked_images
from kdviz.explorers.wire import Array

NEEDED = ("seed", "sense", "hiss", "arm", "wrong", "accuracy", "teacher_accuracy")
LABELS = ("50 labels", "all labels")


class Senses(Explorer):
    """Pairs of an image and a tone, some of them wrong, and students' accuracy. Made by :func:`senses`."""

    images = Array("uint4").tag(sync=True)
    sines = Array("float16").tag(sync=True)
    noise = Array("float16").tag(sync=True)
    hertz = traitlets.List().tag(sync=True)
    # By way, for each fraction of wrong pairs: whose image stands beside each tone.
    partners = traitlets.Dict().tag(sync=True)
    # By the student's sense and then by hiss: the means over seeds.
    curves = traitlets.Dict().tag(sync=True)
    hisses = traitlets.List(traitlets.Float()).tag(sync=True)
    fractions = traitlets.List(traitlets.Float()).tag(sync=True)
    sense = traitlets.Unicode().tag(sync=True)
    way = traitlets.Unicode().tag(sync=True)
    hiss = traitlets.Int(0).tag(sync=True)
    wrong = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("sense")
    def _check_sense(self, proposal):
        return _known("sense", proposal.value, self.curves)

    @traitlets.validate("way")
    def _check_way(self, proposal):
        return _known("way", proposal.value, self.partners)

    @traitlets.validate("hiss")
    def _check_hiss(self, proposal):
        return _below("hiss", proposal.value, self.hisses)

    @traitlets.validate("wrong")
    def _check_wrong(self, proposal):
        return _below("wrong", proposal.value, self.fractions)

    def __repr__(self):
        return f"Senses({len(self.hertz)} pairs; the student's sense is the {self.sense})"


def senses(pairs, table):
    """Images beside tones that can be heard: choose who teaches, the noise, and how many pairs are wrong.

    A tone is drawn as the network gets it. To be heard it is made longer, of the same two sines under noise
    of the same strength.

    Parameters
    ----------
    pairs : dict
        Of n pairs: ``images`` (n, height, width) or (n, 1, height, width), from 0 to 1; ``sines`` and
        ``noise``, each (n, samples), of which the tone is ``sines + hiss * noise``; ``hertz`` (n, 2); and
        ``partners``, by way a list of n indices for each fraction of wrong pairs: whose image stands beside
        each tone.
    table : DataFrame
        A row for each seed, ``sense`` (the student's), ``hiss``, ``arm`` and ``wrong``, with ``accuracy`` and
        ``teacher_accuracy`` in percent. Arms are the ways, "50 labels" and "all labels".

    Returns
    -------
    Senses
    """
    if not isinstance(table, pd.DataFrame) or table.empty:
        raise TypeError(f"the table must be a DataFrame with rows; got {type(table).__name__}")
    if missing := [name for name in NEEDED if name not in table]:
        raise ValueError(f"the table lacks the columns {', '.join(missing)}; it has {', '.join(table)}")
    array("the accuracies", table[["accuracy", "teacher_accuracy"]])
    needed = ("images", "sines", "noise", "hertz", "partners")
    if missing := [name for name in needed if not isinstance(pairs, dict) or name not in pairs]:
        raise ValueError(f"pairs must be a dictionary; it lacks {', '.join(missing)}")
    sines, noise, hertz = (array(f"the {name}", pairs[name]) for name in ("sines", "noise", "hertz"))
    if sines.ndim != 2 or noise.shape != sines.shape or hertz.shape != (len(sines), 2):
        raise ValueError(
            "sines and noise must have the same shape (pairs, samples), and hertz (pairs, 2); got "
            f"{sines.shape}, {noise.shape} and {hertz.shape}"
        )
    hisses, fractions = (sorted(map(float, table[name].unique())) for name in ("hiss", "wrong"))
    return Senses(
        images=checked_images(pairs["images"], len(sines)),
        sines=sines,
        noise=noise,
        hertz=hertz.tolist(),
        partners=_partners(pairs["partners"], len(sines), fractions),
        curves={sense: _curves(rows, pairs["partners"], fractions) for sense, rows in _by(table, "sense")},
        hisses=hisses,
        fractions=fractions,
        sense=str(table.sense.iloc[0]),
        way=next(iter(pairs["partners"])),
    )


def _by(table, column):
    return [(str(value), rows) for value, rows in table.groupby(column, sort=False)]


def _partners(ways, count, fractions):
    if not isinstance(ways, dict) or not ways:
        raise TypeError(f"partners must be a dictionary of at least one way; got {ways!r:.60}")
    found = {str(way): array(f"the partners {way!r}", orders) for way, orders in ways.items()}
    for way, orders in found.items():
        if orders.shape != (len(fractions), count) or not np.isin(orders, np.arange(count)).all():
            raise ValueError(
                f"the partners {way!r} must be a row for each of the fractions {fractions}, each of {count} "
                f"numbers from 0 to {count - 1}; got shape {orders.shape}"
            )
    return {way: orders.astype(int).tolist() for way, orders in found.items()}


def _curves(table, ways, fractions):
    found = []
    for hiss, rows in sorted(_by(table, "hiss"), key=lambda each: float(each[0])):
        means = rows.groupby(["arm", "wrong"]).accuracy.mean()
        wanted = [
            *((way, fraction) for way in ways for fraction in fractions),
            *((arm, 0.0) for arm in LABELS),
        ]
        if missing := [point for point in wanted if point not in means.index]:
            raise ValueError(f"the table has no rows of the arm and the fraction {missing[0]} at hiss {hiss}")
        own = {way: [round(means[way, fraction], 2) for fraction in fractions] for way in ways}
        own |= {arm: round(means[arm, 0.0], 2) for arm in LABELS}
        found.append(own | {"teacher": round(rows.teacher_accuracy.mean(), 2)})
    return found


def _known(what, value, known):
    if known and value not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}; got {value!r}")
    return value


def _below(what, value, values):
    if values and not 0 <= value < len(values):
        raise ValueError(
            f"{what} must be from 0 to {len(values) - 1}, the number of one of {values}; got {value}"
        )
    return value
