"""The reader's own score of a page, which ends with it: ``tally("01")``."""

from kdviz.course.exercises import exercises_of
from kdviz.explorers import Guess, Tally
from kdviz.explorers import tally as counted


def tally(page: str) -> Tally:
    """The predictions made in this session, and the exercises of the page with that number.

    >>> list(tally("01").exercises)
    ['1.1', '1.2', '1.3', '1.4', '1.5']
    """
    return counted(Guess.asked.values(), exercises_of(page))
