"""A guess, committed before the result is seen, and answered then."""

from typing import ClassVar

import traitlets

from kdviz.explorers.base import Explorer
from kdviz.explorers.validation import items


class Guess(Explorer):
    """A question with choices; once committed, the choice is locked. Made by :func:`guess`."""

    asked: ClassVar[dict[str, "Guess"]] = {}
    """The guesses made in this session by their question; who asks again begins anew."""

    question = traitlets.Unicode().tag(sync=True)
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answer = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    because = traitlets.Unicode().tag(sync=True)
    choice = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    committed = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **traits):
        super().__init__(**traits)
        Guess.asked[self.question] = self

    @property
    def outcome(self):
        """Whether the committed choice is right; None before, and where the question has no answer."""
        return self.choice == self.answer if self.committed and self.answer else None

    @traitlets.validate("choice")
    def _check_choice(self, proposal):
        if proposal.value is not None and proposal.value not in self.choices:
            raise ValueError(f"choice must be one of {self.choices}; got {proposal.value!r}")
        return proposal.value

    @traitlets.validate("committed")
    def _check_committed(self, proposal):
        if proposal.value and self.choice is None:
            raise ValueError("there is nothing to commit yet: set choice first")
        return proposal.value

    def __repr__(self):
        said = f"you said {self.choice!r}" if self.committed else "not committed"
        verdict = {True: ", right", False: f", and it is {self.answer!r}", None: ""}[self.outcome]
        return f"Guess({self.question!r}, {said}{verdict})"


def guess(question, choices, answer=None, because=""):
    """Ask for a guess before the result.

    Parameters
    ----------
    question : str
    choices : list of str
        Two or more different answers, in their natural order.
    answer : str, optional
        The choice that is right. It is told once a guess is committed, with a mark and in words.
    because : str, optional
        What is said then: the number that the page found, and why.

    Returns
    -------
    Guess
        Its ``choice``, ``committed`` and ``outcome`` can be read by later cells.

    Examples
    --------
    >>> asked = guess("What is 0.9 times 0.9?", ["0.18", "0.81"], answer="0.81", because="9 times 9 is 81.")
    >>> asked.choice, asked.committed = "0.18", True
    >>> asked
    Guess('What is 0.9 times 0.9?', you said '0.18', and it is '0.81')
    """
    choices = _check_choices(question, choices)
    if answer is not None and answer not in choices:
        raise ValueError(f"answer must be one of the choices {choices}, or None; got {answer!r}")
    if not isinstance(because, str):
        raise TypeError(f"because must be a text; got {because!r}")
    return Guess(question=question, choices=choices, answer=answer, because=because)


def _check_choices(question, choices):
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"question must be a text that is not empty; got {question!r}")
    choices = items("choices", choices, "texts")
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise TypeError(f"every choice must be a text that is not empty; got {choices!r}")
    if len(choices) < 2 or len(set(choices)) != len(choices):
        raise ValueError(f"choices must be two or more different texts; got {choices!r}")
    return choices
