"""What of a style sheet a page uses: nbconvert puts JupyterLab's whole one into each, menus and docks."""

import re

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# An innermost block: a rule, also one inside @media.
_RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
_CLASS = re.compile(r"\.([A-Za-z_][\w-]*)")
_BRACKETED = re.compile(r"\([^()]*\)")
_VARIABLE = re.compile(r"(--[\w-]+)\s*:(?:[^;(){}]|\([^)]*\))*(?:;|(?=\}))")


def slimmed(page: str) -> str:
    """A page whose largest style sheet has only the rules that can apply to it, and the variables they use.

    A rule stays where all the classes of one of its selectors are on the page; what it says in brackets, as
    in ``:not(.x)``, is not looked at.

    >>> sheet = "<style>.a{color:var(--ink)} .b .a{} p{margin:0} :root{--ink:red;--paper:url(a;b)}</style>"
    >>> slimmed(sheet + '<p class="a">')
    '<style>.a{color:var(--ink)} p{margin:0} :root{--ink:red;}</style><p class="a">'
    """
    sheet = max(re.findall(r"<style[^>]*>(.*?)</style>", page, flags=re.DOTALL), key=len, default="")
    rest = page.replace(sheet, "", 1)
    present = set(" ".join(re.findall(r"""class=["']([^"']*)""", rest)).split())

    def applied(rule):
        selectors = _BRACKETED.sub("", _BRACKETED.sub("", rule[1])).split(",")
        return rule[0] if any(set(_CLASS.findall(one)) <= present for one in selectors) else ""

    found = _RULE.sub(applied, _COMMENT.sub("", sheet))
    while (less := _without_unused(found, rest)) != found:  # A variable may be used by another one alone.
        found = less
    return page.replace(sheet, found, 1)


def _without_unused(sheet, rest):
    used = set(re.findall(r"var\(\s*(--[\w-]+)", sheet + rest))
    return _VARIABLE.sub(lambda one: one[0] if one[1] in used else "", sheet)
