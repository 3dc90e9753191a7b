"""What a language model says of the clock, counted over all right texts."""

import torch

from kdviz.datasets._clock import SHARES, TIMES, _every
from kdviz.datasets.texts import Texts
from kdviz.tracing import device_of, evaluating
from kdviz.training.texts import next_logits

_AT_ONCE = 4096
_DRAWS = 6


def text_log_probabilities(model, texts: Texts, temperature: float = 1.0) -> torch.Tensor:
    r"""The logarithm of the probability of each text after its prompt, in nats: (n,); of a stack (seeds, n).

    .. math:: \log p(y \mid x) = \sum_t \log \mathrm{softmax}(z_t / T)_{y_t}

    over the words and their stop. ``temperature`` T is that at which the model would be drawn from; at 0 it
    says the likeliest word each time, and all other texts have logarithm -inf. Words that tie share evenly.

    >>> import kdviz as kd
    >>> model, data = kd.models.transformer(54, 30, width=8, length=8), kd.datasets.clock()
    >>> text_log_probabilities(model, data.every).shape
    torch.Size([432])
    """
    if temperature < 0:
        raise ValueError(f"temperature must be 0 or more; got {temperature!r}")
    found = [_log_probabilities(model, texts[rows], temperature) for rows in _parts(len(texts))]
    return torch.cat(found, -1)


def _parts(count):
    return torch.arange(count).split(_AT_ONCE)


def _log_probabilities(model, texts, temperature):
    texts = texts.to(device_of(model))
    targets = texts.targets
    with evaluating(model), torch.no_grad():
        logits = next_logits(model, texts.tokens[:, :-1]).double()
    if temperature == 0:
        likeliest = logits == logits.amax(-1, keepdim=True)
        log_p = (likeliest / likeliest.sum(-1, keepdim=True)).log()
    else:
        log_p = (logits / temperature).log_softmax(-1)
    target = targets.clamp(min=0).expand(log_p.shape[:-1])
    each = log_p.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    return each.masked_fill(targets < 0, 0.0).sum(-1)


def clock_measures(model, temperature: float = 1.0) -> dict:
    r"""How well a language model says the time, counted over all 144 times and 432 right texts.

    right
        The probability of saying one of the three right texts, the mean over the times: its precision.
    kl
        :math:`\mathrm{KL}(\text{truth} \Vert \text{model})` of whole texts, in nats, the mean over the
        times: what it misses. At temperature 0 it is infinite.
    styles
        How many styles it has: :math:`\exp` of the entropy of the three right texts, given one of them is
        said, from 1 to 3; the truth has 2.80.
    choice
        How many different right texts there are among six draws, in the mean.

    A number each; of a stack an array with one for each seed. ``temperature`` is the one at which it is
    read out: see :func:`text_log_probabilities`.

    >>> import kdviz as kd
    >>> sorted(clock_measures(kd.models.transformer(54, 30, width=8, length=8)))
    ['choice', 'kl', 'right', 'styles']
    """
    log_p = text_log_probabilities(model, _every(), temperature).unflatten(-1, (len(TIMES), len(SHARES)))
    truth = torch.tensor(SHARES, dtype=log_p.dtype, device=log_p.device)
    p = log_p.exp()
    given = (log_p - log_p.logsumexp(-1, keepdim=True)).nan_to_num(nan=-torch.inf)
    entropy = -torch.xlogy(given.exp(), given.exp()).sum(-1)
    found = {
        "right": p.sum(-1),
        "kl": (truth * (truth.log() - log_p)).sum(-1),
        "styles": entropy.exp(),
        "choice": (1 - (1 - p) ** _DRAWS).sum(-1),
    }
    return {name: _plain(values.mean(-1)) for name, values in found.items()}


def clock_faults(model, temperature: float = 1.0) -> dict:
    """What a language model says that is wrong, counted over all texts of the language after all times.

    wrong_time
        The probability of a text that is right at another time.
    no_text
        The probability of all else, such as two styles mixed: "twenty to quarter".

    With ``right`` of :func:`clock_measures` they add up to 1. It asks for 144 × 432 texts, which takes a
    small network about a second.
    """
    every, times = _every(), len(TIMES)
    prompts = every.tokens[:: len(SHARES), :2].repeat_interleave(len(every), 0)
    crossed = torch.cat([prompts, every.tokens[:, 2:].repeat(times, 1)], 1)
    texts = Texts(crossed, every.start.repeat(times), every.end.repeat(times))
    p = text_log_probabilities(model, texts, temperature).exp()
    p = p.unflatten(-1, (times, times, len(SHARES))).sum(-1)
    right = p.diagonal(dim1=-2, dim2=-1).mean(-1)
    known = p.sum(-1).mean(-1)
    return {"wrong_time": _plain(known - right), "no_text": _plain(1 - known)}


def _plain(values):
    return float(values) if values.ndim == 0 else values.cpu().numpy()
