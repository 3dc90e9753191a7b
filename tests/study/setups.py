"""Set-ups as readers have them, healthy until a test spoils one: models, data and a training step."""

import copy
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from torch.utils.data import DataLoader, TensorDataset

from kdviz.seeding import seeded
from kdviz.tracing import call, logits_of

TEMPERATURE, SOFT_WEIGHT, CLASSES = 4.0, 0.9, 4


def points(count=240, width=12, seed=0):
    """Four overlapping clouds of points."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, width, generator=generator) * 1.2
    labels = torch.randint(CLASSES, (count,), generator=generator)
    return centres[labels] + torch.randn(count, width, generator=generator), labels


def pictures(count=200, seed=0):
    """A bright bar at one of four places, in noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    images = torch.randn(count, 1, 8, 8, generator=generator) * 0.5
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 1.0
    return images, labels


def sentences(count=200, seed=0):
    """Twelve tokens each, of which the commonest group says the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    own = labels[:, None] * 5 + torch.randint(5, (count, 12), generator=generator)
    anything = torch.randint(20, (count, 12), generator=generator)
    return torch.where(torch.rand(count, 12, generator=generator) < 0.6, own, anything), labels


def mlp(hidden, width=12, dropout=0.0):
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, CLASSES))


def conv(channels):
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(16 * channels, CLASSES),
    )


class Residual(nn.Module):
    """A small ResNet; its only ReLU is used again and again."""

    def __init__(self, channels):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.head = nn.Linear(16 * channels, CLASSES)

    def forward(self, images):
        x = self.relu(self.stem(images))
        x = self.relu(x + self.norm(self.first(x)))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 4).flatten(1))


class Transformer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embed = nn.Embedding(20, width)
        self.places = nn.Parameter(torch.randn(12, width) * 0.1)
        self.block = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.1, batch_first=True)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, tokens):
        return self.head(self.block(self.embed(tokens) + self.places).mean(1))


class Named(nn.Module):
    """Takes its inputs by name and answers with a dictionary, or with an object, as others do."""

    def __init__(self, hidden, as_object=False):
        super().__init__()
        self.inner, self.as_object = Transformer(hidden), as_object

    def forward(self, input_ids, attention_mask=None):
        logits = self.inner(input_ids)
        return SimpleNamespace(logits=logits, loss=None) if self.as_object else {"logits": logits}


class Pair(nn.Module):
    """Answers with a tuple that begins with the logits."""

    def __init__(self, hidden):
        super().__init__()
        self.inner = mlp(hidden)

    def forward(self, x):
        return self.inner(x), x


def trained(model, inputs, labels, steps=60, seed=0):
    """The model after a short training, in eval mode."""
    with seeded(seed):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        model.train()
        for _ in range(steps):
            loss = cross_entropy(logits_of(call(model, inputs)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def made(build, *widths, seed=0):
    with seeded(seed):
        return build(*widths)


def good_step(teacher, student, optimizer, inputs, labels):
    """Hinton's loss as it should be."""
    with torch.no_grad():
        targets = softmax(teacher(inputs) / TEMPERATURE, 1)
    logits = student(inputs)
    soft = kl_div(log_softmax(logits / TEMPERATURE, 1), targets, reduction="batchmean") * TEMPERATURE**2
    loss = (1 - SOFT_WEIGHT) * cross_entropy(logits, labels) + SOFT_WEIGHT * soft
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def loss_step(loss):
    """A step around a loss of student's logits, teacher's logits and labels."""

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            answers = teacher(inputs)
        value = loss(student(inputs), answers, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return step


def healthy(**changes):
    """A table, two MLPs, a shuffling loader, an optimizer and a right step."""
    inputs, labels = points()
    student = made(mlp, 8, 12, 0.2, seed=1).train()
    setup = {
        "teacher": copy.deepcopy(_teacher(inputs, labels)),
        "student": student,
        "data": DataLoader(TensorDataset(inputs, labels), batch_size=32, shuffle=True),
        "step": good_step,
        "optimizer": torch.optim.SGD(student.parameters(), lr=0.1),
    }
    return {**setup, **changes}


_TEACHERS = {}


def _teacher(inputs, labels):
    if "mlp" not in _TEACHERS:
        _TEACHERS["mlp"] = trained(made(mlp, 32, 12, 0.2), inputs, labels)
    return _TEACHERS["mlp"]
