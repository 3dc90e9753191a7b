"""Plotly's script for pages that need neither kernel nor network: its Cartesian traces, compressed.

The whole script has maps, globes and meshes, and three times the size. ``tools/package.json`` says which
release this is, and ``make lint`` that the file is its.
"""

import gzip
import re
from base64 import b64encode
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


def element() -> str:
    """What holds the compressed script in a page."""
    packed = b64encode((_FOLDER / "plotly.min.js.gz").read_bytes()).decode()
    return f'<script type="application/gzip" id="plotly">{packed}</script>'


@cache
def text() -> str:
    """The script itself; a page's content policy allows it by its hash."""
    return gzip.decompress((_FOLDER / "plotly.min.js.gz").read_bytes()).decode()


@cache
def traces() -> frozenset:
    """The kinds of trace that it draws."""
    return frozenset(re.findall(r'moduleType:"trace",name:"(\w+)"', text()))


def before(script: str) -> str:
    """A module that unpacks plotly and then runs ``script``."""
    return (_FOLDER / "unpack.js").read_text(encoding="utf-8") + script
