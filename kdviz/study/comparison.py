"""What a comparison found, as numbers, as words, and as pictures."""

import textwrap
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from kdviz.measure._distillation_score import distillation_score
from kdviz.study.keep import Kept
from kdviz.study.layers import last_hidden
from kdviz.study.tally import Tally, calibration, difference, share


@dataclass(frozen=True, eq=False)
class Comparison:
    """A teacher, a student and label-only students on the same samples. Made by :func:`kdviz.compare`.

    ``labels`` (N,) are -1 where there is none; ``tallies`` hold each model's answers; ``cka`` is the unbiased
    linear CKA of the teacher's layers (rows) and the student's; ``kept`` are samples of every class and
    ``disagreements`` those on which teacher and student differ most.
    """

    models: dict[str, torch.nn.Module]
    classes: list[str]
    columns: list[str] | None
    costs: dict
    layers: dict[str, list[str]]
    show: object
    labels: np.ndarray
    tallies: dict[str, Tally]
    cka: np.ndarray | None
    kept: Kept
    disagreements: Kept

    def __len__(self):
        return len(self.labels)

    @property
    def baselines(self):
        return [name for name in self.models if name not in ("teacher", "student")]

    @cached_property
    def table(self):
        """A row for each model: accuracy, likeness to the teacher, calibration and cost.

        ``agreement`` and ``divergence``, KL(teacher ‖ model) in nats, are with the teacher; ``shared_errors``
        is the share of the teacher's wrong answers that the model gives too.
        """
        return pd.DataFrame.from_dict({name: self._row(name) for name in self.models}, orient="index")

    def _row(self, name):
        ours, theirs, known = self.tallies[name], self.tallies["teacher"], self.labels >= 0
        wrong = known & (theirs.answer != self.labels)
        own, taught = self.costs[name], name != "teacher"
        return {
            "accuracy": share(ours.answer[known] == self.labels[known]),
            "agreement": share(ours.answer == theirs.answer) if taught else np.nan,
            "divergence": float(ours.divergence.mean()) if taught else np.nan,
            "shared_errors": share(ours.answer[wrong] == theirs.answer[wrong]) if taught else np.nan,
            "calibration_error": calibration(ours, self.labels)[0] if known.any() else np.nan,
            "log_loss": float(np.nanmean(ours.surprise)) if known.any() else np.nan,
            "parameters": own.parameters,
            "bytes": own.bytes,
            "macs": own.macs,
        }

    @cached_property
    def per_class(self):
        """A row for each class that has samples: each model's share right, and student minus teacher.

        ``half`` is the half width of the 95 % interval of ``gap`` over samples; each class by itself.
        """
        rows = {}
        for number, name in enumerate(self.classes):
            own = self.labels == number
            if not own.any():
                continue
            right = {model: tally.answer[own] == number for model, tally in self.tallies.items()}
            gap, half = difference(right["student"], right["teacher"])
            shares = {model: share(hits) for model, hits in right.items()}
            rows[name] = {"samples": int(own.sum()), **shares, "gap": gap, "half": half}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("class")

    def distillation_score(self, size_weight=0.5):
        """The score of Alkhulaifi et al.; see :func:`kdviz.measure.distillation_score`."""
        table = self.table
        return distillation_score(
            table.parameters["student"],
            table.parameters["teacher"],
            table.accuracy["student"],
            table.accuracy["teacher"],
            size_weight,
        )

    def soft_targets(self, count=40, temperature=4.0):
        """The soft-target explorer of samples of every class; they must be images."""
        from kdviz.study import pictures

        return pictures.soft_targets(self, count, temperature)

    def relations(self, count=60):
        """The relation explorer of samples of every class; they must be images."""
        from kdviz.study import pictures

        return pictures.relations(self, count)

    def attribution(self, count=20, methods=None):
        """The attribution explorer of samples of every class; they must be images."""
        from kdviz.study import pictures

        return pictures.attribution(self, count, methods)

    def gallery(self, most=24):
        """The samples on which teacher and student differ most: images, texts, or rows of a table."""
        from kdviz.study import pictures

        return pictures.gallery(self, most)

    def figures(self):
        """The plotly figures by name. The report has buttons that save each as SVG, PNG or CSV."""
        from kdviz.study import pictures

        parts = pictures.sections(self)
        return {heading: draw(self) for heading, _, draw in parts if draw in pictures.FIGURES}

    def attributions(self, method="integrated_gradients", count=100, **settings):
        """What all models look at, on samples of every class: see :func:`kdviz.explain.side_by_side`."""
        from kdviz.explain import side_by_side

        inputs = self.kept.tensor()[:count]
        models = dict(self.models)
        teacher, student = models.pop("teacher"), models.pop("student")
        return side_by_side(teacher, student, inputs, baselines=models, method=method, **settings)

    def units(self, count=100, **settings):
        """How many units of the layer before the logits carry half of an answer, by layer conductance.

        A row for each model that has the layer, over samples of every class; all are asked about the
        teacher's answer. ``settings`` as in :func:`kdviz.explain.conductance`.
        """
        from kdviz.explain import conductance, units_for_half

        if not self.layers["student"]:
            raise ValueError("there are no layers whose units could be asked; one of the models has none")
        inputs = self.kept.tensor()[:count]
        targets = torch.from_numpy(self.kept.stacked("teacher")[:count].argmax(1))
        rows = {}
        for name, model in self.models.items():
            path = last_hidden(self.layers["teacher" if name == "teacher" else "student"])
            if path in dict(model.named_modules()):
                found = conductance(model, inputs, targets, path, **settings)
                half = float(np.nanmean(units_for_half(found)))
                units = found.shape[1]
                rows[name] = {"layer": path, "units": units, "for half": half, "share": half / units}
        return pd.DataFrame.from_dict(rows, orient="index")

    def to_html(self, path, title="Teacher and student compared"):
        """Write all of it as one page that needs no kernel and no network, and return its path."""
        from kdviz.study.report import to_html

        return to_html(self, path, title)

    def __str__(self):
        words = [textwrap.fill(sentence, 96, subsequent_indent="  ") for sentence in self.sentences]
        return "\n".join([self.numbers, "", *words])

    __repr__ = __str__

    @property
    def numbers(self):
        """The table in short, as text."""
        labelled = int((self.labels >= 0).sum())
        head = f"{len(self):,} samples, {labelled:,} of them labelled, {len(self.classes)} classes"
        shown = self.table.drop(columns=["bytes", "log_loss"]).rename(columns=_SHORT)
        formats = {"parameters": "{:,.0f}".format, "MACs": "{:,.0f}".format}
        table = shown.to_string(float_format="{:.3f}".format, formatters=formats, na_rep="–")
        return f"{head}\n\n{table}"

    @property
    def sentences(self):
        """What the numbers say, each in one sentence; what they do not decide is called so."""
        found = [self._about_agreement(), self._about_accuracy(), self._about_classes()]
        found += [self._about_layers(), self._about_cost()]
        return [sentence for sentence in found if sentence]

    def _about_agreement(self):
        theirs, ours = self.tallies["teacher"].answer, self.tallies["student"].answer
        if not self.baselines:
            return (
                f"Student and teacher agree on {share(ours == theirs):.1%} of the samples. Whether that is "
                "much can be said only beside a label-only student: pass baselines=[...]."
            )
        name = self.baselines[0]
        mean, half = difference(ours == theirs, self.tallies[name].answer == theirs)
        return (
            f"The student agrees with the teacher on {share(ours == theirs):.1%}, {name} on "
            f"{share(self.tallies[name].answer == theirs):.1%}: difference {_points(mean, half)}. That is "
            "for these trained models; other seeds may say otherwise."
        )

    def _about_accuracy(self):
        known = self.labels >= 0
        if not known.any():
            return "There are no labels, so nothing is said about accuracy, calibration and classes."
        right = {name: tally.answer[known] == self.labels[known] for name, tally in self.tallies.items()}
        others = ["teacher", *self.baselines]
        parts = [f"{other} {_points(*difference(right['student'], right[other]))}" for other in others]
        return "Accuracy of the student minus that of: " + "; ".join(parts) + "."

    def _about_classes(self):
        table = self.per_class
        if table.empty:
            return ""
        worst = table.gap.idxmin()
        own = self.labels == self.classes.index(worst)
        # The worst of many classes looks worse than it is: the interval allows for all of them.
        level = 1 - 0.05 / len(table)
        right = (
            self.tallies[name].answer[own] == self.classes.index(worst) for name in ("student", "teacher")
        )
        mean, half = difference(*right, level)
        row = table.loc[worst]
        if mean >= 0:
            return "There is no class of which the student recognises fewer samples than the teacher."
        return (
            f"The student loses most on class {worst}: it recognises {row.student:.1%}, the teacher "
            f"{row.teacher:.1%} of {int(row.samples):,} samples, {_points(mean, half)}. The interval allows "
            f"for the choice among {len(table)} classes."
        )

    def _about_layers(self):
        if self.cka is None or np.isnan(self.cka).all():
            return ""
        row, column = np.unravel_index(np.nanargmax(self.cka), self.cka.shape)
        return (
            f"Most alike are the teacher's layer {self.layers['teacher'][row]} and the student's "
            f"{self.layers['student'][column]}: CKA {self.cka[row, column]:.2f}."
        )

    def _about_cost(self):
        sizes, accuracy = self.table.parameters, self.table.accuracy
        if not (sizes.teacher > 0 and sizes.student > 0 and accuracy.teacher > 0):
            return ""
        score = f"distillation score {self.distillation_score():.2f}"
        for name in self.baselines[:1]:
            found = distillation_score(sizes[name], sizes.teacher, accuracy[name], accuracy.teacher)
            score += f", {name} {found:.2f}"
        return (
            f"The student has {sizes.student / sizes.teacher:.1%} of the teacher's parameters: {score} (size "
            "and accuracy weigh alike; lower is better, keeping the teacher is 0.50)."
        )

    @property
    def cka_table(self):
        """The CKA with the names of the layers, or None where there are none."""
        if self.cka is None:
            return None
        return pd.DataFrame(self.cka, self.layers["teacher"], self.layers["student"])


_SHORT = {
    "divergence": "KL",
    "shared_errors": "shared errors",
    "calibration_error": "calibration",
    "macs": "MACs",
}


def _points(mean, half):
    verdict = "" if abs(mean) > half else ", null"
    return f"{100 * mean:+.1f} ± {100 * half:.1f} points{verdict}".replace("-", "−")
