"""What a reader has guessed and solved so far, told to nobody else."""

import traitlets

from kdviz.explorers.base import Explorer
from kdviz.explorers.guess_explorer import Guess
from kdviz.explorers.validation import items

WORDS = {True: "right", False: "wrong", None: ""}


class Tally(Explorer):
    """How many predictions and exercises are done, and how many are right. Made by :func:`tally`."""

    predictions = traitlets.Dict().tag(sync=True)
    exercises = traitlets.Dict().tag(sync=True)

    def __repr__(self):
        return "; ".join(
            f"{name}: {list(done.values()).count('right')} of {len(done)} right"
            for name, done in (("predictions", self.predictions), ("exercises", self.exercises))
            if done
        )


def tally(guesses, exercises=()):
    """Count the reader's predictions and exercises, while she makes them.

    Parameters
    ----------
    guesses : iterable of Guess
        Of those without an answer nothing is counted.
    exercises : iterable of Exercise

    Returns
    -------
    Tally
        Its ``predictions`` and ``exercises`` say "right", "wrong" or "" of each.

    Examples
    --------
    >>> from kdviz.explorers import guess
    >>> asked = guess("Is 7 a prime?", ["no", "yes"], answer="yes")
    >>> mine = tally([asked])
    >>> asked.choice, asked.committed = "yes", True
    >>> mine
    predictions: 1 of 1 right
    """
    guesses, exercises = items("guesses", guesses, "guesses"), items("exercises", exercises, "exercises")
    if not all(isinstance(one, Guess) for one in guesses):
        raise TypeError(f"guesses must be what kdviz.explorers.guess gives; got {guesses!r}")
    if not all(hasattr(one, "outcome") for one in exercises):
        raise TypeError(f"exercises must be exercises of the course; got {exercises!r}")
    guesses = [one for one in guesses if one.answer]
    made = Tally()

    def count(*_):
        made.predictions = {one.question: WORDS[one.outcome] for one in guesses}
        made.exercises = {one.name: WORDS[one.outcome] for one in exercises}

    for one in guesses:
        one.observe(count, "committed")
    for one in exercises:
        one.watchers.append(count)
    count()
    return made
