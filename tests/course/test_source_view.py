import re

from kdviz.course.experiments import n04_features, n10_who_teaches_whom
from kdviz.course.source_view import SourceView, show_source, source_of


def test_the_experiment_comes_first_with_its_declaration_and_then_what_it_uses():
    source = source_of(n10_who_teaches_whom.sizes)
    assert source.startswith('@result({"regime": ("all labels", "50 labels")}, tolerance=4.0)\ndef sizes(')
    for used in ("WIDTHS = (2, 4", "MIXTURE = ", "# --- from arms.py", "def rows(", "def fidelity("):
        assert source.count(used) == 1
    assert "def chains(" not in source and "CHAINS" not in source
    compile(source, "shown", "exec")


def test_what_an_earlier_box_has_shown_is_named_with_it_and_shown_there_again():
    shown_by = {}
    first = source_of(n04_features.knowledge, shown_by)
    second = source_of(n04_features.shuffled_pairs, shown_by)
    assert "BASES = {" in first and "BASES = {" not in second
    named = re.search("# --- shown with the code of 'knowledge': (.*)", second).group(1)
    assert "BASES" in named.split(", ")
    assert source_of(n04_features.knowledge, shown_by) == first
    compile(second, "shown", "exec")


def test_comments_above_a_definition_belong_to_it():
    source = source_of(n04_features.knowledge)
    assert "# What a kind of knowledge is added to.\nBASES = {" in source
    assert "# --- which knowledge helps" not in source


def test_in_a_notebook_it_is_folded_and_highlighted():
    html = SourceView(n10_who_teaches_whom.sizes)._repr_html_()
    assert html.startswith('<details class=kdviz-source><summary>') and html.endswith("</details>")
    assert "<details open" not in html and "<script" not in html
    shown = re.sub("<[^>]+>", "", html.split("<pre")[1])
    assert "def sizes(seeds, regime, steps=600):" in shown


def test_showing_displays_it(capsys):
    show_source(n10_who_teaches_whom.sizes)
    assert "the experiment 'sizes'" in capsys.readouterr().out
