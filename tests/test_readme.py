"""What the README promises of the notebooks is what they say themselves."""

import re
from pathlib import Path

from kdviz.course.pages import pages, with_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_table_of_pages_is_the_one_declared():
    assert with_table(README) == README, "run 'make pages'"
    assert README.count("](notebooks/") == len(pages())


def test_a_table_that_was_changed_by_hand_is_written_anew():
    assert with_table(README.replace("30 minutes", "31 minutes")) == with_table(README)


def test_every_file_it_names_is_there():
    for name in re.findall(r"\]\(([^:)]+)\)", README):
        assert (ROOT / name).exists(), name
