"""The Markdown of the exercises: what the files hold, and what is said where a part is missing."""

import re
from pathlib import Path

import pytest

import kdviz.course.exercises as package
from kdviz.course.exercises import exercises
from kdviz.course.exercises.base import DIFFICULTIES
from kdviz.course.exercises.reading import read

FOLDER = Path(package.__file__).parent
TEXTS = sorted(FOLDER.glob("*.md"))
NAMES = [text.stem for text in TEXTS]
NOTEBOOKS = {path.stem for path in (FOLDER.parents[2] / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("text", TEXTS, ids=NAMES)
def test_a_page_has_a_text_and_graders_under_the_name_of_its_notebook(text):
    assert re.fullmatch(r"n\d\d_\w+", text.stem) and text.stem.removeprefix("n") in NOTEBOOKS
    assert text.with_suffix(".py").exists()
    assert text.read_text("utf-8").startswith(f"# Exercises of notebook {text.stem[1:3]}\n")


def test_all_graders_have_a_text():
    assert {path.stem for path in FOLDER.glob("n[0-9]*.py")} == set(NAMES)


@pytest.mark.parametrize("text", TEXTS, ids=NAMES)
def test_every_exercise_of_a_text_is_read_whole(text):
    written = text.read_text("utf-8")
    found = list(read(written, text.name))
    assert found and len(found) == written.count("\n## ") == written.count("\n### Solution\n")
    for known in found:
        assert known["name"].split(".")[0] == str(int(text.stem[1:3]))
        assert known["difficulty"] in DIFFICULTIES and 1 <= known["minutes"] <= 20
        assert all(known[part] for part in ("title", "question", "source", "praise"))
        assert len(known["hints"]) == 2 and all(known["hints"])
        assert f"`{known['answer']}" in known["question"] or known["answer"] in known["source"]


@pytest.mark.parametrize("text", TEXTS, ids=NAMES)
def test_no_grader_is_without_an_exercise(text):
    graders = set(re.findall(r"\bgrade_(\w+)(?=\(answer\b| =)", text.with_suffix(".py").read_text("utf-8")))
    assert graders == {known["answer"] for known in read(text.read_text("utf-8"), text.name)}


@pytest.mark.parametrize("one", exercises().values(), ids=exercises())
def test_a_wrapped_line_begins_with_nothing_that_markdown_takes_for_a_sign(one):
    for prose in (one.question, *one.hints, one.praise):
        for paragraph in prose.split("\n\n"):
            first, *lines = paragraph.splitlines()
            if not first.startswith(("- ", "|")):
                assert not [line for line in lines if re.match(r"([-+*>#=|]|1[.)])(\s|$)", line)]


@pytest.mark.parametrize("text", TEXTS, ids=NAMES)
def test_a_divergence_is_written_and_never_told_as_from_one_to_the_other(text):
    for path in (text, text.with_suffix(".py")):
        told = re.findall(
            r"(?:divergence|KL)\b[^.|]{0,30}? from (?:the|a)\b[^.|]* to (?:the|a)\b", path.read_text("utf-8")
        )
        assert told == []


GOOD = """# Exercises of notebook 04

## 4.3 Half of it

easy, 3 minutes, answer: `half`

Write `half(value)`.

### Hint 1

Divide.

### Hint 2

By 2.

### Solution

```python
## a comment that is no heading
def half(value):
    return value / 2
```

### When it is right

Well halved.
"""


def test_a_text_is_read():
    (known,) = read(GOOD, "n04_features.md")
    assert known == {
        "name": "4.3",
        "title": "Half of it",
        "difficulty": "easy",
        "minutes": 3,
        "answer": "half",
        "question": "Write `half(value)`.",
        "hints": ("Divide.", "By 2."),
        "source": "## a comment that is no heading\ndef half(value):\n    return value / 2",
        "start": "",
        "praise": "Well halved.",
    }


def test_a_cell_may_begin_with_more_than_an_empty_answer():
    begun = "### Begin with\n\n```python\ndef half(value):\n    return value\n```\n\n### Hint 1"
    (known,) = read(GOOD.replace("### Hint 1", begun), "n04_features.md")
    one = package.Exercise(**known, grade=lambda answer: None)
    assert one.cell == 'def half(value):\n    return value\n\n\nexercise("4.3").check(half)'
    assert one.check(lambda value: value).message == "Mend the function, then run the cell."
    assert one.check(lambda value: value / 2).passed


@pytest.mark.parametrize(
    ("present", "instead", "message"),
    [
        ("### Hint 2\n\nBy 2.\n\n", "", "its parts must be"),
        ("By 2.\n", "", "none empty"),
        ("### Solution", "### The answer", "its parts must be"),
        ("### When it is right\n\nWell halved.\n", "", "its parts must be"),
        ("easy, 3 minutes", "easy, three minutes", "a line such as 'easy, 5 minutes, answer: `its_name`'"),
        ("easy,", "simple,", "must come first; got 'simple, 3 minutes"),
        ("Write `half(value)`.\n\n", "", "question must come first"),
        ("4.3 Half of it", "4.3", "a title"),
        ("```python", "```", "one block of code"),
        ("### Hint 1", "### Begin with\n\nhalf(2)\n\n### Hint 1", "one block of code"),
    ],
)
def test_what_is_missing_is_said_with_the_exercise(present, instead, message):
    assert present in GOOD
    with pytest.raises(ValueError, match=f"n04_features.md, exercise 4.3: .*{re.escape(message)}"):
        list(read(GOOD.replace(present, instead), "n04_features.md"))


def test_an_exercise_without_grader_says_what_to_write():
    with pytest.raises(ValueError, match="`half`; write grade_half in n04_features.py"):
        package._grader("n04_features.md", {"name": "4.3", "answer": "half"})


def test_the_recipe_of_the_package_holds():
    """The few lines that its docstring shows, and the exercise that they make."""
    shown = re.findall(r"::\n\n((?:    .*\n|\n)+)", package.__doc__)
    text, code = ("\n".join(line[4:] for line in block.splitlines()).strip() for block in shown)
    (known,) = read(text.replace("...", "its half.") + GOOD.partition("Write `half(value)`.")[2], "recipe")
    scope = {}
    exec("from kdviz.course.exercises.diagnosis import NumberGrader\n" + code, scope)
    one = package.Exercise(**known, grade=scope["grade_half"])
    exec(one.source, scope)
    assert one.check(scope["half"]).message == "Well halved."
    assert one.check(scope["doubled"]).message == "You multiply by 2. Divide."
