"""What a comparison found: numbers for each target, class and model, and for each student over its seeds."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from kdviz.measure import calibration_bins, distillation_score, mcnemar
from kdviz.measure.answers import AnswerKind
from kdviz.study import sentences
from kdviz.study._layers import last_hidden
from kdviz.study.measures import BETTER, headline, right, row_of
from kdviz.study.origin import Origin
from kdviz.study.predictions import Predictions, Targets, fraction, over_seeds, paired_difference
from kdviz.study.sample_buffer import ChosenSamples

# A class with fewer samples is never named as the worst: its recall is chance.
FEW = 20


@dataclass(frozen=True, eq=False)
class Comparison:
    """A teacher, students and label-only students on the same samples. Made by :func:`kdviz.compare`.

    ``groups["students"]`` and ``groups["baselines"]`` hold the names of the models of each, of several seeds
    one each. ``labels`` (targets,) are -1, or NaN, where there is none; a sample has one target, or many
    (tokens, pixels, labels). ``predictions`` are those of each model; ``cka`` is the unbiased linear CKA of
    the teacher's layers (rows) and the first student's; ``samples`` are some of every class and
    ``disagreements`` those on which teacher and student differ most. ``models`` are None after :meth:`load`.
    """

    models: dict[str, torch.nn.Module | None]
    kind: AnswerKind
    groups: dict[str, dict[str, list[str]]]
    classes: list[str]
    columns: list[str] | None
    costs: dict
    layers: dict[str, list[str]]
    targets: Targets
    samples_seen: int
    predictions: dict[str, Predictions]
    cka: np.ndarray | None
    samples: ChosenSamples
    disagreements: ChosenSamples
    origin: Origin
    uncounted: dict[str, dict[str, str]] = field(default_factory=dict)
    share: float = 1.0
    show: object = None
    sample_rate: int | None = None
    pick: object = None

    def __len__(self):
        return self.samples_seen

    @property
    def labels(self) -> np.ndarray:
        return self.targets.label

    @property
    def known(self) -> np.ndarray:
        """Which targets have a label."""
        return ~np.isnan(self.labels) if self.kind.has_numbers else self.labels >= 0

    @property
    def sample_of_each(self) -> np.ndarray | None:
        """The sample of each target; None where each sample has one."""
        return self.targets.sample if len(self.labels) != len(self) else None

    # The models and their groups ---------------------------------------------------------------------

    @property
    def students(self) -> list[str]:
        """The names of the students, the first of them the one that is looked at in detail."""
        return list(self.groups["students"])

    @property
    def student(self) -> str:
        """The name of the model that is looked at in detail: of the first student the first seed."""
        return self.members(self.students[0])[0]

    @cached_property
    def baselines(self) -> list[str]:
        """The names of the students that never saw the teacher, the strongest first."""
        names = list(self.groups["baselines"])
        score = self.table.accuracy if self.known.any() and not self.kind.has_numbers else self._closeness()
        return sorted(names, key=lambda name: -np.nan_to_num(score[name], nan=-np.inf))

    def _closeness(self):
        if not self.kind.has_numbers:
            return self.table.agreement
        return -(self.table.absolute_error if self.known.any() else self.table.distance)

    def members(self, group: str) -> list[str]:
        """The names of the models of a group: its seeds."""
        return {"teacher": ["teacher"], **self.groups["students"], **self.groups["baselines"]}[group]

    @property
    def all_groups(self) -> list[str]:
        return ["teacher", *self.groups["students"], *self.groups["baselines"]]

    @property
    def kept(self) -> ChosenSamples:
        """The older name of ``samples``."""
        return self.samples

    # Numbers -----------------------------------------------------------------------------------------

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each student and baseline: how good, how like the teacher, calibration and cost.

        Of several seeds the mean; ``runs`` has a row for each. ``agreement`` and ``kl``,
        KL(teacher ‖ model) in nats, are with the teacher; ``shared_errors`` is the fraction of the teacher's
        wrong answers that the model gives too. Costs that could not be counted are NaN; ``uncounted`` says
        why.
        """
        rows = {group: self.runs.loc[self.members(group)].mean() for group in self.all_groups}
        table = pd.DataFrame.from_dict(rows, orient="index")[list(self.runs)]
        if len(self.models) > len(rows):
            table.insert(0, "seeds", [len(self.members(group)) for group in rows])
        return table

    @cached_property
    def runs(self) -> pd.DataFrame:
        """The same with a row for each model."""
        return pd.DataFrame.from_dict({name: self._row(name) for name in self.models}, orient="index")

    def _row(self, name):
        cost, theirs = self.costs[name], self.predictions["teacher"]
        found = row_of(
            self.kind, self.predictions[name], theirs, self.targets, len(self.classes), name != "teacher"
        )
        return {**found, "parameters": cost.parameters, "bytes": cost.bytes, "macs": cost.macs}

    def score(self, group: str) -> np.ndarray:
        """How each labelled target is met, mean over seeds: 1 for right, or how far off a number is."""
        each = [
            right(self.kind, self.predictions[name], self.labels)[self.known] for name in self.members(group)
        ]
        return each[0] if len(each) == 1 else np.mean(each, 0)

    def closeness(self, group: str) -> np.ndarray:
        """How each target is answered as by the teacher, mean over seeds: 1 for alike, or how far apart."""
        theirs = self.predictions["teacher"]
        theirs = theirs.value if self.kind.has_numbers else theirs.answer
        each = [right(self.kind, self.predictions[name], theirs) for name in self.members(group)]
        return each[0] if len(each) == 1 else np.mean(each, 0)

    def difference(self, ours: str, theirs: str, of: str = "score") -> tuple[float, float, float]:
        """The mean difference of two groups, with its half widths over samples and over seeds (else NaN)."""
        measure = self.score if of == "score" else self.closeness
        samples = self.sample_of_each
        samples = samples if samples is None or of != "score" else samples[self.known]
        mean, half = paired_difference(measure(ours), measure(theirs), samples=samples)
        column = (
            headline(self.kind) if of == "score" else ("distance" if self.kind.has_numbers else "agreement")
        )
        seeds = over_seeds(*(self.runs[column][self.members(group)] for group in (ours, theirs)))
        return mean, half, seeds

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Each student minus each other student, baseline and the teacher: means and both half widths."""
        rows = [
            (ours, other, *self.difference(ours, other))
            for ours in self.students
            for other in self.all_groups
            if other != ours
        ]
        names = ["student", "minus", "difference", "half over samples", "half over seeds"]
        return pd.DataFrame(rows, columns=names)

    @cached_property
    def paired_tests(self) -> pd.DataFrame:
        """McNemar's test of each pair of models but the teacher, on the samples of which one has it right."""
        if self.kind.has_numbers or self.sample_of_each is not None:
            raise ValueError(f"McNemar's test is for one class a sample; here is {self.kind}")
        known, names = self.known, [name for name in self.models if name != "teacher"]
        hits = {name: self.predictions[name].answer[known] == self.labels[known] for name in names}
        rows = [(a, b, *mcnemar(hits[a], hits[b])) for a, b in combinations(names, 2)]
        return pd.DataFrame(rows, columns=["model", "other", "only model right", "only other right", "p"])

    def calibration(self, name: str) -> np.ndarray:
        """The table for a reliability diagram of a model, or of all seeds of a group together."""
        members = [name] if name in self.predictions else self.members(name)
        found, known = [self.predictions[one] for one in members], self.known
        confidence = np.concatenate([one.confidence[known] for one in found])
        hits = np.concatenate([one.answer[known] == self.labels[known] for one in found])
        return calibration_bins(confidence, hits)

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """A row for each class that has samples: each group's recall, and student minus teacher.

        ``half`` is the half width of the 95 % interval of ``gap`` over samples; each class by itself. Of
        several labels, each label's recall where it is true; of numbers, the mean absolute error.
        """
        rows = {}
        for number in self._rows_of_classes:
            own = self._own(number)
            if not len(own):
                continue
            found = {group: float(self._hits(group)[own].mean()) for group in self.all_groups}
            gap, half = self.gap_of_class(number)
            rows[self.classes[number]] = {"samples": len(own), **found, "gap": gap, "half": half}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("class")

    @cached_property
    def _rows_of_classes(self):
        """By class the rows of its labelled targets; of several labels and numbers by position."""
        by_position = self.kind.name in ("labels", "numbers")
        classes = self.targets.position if by_position else self.labels
        rows = np.flatnonzero(self.known)
        rows = rows[np.argsort(classes[rows], kind="stable")]
        numbers, starts = np.unique(classes[rows], return_index=True)
        return dict(zip(numbers.tolist(), np.split(rows, starts[1:]), strict=True)) if len(rows) else {}

    def _own(self, number):
        own = self._rows_of_classes.get(number, np.zeros(0, int))
        return own[self.labels[own] == 1] if self.kind.name == "labels" else own

    def _hits(self, group):
        if group not in self._all_hits:
            each = [right(self.kind, self.predictions[name], self.labels) for name in self.members(group)]
            self._all_hits[group] = each[0] if len(each) == 1 else np.mean(each, 0)
        return self._all_hits[group]

    @cached_property
    def _all_hits(self):
        return {}

    def gap_of_class(self, number: int, level: float = 0.95) -> tuple[float, float]:
        """The recall of a class, student minus teacher, and the half width of its interval over samples."""
        own = self._own(number)
        samples = self.sample_of_each
        ours, theirs = (self._hits(group)[own] for group in (self.students[0], "teacher"))
        return paired_difference(ours, theirs, level, None if samples is None else samples[own])

    @cached_property
    def confusions(self) -> pd.DataFrame:
        """What is taken for what, most often first: student and teacher side by side, wrong answers only."""
        if self.kind.has_numbers or self.kind.name == "labels":
            raise ValueError(f"classes are taken for each other where there are some; here is {self.kind}")
        known, count = self.known, len(self.classes)
        columns = {}
        for name in (self.student, "teacher"):
            answer, label = self.predictions[name].answer[known], self.labels[known]
            wrong = answer != label
            pairs, times = np.unique(
                label[wrong].astype(np.int64) * count + answer[wrong], return_counts=True
            )
            columns["teacher" if name == "teacher" else "student"] = pd.Series(times, pairs)
        table = (
            pd.DataFrame(columns).fillna(0).astype(int).sort_values("student", ascending=False, kind="stable")
        )
        names = [(self.classes[pair // count], self.classes[pair % count]) for pair in table.index]
        table.index = pd.MultiIndex.from_tuples(names, names=["class", "taken for"])
        return table

    @property
    def cka_table(self) -> pd.DataFrame | None:
        """The CKA with the names of the layers, or None where there are none."""
        return (
            None
            if self.cka is None
            else pd.DataFrame(self.cka, self.layers["teacher"], self.layers["student"])
        )

    def distillation_score(self, size_weight: float = 0.5, model: str | None = None) -> float:
        """The score of Alkhulaifi et al.; see :func:`kdviz.measure.distillation_score`."""
        model = self.students[0] if model is None else model
        sizes, accuracy = self.table.parameters, self.table.accuracy
        return distillation_score(
            sizes[model], sizes["teacher"], accuracy[model], accuracy["teacher"], size_weight
        )

    # Asking the models again -------------------------------------------------------------------------

    def attributions(self, method: str = "integrated_gradients", count: int = 100, **settings):
        """What all models look at, on samples of every class: :func:`kdviz.explain.compare_attributions`."""
        from kdviz.explain import compare_attributions

        models = self.asked([self.student, *self.others])
        teacher, student, *others = models.values()
        baselines = dict(zip(list(models)[2:], others, strict=True))
        inputs = self.samples[range(min(count, len(self.samples)))].batch()
        return compare_attributions(
            teacher, student, inputs, baselines=baselines, method=method, logits=self.pick, **settings
        )

    @property
    def others(self) -> list[str]:
        """The names of all models but the teacher and the first student, the strongest baseline first."""
        groups = [*self.baselines, *self.students]
        return [name for group in groups for name in self.members(group) if name != self.student]

    def asked(self, names: Sequence[str]) -> dict[str, torch.nn.Module]:
        """The teacher and these models, to be asked again."""
        if self.models["teacher"] is None:
            raise ValueError("this comparison was loaded, and its models were not kept; compare again")
        return {name: self.models[name] for name in ("teacher", *names)}

    def units(self, count: int = 100, **settings) -> pd.DataFrame:
        """How many units of the layer before the logits carry half of an answer, by layer conductance.

        A row for each model that has the layer, over samples of every class; all are asked about the
        teacher's answer. ``settings`` as in :func:`kdviz.explain.conductance`.
        """
        from kdviz.explain import conductance, units_for_half

        if not self.layers["student"]:
            raise ValueError("there are no layers whose units could be asked; one of the models has none")
        inputs = self.samples[range(min(count, len(self.samples)))].batch()
        targets = torch.from_numpy(self.samples.logits["teacher"][:count].argmax(1))
        rows = {}
        for name, model in self.asked([name for name in self.models if name != "teacher"]).items():
            path = last_hidden(self.layers["teacher" if name == "teacher" else "student"])
            if path in dict(model.named_modules()):
                found = conductance(model, inputs, targets, path, **settings)
                half = float(np.nanmean(units_for_half(found)))
                units = found.shape[1]
                rows[name] = {"layer": path, "units": units, "for half": half, "fraction": half / units}
        return pd.DataFrame.from_dict(rows, orient="index")

    # What is drawn of a comparison stands in kdviz.study.sections, which imports plotly and the explorers.

    def soft_targets(self, count: int = 40, temperature: float = 4.0):
        """The soft-target explorer of samples of every class: images, waves of sounds, texts, or rows."""
        return _sections().soft_targets(self, count, temperature)

    def relations(self, count: int = 60):
        """The relation explorer of samples of every class; they must be images."""
        return _sections().relations(self, count)

    def attribution(self, count: int = 20, methods: Sequence[str] | None = None):
        """The attribution explorer of samples of every class; they must be images."""
        return _sections().attribution(self, count, methods)

    def gallery(self, most: int = 24):
        """The samples on which teacher and student differ most: images, sounds, texts, or rows of a table."""
        return _sections().gallery(self, most)

    def figures(self) -> dict:
        """The plotly figures by name. The report has buttons that save each as SVG, PNG or CSV."""
        return _sections().drawn_figures(self)

    # Keeping it --------------------------------------------------------------------------------------

    def to_html(self, path: str | Path, title: str = "Teacher and student compared") -> Path:
        """Write all of it as one page that needs no kernel and no network, and return its path.

        A section that cannot be drawn leaves a sentence in its place. Pictures are made smaller, or fewer of
        them shown, so that the page stays below ten megabytes. The file appears whole or not at all.
        """
        from kdviz.study.report import to_html

        return to_html(self, path, title)

    def save(self, path: str | Path) -> Path:
        """Keep all numbers and the chosen samples in one file, without the models; :meth:`load` reads it."""
        from kdviz.study.storage import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path, show=None) -> "Comparison":
        """A comparison that was saved. Its numbers, charts and report are all there; its models are not."""
        from kdviz.study.storage import load

        return load(path, show)

    def to_csv(self, path: str | Path, of: str = "runs") -> Path:
        """Write one of the tables: "runs", "table", "differences", "per_class" or "confusions"."""
        from kdviz.study.storage import to_csv

        return to_csv(self, path, of)

    def to_json(self, path: str | Path) -> Path:
        """Write the tables, the sentences and where it all comes from as JSON."""
        from kdviz.study.storage import to_json

        return to_json(self, path)

    def __str__(self):
        return "\n".join([self.numbers, "", *map(_filled, self.sentences)])

    __repr__ = __str__

    @property
    def numbers(self) -> str:
        """The table in short, as text."""
        labelled, unit = int(self.known.sum()), self.kind.unit
        head = f"{len(self):,} samples, "
        if self.sample_of_each is None:
            head += f"{labelled:,} of them labelled"
        else:
            part = f", {self.share:.1%} of them" if self.share < 1 else ""
            head += f"{len(self.labels):,} {unit}s{part}, {labelled:,} of them labelled"
        named = {"numbers": "numbers", "labels": "labels"}.get(self.kind.name, "classes")
        head += f", {len(self.classes):,} {named if len(self.classes) != 1 else named[:-1]}"
        if self.kind.name != "classes":
            head += f" ({self.kind})"
        shown = self.table.drop(columns=["bytes", "log_loss"], errors="ignore").rename(columns=_SHORT)
        formats = {name: "{:,.0f}".format for name in ("parameters", "MACs", "perplexity", "seeds")}
        formats["perplexity"] = "{:.2f}".format
        table = shown.to_string(
            float_format="{:.3f}".format, formatters={k: _dashed(f) for k, f in formats.items()}, na_rep="–"
        )
        return "\n\n".join([_filled(head), table, *self._not_counted()])

    def _not_counted(self):
        reasons = {}
        for name, columns in self.uncounted.items():
            for column, reason in columns.items():
                reasons.setdefault(reason, {}).setdefault(_SHORT.get(column, column), []).append(name)
        lines = []
        for reason, columns in reasons.items():
            names = next(iter(columns.values()))
            lines.append(f"{' and '.join(columns)} of {', '.join(names)} not counted: {reason}.")
        return ["\n".join(lines)] if lines else []

    @property
    def sentences(self) -> list[str]:
        """What the numbers say, each in one sentence; what they do not decide is called so."""
        return [sentence for say in sentences.SUMMARY if (sentence := say(self))]

    @property
    def lower_is_better(self) -> bool:
        return not BETTER[headline(self.kind)]


_SHORT = {
    "kl": "KL",
    "shared_errors": "shared errors",
    "calibration_error": "calibration",
    "macs": "MACs",
    "mean_iou": "mean IoU",
    "average_precision": "average precision",
    "absolute_error": "absolute error",
    "teacher_correlation": "correlation with teacher",
}


def _filled(text):
    return textwrap.fill(text, 96, subsequent_indent="  ")


def _dashed(shown):
    return lambda value: "–" if value != value else shown(value)


def _sections():
    from kdviz.study import sections

    return sections


__all__ = ["Comparison", "fraction"]
