"""Distilling a language model: whose texts the student reads, and what the teacher says of each word.

A text is a prompt, then words that end with a stop (:class:`kdviz.datasets.Texts`). ``generate`` lets a
model speak, ``learn`` is learning from texts alone, whoever wrote them, and ``distill`` lets the teacher
judge each word: of texts that are there, or of the student's own. A student begins where it is: what
``learn`` gives is a warm start, a new network a cold one.

A model is any decoder: :func:`kdviz.models.transformer`, one of ``transformers`` (GPT-2, Llama ...), or a
:class:`kdviz.training.stacked.StackedModel` of networks, one a seed, with a list of texts, one for each.
"""

from collections.abc import Callable, Sequence
from typing import Unpack

import torch
import torch.nn.functional as F

from kdviz.datasets.texts import Texts, next_words
from kdviz.losses.checks import check_from_zero, check_share, check_whole
from kdviz.losses.response import CrossEntropy
from kdviz.losses.tokens import over_tokens
from kdviz.schemes.own_data import unchanged
from kdviz.tracing import Trace, device_of
from kdviz.training.batches import batches
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training
from kdviz.training.stacked import StackedModel
from kdviz.training.texts import continued, next_logits, uniform

# Of a vocabulary of fifty thousand words, 128 texts of 20 tokens take half a gigabyte.
_AT_ONCE = 128


def generate(
    model, prompts: Texts | Sequence[Texts], *, words: int, temperature: float = 1.0, stop: int = 0, seed=0
) -> Texts | list[Texts]:
    r"""What a model says after prompts, word by word, until it stops.

    Each word is drawn from :math:`\mathrm{softmax}(z / T)`. The whole text is read again for each word,
    without a cache: meant for short texts. Prompts of unequal length need no mask, since a decoder does not
    see the padding behind them.

    Parameters
    ----------
    prompts : Texts
        Their own words are not read. For a stack a list, one for each seed.
    words : int
        How many it may say, the stop included; what has not stopped by then is cut off.
    temperature : float
        T; at 0 the likeliest word is taken, which is greedy.
    stop : int
        The token that ends a text, and pads it: ``eos_token_id``.
    seed : int, or one for each of a stack
        Draws the words, a number between 0 and 1 for each: they do not depend on how texts are batched.

    >>> import kdviz as kd
    >>> data = kd.datasets.clock(texts=3)
    >>> said = generate(kd.models.transformer(54, 30, length=8), data.texts, words=6)
    >>> bool((said.tokens[:, :2] == data.texts.tokens[:, :2]).all())
    True
    """
    check_whole("words", words, 1)
    check_from_zero("temperature", temperature)
    given = _as_list(model, prompts)
    tokens, start, _ = (part.to(device_of(model)) for part in _side_by_side(given))
    draws = torch.stack([uniform((one,), (len(given[0]), words)) for one in _seeds(seed, len(given))])
    parts = [
        continued(model, tokens[:, rows], start[:, rows], draws[:, rows], temperature, stop)
        for rows in torch.arange(len(given[0])).split(_AT_ONCE)
    ]
    said, end = (torch.cat(part, 1) for part in zip(*parts, strict=True))
    found = [Texts(*one).to(given[0].tokens.device) for one in zip(said, start, end, strict=True)]
    return found if isinstance(model, StackedModel) else found[0]


def learn(student, texts: Texts | Sequence[Texts], **training: Unpack[Training]) -> Run:
    """Learning from texts alone: next-word prediction, in the mean over the words that are to be learned.

    From texts of the data this is supervised learning; from a teacher's it is sequence-level distillation
    (Kim and Rush 2016, *Sequence-Level Knowledge Distillation*, section 3.2, who take the likeliest text):
    all that an API without logits allows, and no common vocabulary is needed.

    Parameters and result as those of :func:`distill`.

    >>> import kdviz as kd
    >>> data = kd.datasets.clock(seed=0)
    >>> run = learn(kd.models.transformer(54, 30, length=8), data.texts, steps=60, learning_rate=1e-2)
    >>> run.finish().records[-1].losses["cross_entropy"] < 2
    True
    """
    return distill(None, student, texts, CrossEntropy(), **training)


def distill(
    teacher,
    student,
    texts: Texts | Sequence[Texts],
    objective: ObjectiveLike,
    *,
    own: float = 0.0,
    temperature: float = 1.0,
    words: int | None = None,
    stop: int = 0,
    evaluate: Callable = lambda student: {},
    seed: int | Sequence[int] = 0,
    **training: Unpack[Training],
) -> Run:
    r"""Distil a language model, word by word: on texts that are there, or on the student's own.

    With a share ``own`` = λ of the student's own texts, drawn anew at each step from the student as it is,
    the objective is

    .. math:: (1 - \lambda)\, \mathbb{E}_{y \in \text{texts}}[\ell(x, y)]
              + \lambda\, \mathbb{E}_{y \sim p_S(\cdot | x)}[\ell(x, y)]

    without a gradient through the drawing, as in GKD (Agarwal et al. 2024, *On-Policy Distillation of
    Language Models*, algorithm 1; there a coin is tossed for each batch, here for each text). λ = 0 is
    supervised, off-policy distillation. :math:`\ell` is the objective's mean over the words of a text and
    its stop, with the teacher's probabilities after the same prefix.

    Parameters
    ----------
    teacher : a decoder, a StackedModel with one for each seed, or None where the objective needs none
        It is in eval mode, gets no gradient and stays as it is.
    student : a decoder, or a StackedModel of several
        Copied, not changed.
    texts : Texts; for a stack one for each seed, equally many
        Of the data, or of :func:`generate`. Own texts answer their prompts.
    objective : losses on logits
        ``SoftTargets(1.0)`` is forward KL, ``ReverseKL()`` reverse KL, ``JensenShannon(beta)`` what lies
        between them, ``TopTargets(5)`` a teacher that shows five words. ``CrossEntropy()`` learns the words
        of the texts; with ``own`` above 0 the student would learn its own, too, and that is refused.
    own, temperature : float
        λ, from 0 to 1; and at which temperature the student speaks (T = 1 makes the formula above hold).
    words, stop : int
        As in :func:`generate`; by default as many as the longest of the texts has.
    evaluate : function of the student
        What a record's measures are, such as :func:`kdviz.measure.clock_measures`.
    seed : int, or one for each of a stack
        Draws the order of the texts, and the student's words.
    steps, learning_rate and the other settings of a training : as in :func:`kdviz.distill`

    Returns
    -------
    Run
        An iterator of records, as that of :func:`kdviz.distill`. ``run.save`` and :func:`kdviz.load_run`
        go on another day, bit for bit. Of a stack, losses are arrays with one number for each seed, and
        ``run.student.student(n, 0)`` is its n-th network.

    Errors: ValueError where the vocabularies differ, or a stack and its texts do not fit.

    >>> import kdviz as kd
    >>> data = kd.datasets.clock(seed=0)
    >>> student, teacher = (kd.models.transformer(54, 30, length=8, seed=seed) for seed in (0, 1))
    >>> run = distill(teacher, student, data.texts, kd.losses.ReverseKL(), own=0.5, steps=3)
    >>> run.finish().step
    3
    """
    check_share("own", own)
    check_from_zero("temperature", temperature)
    texts = _as_list(student, texts)
    seeds = _seeds(seed, len(texts))
    words = max(int((part.end - part.start).max()) for part in texts) if words is None else words
    check_whole("words", words, 1)
    if isinstance(student, StackedModel) and training.get("clip") is not None:
        raise ValueError("clip= takes the gradient of all parameters together; in a stack seeds would meet")
    objective = over_tokens(objective)
    if own and any(isinstance(term.loss, CrossEntropy) for term in objective.parts):
        raise ValueError(
            f"own={own} with CrossEntropy: the student would learn to say what it says. Take a loss that "
            "hears the teacher, such as ReverseKL() or SoftTargets(1.0)"
        )
    speaking = {"own": float(own), "temperature": temperature, "words": words, "stop": stop}
    lesson = TextLesson(teacher, texts, seeds, speaking)
    return Run(student, lesson, objective, evaluate, seed=seeds[0], **training)


class TextLesson(Lesson):
    """Texts in batches, of which a share is said anew by the student; and what the teacher thinks of them."""

    only_counts = True

    def __init__(self, teacher, texts, seeds, speaking):
        self.teacher, self.texts, self.seeds, self.speaking = teacher, texts, seeds, speaking

    def begin(self, run):
        self.run, self.device = run, device_of(run.student)
        self.go_to(0)

    def epoch_length(self, batch_size):
        return max(1, len(self.texts[0]) // min(batch_size, len(self.texts[0])))

    def go_to(self, count):
        sizes = len(self.texts[0]), self.run.batch_size
        self.orders, self.count = [batches(*sizes, seed) for seed in self.seeds], 0
        for _ in range(count):
            self.next_texts()

    def next_texts(self):
        """The next batch of each seed, side by side."""
        self.count += 1
        rows = [next(order) for order in self.orders]
        given = [texts[own] for texts, own in zip(self.texts, rows, strict=True)]
        return [part.to(self.device) for part in _side_by_side(given)]

    def __call__(self, student, step):
        tokens, start, end = self.next_texts()
        if self.speaking["own"]:
            tokens, end = self.with_own(student, tokens, start, end)
        labels = next_words(tokens, start, end)
        ours = next_logits(student, tokens[..., :-1])
        theirs = None if self.teacher is None else self.answer(tokens[..., :-1], ours)
        return _taught(student, ours, theirs, labels)

    def with_own(self, student, tokens, start, end):
        """Some of the texts in the student's own words."""
        own, words, temperature, stop = (
            self.speaking[name] for name in ("own", "words", "temperature", "stop")
        )
        shape = (tokens.shape[1], 1 + words)
        draws = torch.stack([uniform((seed, self.count), shape) for seed in self.seeds]).to(self.device)
        said, ends = continued(student, tokens, start, draws[..., 1:], temperature, stop)
        longest = max(said.shape[-1], tokens.shape[-1])
        said, tokens = (F.pad(part, (0, longest - part.shape[-1]), value=stop) for part in (said, tokens))
        chosen = draws[..., 0] < own
        return torch.where(chosen.unsqueeze(-1), said, tokens), torch.where(chosen, ends, end)

    def answer(self, tokens, ours):
        """What the teacher says of each word, given the same words before it."""
        with unchanged(self.teacher):
            theirs = next_logits(self.teacher, tokens.to(device_of(self.teacher)))
        if theirs.shape[-1] != ours.shape[-1]:
            raise ValueError(
                f"the teacher has a vocabulary of {theirs.shape[-1]:,} words and the student one of "
                f"{ours.shape[-1]:,}: word by word their probabilities can be compared only where both have "
                "one tokenizer. Let the teacher write instead: decode what generate(teacher, ...) gives, "
                "encode it by the student's tokenizer, and learn(student, those texts), which needs no "
                "common vocabulary. Where only unused tokens at the end differ, cut the larger one by its "
                "resize_token_embeddings"
            )
        return theirs.to(ours.device, torch.promote_types(ours.dtype, torch.float32))


def _taught(student, *parts):
    """Logits and labels with the tokens of all texts in one axis, as the loop has one student or several."""
    ours, theirs, labels = (None if part is None else part.flatten(1, 2) for part in parts)
    if isinstance(student, StackedModel):
        ours, theirs, labels = (
            None if part is None else part.unsqueeze(1) for part in (ours, theirs, labels)
        )
    else:
        ours, theirs, labels = (None if part is None else part[0] for part in (ours, theirs, labels))
    return Trace(ours), None if theirs is None else Trace(theirs), labels


def _side_by_side(texts):
    """Tokens (seeds, n, length), starts and ends (seeds, n); shorter texts are padded behind."""
    longest = max(part.tokens.shape[-1] for part in texts)
    tokens = [F.pad(part.tokens, (0, longest - part.tokens.shape[-1])) for part in texts]
    starts, ends = [part.start for part in texts], [part.end for part in texts]
    return tuple(torch.stack(part) for part in (tokens, starts, ends))


def _as_list(model, texts):
    if not isinstance(model, StackedModel):
        if not isinstance(texts, Texts):
            raise TypeError(
                "texts must be kdviz.datasets.Texts, which say where the words of each begin and end, such "
                f"as kdviz.datasets.clock().texts; got {type(texts).__name__}"
            )
        return [texts]
    texts = [texts] * model.shape[0] if isinstance(texts, Texts) else list(texts)
    if len(texts) != model.shape[0] or len({len(part) for part in texts}) > 1:
        raise ValueError(
            f"a stack of {model.shape[0]} seeds needs as many Texts, equally many in each; got "
            f"{[len(part) for part in texts]}"
        )
    return texts


def _seeds(seed, count):
    seeds = list(range(seed, seed + count)) if isinstance(seed, int) else list(seed)
    if len(seeds) != count:
        raise ValueError(f"there must be one seed for each of {count} networks; got {len(seeds)}")
    return seeds
