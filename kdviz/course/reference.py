"""The reference: what kdviz offers, with its docstrings, a chapter for each module.

docutils reads the docstrings; formulas are drawn as on the pages, and a name that is mentioned leads to
where it is explained.

>>> losses = chapter("losses")
>>> losses.entry("SoftTargets").link, losses.entry("SoftTargets").known_as
('api_losses.html#SoftTargets', 'KD')
"""

import inspect
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pkgutil import iter_modules
from types import FunctionType

from docutils import nodes
from docutils.core import publish_parts
from docutils.parsers.rst import roles
from docutils.writers.html5_polyglot import HTMLTranslator, Writer
from numpy.typing import ArrayLike

import kdviz
from kdviz.course.formulas import mathml
from kdviz.losses import ACRONYMS

_ROLES = ("func", "class", "meth", "mod", "attr", "data")
_MARKS = re.compile(rf":(?:{'|'.join(_ROLES)}):|``?|\*|^-+$", re.MULTILINE)
_LEFT_OUT = re.compile(r":math:`[^`]*`|(?:\.\. math::|^>>>).*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)
_PACKAGES = re.compile(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z])")
_NUMPY_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
# What a widget takes besides.
_ANYTHING = "*args: 'object'"
_SHORT = {inspect.formatannotation(ArrayLike): "ArrayLike", "<factory>": "..."}
# Machinery of the pages, which are its description.
_NO_CHAPTER = ("course", "__version__")


@dataclass(frozen=True)
class Entry:
    """A function or a class, or a member of one."""

    name: str
    what: object
    chapter: str

    @property
    def link(self) -> str:
        """To it in the reference."""
        return f"{_file(self.chapter)}.html#{self.name}"

    @property
    def docstring(self) -> str:
        return inspect.getdoc(self.what) or ""

    @property
    def written(self) -> str:
        """How it is called, with types as a file names them that imports them."""
        try:
            signature = str(inspect.signature(self.what))
        except (TypeError, ValueError):  # a property, or a class of C
            return self.name
        if _ANYTHING in signature:
            return self.name
        for known, short in _SHORT.items():
            signature = signature.replace(known, short)
        signature = re.sub(r"\*?<(?:class|function) '?([\w.]+)[^>]*>", r"\1", signature)
        signature = re.sub(r"\bself(?:, )?", "", signature, count=1)
        return self.name + _PACKAGES.sub("", signature.removesuffix(" -> None"))

    @property
    def known_as(self) -> str:
        """The acronym of a loss, or nothing."""
        return next((acronym for acronym, loss in ACRONYMS.items() if loss == self.name), "")

    @property
    def text(self) -> str:
        """Its docstring without formulas, examples and marks."""
        return " ".join(_MARKS.sub("", _LEFT_OUT.sub("", self.docstring)).split())

    @property
    def body(self) -> str:
        return drawn(self.docstring, f"kdviz.{self.chapter}.{self.name}")

    @cached_property
    def members(self) -> list["Entry"]:
        """Of a class its own methods and properties that say what they do."""
        own = vars(self.what).items() if inspect.isclass(self.what) else ()
        kinds = (FunctionType, property, cached_property, classmethod, staticmethod)
        return [
            Entry(name, getattr(self.what, name) if isinstance(one, classmethod) else one, self.chapter)
            for name, one in own
            if isinstance(one, kinds) and one.__doc__ and not name.startswith("_")
        ]


@dataclass(frozen=True)
class Chapter:
    """A module, and the names that it offers."""

    name: str
    about: str
    entries: tuple[Entry, ...]

    @property
    def file(self) -> str:
        return _file(self.name)

    @property
    def module(self) -> str:
        return f"kdviz.{self.name}".rstrip(".")

    @property
    def body(self) -> str:
        return drawn(self.about, self.module)

    def entry(self, name: str) -> Entry:
        return next(one for one in self.entries if one.name == name)


def _file(chapter):
    return f"api_{chapter}" if chapter else "api"


def chapter(name: str) -> Chapter:
    """That of a module, for instance "losses"."""
    return next(one for one in chapters() if one.name == name)


@cache
def chapters() -> tuple[Chapter, ...]:
    """Of kdviz itself, with what stands in no other, and of its modules."""
    offered = {name: getattr(kdviz, name) for name in kdviz.__all__ if name not in _NO_CHAPTER}
    found = [_chapter(name, module) for name, module in offered.items() if inspect.ismodule(module)]
    known = {id(entry.what) for one in found for entry in one.entries}
    rest = {id(what): Entry(name, what, "") for name, what in offered.items() if not inspect.ismodule(what)}
    own = tuple(entry for key, entry in rest.items() if key not in known)
    return Chapter("", inspect.cleandoc(kdviz.__doc__), own), *found


def _chapter(name, module):
    """What a module lists; of one without a list, and of those it lists, what was written there."""
    parts = [module, *(one for one in _named(module).values() if inspect.ismodule(one))]
    if not hasattr(module, "__all__"):
        parts += [import_module(f"{module.__name__}.{one.name}") for one in iter_modules(module.__path__)]
    entries = {}
    for part in parts:
        for known, what in _named(part).items():
            if (inspect.isfunction(what) or inspect.isclass(what)) and inspect.getdoc(what):
                entries.setdefault(id(what), Entry(known, what, name))
    ordered = sorted(entries.values(), key=lambda one: one.name.lower())
    return Chapter(name, inspect.cleandoc(module.__doc__), tuple(ordered))


def _named(module):
    if hasattr(module, "__all__"):
        return {name: getattr(module, name) for name in module.__all__}
    return {
        name: what
        for name, what in vars(module).items()
        if not name.startswith("_") and getattr(what, "__module__", "").startswith(module.__name__)
    }


# --- What is written in a docstring


@cache
def _links():
    """Where each name stands: by its last part, and by module and name."""
    found = {one.module: f"{one.file}.html" for one in chapters()}
    for one in chapters():
        for entry in one.entries:
            found.setdefault(entry.name, entry.link)
            found[f"{one.module}.{entry.name}"] = entry.link
    return found


def drawn(docstring: str, where: str) -> str:
    """A docstring as HTML; one that cannot be read is an error that names ``where`` it is."""
    settings = {
        "report_level": 2,
        "halt_level": 2,
        "warning_stream": False,
        "file_insertion_enabled": False,
        "raw_enabled": False,
        "syntax_highlight": "none",
        "initial_header_level": 4,
        "doctitle_xform": False,
    }
    try:
        text = _with_lists(docstring)
        return publish_parts(text, where, writer=_Writer(), settings_overrides=settings)["body"]
    except Exception as problem:
        raise ValueError(f"the docstring of {where} cannot be drawn: {problem}") from problem


def _with_lists(docstring):
    """numpy's sections as lists, up to the next paragraph: ``name : type``, and below it what it is."""
    begin, *sections = _NUMPY_SECTION.split(docstring)
    parts = [begin]
    for heading, body in zip(sections[::2], sections[1::2], strict=True):
        listed, *rest = ["", body] if heading == "Examples" else re.split(r"\n\n(?=\S)", body, maxsplit=1)
        parts += [f"\n.. rubric:: {heading}\n", _listed(listed), *rest]
    return "\n\n".join(parts)


def _listed(items):
    lines = []
    for line in items.splitlines():
        name, colon, kind = line.partition(" : ")
        if line[:1].strip():
            lines += ["", f"- ``{name}``{colon}{kind}", ""]
        else:
            lines.append(line[2:])
    return "\n".join(lines)


class _Translator(HTMLTranslator):
    """docutils' own, with formulas drawn as on the pages."""

    def visit_literal(self, node):
        self.body.append(f"<code>{self.encode(node.astext())}</code>")
        raise nodes.SkipNode

    def visit_math(self, node):
        self.body.append(mathml(node.astext()))
        raise nodes.SkipNode

    def visit_math_block(self, node):
        self.body.append(mathml(node.astext(), display=True))
        raise nodes.SkipNode


class _Writer(Writer):
    def __init__(self):
        super().__init__()
        self.translator_class = _Translator


def _reference(role, raw, text, line, inliner, options=None, content=()):
    """A name of the code."""
    name = text.removeprefix("~").removesuffix("()")
    here = ".".join(inliner.document["source"].split(".")[:2])
    meant = (name if "." in name else f"{here}.{name}", name.rpartition(".")[2])
    link = next(filter(None, map(_links().get, meant)), None)
    shown = nodes.literal(raw, name)
    return [nodes.reference(raw, "", shown, refuri=link) if link else shown], []


for _role in _ROLES:
    roles.register_canonical_role(_role, _reference)
