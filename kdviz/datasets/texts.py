"""Texts as numbers: a prompt, then words that end with a stop, then padding."""

from dataclasses import dataclass

import torch

from kdviz.datasets.dataset import UNLABELLED


@dataclass(frozen=True)
class Texts:
    """Some texts of a language: ``tokens`` (n, length), and of each where its words begin and where they end.

    A text is a prompt, then the words that answer it with a stop as the last of them, then padding. What a
    language model learns are the words with the stop, from ``start`` (n,) to before ``end`` (n,): the prompt
    is given, and after the stop there is nothing to say.

    >>> texts = Texts(torch.tensor([[7, 3, 1, 0], [7, 8, 0, 0]]), torch.tensor([1, 2]), torch.tensor([4, 3]))
    >>> texts.targets
    tensor([[ 3,  1,  0],
            [-1,  0, -1]])

    Errors: ValueError where shapes do not fit, or the words of a text begin at 0, end before they begin, or
    end behind the tokens.
    """

    tokens: torch.Tensor
    start: torch.Tensor
    end: torch.Tensor

    def __post_init__(self):
        if self.tokens.ndim != 2 or self.tokens.is_floating_point():
            raise ValueError(
                "tokens must be whole numbers of shape (texts, length); got "
                f"{self.tokens.dtype} of shape {tuple(self.tokens.shape)}"
            )
        count, length = self.tokens.shape
        if not self.start.shape == self.end.shape == (count,):
            raise ValueError(
                f"there must be one start and one end for each of the {count} texts; got "
                f"{tuple(self.start.shape)} and {tuple(self.end.shape)}"
            )
        ordered = (self.start >= 1) & (self.start <= self.end) & (self.end <= length)
        if not ordered.all():
            bad = int((~ordered).nonzero()[0])
            raise ValueError(
                f"text {bad} has words from {int(self.start[bad])} to before {int(self.end[bad])} of "
                f"{length} tokens; they must follow a prompt of one token or more"
            )

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, rows):
        return Texts(self.tokens[rows], self.start[rows], self.end[rows])

    @property
    def learned(self) -> torch.Tensor:
        """True at the words that are learned, the stop among them: (n, length)."""
        return learned_words(self.tokens, self.start, self.end)

    @property
    def targets(self) -> torch.Tensor:
        """What follows each token where it is to be learned, else -1: (n, length - 1)."""
        return next_words(self.tokens, self.start, self.end)

    @property
    def prompts(self) -> "Texts":
        """The same texts with nothing said yet."""
        longest = int(self.start.max())
        places = torch.arange(longest, device=self.tokens.device)
        tokens = self.tokens[:, :longest].masked_fill(places >= self.start[:, None], 0)
        return Texts(tokens, self.start, self.start)

    @classmethod
    def of(cls, tokenizer, prompts: list[str], answers: list[str] | None = None) -> "Texts":
        """Texts as a tokenizer of ``transformers`` has them: prompts, and answers with its end of text.

        Without answers there is nothing to learn yet: a model may answer. An empty prompt becomes the end of
        a text, after which the next begins.
        """
        if answers is not None and len(answers) != len(prompts):
            raise ValueError(f"each prompt needs an answer; got {len(prompts)} and {len(answers)}")
        stop = tokenizer.eos_token_id
        if stop is None:
            raise ValueError("the tokenizer has no eos_token, which ends a text; give it one")
        asked = [tokenizer(prompt)["input_ids"] or [stop] for prompt in prompts]
        said = [[] for _ in prompts]
        if answers is not None:
            said = [[*tokenizer(one, add_special_tokens=False)["input_ids"], stop] for one in answers]
        rows = [torch.tensor([*one, *other]) for one, other in zip(asked, said, strict=True)]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=stop)
        return cls(tokens, torch.tensor([*map(len, asked)]), torch.tensor([*map(len, rows)]))

    def decoded(self, tokenizer) -> list[str]:
        """The words of each text, as its tokenizer writes them."""
        words = [row[first:last] for row, first, last in zip(self.tokens, self.start, self.end, strict=True)]
        return [tokenizer.decode(row, skip_special_tokens=True) for row in words]

    def to(self, device) -> "Texts":
        """The same texts on another device."""
        return Texts(*(part.to(device) for part in (self.tokens, self.start, self.end)))

    def __repr__(self):
        said = int((self.end - self.start).sum())
        return f"Texts({len(self)} of at most {self.tokens.shape[1]} tokens, {said} of them to learn)"


def learned_words(tokens, start, end):
    """:attr:`Texts.learned` of tokens (..., length), with starts and ends (...): those of a stack, too."""
    places = torch.arange(tokens.shape[-1], device=tokens.device)
    return (places >= start.unsqueeze(-1)) & (places < end.unsqueeze(-1))


def next_words(tokens, start, end):
    """:attr:`Texts.targets` of tokens (..., length), with starts and ends (...)."""
    return tokens[..., 1:].masked_fill(~learned_words(tokens, start, end)[..., 1:], UNLABELLED)
