"""The base of every explorer: one ES module, two hosts.

In a live notebook anywidget runs the module and keeps its state in step with Python. On a static
page there is no kernel; there the small host in ``static_host.js`` runs the same module on the state
saved in the page. Neither asks the network for anything.
"""

import json
import os
import re
from pathlib import Path

import anywidget
import traitlets
from ipywidgets import DOMWidget

STATIC_PAGES = "KDVIZ_STATIC_PAGES"
"""The environment variable by which ``make site`` asks each explorer for its static twin."""

_HERE = Path(__file__).parent
_HOST = (_HERE / "static_host.js").read_text(encoding="utf-8")
# Without comments and indents, which every explorer on every page would carry with it.
_ELEMENTS = re.sub(r"^\s*(//.*\n)?\s*", "", (_HERE / "elements.js").read_text("utf-8"), flags=re.MULTILINE)
_PANEL = re.sub(r"/\*.*?\*/\s*", "", (_HERE / "panel.css").read_text("utf-8"), flags=re.DOTALL)


class Explorer(anywidget.AnyWidget):
    """A widget that also carries its own static twin.

    A subclass names its module ``_esm`` and style sheet ``_css``, paths or texts, and declares its state as
    synced traits that JSON can hold. The module must define ``render`` by that name at its top level, since
    the static host calls it from inside the same module. Its root has the class ``kdviz-`` and the sheet's
    name. What all explorers share stands in front of both: ``elements.js`` and ``panel.css``.
    """

    def __init_subclass__(cls, **kwargs):
        # Each widget gets a class of its own besides, in which both are traits already.
        own = vars(cls)
        if isinstance(own.get("_esm"), str | Path):
            cls._esm = f"{_ELEMENTS}\n{_text(own['_esm'])}"
        if isinstance(own.get("_css"), Path):
            root = f".kdviz-{own['_css'].stem.replace('_', '-')}"
            cls._css = f"{_PANEL.replace('.kdviz-panel', root)}\n{_text(own['_css'])}"
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
        return data, metadata

    def static_html(self):
        """The explorer in its present state as a piece of HTML that needs no kernel and no network."""
        name = type(self).__name__
        module = f"{self._esm}\n{_HOST}\nmountExplorers({json.dumps(name)}, render);"
        return (
            f"<style>{self._css}</style>\n"
            f'<div data-kdviz-explorer="{name}">\n'
            "<p>This is interactive. Run the cell to use it.</p>\n"
            f'<script type="application/json">{_in_script_json(self.static_state())}</script>\n'
            "</div>\n"
            f'<script type="module">\n{_in_script(module)}\n</script>'
        )

    def static_state(self):
        """The synced traits that are the explorer's own, as JSON holds them."""
        own = [name for name in self.keys if name not in DOMWidget.class_trait_names()]
        return {name: getattr(self, name) for name in own if not name.startswith("_")}


class ImageExplorer(Explorer):
    """An explorer of labelled images."""

    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    labels = traitlets.List(traitlets.Int()).tag(sync=True)
    # All images in a row, in base64: one byte a pixel, 0 paper and 255 ink, or three, red, green and blue.
    images = traitlets.Unicode().tag(sync=True)
    # Height and width, and 3 after them where the images are in colour.
    image_shape = traitlets.List(traitlets.Int()).tag(sync=True)


def _text(source):
    return source.read_text(encoding="utf-8") if isinstance(source, Path) else source


def _in_script_json(state):
    # In JSON "<" occurs only inside strings, where the escape means the same.
    return json.dumps(state, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _in_script(source):
    # The two texts that would end or change a script element; in JavaScript strings, templates,
    # regular expressions and comments the backslash leaves their meaning as it is.
    return re.sub(r"<(?=/script|!--)", r"<\\", source, flags=re.IGNORECASE)
