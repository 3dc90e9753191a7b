"""What is left of a style sheet is what a page uses."""

import pytest

from kdviz.course.stylesheet import slimmed

PAGE = "<p class=\"a b\">{}</p><div class='c'></div>"


def left(css, page=PAGE):
    return slimmed(f"<style>{css}</style>{page}").partition("<style>")[2].partition("</style>")[0]


@pytest.mark.parametrize(
    "rule",
    [
        "p{margin:0}",
        ".a .b > .c{margin:0}",
        ".a:not(.gone){margin:0}",
        ".gone:is(.a, .b), .c:hover{margin:0}",
        "@media print{.a{margin:0}}",
        "@font-face{src:url(data:font/woff;base64,AA==)}",
        ":root{--x:1px;--y:calc(var(--x) * (1 + 2))} .a{margin:var(--y)}",
    ],
)
def test_what_applies_stays(rule):
    assert left(rule) == rule


@pytest.mark.parametrize(
    "rule", [".gone{margin:0}", ".a .gone{margin:0}", ".gone, .a.lost{margin:0}", "/* .a{} */"]
)
def test_what_cannot_apply_goes(rule):
    assert left(rule + "p{margin:0}") == "p{margin:0}"


def test_a_variable_stays_where_it_is_used_also_by_another_one_or_by_the_page():
    css = ":root{--a:1;--b:var(--a);--c:url(x;y{}z);--d:var(--c);--e:2}.a{top:var(--b)}".replace("{}", "")
    assert left(css, PAGE + '<i style="top:var( --e)">') == ":root{--a:1;--b:var(--a);--e:2}.a{top:var(--b)}"


def test_a_page_without_a_sheet_is_left_alone():
    assert slimmed("<p>None</p>") == "<p>None</p>"
