"""Which code of kdviz a function rests on, and a hash of what that code does.

Among the experiments a function rests on the definitions that it names, so that an experiment beside it may
change; outside of them it rests on whole files, read from their imports.
"""

import ast
import hashlib
import inspect
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
EXPERIMENTS = PACKAGE / "course" / "experiments"


def code_hash(code):
    """A hash of all pieces: comments, docstrings and declarations of results do not count."""
    digest = hashlib.sha256()
    for path, name in sorted(pieces(code), key=str):
        digest.update(f"{path.name} {name} ".encode() + meaning(path.read_bytes(), name))
    return digest.hexdigest()[:16]


def pieces(code):
    """What a function rests on, itself first: (file, name of a definition), or (file, "") for a whole file.

    A name taken from a package is followed to the module that defines it, so that the package's other modules
    do not count.
    """
    path = Path(inspect.getfile(code)).resolve()
    wanted, found = [_piece(path, code.__name__)], {}
    while wanted:
        piece = wanted.pop(0)
        if piece not in found:
            found[piece] = True
            wanted += _needed(*piece)
    return list(found)


@cache
def meaning(source, name=""):
    """The syntax tree of a file, or of one of its definitions, without docstrings, as bytes."""
    tree = _bare(source)
    return ast.dump(definitions(tree)[name] if name else tree).encode()


def definitions(tree):
    """The functions, classes and values of a module by name, as syntax trees."""
    found = {}
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {name: node for target in node.targets for name in _names(target)}
    return found


@cache
def _bare(source):
    """The syntax tree without docstrings and declarations of results."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [one for one in node.decorator_list if not _declares_result(one)]
    return tree


def _declares_result(decorator):
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "result"


def _names(tree):
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]


def _piece(path, name):
    """A definition where it is one of the experiments', and else the whole file."""
    named = path.parent == EXPERIMENTS and name in definitions(_bare(path.read_bytes()))
    return path, name if named else ""


def _needed(path, name):
    """The pieces that a piece names."""
    source = path.read_bytes()
    imports = _imports(source)
    if not name:
        return [piece for given in imports.values() for piece in _found_in(*given)]
    known = definitions(_bare(source))
    used = [one for one in dict.fromkeys(_names(known[name])) if one != name]
    own = [(path, one) for one in used if one in known]
    return own + [piece for one in used if one in imports for piece in _found_in(*imports[one])]


@cache
def _imports(source):
    """Where a file takes names of kdviz from: (module, name) by the name it has here."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(_bare(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE.name
        for alias in node.names
    }


@cache
def _found_in(module, name):
    """The pieces that a name imported from a module is."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    if not path.is_dir():
        return [_piece(path.with_suffix(".py"), name)]
    if (path / f"{name}.py").exists():
        return [(path / f"{name}.py", "")]
    if (path / name).is_dir():
        inside = set((path / name).rglob("*.py")) - set((path / name).rglob("__init__.py"))
        return [(file, "") for file in sorted(inside)]
    # What is said in a package's own file, such as the version, is no mathematics.
    given = _imports((path / "__init__.py").read_bytes()).get(name)
    return _found_in(*given) if given else []
