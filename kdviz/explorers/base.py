"""The base of every explorer: one ES module, two hosts.

In a live notebook anywidget runs the module and keeps its state in step with Python. On a static
page there is no kernel; there the small host in ``kit/static_host.js`` runs the same module on the state
saved in the page. Neither asks the network for anything.
"""

import json
import os
import re
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import anywidget
import traitlets
from ipywidgets import DOMWidget

from kdviz.explorers.wire import Array

STATIC_PAGES = "KDVIZ_STATIC_PAGES"
"""The environment variable by which ``make site`` asks each explorer for its static twin."""

KIT = Path(__file__).parent / "kit"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]+)";\n', flags=re.MULTILINE)
# Where a declaration begins: at the left margin, in files as the formatter leaves them.
_DECLARATION = re.compile(r"^(?=(?:export )?(?:async )?(?:function|class|const|let)\b)", flags=re.MULTILINE)
_NAMED = re.compile(r"(?:export )?(?:async )?(?:function\*?|class) (\w+)")


def bundle(path):
    """A JavaScript module with all that it imports, as one text: what a file needs stands before it, once.

    Imports name what they take from a file beside this one, ``import { html } from "../kit/elements.js"``.
    All files share one scope, so nothing can be renamed on the way, and no two can declare the same name.
    Of an imported file only the declarations come along that are used; comments and indents, which every
    explorer on every page would carry with it, are left out.
    """
    sources = {}

    def add(file):
        if file in sources:
            return
        source = file.read_text(encoding="utf-8")
        for names, needed in _IMPORT.findall(source):
            if " as " in names:
                raise ValueError(f"{file.name} renames what it imports; all files share one scope: {names}")
            add((file.parent / needed).resolve())
        sources[file] = re.sub(r"^ *//.*\n", "", _IMPORT.sub("", source), flags=re.MULTILINE)

    add(Path(path).resolve())
    *imported, own = sources.values()
    declarations = [part for source in imported for part in _DECLARATION.split(source) if part.strip()]
    text = "\n".join([*_used(declarations, own), own])
    return re.sub(r"^\s+", "", text, flags=re.MULTILINE)


def _used(declarations, source):
    """Those declarations of which a name occurs in the source, or in another one that is used."""
    names = [
        {n[1]} if (n := _NAMED.match(part)) else set(re.findall(r"(\w+) =", part)) for part in declarations
    ]
    used, words = set(), set(re.findall(r"\w+", source))
    while more := {i for i, mine in enumerate(names) if i not in used and mine & words}:
        used |= more
        words |= {word for i in more for word in re.findall(r"\w+", declarations[i])}
    return [part for i, part in enumerate(declarations) if i in used]


HOST = bundle(KIT / "static_host.js")


class Explorer(anywidget.AnyWidget):
    """A widget that also carries its own static twin.

    A subclass declares its state as synced traits and lives in a folder of its own, with two files beside
    it. ``view.js`` defines ``render`` by that name at its top level, since the static host calls it from
    inside the same module, and imports what it needs of the kit. ``style.css``, where there is one, is
    written for what is inside the explorer: the base nests it in the root's class, that of the folder
    ``soft_targets_explorer`` in ``.kdviz-soft-targets``, after the style that all share, ``kit/panel.css``;
    and it may ``@import`` another sheet of the kit.
    """

    def __init_subclass__(cls, **kwargs):
        # Each widget gets a class of its own besides, in which both are traits already.
        folder = Path(getattr(sys.modules[cls.__module__], "__file__", None) or KIT).parent
        if (folder / "view.js").exists():
            if "_esm" not in vars(cls):
                cls._esm = bundle(folder / "view.js")
            if "_css" not in vars(cls):
                cls._css = _sheet(folder)
        super().__init_subclass__(**kwargs)

    def _send(self, msg, buffers=None):
        super()._send(msg, buffers)
        # ipykernel 7.4 hands what the page says next to the shell from which it was last told something.
        # Told by a thread that trains, that is the main one, which may be busy with a cell, or the shell of
        # a page that is closed. Without this note it takes the shell that the page asks for.
        if self.comm is not None:
            vars(self.comm).pop("_reply_subshell_id", None)

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        # In a notebook that a reader saves, a twin beside every widget would only make it heavy.
        if os.environ.get(STATIC_PAGES):
            data = {**data, "text/html": self.static_html()}
            metadata = {**metadata, "text/html": {"script": allowed(self.static_script())}}
        return data, metadata

    def static_html(self):
        """The explorer in its present state as a piece of HTML that needs no kernel and no network."""
        return (
            f"<style>{self._css}</style>\n"
            f'<div data-kdviz-explorer="{type(self).__name__}">\n'
            "<p>This is interactive. Run the cell to use it.</p>\n"
            f'<script type="application/json">{_in_script_json(self.static_state())}</script>\n'
            "</div>\n"
            f'<script type="module">{self.static_script()}</script>'
        )

    def static_script(self):
        """The script in that piece of HTML, the same for every state of the explorer."""
        name = json.dumps(type(self).__name__)
        return _in_script(f"\n{self._esm}\n{HOST}\nmountExplorers({name}, render);\n")

    def static_state(self):
        """The synced traits that are the explorer's own, as JSON holds them."""
        own = [name for name in self.keys if name not in DOMWidget.class_trait_names()]
        return self.get_state([name for name in own if not name.startswith("_")])


class ImageExplorer(Explorer):
    """An explorer of labelled images."""

    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    labels = traitlets.List(traitlets.Int()).tag(sync=True)
    # From 0 (paper) to 1 (ink): (n, height, width), or in colour (n, height, width, 3).
    images = Array("uint8").tag(sync=True)


def _sheet(folder):
    """The style that all share, then the explorer's own; of what it imports, everything."""
    own = folder / "style.css"
    text = (KIT / "panel.css").read_text("utf-8") + (own.read_text("utf-8") if own.exists() else "")
    text = re.sub(r'@import "(.+?)";', lambda found: (folder / found[1]).read_text("utf-8"), text)
    text = re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)
    return f".{root_class(folder)} {{\n{re.sub(r'^ +', '', text, flags=re.MULTILINE)}}}"


def root_class(folder):
    """The class of an explorer's root, of the folder that it lives in."""
    return "kdviz-" + Path(folder).name.removesuffix("_explorer").replace("_", "-")


def allowed(*scripts):
    """What a page's content policy says of inline scripts, so that these run and no other.

    They are ours, and known before a page is written. A page is never searched for them: what got past
    escaping into its text would be found there, and allowed.
    """
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    return " ".join(f"'sha256-{each}'" for each in dict.fromkeys(hashes))


def _in_script_json(state):
    # In JSON "<" occurs only inside strings, where the escape means the same.
    return json.dumps(state, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _in_script(source):
    # The two texts that would end or change a script element; in JavaScript strings, templates,
    # regular expressions and comments the backslash leaves their meaning as it is.
    return re.sub(r"<(?=/script|!--)", r"<\\", source, flags=re.IGNORECASE)
