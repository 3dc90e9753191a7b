"""Runs of several kinds, and what another process does with them: leave one on its way, or go on with it."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, Dataset

import kdviz as kd

CASES = ("digits", "loader", "tokens")


class Noisy(Dataset):
    """Each sample in a new way each time it is asked for."""

    def __len__(self):
        return 70

    def __getitem__(self, row):
        generator = torch.Generator().manual_seed(row)
        image = torch.randn(1, 6, 6, generator=generator)
        return image + 0.3 * torch.randn(1, 6, 6), int(image.sum() > 0)


def conv(width, seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 3),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(16 * width, 2),
    )


def tagger(width, seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Embedding(12, width), nn.Linear(width, 4))


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True)


def one_cycle(optimizer):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=40)


def begun(case, **other):
    """A run of 40 steps that has not begun."""
    soft = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(4)
    how = {"steps": 40, "record_every": 10, **other}
    if case == "digits":
        data = kd.datasets.digits(labels=50)
        objective = soft + 0.1 * kd.Hint("activation1", adapter="linear")
        return kd.distill(kd.models.mlp(64, 24, 10, seed=1), kd.models.mlp(64, 8, 10), data, objective, **how)
    if case == "loader":
        loader = DataLoader(Noisy(), 16, shuffle=True)
        how |= {"optimizer": sgd, "schedule": one_cycle, "clip": 1.0, "accumulate": 3}
        return kd.distill(conv(8, 1), conv(4, 2), loader, soft, validation=loader, **how)
    tokens = torch.randint(12, (30, 9), generator=torch.Generator().manual_seed(0))
    how |= {"precision": torch.bfloat16, "batch_size": 8}
    return kd.distill(tagger(16, 1), tagger(4, 2), (tokens, tokens % 4), soft, **how)


def main(what, folder):
    torch.set_num_threads(1)
    for case in CASES:
        place, run = Path(folder) / case, begun(case)
        if what == "leave":
            next(run)
            next(run)
            run.save(place)
        else:
            run = kd.load_run(place, run).finish()
            save_file(run.student.state_dict(), place / "ended.weights")
            told = [[record.step, record.total, record.measures] for record in run.records]
            (place / "records.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
