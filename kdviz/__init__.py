"""kdviz: understand knowledge distillation by touching it.

The package is laid out as the surveys tell it: *who* teaches whom (``models``), *what* is transferred
(``losses``) and *how* (``schemes``), on one training engine (``training``). Everything is imported
on first use, so that ``import kdviz`` itself is immediate.
"""

from importlib import import_module

from kdviz.loss_names import LOSSES

__version__ = "0.1.0"

_ROOMS = (
    "course",
    "datasets",
    "explain",
    "explorers",
    "figures",
    "losses",
    "measure",
    "models",
    "schemes",
    "study",
    "training",
)

_SHORTCUTS = {
    # Every loss is at hand as kdviz.<its name>.
    **dict.fromkeys(LOSSES, "kdviz.losses"),
    "Objective": "kdviz.losses.objective",
    "compare": "kdviz.study._compare",
    "diagnose": "kdviz.study._diagnose",
    "distill": "kdviz.schemes.offline",
    "sweep": "kdviz.schemes._sweep",
    "teacher": "kdviz.schemes.supervised",
    "trace": "kdviz.tracing",
    "train": "kdviz.schemes.supervised",
}

__all__ = ["__version__", *_ROOMS, *_SHORTCUTS]


def __getattr__(name):
    if name in _ROOMS:
        return import_module(f"kdviz.{name}")
    if name in _SHORTCUTS:
        return getattr(import_module(_SHORTCUTS[name]), name)
    raise AttributeError(f"module 'kdviz' has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__():
    return sorted(__all__)
