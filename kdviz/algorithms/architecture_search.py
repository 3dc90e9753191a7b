"""Architecture search: which student for a teacher, found by brief trainings, or by a policy that learns.

A candidate is any network. ``search`` trains each briefly, grades it, and trains the best one to its end; a
teacher may take part in the training, in the grade, or in both. ``remove_layers`` leaves layers out of a
network, or makes them narrower, by a policy that learns from rewards.
"""

from collections.abc import Callable, Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_above_zero, check_whole
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import accuracy, kl_to_teacher
from kdviz.schemes.offline import distill
from kdviz.schemes.supervised import train
from kdviz.tracing import Trace, answer, check_models
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training
from kdviz.training.stages import Stages

# --- candidates, one by one


def by_accuracy(data: Dataset) -> Callable[[nn.Module], float]:
    """A grade: the share of validation images that a network finds, from 0 to 1."""
    seen = data.validation
    return lambda network: accuracy(answer(network, seen.inputs).logits, seen.labels)


def by_distance(teacher: nn.Module, data: Dataset, temperature: float = 1.0) -> Callable[[nn.Module], float]:
    """A grade that needs no label: minus KL(teacher ‖ network) on the validation images, in nats.

    As in Li et al. 2020, *Block-Wisely Supervised Neural Architecture Search with Knowledge Distillation*
    (DNA), the best candidate is the one that comes nearest to the teacher; there the distance is taken block
    by block, here at the end.
    """
    inputs = data.validation.inputs
    said = answer(teacher, inputs).logits
    return lambda network: -kl_to_teacher(answer(network, inputs).logits, said, temperature)


def search(
    candidates: Sequence[nn.Module],
    data: Dataset,
    grade: Callable[[nn.Module], float],
    *,
    briefly: int,
    teacher: nn.Module | None = None,
    objective: ObjectiveLike | None = None,
    **training: Unpack[Training],
) -> "Search":
    """Each candidate learns for a few steps, the one with the best grade begins anew and learns to the end.

    With a teacher all learn from it, and the grade says how far they came. With :func:`by_accuracy` it is the
    search of Liu et al. 2020, *Search to Distill: Pearls are Everywhere but not the Eyes* (AKD), section 3,
    whose reward is the accuracy after a brief distillation; there reinforcement learning proposes the
    candidates, and time on a phone counts too. With :func:`by_distance` the teacher grades as well.

    Parameters
    ----------
    candidates : networks to start from, one or more; they are copied
    grade : function of a network, the larger the better
    briefly : int
        How many steps each candidate gets.
    teacher : None, or a network
        Without one the candidates learn from the labels of ``data.train``.
    objective : by default soft targets at temperature 4; without a teacher the cross-entropy
    **training
        Of the last stage, as in :func:`kdviz.distill`.

    Returns
    -------
    Search
        Stages; ``stages.grades`` are those given so far, and the last stage is the training of the best.

    >>> import kdviz as kd
    >>> data = kd.datasets.digits(seed=0)
    >>> networks = [kd.models.mlp(64, width, 10) for width in (2, 16)]
    >>> found = search(networks, data, by_accuracy(data), briefly=40, steps=80).finish()
    >>> found.best, found.student.hidden1.out_features
    (1, 16)
    """
    check_models("candidates", candidates)
    check_whole("briefly", briefly, 1)

    def learn(network, **own):
        if teacher is None:
            return train(network, data, objective or CrossEntropy(), on="train", **training | own)
        return distill(teacher, network, data, objective or SoftTargets(4.0), **training | own)

    return Search(list(candidates), grade, learn, briefly)


class Search(Stages):
    """A stage for each candidate, and one for the best of them."""

    def __init__(self, candidates, grade, learn, briefly):
        self.candidates, self.grade = candidates, grade

        def begin(turn, before):
            if turn < len(candidates):
                return learn(candidates[turn], steps=briefly)
            return learn(candidates[self.best])

        super().__init__(begin, len(candidates) + 1)

    @property
    def grades(self) -> list[float]:
        """Of the candidates that have learned to the end of their stage."""
        brief = self.runs[: len(self.candidates)]
        return [self.grade(run.student) for run in brief if run.step == run.steps]

    @property
    def best(self) -> int:
        """Which of the candidates has the best grade so far."""
        grades = self.grades
        return max(range(len(grades)), key=grades.__getitem__)


# --- layers removed by a policy


def small_and_right(parameters: int, accuracy: float, of_teacher: tuple[int, float]) -> float:
    r"""The reward of N2N, :math:`C (2 - C) \cdot a / a_T`, with the compression :math:`C = 1 - P / P_T`.

    :math:`C (2 - C)` rises steeply while little is cut and hardly when nearly all is. Source: Ashok et al.
    2018, *N2N Learning: Network to Network Compression via Policy Gradient Reinforcement Learning*.

    >>> small_and_right(500, 0.9, of_teacher=(1000, 0.9))
    0.75

    Parameters
    ----------
    parameters, accuracy : of the small network
    of_teacher : the same of its teacher
    """
    whole, right = of_teacher
    check_above_zero("the teacher's accuracy", right)
    if not 0 < parameters <= whole:
        raise ValueError(f"a smaller network has from 1 to {whole} parameters; got {parameters}")
    cut = 1 - parameters / whole
    return cut * (2 - cut) * accuracy / right


def remove_layers(
    choices: Sequence[Sequence],
    reward: Callable[[tuple], float],
    *,
    draws: int = 4,
    seed: int = 0,
    **training: Unpack[Training],
) -> Run:
    r"""A policy that learns, for each layer, to leave it out, to make it narrower, or to keep it.

    At each step it draws some networks, and REINFORCE makes the choices of those likelier whose reward is
    above that of the others: the gradient of
    :math:`-\frac{1}{D} \sum_d (R_d - \bar R_{\text{others}}) \log \pi(c_d)`. Source: Ashok et al. 2018
    (N2N). There two recurrent policies speak one after another, the first removes layers and the second makes
    them narrower; here each layer has a table of its own.

    Parameters
    ----------
    choices : for each layer what may become of it, such as ``[(0, 4, 16), (0, 4, 16)]``
    reward : function of a tuple with one choice for each layer
        It is asked once for each network: build it, train it, see what it is worth.
    draws : int from 2 up
        How many networks a step draws.
    **training
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.lesson.rewards`` holds every network that was asked about, ``run.lesson.best`` the best one, and
        ``run.student.chances()`` the policy.

    >>> run = remove_layers([(0, 1), (0, 1)], lambda kept: kept[0] - kept[1], steps=60, learning_rate=0.1)
    >>> run.finish().lesson.best
    (1, 0)
    """
    check_whole("draws", draws, 2)
    if not choices or not all(len(own) > 1 for own in choices):
        raise ValueError(f"choices must name two or more things for each of some layers; got {choices!r}")
    lesson = Reinforce(choices, reward, draws)
    return Run(Policy(choices), lesson, SoftTargets(1.0), lesson.measures, seed=seed, **training)


class Policy(nn.Module):
    """For each layer a number for each of its choices, at first all alike."""

    def __init__(self, choices):
        super().__init__()
        self.scores = nn.ParameterList(torch.zeros(len(own)) for own in choices)

    def forward(self) -> Tensor:
        """The logits, (layers, choices); where a layer has fewer, what is missing is never drawn."""
        return nn.utils.rnn.pad_sequence(list(self.scores), batch_first=True, padding_value=-1000.0)

    def chances(self) -> Tensor:
        return self().detach().softmax(-1)


class Reinforce(Lesson):
    """The policy's own draws are its teachers: each is heard by as much as it was better than the others.

    To a teacher that is sure of a choice the loss is -log π of it, and a teacher's weight may be negative.
    """

    def __init__(self, choices, reward, draws):
        self.choices, self.reward, self.draws, self.rewards = choices, reward, draws, {}

    def begin(self, run):
        self.run = run

    def __call__(self, policy, step):
        logits = policy()
        drawn = torch.multinomial(logits.detach().softmax(-1), self.draws, replacement=True).T
        rewards = torch.tensor([self.reward_of(one) for one in drawn.tolist()])
        ahead = (rewards - rewards.mean()) / (self.draws - 1)  # (R - mean of the others) / draws
        sure = torch.full((self.draws, *logits.shape), -1000.0).scatter(-1, drawn.unsqueeze(-1), 1000.0)
        # The loss is the mean over layers, and the probability of a network the product over them.
        return Trace(logits), Trace(sure, weights=ahead * len(self.choices)), None

    def reward_of(self, drawn):
        network = tuple(own[number] for own, number in zip(self.choices, drawn, strict=True))
        if network not in self.rewards:
            self.rewards[network] = float(self.reward(network))
        return self.rewards[network]

    @property
    def best(self):
        return max(self.rewards, key=self.rewards.get)

    def measures(self, policy):
        """The best reward so far, and how many networks it took."""
        return {"reward": self.rewards[self.best], "networks": len(self.rewards)}
