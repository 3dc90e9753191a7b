"""pyproject.toml, constraints.txt and environment.yml must tell the same story."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OTHER_NAMES_ON_CONDA = {"pytorch": "torch"}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def needed():
    return {canonicalize_name(r.name): r for r in map(Requirement, project()["dependencies"])}


def test_conda_gets_the_same_packages_in_the_same_ranges():
    lines = re.findall(r"^  - ([a-z].*)$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    conda = {}
    for requirement in map(Requirement, [line for line in lines if not line.endswith(":")]):
        name = OTHER_NAMES_ON_CONDA.get(requirement.name, requirement.name)
        conda[canonicalize_name(name)] = str(requirement.specifier)
    assert conda.pop("python") == project()["requires-python"]
    conda.pop("pip"), conda.pop("conda-forge", None)
    assert conda == {name: str(requirement.specifier) for name, requirement in needed().items()}


def test_every_dependency_is_a_range_that_the_constraints_satisfy():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    extras = project()["optional-dependencies"]
    wanted = map(Requirement, [*extras["test"], *extras["export"]])
    for requirement in [*needed().values(), *wanted]:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])
        assert "==" not in str(requirement.specifier)
