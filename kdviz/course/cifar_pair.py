"""The saved pair of notebook 12: small residual networks that were trained on CIFAR-10, and their answers.

The photographs themselves do not come with kdviz. The files were made by

    kdviz data fetch cifar10
    python -m kdviz.course.cifar_pair data/cifar_pair

which takes about twelve minutes of one processor core. ``card.json`` says with which settings, and what came
out.
"""

import argparse
import hashlib
import json
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn.functional import cross_entropy

from kdviz.course.paths import course_folder
from kdviz.datasets.cifar import cifar10
from kdviz.files import write_whole
from kdviz.losses.response import soft_targets
from kdviz.seeding import seeded
from kdviz.tracing import answer
from kdviz.training.store import checksum_of

TEACHER, STUDENT = 16, 6
BASELINES = ("2,000 labels", "2,000 labels, other seed", "45,000 labels")
SETTINGS = {
    "seed": 0,
    "labels": 2000,
    "teacher_epochs": 8,
    "student_epochs": 8,
    "batch_size": 128,
    "temperature": 4.0,
    "learning_rate": 0.1,
    "answers": 2000,
}


class Block(nn.Module):
    """Two convolutions, added to what came in."""

    def __init__(self, inside, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Conv2d(inside, width, 1, stride, bias=False)
        self.relu2 = nn.ReLU()

    def forward(self, x):
        residual = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(self.shortcut(x) + residual)


def resnet(width):
    """A residual network for colour images of 32 × 32: three blocks, each half as large and twice as wide."""
    parts = {
        "stem": nn.Conv2d(3, width, 3, padding=1, bias=False),
        "norm": nn.BatchNorm2d(width),
        "relu": nn.ReLU(),
        "halve": nn.MaxPool2d(2),
        "block1": Block(width, width, 1),
        "block2": Block(width, 2 * width, 2),
        "block3": Block(2 * width, 4 * width, 2),
        "pool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "head": nn.Linear(4 * width, 10),
    }
    return nn.Sequential(OrderedDict(parts))


def folder():
    """Where the saved files are."""
    return course_folder() / "data" / "cifar_pair"


def card():
    """What the files are, how they were made, and what came out."""
    path = folder() / "card.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        intact = found.pop("checksum") == checksum_of(found)
    except (ValueError, KeyError, AttributeError) as problem:
        raise _damaged(path) from problem
    if not intact:
        raise _damaged(path)
    return found


def _load(saved):
    """The tensors of a file that the card names, if it is the one that the card was written with."""
    path = folder() / saved["file"]
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != saved["sha256"]:
        raise _damaged(path)
    return load(content)


def _damaged(path):
    return ValueError(
        f"{path} is damaged: its checksum is not the one recorded. Take the file from the repository again, "
        "or run 'kdviz lab' in an empty folder, which copies the course anew"
    )


def models():
    """The saved networks by name, in eval mode."""
    found = {}
    for name, saved in card()["models"].items():
        found[name] = resnet(saved["width"])
        found[name].load_state_dict(_load(saved))
        found[name].eval()
    return found


def answers():
    """The logits of the saved networks for 2,000 test images, by name, and the labels."""
    found = _load(card()["answers"])
    labels = found.pop("labels").long()
    return {name: found[name].float() for name in card()["models"]}, labels


def main():
    asked = argparse.ArgumentParser(description="train the saved pair of notebook 12 on CIFAR-10")
    asked.add_argument("folder", type=Path)
    asked.add_argument("--note", default="", help="what to say on the card about the images")
    given = asked.parse_args()
    make(given.folder, given.note)


def make(target, note=""):
    """Train the networks and write their weights, their answers and the card."""
    data = cifar10(labels=SETTINGS["labels"], seed=SETTINGS["seed"])
    write(target, _trained(data), data, note)


def _trained(data):
    """All networks by name; the students start and step alike, and only what they hear differs."""
    seed, epochs = SETTINGS["seed"], SETTINGS["student_epochs"]
    teacher = _fit(resnet, TEACHER, data.train, SETTINGS["teacher_epochs"], seed)
    steps = epochs * (len(data.transfer) // SETTINGS["batch_size"])
    few = steps // (len(data.labelled) // SETTINGS["batch_size"])
    return {
        "teacher": teacher,
        "student": _fit(resnet, STUDENT, data.transfer, epochs, seed + 1, teacher),
        BASELINES[0]: _fit(resnet, STUDENT, data.labelled, few, seed + 1),
        BASELINES[1]: _fit(resnet, STUDENT, data.labelled, few, seed + 2),
        BASELINES[2]: _fit(resnet, STUDENT, data.train, epochs, seed + 1),
    }


def write(target, trained, data, note):
    """Write networks in half precision, what they answer to some test images, and the card."""
    card = {"data": data.card.name, "note": note, "settings": SETTINGS, "classes": data.classes, "models": {}}
    some = torch.arange(len(data.test))[:: len(data.test) // SETTINGS["answers"]]
    kept = {"labels": data.test.labels[some].byte()}
    for name, model in trained.items():
        answers = answer(model.half().float(), data.test.inputs).logits
        kept[name] = answers[some]
        file = f"{name.replace(',', '').replace(' ', '_')}.safetensors"
        card["models"][name] = {
            "file": file,
            "width": TEACHER if name == "teacher" else STUDENT,
            "test_accuracy": float((answers.argmax(1) == data.test.labels).double().mean()),
            "sha256": _write(target / file, model.state_dict()),
        }
    file = "answers.safetensors"
    card["answers"] = {"file": file, "sha256": _write(target / file, kept)}
    card["checksum"] = checksum_of(card)
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    write_whole(target / "card.json", text.encode())
    print(text)


def _fit(build, width, samples, epochs, seed, teacher=None):
    """A network trained on labels, or on the teacher's soft targets and no label."""
    with seeded(seed):
        model = build(width).train()
        rate, steps = SETTINGS["learning_rate"], len(samples) // SETTINGS["batch_size"]
        settings = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
        optimizer = torch.optim.SGD(model.parameters(), rate, **settings)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs=epochs, steps_per_epoch=steps)
        for epoch in range(epochs):
            for rows in torch.randperm(len(samples))[: steps * SETTINGS["batch_size"]].chunk(steps):
                inputs, labels = _moved(samples.inputs[rows]), samples.labels[rows]
                if teacher is None:
                    loss = cross_entropy(model(inputs), labels)
                else:
                    with torch.no_grad():
                        answers = teacher(inputs)
                    loss = soft_targets(model(inputs), answers, SETTINGS["temperature"])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            print(
                f"epoch {epoch + 1} of {epochs}: loss of the last batch {float(loss.detach()):.3f}",
                flush=True,
            )
    return model.eval()


def _moved(images):
    """Half of them mirrored, all shifted by up to three pixels."""
    mirrored = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(-1), images)
    padded = nn.functional.pad(mirrored, (3, 3, 3, 3))
    down, right = torch.randint(7, (2,)).tolist()
    return padded[..., down : down + 32, right : right + 32]


def _write(path, tensors):
    """Write them in half precision, and give the file's checksum."""
    halved = {name: each.half() if each.is_floating_point() else each for name, each in tensors.items()}
    content = save({name: tensor.contiguous() for name, tensor in halved.items()})
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
