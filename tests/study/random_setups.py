"""Healthy set-ups drawn at random: a build, a task, a right loss and one of the many ways to write a step."""

import functools
import random

import torch
from loss_examples import EXAMPLES
from setups import Residual
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import kdviz as kd
from kdviz.losses import response
from kdviz.losses.response.logits import ResponseLoss
from kdviz.seeding import seeded
from kdviz.tracing import Trace

# Data and models -------------------------------------------------------------------------------------

BUILDS = ("mlp", "conv", "in-place conv", "residual", "transformer", "recurrent")


class Encoder(nn.Module):
    """A small transformer for texts, with a class for each text or for each token."""

    def __init__(self, width, classes, each=False, dropout=0.1):
        super().__init__()
        self.embed = nn.Embedding(20, width)
        self.positions = nn.Parameter(torch.randn(12, width) * 0.1)
        self.block = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=dropout, batch_first=True)
        self.head, self.each = nn.Linear(width, classes), each

    def forward(self, tokens):
        found = self.block(self.embed(tokens) + self.positions)
        return self.head(found if self.each else found.mean(1))


class Recurrent(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.embed, self.cells = nn.Embedding(20, width), nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens):
        return self.head(self.cells(self.embed(tokens))[0][:, -1])


def _flat(width, classes, dropout):
    return nn.Sequential(nn.Linear(12, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, classes))


def _conv(width, classes, in_place):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(in_place),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(16 * width, classes),
    )


def _residual(width, classes):
    model = Residual(width)
    model.head = nn.Linear(16 * width, classes)
    return model


def build(name, width, classes, seed, dropout=0.0):
    with seeded(seed):
        return {
            "mlp": lambda: _flat(width, classes, dropout),
            "conv": lambda: _conv(width, classes, False),
            "in-place conv": lambda: _conv(width, classes, True),
            "residual": lambda: _residual(width, classes),
            "transformer": lambda: Encoder(width, classes),
            "recurrent": lambda: Recurrent(width, classes),
            "tokens": lambda: Encoder(width, classes, each=True),
            "pixels": lambda: nn.Sequential(
                nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, classes, 1)
            ),
        }[name]()


def inputs_for(name, count, generator):
    if name in ("transformer", "recurrent", "tokens"):
        return torch.randint(20, (count, 12), generator=generator)
    if name == "mlp":
        return torch.randn(count, 12, generator=generator)
    return torch.randn(count, 1, 8, 8, generator=generator)


# Right losses on logits ------------------------------------------------------------------------------


def _kl(z, t, temperature, **how):
    return F.kl_div(F.log_softmax(z / temperature, -1), F.softmax(t / temperature, -1), **how)


def _by_hand(z, t, temperature):
    p, q = (z / temperature).log_softmax(-1), (t / temperature).softmax(-1)
    return (q * (q.clamp(min=1e-12).log() - p)).sum(-1).mean()


def _both_logs(z, t, temperature):
    p, q = (F.log_softmax(part / temperature, -1) for part in (z, t))
    return F.kl_div(p, q, reduction="batchmean", log_target=True)


def _jensen(z, t, temperature):
    p, q = (F.softmax(part / temperature, -1) for part in (z, t))
    middle = ((p + q) / 2).log()
    return sum(F.kl_div(middle, part, reduction="batchmean") for part in (p, q)) / 2


SOFT = {
    "kl_div": lambda z, t, at: _kl(z, t, at, reduction="batchmean"),
    "kl_div summed and divided": lambda z, t, at: _kl(z, t, at, reduction="sum") / len(z),
    "kl_div averaged and multiplied": lambda z, t, at: _kl(z, t, at, reduction="none").mean() * z.shape[-1],
    "kl_div by rows": lambda z, t, at: _kl(z, t, at, reduction="none").sum(-1).mean(),
    "by hand": _by_hand,
    "log_target": _both_logs,
    "cross-entropy of soft targets": lambda z, t, at: F.cross_entropy(z / at, F.softmax(t / at, -1)),
    "nn.KLDivLoss": lambda z, t, at: nn.KLDivLoss(reduction="batchmean")(
        nn.LogSoftmax(1)(z / at), nn.Softmax(1)(t / at)
    ),
    "reverse": lambda z, t, at: F.kl_div(
        F.log_softmax(t / at, -1), F.softmax(z / at, -1), reduction="batchmean"
    ),
    "Jensen-Shannon": _jensen,
    "squared logits": lambda z, t, at: F.mse_loss(z, t),
    "squared probabilities": lambda z, t, at: F.mse_loss(F.softmax(z / at, -1), F.softmax(t / at, -1)),
    "smooth L1": lambda z, t, at: F.smooth_l1_loss(z, t),
    "cosine": lambda z, t, at: 1 - F.cosine_similarity(z, t, -1).mean(),
    "kdviz": lambda z, t, at: response.soft_targets(z, t, at) / at**2,
}


# Those that are the soft targets of the paper, up to a constant.
SAME = [
    name for name in SOFT if name.startswith(("kl_div", "by hand", "log_target", "cross-", "nn.", "kdviz"))
]


def _focal(z, y):
    p = F.log_softmax(z, -1).gather(-1, y.unsqueeze(-1)).squeeze(-1)
    return (-((1 - p.exp()) ** 2) * p).mean()


def hard_losses(random, classes):
    weight = torch.rand(classes, generator=torch.Generator().manual_seed(random.randrange(1000))) + 0.5
    return {
        "cross-entropy": F.cross_entropy,
        "smoothed": lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1),
        "weighted": lambda z, y: F.cross_entropy(z, y, weight=weight),
        "nll": lambda z, y: F.nll_loss(F.log_softmax(z, 1), y),
        "focal": _focal,
        "summed and divided": lambda z, y: F.cross_entropy(z, y, reduction="sum") / len(z),
    }


def class_loss(random, classes):
    """A right loss, and in words what it is. All weights are the reader's own business."""
    hard_name, hard = random.choice(list(hard_losses(random, classes).items()))
    soft_name, soft = random.choice(list(SOFT.items()))
    temperature = random.choice([1.0, 2.0, 3.0, 4.0, 8.0])
    # A soft term that is next to nothing would be a fault, so its factor is left out at low
    # temperatures only.
    squared = temperature**2 if temperature > 3 or random.random() < 0.6 else 1.0
    a, b = random.choice(
        [(0.1, 0.9), (0.5, 0.5), (1.0, 1.0), (0.2, 0.05), (0.0, 1.0), (1.0, 0.4), (0.25, 0.25)]
    )

    def loss(z, t, y):
        value = b * squared * soft(z, t, temperature)
        return value + a * hard(z, y) if a else value

    meant = None
    if a and hard_name in ("cross-entropy", "nll", "summed and divided") and soft_name in SAME:
        meant = a * kd.CrossEntropy() + b * squared / temperature**2 * kd.SoftTargets(temperature)
    return loss, f"{a} {hard_name} + {b * squared:g} {soft_name} at T = {temperature:g}", meant


# kdviz's own losses on logits that learn nothing themselves.
OWN = [loss for loss in EXAMPLES if isinstance(loss, ResponseLoss) and loss.needs_teacher]


def own_loss(random, classes):
    """One of kdviz's losses beside labels, as a function of logits."""
    own = random.choice(OWN)

    def loss(z, t, y):
        return F.cross_entropy(z, y) + 0.5 * own(Trace(z), Trace(t), y)

    return loss, f"cross-entropy + {own.name}", kd.CrossEntropy() + 0.5 * own


# Ways to write a step --------------------------------------------------------------------------------


def _asked(teacher, inputs, how):
    if how == "inference":
        with torch.inference_mode():
            found = teacher(inputs)
        # Outside, so that the copy may be saved for the backward pass.
        return found.clone()
    if how == "detached":
        return teacher(inputs).detach()
    with torch.no_grad():
        return teacher(inputs)


class MovingAverage:
    def __init__(self, model):
        self.shadow = {name: part.detach().clone() for name, part in model.state_dict().items()}
        self.updates = 0

    def update(self, model):
        self.updates += 1
        for name, part in model.state_dict().items():
            if part.is_floating_point():
                self.shadow[name].mul_(0.9).add_(part.detach(), alpha=0.1)


class Trainer:
    """Owns its models and its optimizer, as most repositories do."""

    def __init__(self, teacher, student, optimizer, loss):
        self.teacher, self.student, self.optimizer, self.loss = teacher, student, optimizer, loss
        self.history, self.steps = [], 0

    def training_step(self, batch, batch_idx=0):
        inputs, labels = batch
        with torch.no_grad():
            answers = self.teacher(inputs)
        value = self.loss(self.student(inputs), answers, labels)
        self.optimizer.zero_grad()
        value.backward()
        self.optimizer.step()
        self.history.append(float(value.detach()))
        self.steps += 1
        return {"loss": value}


class Module(nn.Module):
    """A training module around both, in the manner of Lightning: the loop outside does the rest."""

    def __init__(self, teacher, student, loss):
        super().__init__()
        self.teacher, self.student, self.loss = teacher, student, loss

    def forward(self, inputs):
        return self.student(inputs)

    def training_step(self, batch, batch_idx):
        inputs, labels = batch
        with torch.no_grad():
            answers = self.teacher(inputs)
        return self.loss(self(inputs), answers, labels)


def plain(random, teacher, student, optimizer, loss):
    how = random.choice(["no_grad", "inference", "detached"])
    first = random.random() < 0.5

    def step(teacher, student, optimizer, inputs, labels):
        if first:
            optimizer.zero_grad()
        value = loss(student(inputs), _asked(teacher, inputs, how), labels)
        if not first:
            optimizer.zero_grad(set_to_none=False)
        value.backward()
        optimizer.step()
        return value

    return {"step": step}


def returned(random, teacher, student, optimizer, loss):
    def step(teacher, student, inputs, labels):
        value = loss(student(inputs), _asked(teacher, inputs, "no_grad"), labels)
        return random_shape(value)

    random_shape = random.choice([lambda v: v, lambda v: (v, "more"), lambda v: {"loss": v}])
    return {"step": step}


def accumulated(random, teacher, student, optimizer, loss):
    every, count = random.choice([2, 3, 4, 8]), [random.randrange(4)]

    def step(teacher, student, optimizer, inputs, labels):
        value = loss(student(inputs), _asked(teacher, inputs, "no_grad"), labels) / every
        value.backward()
        count[0] += 1
        if count[0] % every == 0:
            optimizer.step()
            optimizer.zero_grad()
        return value

    return {"step": step}


def furnished(random, teacher, student, optimizer, loss):
    """Clipping, a schedule, a moving average, a memory bank and meters, all outside of the step."""
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    average, bank, meters = MovingAverage(student), [], {"loss": torch.zeros(()), "count": 0}

    def step(teacher, student, optimizer, inputs, labels):
        z, t = student(inputs), _asked(teacher, inputs, "no_grad")
        value = loss(z, t, labels)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update(student)
        bank.append(z.detach())
        meters["loss"] += value.detach()
        meters["count"] += 1
        return value

    return {"step": step, "things": [schedule, average, bank, meters]}


def half(random, teacher, student, optimizer, loss):
    scaler = torch.amp.GradScaler("cpu", init_scale=random.choice([32.0, 64.0, 1024.0]))

    def step(teacher, student, optimizer, inputs, labels):
        with torch.autocast("cpu", torch.bfloat16):
            z, t = student(inputs), _asked(teacher, inputs, "no_grad")
        value = loss(z.float(), t.float(), labels)
        optimizer.zero_grad()
        scaler.scale(value).backward()
        scaler.step(optimizer)
        scaler.update()
        return value

    return {"step": step, "things": [scaler]}


def trainer(random, teacher, student, optimizer, loss):
    held = Trainer(teacher, student, optimizer, loss)
    step = random.choice(
        [
            held.training_step,
            lambda batch: held.training_step(batch),
            lambda student, batch: held.training_step(batch),
        ]
    )
    return {"step": step, "things": [held.history]}


def module(random, teacher, student, optimizer, loss):
    held = Module(teacher, student, loss).train()
    teacher.eval()
    return {"step": held.training_step, "optimizer": torch.optim.SGD(held.student.parameters(), lr=0.05)}


def whole_module(random, teacher, student, optimizer, loss):
    """The training module itself is handed in as the student."""
    held = Module(teacher.requires_grad_(False), student, loss).train()
    teacher.eval()
    return {
        "step": held.training_step,
        "student": held,
        "optimizer": torch.optim.SGD(held.parameters(), lr=0.05),
    }


def partials(random, teacher, student, optimizer, loss):
    def step(weight, teacher, student, optimizer, inputs, labels):
        value = weight * loss(student(inputs), _asked(teacher, inputs, "no_grad"), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    return {"step": functools.partial(step, 1.0)}


def parts(random, teacher, student, optimizer, loss):
    """The step calls parts of the student, and looks at a layer on the way."""
    if not isinstance(student, nn.Sequential):
        return plain(random, teacher, student, optimizer, loss)

    def step(teacher, student, optimizer, inputs, labels):
        hidden = student[:2](inputs)
        value = loss(student[2:](hidden), _asked(teacher, inputs, "no_grad"), labels)
        value = value + 0.0 * hidden.mean()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return {"step": step}


def two_optimizers(random, teacher, student, optimizer, loss):
    """A regressor from one layer to another, with an optimizer of its own."""
    if not isinstance(student, nn.Sequential):
        return plain(random, teacher, student, optimizer, loss)
    width, other = (next(model.parameters()).shape[0] for model in (student, teacher))
    regressor = nn.Linear(width, other) if isinstance(student[0], nn.Linear) else nn.Conv2d(width, other, 1)
    second = torch.optim.SGD(regressor.parameters(), lr=0.01)
    handed = random.random() < 0.5

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            theirs = teacher[:1](inputs)
        value = loss(student(inputs), _asked(teacher, inputs, "no_grad"), labels)
        value = value + 0.1 * F.mse_loss(regressor(student[:1](inputs)), theirs)
        optimizer.zero_grad()
        second.zero_grad()
        value.backward()
        optimizer.step()
        second.step()
        return value

    return {"step": step, **({"optimizers": [second]} if handed else {}), "things": [regressor]}


def hooked(random, teacher, student, optimizer, loss):
    """Features kept by hooks that stay on the models, as copies or of layers that nobody overwrites."""
    kept = {}
    layer = [one for one in student.modules() if isinstance(one, (nn.Linear, nn.Conv2d))][-1]
    layer.register_forward_hook(lambda module, given, output: kept.update(features=output))
    first = next(one for one in student.modules() if isinstance(one, (nn.Conv2d, nn.Linear, nn.Embedding)))
    first.register_forward_hook(lambda module, given, output: kept.update(first=output.clone()))

    def step(teacher, student, optimizer, inputs, labels):
        value = loss(student(inputs), _asked(teacher, inputs, "no_grad"), labels)
        value = value + 1e-3 * kept["first"].square().mean()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return {"step": step}


STEPS = (
    *(plain, returned, accumulated, furnished, half, trainer, module, whole_module, partials, parts),
    *(two_optimizers, hooked),
)


def optimizer_for(random, student):
    make = random.choice(
        [
            lambda weights: torch.optim.SGD(weights, lr=0.05),
            lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9, nesterov=True),
            lambda weights: torch.optim.Adam(weights, lr=1e-3),
            lambda weights: torch.optim.AdamW(weights, lr=1e-3),
            lambda weights: torch.optim.RMSprop(weights, lr=1e-3),
        ]
    )
    return make(list(student.parameters()))


# Set-ups ---------------------------------------------------------------------------------------------


def trained(model, inputs, labels, loss=F.cross_entropy, steps=60):
    with seeded(0):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        model.train()
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(inputs), labels).backward()
            optimizer.step()
    return model.eval()


def of_classes(random, generator):
    name, classes = random.choice(BUILDS), random.choice([2, 3, 4, 6, 10])
    count = random.choice([120, 200, 257])
    inputs = inputs_for(name, count, generator)
    # What an untrained network of the same build says, plus chance: some is learnable, not all.
    rule = build(name, 16, classes, random.randrange(99)).eval()
    with torch.no_grad():
        scores = rule(inputs)
        labels = ((scores - scores.mean(0)) / scores.std(0)).argmax(1)
    labels = torch.where(torch.rand(count, generator=generator) < 0.1, labels.roll(1), labels)
    teacher = trained(
        build(name, 16, classes, 1), inputs, labels, lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1)
    )
    student = build(name, 8, classes, 2, dropout=random.choice([0.0, 0.2])).train()
    scale = random.choice([0.05, 1.0, 1.0, 20.0])
    with torch.no_grad():
        last = [one for one in student.modules() if isinstance(one, nn.Linear)][-1]
        last.weight.mul_(scale)
        last.bias.mul_(scale)
    loss, words, meant = (own_loss if random.random() < 0.2 and classes > 3 else class_loss)(random, classes)
    meant = meant if random.random() < 0.6 else None
    made_so = {"teacher": teacher, "student": student, "inputs": inputs, "labels": labels}
    return {**made_so, "loss": loss, "objective": meant}, (
        f"{name} of {classes} classes, logits × {scale:g}, {words}"
    )


def of_tokens(random, generator):
    inputs, classes = inputs_for("tokens", 120, generator), random.choice([5, 8])
    labels = (inputs + inputs.roll(1, 1)) % classes
    hidden = torch.rand(labels.shape, generator=generator) < 0.2
    labels = torch.where(hidden, -100, labels)
    flat = lambda z: z.reshape(-1, classes)  # noqa: E731
    teacher = trained(
        build("tokens", 16, classes, 1, 0.0),
        inputs,
        labels,
        lambda z, y: F.cross_entropy(flat(z), y.flatten()),
    )
    temperature = random.choice([1.0, 2.0, 4.0])

    def loss(z, t, y):
        known = y.flatten() >= 0
        soft = _kl(flat(z)[known], flat(t)[known], temperature, reduction="batchmean")
        return F.cross_entropy(flat(z), y.flatten()) + temperature**2 * soft

    student = build("tokens", 8, classes, 2).train()
    return {
        "teacher": teacher,
        "student": student,
        "inputs": inputs,
        "labels": labels,
        "loss": loss,
    }, "tokens"


def of_pixels(random, generator):
    inputs, classes = inputs_for("pixels", 120, generator), random.choice([3, 5])
    labels = torch.bucketize(inputs[:, 0], torch.linspace(-1, 1, classes - 1))
    teacher = trained(build("pixels", 16, classes, 1), inputs, labels, steps=300)
    temperature = random.choice([1.0, 2.0, 4.0])

    def loss(z, t, y):
        p, q = F.log_softmax(z / temperature, 1), F.softmax(t / temperature, 1)
        return F.cross_entropy(z, y) + temperature**2 * F.kl_div(p, q, reduction="none").sum(1).mean()

    student = build("pixels", 6, classes, 2).train()
    return {
        "teacher": teacher,
        "student": student,
        "inputs": inputs,
        "labels": labels,
        "loss": loss,
    }, "pixels"


def of_labels(random, generator):
    name, classes = random.choice(["mlp", "conv", "transformer"]), random.choice([3, 5])
    inputs = inputs_for(name, 160, generator)
    with torch.no_grad():
        seen = build(name, 16, classes, 5).eval()(inputs)
        labels = (seen > seen.median(0).values).float()
    bce = F.binary_cross_entropy_with_logits
    teacher = trained(build(name, 16, classes, 1), inputs, labels, lambda z, y: bce(z, 0.05 + 0.9 * y))
    student = build(name, 8, classes, 2).train()

    def loss(z, t, y):
        return 0.5 * bce(z, y) + 0.5 * bce(z, torch.sigmoid(t))

    return {"teacher": teacher, "student": student, "inputs": inputs, "labels": labels, "loss": loss}, (
        f"{classes} labels, {name}"
    )


def of_one_logit(random, generator):
    made_so, words = of_labels(random, generator)
    for who in ("teacher", "student"):
        last = [one for one in made_so[who].modules() if isinstance(one, nn.Linear)][-1]
        last.weight = nn.Parameter(last.weight[:1].detach().clone())
        last.bias = nn.Parameter(last.bias[:1].detach().clone())
    return {**made_so, "labels": made_so["labels"][:, :1]}, f"one logit of {words}"


def of_numbers(random, generator):
    name, width = random.choice(["mlp", "conv", "recurrent"]), random.choice([1, 2])
    inputs = inputs_for(name, 160, generator)
    with torch.no_grad():
        labels = build(name, 16, width, 5).eval()(inputs)
        labels = (labels - labels.mean(0)) / labels.std(0) + 0.3 * torch.randn(
            160, width, generator=generator
        )
    teacher = trained(build(name, 16, width, 1), inputs, labels, F.mse_loss)
    student = build(name, 8, width, 2).train()
    apart = random.choice([F.mse_loss, F.l1_loss, F.smooth_l1_loss])

    def loss(z, t, y):
        return 0.3 * apart(z, y) + 0.7 * apart(z, t)

    return {
        "teacher": teacher,
        "student": student,
        "inputs": inputs,
        "labels": labels,
        "loss": loss,
    }, f"numbers, {name}"


TASKS = (of_classes, of_classes, of_classes, of_tokens, of_pixels, of_labels, of_one_logit, of_numbers)


def with_missing(random, made_so):
    """Missing values that both models can take."""

    class Filled(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x.nan_to_num())

    inputs = made_so["inputs"].clone()
    inputs[torch.rand(inputs.shape, generator=torch.Generator().manual_seed(1)) < 0.05] = torch.nan
    return {**made_so, "inputs": inputs, **{who: Filled(made_so[who]) for who in ("teacher", "student")}}


def healthy_setup(number):
    """The set-up with this number, as the arguments of kdviz.diagnose, and what it is in words."""
    chosen, generator = random.Random(number), torch.Generator().manual_seed(number)
    made_so, words = chosen.choice(TASKS)(chosen, generator)
    if made_so["inputs"].is_floating_point() and chosen.random() < 0.1:
        made_so, words = with_missing(chosen, made_so), f"{words}, values missing"
    teacher, student, loss = (made_so[name] for name in ("teacher", "student", "loss"))
    optimizer = optimizer_for(chosen, student)
    write = chosen.choice(STEPS)
    setup = {"student": student, "optimizer": optimizer, **write(chosen, teacher, student, optimizer, loss)}
    rows = TensorDataset(made_so["inputs"], made_so["labels"])
    size = chosen.choice([16, 32, 50])
    setup["data"] = chosen.choice(
        [lambda: DataLoader(rows, size, shuffle=True), lambda: DataLoader(rows, size)]
    )()
    things = setup.pop("things", [])
    if made_so.get("objective") is not None:
        setup["objective"], words = made_so["objective"], f"{words}, as meant"
    return {"teacher": teacher, **setup}, things, f"{words}; {write.__name__}"
