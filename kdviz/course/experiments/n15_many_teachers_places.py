"""Many places: what travels between clients that keep their images, and what it is worth."""

from dataclasses import replace

import numpy as np
import torch

from kdviz.algorithms.federated import (
    alone,
    bytes_of_answers,
    bytes_of_weights,
    federated_averaging,
    federated_distillation,
    mean_of_weights,
)
from kdviz.algorithms.multi_teacher import Panel
from kdviz.course.experiments.arms import from_teacher, right, starts, students
from kdviz.course.experiments.n15_many_teachers import T, table_of
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.response import SoftTargets
from kdviz.models import mlp

CLIENTS, HELD, WIDTHS = 5, 1000, (12, 16, 24, 32, 48)
SKEW = {"alike": 100.0, "unlike": 0.3}


def dealt(data, places):
    """1,000 images dealt out to five clients, a Dirichlet draw for each digit; the other 200 are public."""
    random, shares = np.random.default_rng([data.seed, 15]), [[] for _ in range(CLIENTS)]
    truth = data.train.labels[:HELD].numpy()
    for digit in range(10):
        own = np.flatnonzero(truth == digit)
        cuts = np.cumsum(random.dirichlet([SKEW[places]] * CLIENTS))[:-1] * len(own)
        for share, given in zip(shares, np.split(own, cuts.round().astype(int)), strict=True):
            share.extend(given)
    unlabelled = data.train[HELD:].with_labels(torch.full((len(data.train) - HELD,), -1))
    return [
        replace(data, labelled=data.train[torch.tensor(sorted(share))], transfer=unlabelled)
        for share in shares
    ]


def federations(part, clients, steps=120, rounds=10, digests=2):
    """All ways to learn in one federation: for each arm its networks, and the bytes of one client."""
    public, seed = clients[0], part.seed
    same = [mlp(64, 32, 10, seed=1000 * k + seed) for k in range(CLIENTS)]
    own = [mlp(64, width, 10, seed=1000 * k + seed) for k, width in enumerate(WIDTHS)]
    counts = [len(client.labelled) for client in clients]
    each, recipe = steps // rounds, {"record_every": steps}
    twins = alone(same, clients, steps=steps, **recipe).finish().student
    apart = list(alone(own, clients, steps=steps, **recipe).finish().student)
    averaging = federated_averaging(mlp(64, 32, 10, seed=seed), clients, rounds, steps=each, **recipe)
    server = mean_of_weights(averaging.finish().student, counts)
    stages = federated_distillation(apart, clients, public, digests, steps=24, **recipe).finish()
    images = len(public.transfer)
    return {
        "alone": (apart, 0),
        "mean of weights": ([mean_of_weights(twins, counts)], bytes_of_weights(server, 1)),
        "FedAvg": ([server], bytes_of_weights(server, rounds)),
        "FedMD": (list(stages.student), bytes_of_answers(images, 10, digests)),
        "distilled once": (Panel(apart, temperature=T), bytes_of_answers(images, 10, 1) // 2),
    }


@result({"places": tuple(SKEW)}, tolerance=10.0)
def many_places(seeds, places, steps=400):
    """Five clients with 1,000 images and 200 public ones: weights travel, or answers, or nothing.

    Widths differ but where weights are averaged. "distilled once": a server of 16 units learns from the mean
    answer. "mean of weights" is the control: networks from other starts. ``sent`` is what a client sends and
    gets, in bytes.
    """
    data = [digits(seed=seed) for seed in seeds]
    clients = [dealt(part, places) for part in data]
    every = [federations(part, own) for part, own in zip(data, clients, strict=True)]
    said = [ways["distilled once"][0] for ways in every]
    shown = [own[0] for own in clients]
    learned = students(from_teacher(shown, starts(data, 16), said, SoftTargets(T), steps=steps))
    found = []
    for part, ways, student in zip(data, every, learned, strict=True):
        for arm, (networks, sent) in ways.items():
            networks = [student] if arm == "distilled once" else networks
            accuracy = float(np.mean([right(one, part.test) for one in networks]))
            found.append(
                {"seed": part.seed, "places": places, "arm": arm, "accuracy": accuracy, "sent": sent}
            )
    return found


def meter(rows):
    """Means over the seeds: of each arm the accuracy where clients are alike or not, and a client's bytes."""
    sent = rows.groupby("arm", sort=False).sent.first().rename("bytes a client")
    return table_of(rows, "places").join(sent).sort_values("bytes a client")
