"""Which files of kdviz a piece of code rests on, read from its imports."""

import ast
import hashlib
import inspect
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def sources(code):
    """The files of kdviz that a function's module needs, itself first: all it imports, and what those import.

    A name taken from a package is followed to the module that defines it, so that the package's other modules
    do not count.
    """
    wanted, found = [Path(inspect.getfile(code)).resolve()], {}
    while wanted:
        path = wanted.pop(0)
        if path not in found:
            found[path] = True
            wanted += [other for module, name in _imports(path) for other in _files(module, name)]
    return list(found)


def code_hash(code):
    """A hash of all those files."""
    digest = hashlib.sha256()
    for path in sorted(sources(code)):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _imports(path):
    """The names that a file takes from kdviz, as (module, name)."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE.name
        for alias in node.names
    ]


def _files(module, name):
    """The files in which a name imported from a module is to be found."""
    place = PACKAGE.parent.joinpath(*module.split("."))
    if not place.is_dir():
        return [place.with_suffix(".py")]
    if (place / f"{name}.py").exists():
        return [place / f"{name}.py"]
    if (place / name).is_dir():
        return sorted(set((place / name).rglob("*.py")) - set((place / name).rglob("__init__.py")))
    # What is said in a package's own file, such as the version, is no mathematics.
    given = [(other, known) for other, known in _imports(place / "__init__.py") if known == name]
    return _files(*given[0]) if given else []
