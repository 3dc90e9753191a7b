"""The explorer of privileged information: what a student is told, and what it makes of it."""

from collections.abc import Mapping

import numpy as np
import traitlets

from kdviz.explorers.base import Explorer
from kdviz.explorers.validation import array, number
from kdviz.explorers.wire import pack

SHARES = tuple(step / 10 for step in range(11))
TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
NEEDED = ("inputs", "labels", "rules", "teacher", "shuffled", "says")


class Privileged(Explorer):
    """A linear student of a teacher that sees more, trained at every move. Made by :func:`privileged`."""

    # By name: arrays as texts, the two teachers' accuracies, and what the world is.
    worlds = traitlets.Dict().tag(sync=True)
    temperatures = traitlets.List(list(TEMPERATURES)).tag(sync=True)
    penalty = traitlets.Float(1e-3).tag(sync=True)
    world = traitlets.Unicode().tag(sync=True)
    soft_weight = traitlets.Float(0.5).tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)
    shuffled = traitlets.Bool(False).tag(sync=True)

    @traitlets.validate("world")
    def _check_world(self, proposal):
        return _among("world", proposal.value, self.worlds)

    @traitlets.validate("soft_weight")
    def _check_soft_weight(self, proposal):
        return _among("soft_weight", proposal.value, SHARES)

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal):
        return _among("temperature", proposal.value, TEMPERATURES)

    def __repr__(self):
        return f"Privileged({', '.join(self.worlds)}; {self.world}, soft_weight {self.soft_weight:g})"


def privileged(worlds, *, penalty=1e-3):
    """A teacher sees more than its student: choose a world, and move the weight and the temperature.

    The student is a logistic regression on the targets ``(1 - soft_weight) * labels + soft_weight *
    sigmoid(teacher / temperature)``, which makes the mean cross-entropy plus ``penalty / 2 * |w|**2`` least.
    It is found by Newton's method in the browser, for eleven weights at every move.

    Parameters
    ----------
    worlds : dict of dictionaries by name
        ``inputs`` (samples, features), each feature standard normal; ``labels`` (samples,), 0 or 1;
        ``rules`` (rules, features), the correlations with what decides a label; ``teacher`` and
        ``shuffled``, each its logits (samples,) and its accuracy in percent; and ``says``, a sentence.
    penalty : float
        Above 0.

    Returns
    -------
    Privileged

    Examples
    --------
    >>> inputs = np.random.default_rng(0).standard_normal((40, 2))
    >>> says = "The first feature decides."
    >>> told = {"inputs": inputs, "labels": inputs[:, 0] > 0, "rules": [[1, 0]], "says": says}
    >>> seen = {"teacher": (3 * inputs[:, 0], 100.0), "shuffled": (inputs[:, 1], 50.0)}
    >>> privileged({"one decides": told | seen})
    Privileged(one decides; one decides, soft_weight 0.5)
    """
    if not isinstance(worlds, Mapping) or not worlds:
        raise TypeError(f"worlds must be a dictionary with at least one world; got {worlds!r:.60}")
    if not (penalty := number("penalty", penalty)) > 0:
        raise ValueError(f"penalty must be above 0, so that the student has an end; got {penalty!r}")
    packed = {name: _packed(name, world) for name, world in worlds.items()}
    return Privileged(worlds=packed, world=next(iter(packed)), penalty=penalty)


def _packed(name, world):
    missing = [key for key in NEEDED if not isinstance(world, Mapping) or key not in world]
    if missing:
        raise ValueError(f"the world {name!r} must be a dictionary; it lacks {', '.join(missing)}")
    inputs, rules, labels = (
        array(f"the {key} of {name!r}", world[key]) for key in ("inputs", "rules", "labels")
    )
    if inputs.ndim != 2 or rules.ndim != 2 or inputs.shape[1] != rules.shape[1] or not rules.size:
        raise ValueError(
            f"the world {name!r}: inputs must be (samples, features) and rules (rules, features); got "
            f"{inputs.shape} and {rules.shape}"
        )
    said = [_teacher(name, key, world[key]) for key in ("teacher", "shuffled")]
    for key, values in zip(("labels", "teacher", "shuffled"), (labels, said[0][0], said[1][0]), strict=True):
        if not len(inputs) or values.shape != inputs.shape[:1]:
            raise ValueError(
                f"the world {name!r}: {key} must be one number for each of the {len(inputs)} samples, at "
                f"least one; got {values.shape}"
            )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"the labels of {name!r} must be 0 or 1; got {np.unique(labels)[:5]}")
    return {
        "says": str(world["says"]),
        "inputs": pack(inputs, "float16"),
        "rules": pack(rules, "float32"),
        "labels": pack(labels, "uint1"),
        "teachers": [pack(logits, "float32") for logits, _ in said],
        "accuracies": [accuracy for _, accuracy in said],
    }


def _teacher(name, key, given):
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(
            f"{key} of {name!r} must be its logits and its accuracy in percent; got {given!r:.60}"
        )
    what = f"of the {key} of {name!r}"
    return array(f"the logits {what}", given[0]), number(f"the accuracy {what}", given[1], 0, 100)


def _among(what, value, known):
    if known and value not in known:
        raise ValueError(f"{what} must be one of {', '.join(map(str, known))}; got {value!r}")
    return value
