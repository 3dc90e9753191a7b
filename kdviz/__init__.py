"""kdviz: understand knowledge distillation by touching it.

The package is laid out as the surveys tell it: *who* teaches whom (``models``), *what* is transferred
(``losses``) and *how* (``schemes``), on one training engine (``training``). Everything is imported on first
use, so that ``import kdviz`` itself is immediate. What is offered here stands in ``__init__.pyi``, which
editors read too; all losses are ``kdviz.losses.<name>``.
"""

# Only the standard library: ``python -m kdviz`` sets up a fresh clone.
import ast
import time
from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"
# When this process began to load kdviz: files written later are not what it runs.
loaded_at = time.time()


def _offered():
    """Each name of the stub, with the module that it is imported from; None for a module of ours."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names}


_OFFERED = _offered()
_FORMER = {"knowledge": "kdviz.losses", "tracing": "kdviz.tracing"}
__all__ = ["__version__", *_OFFERED]


def __getattr__(name):
    if name in _OFFERED:
        module = _OFFERED[name]
        return getattr(import_module(f"kdviz.{module}"), name) if module else import_module(f"kdviz.{name}")
    # Names of earlier versions, which are not listed any more.
    if name in _FORMER:
        return import_module(_FORMER[name])
    if name[:1].isupper():
        return getattr(import_module("kdviz.losses"), name)
    from difflib import get_close_matches

    near = " or ".join(get_close_matches(name, __all__))
    known = f"did you mean {near}?" if near else f"it offers {', '.join(__all__)}"
    raise AttributeError(f"module 'kdviz' has no attribute {name!r}; {known}")


def __dir__():
    return sorted(__all__)
