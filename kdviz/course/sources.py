"""Which files of kdviz a piece of code rests on, read from its imports."""

import ast
import hashlib
import inspect
from functools import cache
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
    """A hash of what all those files do: their comments and docstrings do not count."""
    digest = hashlib.sha256()
    for path in sorted(sources(code)):
        digest.update(path.name.encode() + meaning(path.read_bytes()))
    return digest.hexdigest()[:16]


@cache
def meaning(source):
    """The syntax tree of a file without its docstrings, as bytes."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        documented = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree).encode()


def _imports(path):
    """The names that a file takes from kdviz, as (module, name)."""
    return _imported(path.read_bytes())


@cache
def _imported(source):
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(source))
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
