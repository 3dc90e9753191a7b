"""The store: trained weights on disk, found again by the full settings that made them.

A model is two files: ``<key>.json`` with the settings and the checksum of the weights, and
``<checksum>.safetensors`` with the weights. Weights are named by their content, so that thirty kernels
that train the same teacher at once can never mix one's description with another's weights. Each file
appears whole or not at all. Nothing is ever unpickled.
"""

import hashlib
import json
import os
import tempfile
import warnings
from pathlib import Path

import platformdirs
from safetensors import SafetensorError
from safetensors.torch import load, save

FORMAT = 1


class Store:
    """A folder of trained weights, keyed by settings.

    The folder is ``$KDVIZ_CACHE`` if that is set, else the user's own cache folder. A store that
    cannot be read or written warns and steps aside: training goes on without it.
    """

    def __init__(self, folder=None):
        default = os.environ.get("KDVIZ_CACHE") or platformdirs.user_cache_dir("kdviz", False)
        self.folder = Path(folder or default)

    def fetch(self, settings, make):
        """The weights for these settings: from the folder, or from ``make()``, which then are kept."""
        weights = self.find(settings)
        if weights is not None:
            return weights
        weights = make()
        self.keep(settings, weights)
        return weights

    def find(self, settings):
        """The weights kept under these settings, or None."""
        path = self.folder / f"{key(settings)}.json"
        if not path.exists():
            return None
        try:
            return load_weights(path, settings)
        except (ValueError, OSError) as problem:
            warnings.warn(f"{problem}. It is trained again.", stacklevel=2)
            return None

    def keep(self, settings, weights):
        """Keep weights under their settings."""
        path = self.folder / f"{key(settings)}.json"
        self._try_to_keep(lambda: save_weights(path, weights, settings), "model")

    def rows(self, settings):
        """The rows of a table kept under these settings, or None."""
        path = self.folder / f"{key(settings)}.rows.json"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return kept["rows"] if kept["settings"] == json.loads(json.dumps(settings)) else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as problem:
            warnings.warn(f"{path} cannot be read ({problem}). Its rows are trained again.", stacklevel=2)
            return None

    def keep_rows(self, settings, rows):
        """Keep the rows of a table under its settings."""
        content = json.dumps({"settings": settings, "rows": rows}).encode()
        self._try_to_keep(lambda: write_whole(self.folder / f"{key(settings)}.rows.json", content), "rows")

    def fetch_rows(self, settings, make):
        """The rows kept under these settings, or those of ``make()``, which then are kept unless None."""
        rows = self.rows(settings)
        if rows is None:
            rows = make()
            if rows is not None:
                self.keep_rows(settings, rows)
        return rows

    def _try_to_keep(self, keep, what):
        try:
            keep()
        except OSError as problem:
            warnings.warn(
                f"the {what} could not be kept in {self.folder} ({problem}). Work goes on; it will be "
                "trained again next time. Free some space, or set KDVIZ_CACHE to a folder that you can "
                "write to.",
                stacklevel=3,
            )


def key(settings):
    """A name for settings: the same settings always have the same one, different ones never."""
    text = json.dumps({"format": FORMAT, "settings": settings}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def save_weights(path, weights, settings):
    """Write weights (a state dictionary) beside their settings, atomically."""
    path = Path(path)
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
    checksum = hashlib.sha256(content).hexdigest()
    described = {"format": FORMAT, "settings": settings, "weights": f"{checksum}.safetensors"}
    # The description comes last: what it names is already there.
    write_whole(path.parent / described["weights"], content)
    write_whole(path, json.dumps(described, indent=1, sort_keys=True).encode())


def load_weights(path, settings=None):
    """Read weights, checking that they are complete, unchanged and of these settings."""
    path = Path(path)
    try:
        described = json.loads(path.read_text())
        name, made_with = described["weights"], described["settings"]
        checksum = Path(name).stem
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{path} is not a readable description of a saved model") from problem
    if Path(name).name != name:
        raise ValueError(f"{path} points outside its own folder ({name}); it was tampered with")
    if settings is not None and made_with != json.loads(json.dumps(settings)):
        raise ValueError(f"{path} was made with other settings than those asked for")
    try:
        content = (path.parent / name).read_bytes()
    except FileNotFoundError as problem:
        raise ValueError(f"the weights of {path} are missing ({name})") from problem
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ValueError(f"the weights of {path} are damaged: their checksum is not the one recorded")
    try:
        return load(content)
    except SafetensorError as problem:
        raise ValueError(f"the weights of {path} are not a safetensors file") from problem


def write_whole(path, content):
    """Write a file so that it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
