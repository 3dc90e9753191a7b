"""Hand-ins are judged as the pages judge, each apart, and whatever they do stays with them."""

import nbformat
import pandas as pd
import pytest

from kdviz import cli
from kdviz.course import hand_in
from kdviz.course.exercises import exercises
from kdviz.course.hand_in.watch import Limits, watched
from kdviz.course.paths import course_folder

NOTEBOOKS = course_folder() / "notebooks"
QUICK = Limits(seconds=8, megabytes=400)
ANSWER = 'def agreement(student_logits, teacher_logits):\n    {}\n\n\nexercise("0.1").check(agreement)'
RIGHT = "return (student_logits.argmax(1) == teacher_logits.argmax(1)).double().mean()"


def page_with(folder, learner, answers, name="00_start_here"):
    """A page as a learner saves it, with these cells in place of those that check the exercises."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        for exercise, source in answers.items():
            if f'exercise("{exercise}").check(' in cell.source:
                cell.source = source
    path = folder / learner / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return path


HARMFUL = {
    "loops": ("while True: pass", "stopped", "longer than 8 s"),
    "sleeps": ("import time; time.sleep(60)", "stopped", "longer than 8 s"),
    "hoards": ("all = [b'x' * 10**7 for _ in range(10**4)]", "stopped", "more than 400 MB"),
    "calls home": ("import socket; socket.create_connection(('127.0.0.1', 9))", "refused", "socket"),
    "reads": ("return open('{secret}').read()", "refused", "read a file"),
    "reads quietly": ("try: open('{secret}').read()\n    except: pass", "refused", "read a file"),
    "lists": ("import os; os.listdir('{folder}')", "refused", "look into a folder"),
    "writes": ("open('{folder}/mine', 'w').write('x')", "refused", "write a file"),
    "removes": ("import os; os.remove('{secret}')", "refused", "change files"),
    "starts": ("import subprocess; subprocess.run(['ls'])", "refused", "subprocess.Popen"),
    "forks": ("import os; os.fork()", "refused", "os.fork"),
    "leaves": ("import os; os._exit(0)", "error", "ended its process"),
    "exits": ("raise SystemExit", "error", "SystemExit"),
    "raises": ("1 / 0", "error", "ZeroDivisionError"),
}


def harmful(learner, folder):
    """The cell of one who means harm, or knows no better; the answer is called before its check does it."""
    body = HARMFUL[learner][0].replace("{secret}", (folder / "marks.csv").as_posix())
    source = ANSWER.format(body.replace("{folder}", folder.as_posix()))
    return source.replace("\n\n\nexercise", "\n\n\nagreement(None, None)\nexercise")


@pytest.mark.parametrize("learner", HARMFUL)
def test_an_answer_that_does_harm_is_stopped_and_says_why(learner, tmp_path):
    secret = tmp_path / "marks.csv"
    secret.write_text("anna,1.0")
    source = harmful(learner, tmp_path)
    verdict, message, _ = watched("0.1", "from kdviz.course.exercises import exercise", source, QUICK)
    assert verdict == HARMFUL[learner][1] and HARMFUL[learner][2] in message
    assert secret.read_text() == "anna,1.0" and list(tmp_path.iterdir()) == [secret]


@pytest.mark.complete
def test_a_class_of_thirty_is_graded_whatever_some_of_them_hand_in(tmp_path, monkeypatch, capsys):
    (tmp_path / "marks.csv").write_text("anna,1.0")
    for learner in HARMFUL:
        page_with(tmp_path / "class", learner, {"0.1": harmful(learner, tmp_path)})
    careful = [f"learner {number}" for number in range(30 - len(HARMFUL))]
    for learner in careful:
        page_with(tmp_path / "class", learner, {"0.1": ANSWER.format(RIGHT)})
    monkeypatch.chdir(tmp_path)
    assert cli.main(["grade", "class"]) == 0
    table = pd.read_csv("grades.csv").query("exercise == 0.1").set_index("learner")
    assert table.verdict.to_dict() == {name: case[1] for name, case in HARMFUL.items()} | dict.fromkeys(
        careful, "right"
    )
    assert "grades.csv" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"marks.csv", "class", "grades.csv"}


def test_a_folder_of_hand_ins_becomes_a_table(tmp_path):
    page_with(tmp_path, "anna", {"0.1": ANSWER.format(RIGHT)})
    page_with(tmp_path, "ben", {"0.1": ANSWER.format("return student_logits.mean()")})
    page_with(tmp_path, "chris", {"0.1": "def agreement(:\n" + 'exercise("0.1").check(agreement)'})
    broken = tmp_path / "dora" / "00_start_here.ipynb"
    broken.parent.mkdir()
    broken.write_text("{")
    (tmp_path / "anna" / "notes.txt").write_text("not a page")
    table = hand_in.grade(tmp_path)
    first = table[table.exercise.isin(["0.1", ""])].set_index("learner").verdict.to_dict()
    assert first == {"anna": "right", "ben": "not yet", "chris": "error", "dora": "unreadable"}
    rest = table[~table.exercise.isin(["0.1", ""])]
    assert len(rest) == 3 * 2 and set(rest.verdict) == {"not begun"}
    assert hand_in.summary(table).loc["anna"].to_dict() == {"right": 1, "of": 3}


def test_files_side_by_side_are_named_by_themselves(tmp_path):
    path = page_with(tmp_path, "anna", {})
    path.rename(tmp_path / "emil.ipynb")
    path.parent.rmdir()
    assert set(hand_in.grade(tmp_path).learner) == {"emil"}


def test_a_folder_without_pages_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no notebook"):
        hand_in.grade(tmp_path)


@pytest.mark.complete
@pytest.mark.parametrize("name", exercises())
def test_every_solution_of_the_course_is_right_under_watch(name):
    one = exercises()[name]
    source = f'{one.source}\n\nexercise("{name}").check({one.answer})'
    page = hand_in._course_imports(name.split(".")[0])
    assert watched(name, page, source, Limits(seconds=90))[0] == "right"
