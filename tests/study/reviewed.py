"""The pair of networks and the 200 samples on which the rows of the reviews are tried."""

import torch
from setups import loss_step, made
from torch import nn
from torch.nn import functional as F

import kdviz as kd

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(200, 6, generator=GENERATOR)
SOFT = kd.SoftTargets(4.0)
OBJECTIVE = 0.1 * kd.CrossEntropy() + 0.9 * SOFT


def net(classes=10, width=8, seed=0, scale=1.0):
    model = nn.Sequential(
        made(nn.Linear, 6, width, seed=seed), nn.ReLU(), made(nn.Linear, width, classes, seed=seed)
    )
    with torch.no_grad():
        model[2].weight.mul_(scale)
    return model.eval()


TEACHER, STUDENT = net(width=32, scale=6.0), net(seed=1)
with torch.no_grad():
    LABELS = TEACHER(INPUTS).argmax(1)
DATA = INPUTS, LABELS


def compared(teacher=TEACHER, student=STUDENT, data=DATA, **settings):
    return kd.compare(teacher, student, data, progress=False, **settings)


def distilled(teacher=TEACHER, student=STUDENT, data=DATA, objective=SOFT, **settings):
    return kd.distill(teacher, student, data, objective, **{"steps": 2, **settings}).finish()


def soft(z, t, temperature=1.0):
    p, q = F.log_softmax(z / temperature, 1), F.softmax(t / temperature, 1)
    return temperature**2 * F.kl_div(p, q, reduction="batchmean")


def diagnosed(loss, teacher=TEACHER, data=DATA, **settings):
    student = net(seed=1).train()
    optimizer = torch.optim.SGD(student.parameters(), 0.1)
    return kd.diagnose(teacher, student, data, step=loss_step(loss), optimizer=optimizer, **settings)


def right_loss(z, t, y):
    return 0.1 * F.cross_entropy(z, y) + 0.9 * soft(z, t, 4.0)
