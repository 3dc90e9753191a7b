"""What a comparison found: numbers for each sample, each class and each model."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from kdviz.measure import calibration_bins, calibration_gap, distillation_score
from kdviz.study import sentences
from kdviz.study.layers import last_hidden
from kdviz.study.predictions import Predictions, fraction, paired_difference
from kdviz.study.sample_buffer import ChosenSamples


@dataclass(frozen=True, eq=False)
class Comparison:
    """A teacher, a student and label-only students on the same samples. Made by :func:`kdviz.compare`.

    ``labels`` (N,) are -1 where there is none; ``predictions`` are those of each model; ``cka`` is the
    unbiased linear CKA of the teacher's layers (rows) and the student's; ``samples`` are some of every class
    and ``disagreements`` those on which teacher and student differ most.
    """

    models: dict[str, torch.nn.Module]
    classes: list[str]
    columns: list[str] | None
    costs: dict
    layers: dict[str, list[str]]
    show: object
    labels: np.ndarray
    predictions: dict[str, Predictions]
    cka: np.ndarray | None
    samples: ChosenSamples
    disagreements: ChosenSamples

    def __len__(self):
        return len(self.labels)

    @property
    def baselines(self) -> list[str]:
        """The names of the students that never saw the teacher."""
        return [name for name in self.models if name not in ("teacher", "student")]

    @property
    def kept(self) -> ChosenSamples:
        """The older name of ``samples``."""
        return self.samples

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each model: accuracy, similarity to the teacher, calibration and cost.

        ``agreement`` and ``kl``, KL(teacher ‖ model) in nats, are with the teacher; ``shared_errors`` is the
        fraction of the teacher's wrong answers that the model gives too.
        """
        return pd.DataFrame.from_dict({name: self._row(name) for name in self.models}, orient="index")

    def _row(self, name):
        ours, theirs, known = self.predictions[name], self.predictions["teacher"], self.labels >= 0
        wrong = known & (theirs.answer != self.labels)
        cost, is_student = self.costs[name], name != "teacher"
        return {
            "accuracy": fraction(ours.answer[known] == self.labels[known]),
            "agreement": fraction(ours.answer == theirs.answer) if is_student else np.nan,
            "kl": float(ours.kl.mean()) if is_student else np.nan,
            "shared_errors": fraction(ours.answer[wrong] == theirs.answer[wrong]) if is_student else np.nan,
            "calibration_error": calibration_gap(self.calibration(name)) if known.any() else np.nan,
            "log_loss": float(np.nanmean(ours.nll)) if known.any() else np.nan,
            "parameters": cost.parameters,
            "bytes": cost.bytes,
            "macs": cost.macs,
        }

    def calibration(self, name: str) -> np.ndarray:
        """One model's table for a reliability diagram: see :func:`kdviz.measure.calibration_bins`."""
        found, known = self.predictions[name], self.labels >= 0
        return calibration_bins(found.confidence[known], found.answer[known] == self.labels[known])

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """A row for each class that has samples: each model's recall, and student minus teacher.

        ``half`` is the half width of the 95 % interval of ``gap`` over samples; each class by itself.
        """
        rows = {}
        for number, name in enumerate(self.classes):
            own = self.labels == number
            if not own.any():
                continue
            recall = {
                model: fraction(found.answer[own] == number) for model, found in self.predictions.items()
            }
            gap, half = self.gap_of_class(number)
            rows[name] = {"samples": int(own.sum()), **recall, "gap": gap, "half": half}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("class")

    def gap_of_class(self, number: int, level: float = 0.95) -> tuple[float, float]:
        """The recall of a class, student minus teacher, and the half width of its interval over samples."""
        own = self.labels == number
        right = (self.predictions[name].answer[own] == number for name in ("student", "teacher"))
        return paired_difference(*right, level)

    @property
    def cka_table(self) -> pd.DataFrame | None:
        """The CKA with the names of the layers, or None where there are none."""
        return (
            None
            if self.cka is None
            else pd.DataFrame(self.cka, self.layers["teacher"], self.layers["student"])
        )

    def distillation_score(self, size_weight: float = 0.5, model: str = "student") -> float:
        """The score of Alkhulaifi et al.; see :func:`kdviz.measure.distillation_score`."""
        sizes, accuracy = self.table.parameters, self.table.accuracy
        return distillation_score(
            sizes[model], sizes["teacher"], accuracy[model], accuracy["teacher"], size_weight
        )

    def attributions(self, method: str = "integrated_gradients", count: int = 100, **settings):
        """What all models look at, on samples of every class: :func:`kdviz.explain.compare_attributions`."""
        from kdviz.explain import compare_attributions

        models = dict(self.models)
        teacher, student = models.pop("teacher"), models.pop("student")
        inputs = self.samples.tensor()[:count]
        return compare_attributions(teacher, student, inputs, baselines=models, method=method, **settings)

    def units(self, count: int = 100, **settings) -> pd.DataFrame:
        """How many units of the layer before the logits carry half of an answer, by layer conductance.

        A row for each model that has the layer, over samples of every class; all are asked about the
        teacher's answer. ``settings`` as in :func:`kdviz.explain.conductance`.
        """
        from kdviz.explain import conductance, units_for_half

        if not self.layers["student"]:
            raise ValueError("there are no layers whose units could be asked; one of the models has none")
        inputs = self.samples.tensor()[:count]
        targets = torch.from_numpy(self.samples.logits["teacher"][:count].argmax(1))
        rows = {}
        for name, model in self.models.items():
            path = last_hidden(self.layers["teacher" if name == "teacher" else "student"])
            if path in dict(model.named_modules()):
                found = conductance(model, inputs, targets, path, **settings)
                half = float(np.nanmean(units_for_half(found)))
                units = found.shape[1]
                rows[name] = {"layer": path, "units": units, "for half": half, "fraction": half / units}
        return pd.DataFrame.from_dict(rows, orient="index")

    # What is drawn of a comparison stands in kdviz.study.sections, which imports plotly and the explorers.

    def soft_targets(self, count: int = 40, temperature: float = 4.0):
        """The soft-target explorer of samples of every class; they must be images."""
        return _sections().soft_targets(self, count, temperature)

    def relations(self, count: int = 60):
        """The relation explorer of samples of every class; they must be images."""
        return _sections().relations(self, count)

    def attribution(self, count: int = 20, methods: Sequence[str] | None = None):
        """The attribution explorer of samples of every class; they must be images."""
        return _sections().attribution(self, count, methods)

    def gallery(self, most: int = 24):
        """The samples on which teacher and student differ most: images, texts, or rows of a table."""
        return _sections().gallery(self, most)

    def figures(self) -> dict:
        """The plotly figures by name. The report has buttons that save each as SVG, PNG or CSV."""
        return {part.heading: part.draw(self) for part in _sections().sections(self) if part.is_figure}

    def to_html(self, path: str | Path, title: str = "Teacher and student compared") -> Path:
        """Write all of it as one page that needs no kernel and no network, and return its path."""
        from kdviz.study.report import to_html

        return to_html(self, path, title)

    def __str__(self):
        words = [textwrap.fill(sentence, 96, subsequent_indent="  ") for sentence in self.sentences]
        return "\n".join([self.numbers, "", *words])

    __repr__ = __str__

    @property
    def numbers(self) -> str:
        """The table in short, as text."""
        labelled = int((self.labels >= 0).sum())
        head = f"{len(self):,} samples, {labelled:,} of them labelled, {len(self.classes)} classes"
        shown = self.table.drop(columns=["bytes", "log_loss"]).rename(columns=_SHORT)
        formats = {"parameters": "{:,.0f}".format, "MACs": "{:,.0f}".format}
        table = shown.to_string(float_format="{:.3f}".format, formatters=formats, na_rep="–")
        return f"{head}\n\n{table}"

    @property
    def sentences(self) -> list[str]:
        """What the numbers say, each in one sentence; what they do not decide is called so."""
        return [sentence for say in sentences.SUMMARY if (sentence := say(self))]


_SHORT = {"kl": "KL", "shared_errors": "shared errors", "calibration_error": "calibration", "macs": "MACs"}


def _sections():
    from kdviz.study import sections

    return sections
