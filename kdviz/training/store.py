"""The store: trained weights on disk, found again by the full settings that made them.

A model is two files: ``<key>.json`` with the settings and the checksum of the weights, and
``<checksum>.safetensors`` with the weights. Weights are named by their content, so that thirty kernels
that train the same teacher at once can never mix one's description with another's weights. The rows of a
table are one file, ``<key>.rows.json``, with their own checksum. Each file appears whole or not at all.
Nothing is ever unpickled.
"""

import hashlib
import json
import os
import re
import time
import warnings
from functools import cache
from pathlib import Path

import platformdirs
from safetensors.torch import load, save

from kdviz.files import UNFINISHED, write_whole

FORMAT = 2
_OURS = re.compile(rf"[0-9a-f]{{32}}(\.rows)?\.json|[0-9a-f]{{64}}\.safetensors|{re.escape(UNFINISHED)}\w+")
# Seconds after which a file that is being written was left by a writer that was killed, and after which one
# that nobody has read is not worth its room.
_ABANDONED, _UNUSED = 3600, 180 * 86400


class Store:
    """A folder of trained weights, keyed by settings.

    The folder is ``$KDVIZ_CACHE`` if that is set, else the user's own cache folder. A store that
    cannot be read or written warns and steps aside: training goes on without it. What is not used for half a
    year is removed.

    Settings of None, of what cannot be described, are never found and never kept.
    """

    def __init__(self, folder=None):
        default = os.environ.get("KDVIZ_CACHE") or platformdirs.user_cache_dir("kdviz", False)
        self.folder = Path(folder or default)

    def fetch(self, settings, make, like=None):
        """The weights for these settings: from the folder, or from ``make()``, which then are kept."""
        weights = self.find(settings, like)
        if weights is not None:
            return weights
        weights = make()
        self.keep(settings, weights)
        return weights

    def find(self, settings, like=None):
        """The weights kept under these settings, or None.

        ``like`` is a state dictionary whose names and shapes they must have.
        """
        return self._try_to_read(settings, "json", lambda path: load_weights(path, settings, like), "It is")

    def keep(self, settings, weights):
        """Keep weights under their settings."""
        self._try_to_keep(settings, "json", lambda path: save_weights(path, weights, settings), "model")

    def rows(self, settings):
        """The rows of a table kept under these settings, or None."""
        return self._try_to_read(
            settings, "rows.json", lambda path: load_rows(path, settings), "Its rows are"
        )

    def keep_rows(self, settings, rows):
        """Keep the rows of a table under its settings."""
        self._try_to_keep(settings, "rows.json", lambda path: save_rows(path, rows, settings), "rows")

    def fetch_rows(self, settings, make):
        """The rows kept under these settings, or those of ``make()``, which then are kept unless None."""
        rows = self.rows(settings)
        if rows is None:
            rows = make()
            if rows is not None:
                self.keep_rows(settings, rows)
        return rows

    def files(self) -> list[Path]:
        """All files of the store, and no other that lies in its folder."""
        try:
            return sorted(path for path in self.folder.iterdir() if _OURS.fullmatch(path.name))
        except OSError:
            return []

    def size(self) -> int:
        """How many bytes its files take."""
        return sum(_size(path) for path in self.files())

    def clear(self):
        """Remove all files of the store; what lies beside them in its folder stays."""
        for path in self.files():
            path.unlink(missing_ok=True)

    def _try_to_read(self, settings, ending, read, what):
        if settings is None:
            return None
        try:
            return read(self.folder / f"{key(settings)}.{ending}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as problem:
            # Whatever a damaged or foreign file makes of the reading of it: the work is done again.
            said = f"{problem}" or type(problem).__name__
            warnings.warn(f"{said}. {what} trained again, and not read from {self.folder}.", stacklevel=3)
            return None

    def _try_to_keep(self, settings, ending, keep, what):
        if settings is None:
            return
        try:
            _tidy(self.folder)
            keep(self.folder / f"{key(settings)}.{ending}")
        except Exception as problem:
            warnings.warn(
                f"the {what} could not be kept in {self.folder} ({problem}). Work goes on; it will be "
                "trained again next time. Free some space, or set KDVIZ_CACHE to a folder that you can "
                "write to.",
                stacklevel=3,
            )


def store_of(store):
    """The store that was asked for, or the reader's own."""
    if store is None:
        return Store()
    if not isinstance(store, Store):
        raise TypeError(f"store must be a kdviz.training.Store, such as Store(FOLDER); got {store!r}")
    return store


@cache
def _tidy(folder):
    """Once for each folder, remove what killed writers left and what nobody has used for long."""
    now = time.time()
    for path in Store(folder).files():
        kept_for = _ABANDONED if path.name.startswith(UNFINISHED) else _UNUSED
        try:
            if now - path.lstat().st_mtime > kept_for:
                path.unlink(missing_ok=True)
        except OSError:
            # It is another one's: it stays.
            continue


def _size(path):
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _used(path):
    """Mark a file as used now, where that is allowed."""
    try:
        os.utime(path)
    except OSError:
        pass


def key(settings):
    """A name for settings: the same settings always have the same one, different ones never."""
    text = json.dumps({"format": FORMAT, "settings": settings}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def save_weights(path, weights, settings):
    """Write weights (a state dictionary) beside their settings, atomically."""
    path = Path(path)
    # Copies, for weights that layers share: each name gets its own.
    content = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()})
    checksum = hashlib.sha256(content).hexdigest()
    described = {"format": FORMAT, "settings": settings, "weights": f"{checksum}.safetensors"}
    # The description comes last: what it names is already there.
    write_whole(path.parent / described["weights"], content)
    write_whole(path, json.dumps(described, indent=1, sort_keys=True).encode())


def load_weights(path, settings=None, like=None):
    """Read weights, checking that they are complete, unchanged and of these settings.

    ``like`` is a state dictionary whose names and shapes they must have.
    """
    path = Path(path)
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        name, made_with = described["weights"], described["settings"]
        checksum = Path(name).stem
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
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
        weights = load(content)
    except Exception as problem:
        raise ValueError(f"the weights of {path} are not a safetensors file") from problem
    if like is not None and _shapes(weights) != _shapes(like):
        raise ValueError(f"the weights of {path} are those of another model")
    for used in (path, path.parent / name):
        _used(used)
    return weights


def _shapes(weights):
    return {name: (tensor.shape, tensor.dtype) for name, tensor in weights.items()}


def save_rows(path, rows, settings):
    """Write the rows of a table with their settings and a checksum, atomically."""
    content = {"format": FORMAT, "settings": settings, "rows": rows}
    write_whole(path, json.dumps({**content, "checksum": checksum_of(content)}).encode())


def load_rows(path, settings):
    """Read the rows of a table, checking that they are complete, unchanged and of these settings."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        checksum = kept.pop("checksum")
        rows, made_with = kept["rows"], kept["settings"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise ValueError(f"{path} is not a readable table") from problem
    if checksum != checksum_of(kept):
        raise ValueError(f"{path} is damaged: its checksum is not the one recorded")
    if made_with != json.loads(json.dumps(settings)):
        raise ValueError(f"{path} was made with other settings than those asked for")
    _used(path)
    return rows


def checksum_of(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
