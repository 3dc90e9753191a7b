"""Distillation without the data: what to show a teacher when the images it learned from are gone.

Images are made, the teacher answers them, and a student learns from these answers as from any others:
:func:`showing` puts made images in the place of a data set's own. They are drawn from what little was kept
(:func:`uniform_noise`, :func:`gaussian_noise`, :func:`mixup`), made by following the teacher's own gradient
(:func:`invert`), or by a generator that learns beside the student (:func:`generated`). What they should look
like is an objective of :mod:`kdviz.losses.images`. :func:`condense` goes the other way: ten images
that stand for a whole data set, and no teacher.

Networks may be one, or a list with one for each of several seeds, which then learn in one stack; images
have shape (N, ...), or (S, N, ...). Weights of a teacher are never moved.
"""

import copy
from dataclasses import replace
from typing import Unpack

import torch
from torch import Tensor, nn

from kdviz.datasets.dataset import UNLABELLED, Dataset, Samples
from kdviz.losses.checks import check_above_zero, check_from_zero, check_whole
from kdviz.losses.images import InformationEntropy, OneHot, stored_statistics
from kdviz.losses.response import LogitMatching, SoftTargets
from kdviz.schemes.evaluation import evaluate_student
from kdviz.schemes.stacked import Evaluator
from kdviz.tracing import Trace, answer, check_model, check_models, evaluating, trace
from kdviz.training.batches import batches
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training
from kdviz.training.stacked import StackedModel

# --- images from what was kept


def showing(data: Dataset, images: Tensor) -> Dataset:
    """The data with other images, which have no labels, as what the student is shown: ``transfer``."""
    if images.shape[1:] != data.transfer.inputs.shape[1:]:
        raise ValueError(
            f"images must have shape (N, {', '.join(map(str, data.transfer.inputs.shape[1:]))}) as those of "
            f"the data; got {tuple(images.shape)}"
        )
    count = len(images)
    unknown = torch.full((count,), UNLABELLED, device=images.device)
    shown = Samples(images.detach(), unknown, torch.arange(count, device=images.device))
    return replace(data, transfer=shown)


def uniform_noise(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Pixels from 0 to 1 that know nothing: what can be shown when nothing at all was kept."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def gaussian_noise(count: int, mean: Tensor, deviation: Tensor, seed: int = 0) -> Tensor:
    """Images whose pixels are drawn each by itself, with the mean and deviation it had; cut to 0 … 1.

    The plainest thing that can be kept: two numbers a pixel.
    """
    check_whole("count", count, 1)
    check_from_zero("deviation", deviation)
    draws = torch.randn(count, *mean.shape, generator=torch.Generator().manual_seed(seed))
    return (mean + deviation * draws).clamp(0, 1)


def mixup(images: Tensor, count: int, seed: int = 0) -> Tensor:
    r"""Mixtures of a few real images, :math:`\lambda x_i + (1 - \lambda) x_j` with λ drawn from 0 to 1.

    Source: Zhang et al. 2018, *mixup: Beyond Empirical Risk Minimization*, section 2 with α = 1; the label
    of a mixture is what the teacher says of it.
    """
    check_whole("count", count, 1)
    draws = torch.Generator().manual_seed(seed)
    first, second = torch.randint(len(images), (2, count), generator=draws)
    share = torch.rand(count, *[1] * (images.ndim - 1), generator=draws)
    return share * images[first] + (1 - share) * images[second]


def metadata(teacher: nn.Module, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """Mean and variance of each unit of some layers over real images: what to keep before they are gone.

    (2, D) for each layer. Source: Lopes et al. 2017, *Data-Free Knowledge Distillation for Deep Neural
    Networks*, section 3.
    """
    found = answer(teacher, images, layers).features
    return {path: stored_statistics(values) for path, values in found.items()}


def impressions(teacher: nn.Module, count: int, spread: float = 1.0, layer: str = "logits", seed: int = 0):
    r"""Answers that a teacher might give, (count, C): probabilities of data that nobody has.

    For each class in turn they are drawn from a Dirichlet distribution with the concentration
    :math:`\beta\, s_c`, where :math:`s_c` says how alike the weights of the last layer are for class c and
    for the others: the cosine, scaled to 0 … 1. Images with such answers come from :func:`invert`. Source:
    Nayak et al. 2019, *Zero-Shot Knowledge Distillation in Deep Networks*, section 3.

    Parameters
    ----------
    spread : β; the smaller it is, the surer the answers
    layer : the path of the last layer, a ``Linear``
    """
    check_whole("count", count, 1)
    check_above_zero("spread", spread)
    last = teacher.get_submodule(layer)
    if not isinstance(last, nn.Linear):
        raise TypeError(f"layer must be the path of a Linear layer; {layer!r} is a {type(last).__name__}")
    weights = nn.functional.normalize(last.weight.detach().double().cpu(), dim=1)
    alike = weights @ weights.T
    low, high = alike.amin(1, keepdim=True), alike.amax(1, keepdim=True)
    # A concentration of 0 is none; a thousandth of the largest is as good as never.
    concentration = spread * ((alike - low) / (high - low)).clamp_min(1e-3)
    gamma = torch.distributions.Gamma(concentration[torch.arange(count) % len(weights)], 1.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = gamma.sample().clamp_min(1e-30)
    return (drawn / drawn.sum(1, keepdim=True)).float()


# --- images that follow the teacher's gradient


def invert(
    teacher: nn.Module | list[nn.Module],
    start: Tensor,
    objective: ObjectiveLike,
    *,
    targets: Tensor | None = None,
    stored: dict[str, Tensor] | list[dict[str, Tensor]] | None = None,
    jitter: int = 0,
    **training: Unpack[Training],
) -> Run:
    """Images that learn to be what a teacher takes for a class: the teacher stands still, the pixels move.

    With :class:`~kdviz.losses.images.BatchNormStatistics` it is DeepInversion, Yin et al. 2020, *Dreaming to
    Distill: Data-free Knowledge Transfer via DeepInversion*, section 3; with answers of :func:`impressions`
    and soft targets Nayak et al. 2019.

    >>> import kdviz as kd
    >>> teacher = kd.teacher(kd.datasets.digits())
    >>> start = uniform_noise((20, 1, 8, 8))
    >>> run = invert(teacher, start, kd.CrossEntropy(), targets=torch.arange(20) % 10, steps=60)
    >>> float((teacher(run.finish().student()).argmax(1) == torch.arange(20) % 10).float().mean())
    1.0

    Parameters
    ----------
    start : (N, ...) or (S, N, ...)
        Pixels to begin with, from 0 to 1; they stay there.
    objective : losses of :mod:`kdviz.losses.images`, of logits, and their sums
        ``CrossEntropy()`` wants ``targets`` of classes; losses that listen to a teacher want answers.
    targets : classes (N,) or (S, N); or probabilities with one more axis
    stored : what :func:`metadata` kept; a list with one for each of several teachers
    jitter : by how many pixels the teacher sees the images moved at most, anew at each step
    **training
        As in :func:`kdviz.distill`; ``learning_rate`` is that of the pixels.

    Returns
    -------
    Run
        ``run.student()`` are the images; ``run.save`` and :func:`kdviz.load_run` go on another day.
    """
    check_whole("jitter", jitter, 0)
    lesson = Inversion(side_by_side(teacher), targets, _stacked_statistics(stored), jitter)
    return Run(Images(start), lesson, objective, **{"learning_rate": 0.1, "batch_size": 1} | training)


class Images(nn.Module):
    """Images as what learns: ``images()`` are their pixels, which stay between 0 and 1."""

    def __init__(self, start: Tensor):
        super().__init__()
        if not (isinstance(start, Tensor) and start.is_floating_point()) or start.ndim < 2:
            raise TypeError(f"start must be a tensor of images (N, ...), from 0 to 1; got {start!r:.60}")
        if not ((start >= 0) & (start <= 1)).all():
            raise ValueError(f"pixels must lie from 0 to 1; got {start.min():g} to {start.max():g}")
        self.heights = nn.Parameter(start.detach().clamp(0.01, 0.99).logit())

    def forward(self):
        return self.heights.sigmoid()


class OfImages(Lesson):
    """A lesson whose student makes images, and whose objective is what a teacher says of them."""

    only_counts = True

    def __init__(self, teacher):
        self.teacher = teacher

    def begin(self, run):
        self.run = run
        own = ("images", "noise")
        self.layers = tuple(path for path in run.objective.student_layers if path not in own)

    def epoch_length(self, batch_size):
        return None

    def go_to(self, count):
        """What is drawn belongs to the step."""

    def seen(self, images, shown=None, **more):
        """What the teacher says of images, with the images themselves among its layers."""
        found = looked_at(self.teacher, images if shown is None else shown, self.layers)
        own = {"images": images, **more}
        if isinstance(self.teacher, StackedModel):
            own = {name: values.unsqueeze(1) for name, values in own.items()}
        return replace(found, features=found.features | own)


class Inversion(OfImages):
    """Images that are shown to the teacher, and held against targets and what was stored."""

    def __init__(self, teacher, targets, stored, jitter):
        super().__init__(teacher)
        self.targets, self.stored, self.jitter = targets, stored or {}, jitter

    def __call__(self, maker, step):
        images, shown = maker(), None
        if self.jitter:
            moved = torch.randint(-self.jitter, self.jitter + 1, (2,)).tolist()
            shown = images.roll(moved, (-2, -1))
        seen = self.seen(images, shown)
        targets, many = self.targets, seen.logits.ndim - 2
        soft = targets is not None and targets.is_floating_point()
        if many and targets is not None:
            targets = targets.unsqueeze(1)
        said = targets.clamp_min(1e-30).log() if soft else seen.logits.detach()
        return seen, Trace(said, self.stored), None if soft else targets


def side_by_side(networks):
    """A frozen copy of a network, or of several as one stack through which gradients reach the inputs."""
    if not isinstance(networks, list):
        check_model("the teacher", networks)
        return copy.deepcopy(networks).eval().requires_grad_(False)
    check_models("teachers", networks)
    stack = StackedModel([copy.deepcopy(one).requires_grad_(True) for one in networks])
    return _open(stack)


def _open(stack):
    """Gradients written out know the weights only; without them torch finds those of the inputs too."""
    stack.chain = None
    return stack.eval().requires_grad_(False)


def looked_at(network, images, layers=()):
    """What a network says of images, (N, ...) or of a stack (S, N, ...), with a gradient to them."""
    if not isinstance(network, StackedModel):
        return trace(network, images, layers)
    return network.trace(images.movedim(1, -1).unsqueeze(1), layers)


def _stacked_statistics(stored):
    if not isinstance(stored, list):
        return stored
    return {path: torch.stack([one[path] for one in stored]).unsqueeze(1) for path in stored[0]}


# --- a generator beside the student


def generated(
    teacher: nn.Module | list[nn.Module],
    student: nn.Module | list[nn.Module],
    generator: nn.Module | list[nn.Module],
    data: Dataset | list[Dataset],
    making: ObjectiveLike | None = None,
    objective: ObjectiveLike | None = None,
    *,
    stored: dict[str, Tensor] | list[dict[str, Tensor]] | None = None,
    making_rate: float = 1e-3,
    noise: int = 32,
    bank: int = 0,
    **training: Unpack[Training],
) -> Run:
    """A generator and a student learn in turn: one makes images, the other learns what the teacher says.

    What the images should be is ``making``. DAFL (Chen et al. 2019, *Data-Free Learning of Student
    Networks*) is ``OneHot() + 5 * InformationEntropy() + 0.1 * Activation(layer)``; ZSKT (Micaelli and
    Storkey 2019) is ``Disagreement("kl")`` and DFAD (Fang et al. 2019) ``Disagreement("absolute")``, so that
    the generator looks for what the student has not learned yet.

    >>> import kdviz as kd
    >>> data = kd.datasets.digits()
    >>> makes = nn.Sequential(nn.Linear(32, 64), nn.Sigmoid(), nn.Unflatten(-1, (1, 8, 8)))
    >>> generated(kd.teacher(data), kd.models.mlp(64, 16, 10), makes, data, steps=2).finish().step
    2

    Parameters
    ----------
    generator : a network from ``noise`` numbers, drawn from a normal distribution, to an image
    data : Dataset
        For the measures of a record; no image of it is learned from.
    making : losses of :mod:`kdviz.losses.images`, by default DAFL's first two
    objective : what the student learns, by default ``SoftTargets(1.0)``
    stored : as in :func:`invert`
    making_rate : the generator's learning rate; the student's is ``learning_rate``
    bank : int
        Of so many earlier batches one is drawn at each step, and half of the student's batch comes from it.
    **training
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        Its student is the student. ``run.lesson.making`` is the generator's own run, and
        ``run.lesson.images(n)`` are n images of it.
    """
    check_whole("noise", noise, 1)
    check_whole("bank", bank, 0)
    check_above_zero("making_rate", making_rate)
    given = [teacher, student, generator, data]
    lists = [one for one in given if isinstance(one, list)]
    if lists and (len(lists) < len(given) or len({*map(len, lists)}) > 1):
        raise ValueError("give one teacher, student, generator and Dataset, or lists of them, equally long")
    if lists:
        check_models("students", student)
        check_models("generators", generator)
        evaluator = Evaluator([part.validation for part in data])
        student, generator = StackedModel(student), StackedModel(generator)
    lesson = Game(side_by_side(teacher), generator, bank, noise)
    lesson.data = data[0] if lists else data
    lesson.plan = {
        "objective": OneHot() + 5 * InformationEntropy() if making is None else making,
        "stored": _stacked_statistics(stored),
        "learning_rate": making_rate,
    }
    evaluate = evaluate_student(data) if not lists else lambda run: {"accuracy": evaluator.accuracy(run)}
    return Run(student, lesson, SoftTargets(1.0) if objective is None else objective, evaluate, **training)


class Game(Lesson):
    """At each step the generator takes one of its own, and then the student learns from what it makes."""

    def __init__(self, teacher, generator, bank, noise):
        self.teacher, self.generator, self.bank, self.noise = teacher, generator, bank, noise
        self.earlier = []

    def begin(self, run):
        self.run, plan = run, dict(self.plan)
        self.rival = copy.deepcopy(run.student)
        self.rival = _open(self.rival) if isinstance(self.rival, StackedModel) else self.rival.eval()
        lesson = Making(self, plan.pop("stored") or {})
        seed = self.data.seed if run.seed is None else run.seed
        size = {"batch_size": run.batch_size, "steps": run.steps, "threads": run.threads, "record_every": 1}
        self.making = Run(self.generator, lesson, plan.pop("objective"), seed=seed, **size, **plan)

    def epoch_length(self, batch_size):
        return None

    def drawn(self, count, generator=None):
        """So many images of the generator as it is, and the noise that they are made of."""
        generator = self.making.student if generator is None else generator
        if not isinstance(generator, StackedModel):
            noise = torch.randn(count, self.noise)
            return generator(noise), noise
        noise = torch.randn(generator.shape[0], count, self.noise)
        return generator(noise.movedim(1, -1).unsqueeze(1)).squeeze(1), noise

    def images(self, count):
        """So many images of the generator as it is; the same for the same count."""
        with torch.random.fork_rng(devices=[]), torch.no_grad(), evaluating(self.making.student):
            torch.manual_seed(self.making.seed)
            return self.drawn(count)[0]

    def __call__(self, student, step):
        while self.making.step <= step:
            next(self.making)
        with torch.no_grad():
            images = self.with_earlier(self.drawn(self.run.batch_size)[0])
            said = looked_at(self.teacher, images).logits
        return looked_at(student, images), Trace(said), None

    def with_earlier(self, images):
        """Half of the images, and half of a batch of the bank, where there is one; the bank renewed."""
        if not self.bank:
            return images
        axis = 1 if isinstance(self.teacher, StackedModel) else 0
        self.earlier = [*self.earlier[1 - self.bank :], images] if self.bank > 1 else [images]
        old = self.earlier[int(torch.randint(len(self.earlier), ()))]
        half = images.shape[axis] // 2
        return torch.cat(
            [images.narrow(axis, 0, half), old.narrow(axis, half, images.shape[axis] - half)], axis
        )


class Making(OfImages):
    """What a generator learns from: what the teacher says, beside the student and what was stored."""

    only_counts = False

    def __init__(self, game, stored):
        super().__init__(game.teacher)
        self.game, self.stored = game, stored

    def __call__(self, generator, step):
        images, _ = self.game.drawn(self.run.batch_size, generator)
        self.game.rival.load_state_dict(self.game.run.student.state_dict())
        seen = self.seen(images)
        return seen, Trace(looked_at(self.game.rival, images).logits, self.stored), None


# --- a few images that stand for all


def condense(
    data: Dataset | list[Dataset],
    start: Tensor,
    labels: Tensor,
    *,
    width: float = 2.0,
    ridge: float = 1e-3,
    objective: ObjectiveLike | None = None,
    **training: Unpack[Training],
) -> Run:
    r"""Dataset distillation: a few images from which a simple learner would know the whole training set.

    The learner is ridge regression with the kernel :math:`k(x, x') = \exp(-\lVert x - x' \rVert^2 / 2 w^2)`,
    whose answer can be written down, so that the images follow its gradient:

    .. math:: f(x) = k(x, S)\, (k(S, S) + \rho I)^{-1}\, Y_S

    The idea is that of Wang et al. 2018, *Dataset Distillation*; in this form it is Nguyen, Chen and Lee
    2021, *Dataset Meta-Learning from Kernel Ridge-Regression* (KIP), section 2. There is no teacher: the
    labels of ``data.train`` are what the answers are held against.

    >>> import kdviz as kd
    >>> data, labels = kd.datasets.digits(), torch.arange(10)
    >>> run = condense(data, uniform_noise((10, 1, 8, 8)), labels, steps=20)
    >>> run.finish().student().shape
    torch.Size([10, 1, 8, 8])

    Parameters
    ----------
    start : (N, ...) or, for a list of data, (S, N, ...), from 0 to 1
    labels : (N,), the class that each image is to stand for
    width, ridge : w and ρ
    objective : what the answers are held against the one-hot labels by; by default ``LogitMatching()``
    **training
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student()`` are the images, whose labels are ``labels``.
    """
    check_above_zero("width", width)
    check_above_zero("ridge", ridge)
    lesson = Condensing(data, labels, width, ridge)
    objective = LogitMatching() if objective is None else objective
    return Run(Images(start), lesson, objective, **{"learning_rate": 0.05} | training)


def by_kernel(images: Tensor, labels: Tensor, inputs: Tensor, width: float = 2.0, ridge: float = 1e-3):
    """What the learner of :func:`condense` answers after a few labelled images: (..., n, classes)."""
    own, asked = images.flatten(-3), inputs.flatten(-3)
    targets = nn.functional.one_hot(labels).to(own) - 1 / (int(labels.max()) + 1)

    def kernel(left, right):
        return torch.exp(-(left.unsqueeze(-2) - right.unsqueeze(-3)).square().sum(-1) / (2 * width**2))

    inside = kernel(own, own) + ridge * torch.eye(own.shape[-2]).to(own)
    return kernel(asked, own) @ torch.linalg.solve(inside, targets.expand(*own.shape[:-1], -1))


class Condensing(Lesson):
    """Real images are asked about, and their labels are the answer that is right."""

    def __init__(self, data, labels, width, ridge):
        self.parts = data if isinstance(data, list) else [data]
        super().__init__(self.parts[0], "train")
        self.many, self.labels, self.settings = isinstance(data, list), labels, (width, ridge)

    def begin(self, run):
        super().begin(run)
        self.orders = [batches(len(part.train), run.batch_size, part.seed) for part in self.parts]

    def __call__(self, maker, step):
        shown = [part.train[next(order)] for part, order in zip(self.parts, self.orders, strict=True)]
        inputs, truth = (torch.stack([getattr(one, name) for one in shown]) for name in ("inputs", "labels"))
        images = maker() if self.many else maker().unsqueeze(0)
        said = by_kernel(images, self.labels, inputs, *self.settings)
        right = nn.functional.one_hot(truth, said.shape[-1]).to(said) - 1 / said.shape[-1]
        place = (slice(None), None) if self.many else 0
        return Trace(said[place]), Trace(right[place]), truth[place]
