"""A comparison in files: all of it in one that can be loaded again, or its tables alone."""

import io
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import torch

from kdviz.measure.answers import KINDS
from kdviz.models._cost import Cost
from kdviz.study.comparison import Comparison
from kdviz.study.origin import Origin
from kdviz.study.predictions import Predictions, Targets
from kdviz.study.sample_buffer import ChosenSamples
from kdviz.training.store import write_whole

FORMAT = 1
TABLES = ("runs", "table", "differences", "per_class", "confusions")
_PLAIN = ("groups", "classes", "columns", "layers", "uncounted", "samples_seen", "share", "sample_rate")


def save(comparison, path):
    """Arrays and one description in JSON, as numpy packs them: nothing in the file can run."""
    arrays = {}
    described = {
        "format": FORMAT,
        "kind": {"name": comparison.kind.name, "shifted": comparison.kind.shifted},
        "models": list(comparison.models),
        "costs": {name: asdict(cost) for name, cost in comparison.costs.items()},
        "origin": asdict(comparison.origin),
        **{name: getattr(comparison, name) for name in _PLAIN},
    }
    for field in fields(Targets):
        arrays[f"targets/{field.name}"] = getattr(comparison.targets, field.name)
    for name, found in comparison.predictions.items():
        for field in fields(Predictions):
            if getattr(found, field.name) is not None:
                arrays[f"predictions/{name}/{field.name}"] = getattr(found, field.name)
    if comparison.cka is not None:
        arrays["cka"] = comparison.cka
    for part in ("samples", "disagreements"):
        described[part] = _pack(getattr(comparison, part), part, arrays)
    arrays["described"] = np.frombuffer(json.dumps(described).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    write_whole(Path(path), stream.getvalue())
    return Path(path)


def load(path, show=None):
    try:
        with np.load(path, allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
        described = json.loads(arrays.pop("described").tobytes())
        if described["format"] != FORMAT:
            raise ValueError(f"it has format {described['format']}, this kdviz reads {FORMAT}")
        return _made(described, arrays, show)
    except FileNotFoundError:
        raise
    except Exception as problem:
        what = f"{path} is not a comparison that kdviz saved, or it is damaged: {problem}"
        raise ValueError(what) from problem


def _made(described, arrays, show):
    targets = Targets(*(arrays[f"targets/{field.name}"] for field in fields(Targets)))
    predictions = {
        name: Predictions(*(arrays.get(f"predictions/{name}/{field.name}") for field in fields(Predictions)))
        for name in described["models"]
    }
    kind = replace(KINDS[described["kind"]["name"]], shifted=described["kind"]["shifted"])
    return Comparison(
        models=dict.fromkeys(described["models"]),
        kind=kind,
        costs={name: Cost(**cost) for name, cost in described["costs"].items()},
        origin=Origin(**described["origin"]),
        targets=targets,
        predictions=predictions,
        cka=arrays.get("cka"),
        samples=_unpack(described["samples"], "samples", arrays),
        disagreements=_unpack(described["disagreements"], "disagreements", arrays),
        show=show,
        **{name: described[name] for name in _PLAIN},
    )


def _pack(chosen, part, arrays):
    """Put the arrays of some samples beside the others, and say how they belong together."""
    arrays[f"{part}/labels"], arrays[f"{part}/indices"] = chosen.labels, chosen.indices
    for kind in ("logits", "embeddings"):
        for name, values in getattr(chosen, kind).items():
            arrays[f"{part}/{kind}/{name}"] = values
    shapes = []
    for number, one in enumerate(chosen.inputs):
        named = isinstance(one, dict)
        parts = one.items() if named else enumerate(one if isinstance(one, tuple) else [one])
        parts = {str(key): value for key, value in parts if isinstance(value, torch.Tensor)}
        for key, value in parts.items():
            # numpy has no bfloat16.
            value = value.float() if value.dtype is torch.bfloat16 else value
            arrays[f"{part}/inputs/{number}/{key}"] = value.numpy()
        shapes.append(
            {"kind": type(one).__name__ if named or isinstance(one, tuple) else "tensor", "keys": [*parts]}
        )
    for name, values in chosen.targets.items():
        for number, value in enumerate(values):
            arrays[f"{part}/targets/{name}/{number}"] = value
    return {
        "inputs": shapes,
        "targets": [*chosen.targets],
        **{k: [*getattr(chosen, k)] for k in ("logits", "embeddings")},
    }


def _unpack(described, part, arrays):
    inputs = []
    for number, one in enumerate(described["inputs"]):
        parts = {key: torch.from_numpy(arrays[f"{part}/inputs/{number}/{key}"]) for key in one["keys"]}
        values = tuple(parts.values())
        inputs.append(values[0] if one["kind"] == "tensor" else values if one["kind"] == "tuple" else parts)
    logits, embeddings = (
        {name: arrays[f"{part}/{kind}/{name}"] for name in described[kind]}
        for kind in ("logits", "embeddings")
    )
    targets = {
        name: [arrays[f"{part}/targets/{name}/{number}"] for number in range(len(inputs))]
        for name in described["targets"]
    }
    return ChosenSamples(
        inputs, arrays[f"{part}/labels"], arrays[f"{part}/indices"], logits, embeddings, targets
    )


def to_csv(comparison, path, of="runs"):
    if of not in TABLES:
        raise ValueError(f"of must be one of {', '.join(map(repr, TABLES))}; got {of!r}")
    write_whole(Path(path), getattr(comparison, of).to_csv().encode())
    return Path(path)


def to_json(comparison, path):
    tables = {name: _records(comparison, name) for name in TABLES}
    content = {
        "answers": str(comparison.kind),
        "samples": len(comparison),
        "sentences": comparison.sentences,
        "origin": asdict(comparison.origin),
        "uncounted": comparison.uncounted,
        "layers": comparison.layers,
        "cka": None if comparison.cka is None else _finite(comparison.cka.tolist()),
        **{name: table for name, table in tables.items() if table is not None},
    }
    write_whole(Path(path), json.dumps(content, indent=1, allow_nan=False).encode())
    return Path(path)


def _records(comparison, name):
    try:
        table = getattr(comparison, name)
    except ValueError:
        return None
    return json.loads(table.reset_index().to_json(orient="records"))


def _finite(values):
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return value if (value := values) == values else None
