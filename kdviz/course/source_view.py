"""An experiment's source, folded, for the place on a page where its rows are shown."""

import ast
from html import escape
from itertools import groupby

from kdviz.course.code_hash import EXPERIMENTS, definitions, pieces

# Words of the language, texts and comments stand out; colours for more would double the saved page.
_STYLE = (
    ".kdviz-source pre { background: #fff; color: #000; padding: 0.8em; overflow-x: auto; }"
    " .kdviz-source summary { cursor: pointer; } .kdviz-source i { font-style: normal; }"
    " .kdviz-source .k { color: #a90d91; } .kdviz-source .s { color: #c41a16; }"
    " .kdviz-source .c { color: #177500; }"
)


# Which experiment's box showed a definition first: the later boxes of a page need not repeat it.
_shown_by = {}


def show_source(code):
    """Show a folded box with the source of an experiment and of all it uses among the experiments' files.

    What an earlier box has shown is named with the experiment whose box that is.
    """
    from IPython.display import display

    display(SourceView(code, _shown_by))


class SourceView:
    """The source of an experiment as text; in a notebook folded and highlighted."""

    def __init__(self, code, shown_by=None):
        self.name, self.source = code.__name__, source_of(code, shown_by)

    def __repr__(self):
        return f"The code of the experiment {self.name!r}: {len(self.source.splitlines())} lines"

    def _repr_html_(self):
        code = "".join(_marked(kind, text) for kind, text in _tokens(self.source))
        return (
            f"<details class=kdviz-source><summary>The code of <code>{self.name}</code></summary>"
            f"<style>{_STYLE}</style><pre tabindex=0>{code}</pre></details>"
        )


def _tokens(source):
    """The source in pieces of one kind each."""
    from pygments.lexers import PythonLexer

    pieces = PythonLexer().get_tokens(source)
    for kind, same in groupby(pieces, lambda piece: _kind(piece[0])):
        yield kind, "".join(text for _, text in same)


def _kind(token):
    from pygments.token import Comment, Keyword, String

    return next(
        (letter for letter, kind in zip("ksc", (Keyword, String, Comment), strict=True) if token in kind), ""
    )


def _marked(kind, text):
    # As short as HTML allows: a page holds hundreds of these.
    return f"<i class={kind}>{escape(text, quote=False)}</i>" if kind else escape(text, quote=False)


def source_of(code, shown_by=None):
    """The definition of an experiment, then what it uses of its own file and of the other experiments'.

    ``shown_by`` says of definitions by whose box they were shown first, and learns of those shown now.
    """
    named = [piece for piece in pieces(code) if piece[0].parent == EXPERIMENTS and piece[1]]
    shown_by = {} if shown_by is None else shown_by
    owners = {piece: shown_by.setdefault(piece, code.__name__) for piece in named[1:]}
    first, files = named[0], dict.fromkeys(path for path, _ in named)
    parts = [_segments(first[0], [first[1]])]
    for path in files:
        own = [name for (other, name), owner in owners.items() if other == path and owner == code.__name__]
        heading = "" if path == first[0] else f"# --- from {path.relative_to(EXPERIMENTS).as_posix()}\n\n\n"
        if own:
            parts.append(heading + _segments(path, own))
    for owner in dict.fromkeys(owners.values()):
        if owner != code.__name__:
            names = ", ".join(name for (_, name), other in owners.items() if other == owner)
            parts.append(f"# --- shown with the code of {owner!r}: {names}")
    return "\n\n\n".join(parts) + "\n"


def _segments(path, names):
    """The lines of definitions, in the file's order, with the comments just above them."""
    lines = path.read_text(encoding="utf-8").splitlines()
    nodes = definitions(ast.parse("\n".join(lines)))
    spans = {}
    for name in names:
        node = nodes[name]
        start = min(one.lineno for one in [node, *getattr(node, "decorator_list", [])]) - 1
        while start and lines[start - 1].startswith("# ") and not lines[start - 1].startswith("# ---"):
            start -= 1
        spans[start] = "\n".join(lines[start : node.end_lineno])
    return "\n\n\n".join(spans[start] for start in sorted(spans))
