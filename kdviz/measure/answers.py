"""What a model's outputs are: one class a sample, several labels, one logit, numbers, tokens or pixels.

The kinds differ in where the classes stand and in what a label is. All else is one shape: a batch of outputs
is a table (samples, positions, classes) with a target for each position. A sample with one class has one
position, a text has one for each token, a picture one for each pixel, and of several labels each is a
question of its own. One logit z is two, 0 and z, since softmax over these is the sigmoid of z.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Unlabelled: kdviz's own, and that of torch and transformers. Maps of pixels have 255 besides.
UNLABELLED = (-1, -100)
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)
_WHOLE += tuple(getattr(torch, name) for name in ("uint16", "uint32", "uint64") if hasattr(torch, name))


@dataclass(frozen=True)
class AnswerKind:
    """A kind of answers: its ``name``, what it ``says`` in words, and the ``unit`` that has one target.

    ``shape`` is that of outputs and labels, as error messages quote it.
    """

    name: str
    says: str
    unit: str
    shape: str
    # Labels are the inputs themselves, so that each position is about the next one, as in a language model.
    shifted: bool = False

    def __str__(self):
        return f"{self.says}{', the next one at each position' if self.shifted else ''}"

    @property
    def is_dense(self) -> bool:
        """Whether a sample has many targets: tokens or pixels."""
        return self.name in ("tokens", "pixels")

    @property
    def has_numbers(self) -> bool:
        return self.name == "numbers"

    def positions(self, outputs: Tensor) -> Tensor:
        """The outputs of a batch as (samples, positions, classes), or (samples, positions, 1) for numbers.

        >>> KINDS["pixels"].positions(torch.zeros(2, 5, 8, 8)).shape
        torch.Size([2, 64, 5])
        >>> KINDS["labels"].positions(torch.zeros(2, 3)).shape
        torch.Size([2, 3, 2])
        """
        if self.name == "tokens":
            found = outputs[:, :-1] if self.shifted else outputs
        elif self.name == "pixels":
            found = outputs.flatten(2).transpose(1, 2)
        elif self.name == "classes":
            found = outputs.unsqueeze(1)
        else:
            found = outputs.reshape(len(outputs), -1, 1)
        if found.shape[2] == 1 and not self.has_numbers:
            found = torch.cat([torch.zeros_like(found), found], 2)
        return found

    def targets(self, labels: Tensor | None, outputs: Tensor) -> Tensor:
        """The labels as (samples, positions): classes with -1 where there is none, or numbers with NaN.

        ValueError or TypeError for labels that do not belong to these outputs, and what they should be.

        >>> KINDS["classes"].targets(torch.tensor([1, -100]), torch.zeros(2, 3))
        tensor([[ 1],
                [-1]])
        """
        table = self.positions(outputs)
        if labels is None:
            missing = torch.full(table.shape[:2], torch.nan if self.has_numbers else -1)
            return missing if self.has_numbers else missing.long()
        shape = self.label_shape(outputs)
        labels = _squeezed(labels, shape)
        if labels.shape != shape:
            raise ValueError(_wrong_shape(labels, outputs, self, shape))
        if self.has_numbers:
            return labels.double().reshape(table.shape[:2])
        labels = as_whole(labels)
        if self.shifted:
            labels = labels[:, 1:]
        return self._checked(labels.reshape(table.shape[:2]), table.shape[2])

    def label_shape(self, outputs: Tensor) -> tuple[int, ...]:
        """The shape that the labels of these outputs have."""
        if self.name == "tokens":
            return outputs.shape[:2]
        if self.name == "pixels":
            return (len(outputs), *outputs.shape[2:])
        return outputs.shape[:1] if self.name in ("classes", "binary") else outputs.shape

    def _checked(self, labels, classes):
        nothing = UNLABELLED + ((255,) if self.name == "pixels" and classes <= 255 else ())
        labels = torch.where(torch.isin(labels, labels.new_tensor(nothing)), -1, labels)
        low, high = (int(labels.min()), int(labels.max())) if labels.numel() else (0, 0)
        if low < -1 or high >= classes:
            raise ValueError(
                f"labels must be from 0 to {classes - 1}, or -1 or -100 where there is none; got values from "
                f"{low} to {high}. Number the classes from 0, as the models do"
            )
        return labels


KINDS = {
    kind.name: kind
    for kind in (
        AnswerKind("classes", "one class a sample", "sample", "outputs (N, C), labels (N,)"),
        AnswerKind("binary", "yes or no, one logit a sample", "sample", "outputs (N, 1), labels (N,)"),
        AnswerKind("labels", "several labels a sample", "label", "outputs (N, K), labels (N, K) of 0 and 1"),
        AnswerKind("numbers", "numbers", "number", "outputs (N, D), labels (N, D) or (N,)"),
        AnswerKind("tokens", "a class for each token", "token", "outputs (B, L, V), labels (B, L)"),
        AnswerKind("pixels", "a class for each pixel", "pixel", "outputs (B, C, H, W), labels (B, H, W)"),
    )
}


def answer_kind(outputs: Tensor, labels: Tensor | None = None, declared: str | None = None) -> AnswerKind:
    """The kind of these outputs: as declared, or as their shape and that of the labels says.

    TypeError or ValueError where they may be of several kinds, or of none.

    >>> answer_kind(torch.zeros(8, 5)).name, answer_kind(torch.zeros(2, 5, 8, 8)).name
    ('classes', 'pixels')
    >>> answer_kind(torch.zeros(8, 1), torch.rand(8)).name
    'numbers'
    """
    if declared is not None:
        if declared not in KINDS:
            raise ValueError(f"answers must be one of {', '.join(map(repr, KINDS))}; got {declared!r}")
        return _fits(KINDS[declared], outputs)
    if not outputs.is_floating_point() or outputs.ndim == 0:
        raise TypeError(f"outputs must be fractions with samples first; got {_described(outputs)}")
    if 0 in outputs.shape:
        raise ValueError(f"outputs must hold one class or more a sample; got shape {tuple(outputs.shape)}")
    if outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1):
        return _of_one_output(outputs, labels)
    if outputs.ndim == 2:
        return _of_rows(outputs, labels)
    places = (len(outputs), *outputs.shape[2:])
    by_class = labels is not None and _squeezed(labels, places).shape == places != outputs.shape[:2]
    return KINDS["tokens" if outputs.ndim == 3 and not by_class else "pixels"]


def _of_one_output(outputs, labels):
    if labels is None:
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} without labels are one logit or a number, and a "
            "softmax over a single class is always 1. Say answers='binary' or answers='numbers'; a "
            "model with one "
            "logit z has the two logits 0 and z"
        )
    values = torch.where(_unlabelled(labels), 0, labels.double())
    yes_or_no = bool(((values == 0) | (values == 1)).all())
    if not yes_or_no and not labels.is_floating_point():
        raise ValueError(
            f"whole labels from {int(values.min())} to {int(values.max())} beside a single output: of "
            "several classes the models need one logit each; if the labels are amounts, say answers='numbers'"
        )
    return KINDS["binary" if yes_or_no else "numbers"]


def _of_rows(outputs, labels):
    if labels is None or labels.ndim <= 1 or labels.shape == (len(outputs), 1):
        if labels is not None and labels.is_floating_point():
            raise TypeError(
                f"labels must be whole class numbers, one for each sample; got {_described(labels)} beside "
                f"{outputs.shape[1]} outputs. Of amounts a model has one output each; whole numbers that "
                "were read as fractions take .long()"
            )
        return KINDS["classes"]
    if labels.shape != outputs.shape:
        raise ValueError(_wrong_shape(labels, outputs, KINDS["classes"], outputs.shape[:1]))
    values = torch.where(_unlabelled(labels), 0, labels.double())
    sums = values.sum(1)
    if not bool(((values >= 0) & (values <= 1)).all()):
        return KINDS["numbers"]
    if bool(((sums - 1).abs() < 1e-3).all()):
        one_hot = bool(((values == 0) | (values == 1)).all())
        raise TypeError(
            f"labels of shape {tuple(labels.shape)} have rows that sum to 1: "
            + (
                "they are one-hot. Of these take .argmax(1); if a sample may have several labels, say "
                "answers='labels'"
                if one_hot
                else "they are soft labels, as mixup makes them, and nobody is right or wrong about these. "
                "Hand in the true classes, or no labels"
            )
        )
    return KINDS["labels" if bool(((values == 0) | (values == 1)).all()) else "numbers"]


def _fits(kind, outputs):
    axes = {"tokens": (3,), "classes": (2,), "pixels": (3, 4, 5)}.get(kind.name, (1, 2))
    if outputs.ndim not in axes or (kind.name == "binary" and outputs.numel() != len(outputs)):
        raise ValueError(
            f"answers={kind.name!r} has {kind.shape}; got outputs of shape {tuple(outputs.shape)}"
        )
    return kind


def as_whole(labels: Tensor) -> Tensor:
    """Labels of any whole type, or whole numbers kept as fractions, as torch.long; NaN is unlabelled.

    >>> as_whole(torch.tensor([3, 255], dtype=torch.uint8)), as_whole(torch.tensor([1.0, torch.nan]))
    (tensor([  3, 255]), tensor([ 1, -1]))
    """
    if labels.dtype in _WHOLE:
        # The largest of 64 bits would wrap to -1.
        if labels.dtype == getattr(torch, "uint64", None) and (labels.long() < 0).any():
            raise ValueError("labels must be class numbers; got values above 2^63")
        return labels.long()
    if labels.is_floating_point():
        known = torch.where(labels.isnan(), -1.0, labels.double())
        if bool((known == known.round()).all()):
            return known.long()
    raise TypeError(f"labels must be whole class numbers; got {_described(labels)}")


def as_label_tensor(labels) -> Tensor:
    """Labels as a tensor of numbers; TypeError for texts, complex numbers and the like, with the remedy."""
    if not isinstance(labels, Tensor):
        _check_not_of_objects(labels)
        values = np.asarray(labels)
        if values.dtype.kind not in "biuf":
            raise TypeError(
                f"labels must be numbers; got {type(labels).__name__} of {values.dtype}. Number the classes "
                "from 0, for example by sklearn.preprocessing.LabelEncoder, and pass their names as classes="
            )
        # A copy: pandas hands out what must not be written to.
        labels = torch.from_numpy(np.array(values))
    if labels.is_complex():
        raise TypeError(f"labels must be class numbers; got {_described(labels)}")
    return labels


def _check_not_of_objects(labels):
    """Labels of detection are a dictionary a sample, or as many rows a sample as there are objects."""
    parts = labels if isinstance(labels, (list, tuple)) else [labels]
    shapes = {tuple(part.shape) for part in parts if isinstance(part, (Tensor, np.ndarray))}
    named = any(isinstance(part, Mapping) for part in parts)
    if named or len(shapes) > 1:
        got = "dictionaries" if named else f"tensors of different shapes, such as {sorted(shapes)[:2]}"
        raise TypeError(
            f"labels must be one tensor for all samples of a batch; got {got}. Labels of tokens are padded "
            "with -100. Boxes cannot be read: detection is not supported. Of a detector its classes can be "
            "compared and distilled: let it return the logits of its anchors or queries (samples, places, "
            "classes), and hand in labels (samples, places), -1 where a place has none, or no labels"
        )


def _unlabelled(labels):
    return torch.isin(labels.double(), torch.tensor(UNLABELLED, dtype=torch.double, device=labels.device))


def _squeezed(labels, shape):
    """Without axes of length 1 that the outputs have not: (N, 1) as tables give it, (B, 1, H, W) as masks."""
    sizes = [[n for n in one[1:] if n != 1] for one in (labels.shape, shape)]
    fits = labels.ndim and labels.shape[0] == shape[0] and sizes[0] == sizes[1]
    return labels.reshape(shape) if fits else labels


def _wrong_shape(labels, outputs, kind, shape):
    hint = ""
    if labels.shape[:1] != outputs.shape[:1]:
        hint = f": {len(labels) if labels.ndim else 0} labels for {len(outputs)} samples"
        if labels.ndim == 0:
            hint += ". Are the samples not in batches? Put the data in a DataLoader"
    elif kind.is_dense and labels.ndim == len(shape):
        hint = ". Bring outputs and labels to one size, for example by torch.nn.functional.interpolate"
    return (
        f"labels of shape {tuple(labels.shape)} do not belong to outputs of shape {tuple(outputs.shape)}: "
        f"{kind.says} has {kind.shape}, here {tuple(shape)}{hint}. Other answers are declared by answers="
    )


def _described(values):
    return f"{str(values.dtype).removeprefix('torch.')} of shape {tuple(values.shape)}"
