"""What the README promises of the notebooks is what they say themselves."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_notebook_is_listed_with_its_own_minutes():
    listed = dict(re.findall(r"\(notebooks/(\S+)\.ipynb\).*?\| (\d+) minutes", README))
    notebooks = {path.stem: json.loads(path.read_text()) for path in (ROOT / "notebooks").glob("*.ipynb")}
    minutes = {name: str(notebook["metadata"]["kdviz"]["minutes"]) for name, notebook in notebooks.items()}
    assert listed == minutes


def test_every_file_it_names_is_there():
    for name in re.findall(r"\]\(([^:)]+)\)", README):
        assert (ROOT / name).exists(), name
