"""The compression explorer: the weights of a network that is made small, and its accuracy by bytes."""

import numpy as np
import pandas as pd
import traitlets

from kdviz.explorers.base import Explorer

BINS = 61
NEEDED = ("student", "network", "arm", "bytes", "accuracy", "seed")


class Compression(Explorer):
    """One network made small in several ways and strengths. Made by :func:`compression`."""

    # By family: for each strength a name, bytes, the mean accuracy of each arm, and its weights in bins.
    families = traitlets.Dict().tag(sync=True)
    # The network before it is cut, likewise.
    whole = traitlets.Dict().tag(sync=True)
    reach = traitlets.Float(1.0).tag(sync=True)
    family = traitlets.Unicode().tag(sync=True)
    strength = traitlets.Int(1).tag(sync=True)

    @traitlets.validate("family")
    def _check_family(self, proposal):
        if self.families and proposal.value not in self.families:
            raise ValueError(f"family must be one of {', '.join(self.families)}; got {proposal.value!r}")
        return proposal.value

    @traitlets.validate("strength")
    def _check_strength(self, proposal):
        most = max(map(len, self.families.values()), default=0)
        if self.families and not 0 <= proposal.value <= most:
            raise ValueError(f"strength must be from 0 (not cut) to {most}; got {proposal.value!r}")
        return proposal.value

    def __repr__(self):
        return f"Compression({', '.join(self.families)}; {self.family}, strength {self.strength})"


def compression(weights, table):
    """One network made small in several ways: a slider cuts deeper, and the weights show what it does.

    Parameters
    ----------
    weights : dict
        ``weights[family][strength]`` are the weights of one layer as they are used, in any shape, and
        ``weights["all of it"]`` those before. Strengths from mild to strong.
    table : DataFrame
        A row for each seed, ``student`` (the family), ``network`` (the strength) and ``arm``, with
        ``bytes`` and ``accuracy`` in percent; the arm "all of it" is the network before it is cut.

    Returns
    -------
    Compression
    """
    _check(weights, table)
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise ValueError(f"the table lacks the columns {', '.join(missing)}; it has {', '.join(table)}")
    cut = {family: own for family, own in weights.items() if family != "all of it"}
    means = table.groupby(["student", "network", "arm"])[["bytes", "accuracy"]].mean()
    unknown = [
        (family, name)
        for family, own in cut.items()
        for name in own
        if (family, name) not in means.index.droplevel(2)
    ]
    if unknown:
        raise ValueError(f"the table has no rows of {unknown[0]}, student and network")
    reach = float(np.abs(np.asarray(weights["all of it"])).max())

    def told(name, rows, values):
        return {
            "name": name,
            "bytes": round(float(rows.bytes.mean())),
            "arms": rows.accuracy.round(2).to_dict(),
            "bins": _binned(values, reach),
        }

    families = {
        family: [told(name, means.loc[family, name], values) for name, values in own.items()]
        for family, own in cut.items()
    }
    whole = means.xs("all of it", level="arm").mean()
    return Compression(
        families=families,
        whole={
            "name": "all of it",
            "bytes": round(float(whole.bytes)),
            "arms": {"all of it": round(float(whole.accuracy), 2)},
            "bins": _binned(weights["all of it"], reach),
        },
        reach=reach,
        family=next(iter(families)),
    )


def _check(weights, table):
    if not isinstance(table, pd.DataFrame) or table.empty:
        raise TypeError(f"the table must be a DataFrame with rows; got {type(table).__name__}")
    for name in table.columns.intersection(["bytes", "accuracy"]):
        _check_numbers(name, table[name])
    families = weights if isinstance(weights, dict) else {}
    nested = [own for family, own in families.items() if family != "all of it"]
    if "all of it" not in families or not nested or not all(isinstance(own, dict) and own for own in nested):
        raise TypeError(
            "weights must be a dictionary of families, each of weights by strength, and of the weights "
            f"before under 'all of it'; got {type(weights).__name__}"
        )

    for own in ({"all of it": families["all of it"]}, *nested):
        for name, values in own.items():
            _check_numbers(name, values)


def _check_numbers(name, values):
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "biuf":
        numbers = np.empty(0)
    if not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"{name!r} must hold finite numbers, and at least one; got {values!r:.60}")


def _binned(values, reach):
    counts, _ = np.histogram(np.clip(np.ravel(np.asarray(values)), -reach, reach), BINS, (-reach, reach))
    return counts.tolist()
