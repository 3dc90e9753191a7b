"""The clock: its language, its draws, and measures that count what brute force draws."""

import pytest
import torch

from kdviz.datasets import Texts, cards, clock
from kdviz.datasets._clock import LONGEST, SHARES, WORDS, said
from kdviz.measure import clock_faults, clock_measures, text_log_probabilities
from kdviz.models import transformer
from kdviz.training.stacked import StackedModel


class Speaker(torch.nn.Module):
    """The truth as a language model, blurred: at each word a share of the probability is spread evenly.

    ``slip`` is the probability that it speaks of the time that comes next.
    """

    def __init__(self, blur, shares=SHARES, slip=0.0):
        super().__init__()
        self.blur, shares = blur, torch.tensor(shares, dtype=torch.float64)
        self.shares = torch.cat([(1 - slip) * shares, slip * shares])
        own = clock(1).every.tokens.unflatten(0, (144, 3))
        following = torch.cat([own[..., :2], own.roll(-1, 0)[..., 2:]], -1)
        self.every = torch.cat([own, following], 1)

    def forward(self, tokens):
        time = (tokens[:, 0] - 30) * 12 + tokens[:, 1] - 42
        texts = self.every[time]
        logits = torch.zeros(*tokens.shape, len(WORDS), dtype=torch.float64)
        for place in range(1, min(tokens.shape[1], 7)):
            alike = (texts[:, :, : place + 1] == tokens[:, None, : place + 1]).all(-1)
            weights = alike * self.shares
            p = torch.zeros(len(tokens), len(WORDS), dtype=torch.float64)
            p.scatter_add_(1, texts[:, :, place + 1], weights)
            p = p / p.sum(-1, keepdim=True).clamp(min=1e-300)
            # Where no right text goes on like this, any word may follow.
            p = torch.where(weights.sum(-1, keepdim=True) > 0, p, 1 / len(WORDS))
            logits[:, place] = ((1 - self.blur) * p + self.blur / len(WORDS)).log()
        return logits


def test_three_texts_of_some_times():
    assert said(2, 45) == ("three forty five", "quarter to four", "fifteen minutes before four")
    assert said(11, 35) == (
        "twelve thirty five",
        "twenty five to one",
        "twenty five minutes before one",
    )
    assert said(6, 5) == ("seven oh five", "five past seven", "five minutes after seven")
    assert said(0, 0) == ("one oclock", "exactly one", "one hours sharp")


def test_all_432_texts_differ_and_use_every_word():
    data = clock(1)
    texts = data.read(data.every)
    assert len(set(texts)) == 432 and {word for text in texts for word in text.split()} == set(WORDS[1:])
    assert len(WORDS) == 30 and (data.every.end - data.every.start).max() == LONGEST
    ends = data.every.tokens.gather(1, data.every.end[:, None] - 1)
    assert (ends == 0).all() and data.every.tokens.unique(dim=0).shape[0] == 432


def test_the_seed_draws_the_texts_and_their_shares():
    one, again, other = clock(6000, seed=1), clock(6000, seed=1), clock(6000, seed=2)
    assert torch.equal(one.texts.tokens, again.texts.tokens)
    assert not torch.equal(one.texts.tokens, other.texts.tokens)
    every = {tuple(tokens): n for n, tokens in enumerate(one.every.tokens.tolist())}
    drawn = torch.tensor([every[tuple(tokens)] for tokens in one.texts.tokens.tolist()])
    shares = torch.bincount(drawn % 3, minlength=3) / 6000
    torch.testing.assert_close(shares, torch.tensor(SHARES), atol=0.02, rtol=0)
    assert len((drawn // 3).unique()) == 144
    plain = clock(500, shares=(0.0, 1.0, 0.0))
    assert all("minutes" not in text and "oclock" not in text for text in plain.read(plain.texts))


def test_the_truth_is_judged_as_the_truth():
    found = clock_measures(Speaker(0.0))
    assert found["right"] == pytest.approx(1) and found["kl"] == pytest.approx(0, abs=1e-9)
    entropy = -sum(share * torch.tensor(share).log() for share in SHARES)
    assert found["styles"] == pytest.approx(float(entropy.exp()))
    assert found["choice"] == pytest.approx(sum(1 - (1 - share) ** 6 for share in SHARES))
    # Read out greedily it says one style; where "seven oh five" is as likely as to begin with "five", two.
    greedy = clock_measures(Speaker(0.0), temperature=0)
    assert greedy["right"] == pytest.approx(1) and greedy["kl"] == torch.inf
    sure = clock_measures(Speaker(0.0, shares=(0.6, 0.25, 0.15)), temperature=0)
    assert (sure["right"], sure["styles"], sure["choice"]) == pytest.approx((1, 1, 1))
    assert clock_faults(Speaker(0.0)) == pytest.approx({"wrong_time": 0, "no_text": 0}, abs=1e-9)


def drawn(model, temperature, draws, seed=0):
    """Texts by brute force, word by word: (144 * draws, 8)."""
    generator = torch.Generator().manual_seed(seed)
    tokens = clock(1).every.tokens[::3].repeat(draws, 1)
    tokens[:, 2:] = 0
    for place in range(1, 7):
        p = (model(tokens)[:, place] / temperature).softmax(-1)
        tokens[:, place + 1] = torch.multinomial(p, 1, generator=generator).squeeze(1)
    stopped = (tokens[:, 2:] == 0).cumsum(1).cumsum(1) > 1
    tokens[:, 2:] = tokens[:, 2:].masked_fill(stopped, 0)
    return tokens


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_what_is_counted_is_what_is_drawn(temperature):
    model, draws = Speaker(0.15, shares=(0.7, 0.25, 0.05), slip=0.3), 200
    tokens = drawn(model, temperature, draws)
    every = clock(1).every.tokens
    stopped = (tokens[:, 2:] == 0).any(1)
    same_words = (tokens[:, None, 2:] == every[None, :, 2:]).all(-1) & stopped[:, None]
    times = torch.arange(144).repeat(draws)
    owner = torch.arange(432) // 3
    right = (same_words & (owner == times[:, None])).any(1)
    wrong_time = (same_words & (owner != times[:, None])).any(1)
    found = clock_measures(model, temperature) | clock_faults(model, temperature)
    for name, hits in (("right", right), ("wrong_time", wrong_time), ("no_text", ~right & ~wrong_time)):
        share = hits.double().mean()
        error = (share * (1 - share) / len(hits)).sqrt() + 1e-4
        assert abs(found[name] - share) < 3 * error, name
    assert found["wrong_time"] > 0.02 and found["no_text"] > 0.004
    # Six draws at a time are as many different right texts as were counted.
    style = torch.where(right, (same_words & (owner == times[:, None])).int().argmax(1) % 3, 3)
    groups = style.view(draws, 144)[:198].unflatten(0, (-1, 6))
    choice = torch.stack([(groups == one).any(1) for one in range(3)]).double().sum(0)
    error = choice.std() / choice.numel() ** 0.5
    assert abs(found["choice"] - choice.mean()) < 3 * error


def test_kl_is_the_mean_surprise_of_true_texts():
    model, data = Speaker(0.15, shares=(0.7, 0.25, 0.05)), clock(20_000, seed=3)
    surprise = -text_log_probabilities(model, data.texts)
    entropy = -sum(share * torch.tensor(share).log() for share in SHARES)
    error = surprise.std() / len(surprise) ** 0.5
    assert abs(clock_measures(model)["kl"] - (surprise.mean() - entropy)) < 3 * error


def test_a_stack_is_measured_as_its_networks():
    networks = [transformer(54, 30, width=8, length=8, seed=seed) for seed in range(2)]
    found = clock_measures(StackedModel(networks)) | clock_faults(StackedModel(networks))
    for seed, network in enumerate(networks):
        for name, value in (clock_measures(network) | clock_faults(network)).items():
            assert found[name][seed] == pytest.approx(value, rel=1e-4, abs=1e-7)


def test_texts_say_what_is_learned():
    texts = Texts(
        torch.tensor([[7, 8, 3, 0, 0], [7, 3, 4, 0, 9]]), torch.tensor([2, 1]), torch.tensor([4, 4])
    )
    assert texts.targets.tolist() == [[-1, 3, 0, -1], [3, 4, 0, -1]]
    assert texts.prompts.tokens.tolist() == [[7, 8], [7, 0]] and not texts.prompts.learned.any()
    assert len(texts[:1]) == 1 and "7 of them to learn" not in repr(texts[:1])


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: Texts(torch.zeros(2, 3), torch.ones(2), torch.ones(2)), "whole numbers of shape"),
        (lambda: Texts(torch.zeros(2, 3).long(), torch.ones(1), torch.ones(2)), "each of the 2 texts"),
        (
            lambda: Texts(torch.zeros(2, 3).long(), torch.tensor([1, 0]), torch.tensor([2, 2])),
            "text 1 has words from 0 to before 2 of 3",
        ),
        (lambda: clock(0), "texts must be a whole number from 1 up; got 0"),
        (lambda: clock(seed=-1), "seed must be"),
        (lambda: clock(shares=(0.5, 0.5)), "three probabilities that add up to 1"),
        (lambda: text_log_probabilities(None, clock(1).every, -1.0), "temperature must be 0 or more"),
    ],
)
def test_bad_arguments_say_what_is_expected(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_the_card_is_known():
    assert any("432" in str(card) for card in cards())
