"""Every module that kdviz imports belongs to a package that pyproject.toml declares."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def imported(path):
    """The names of the outermost modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def test_all_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    declared = {canonicalize_name(Requirement(one).name) for one in declared}
    from_package = packages_distributions()
    missing = {}
    for path in sorted((ROOT / "kdviz").rglob("*.py")):
        for name in set(imported(path)) - set(sys.stdlib_module_names) - {"kdviz"}:
            owners = set(map(canonicalize_name, from_package.get(name, [name])))
            if not owners & declared:
                missing.setdefault(name, []).append(path.name)
    assert not missing
