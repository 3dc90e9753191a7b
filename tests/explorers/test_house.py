"""The house of the explorers: what a new one needs is said by these tests when it is forgotten."""

import re
from pathlib import Path

import pytest

from kdviz import explorers
from kdviz.explorers.base import KIT, Explorer, ImageExplorer, bundle, root_class

HOUSE = Path(explorers.__file__).parent
FOLDERS = sorted(path for path in HOUSE.iterdir() if path.is_dir() and path.name.endswith("_explorer"))
DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)


def explorer_of(folder):
    found = {
        each
        for each in map(explorers.__dict__.get, explorers.__all__)
        if isinstance(each, type) and each.__module__ == f"kdviz.explorers.{folder.name}"
    }
    assert len(found) == 1, (
        f"{folder.name} is not registered: import its class and its function in kdviz/explorers/__init__.py "
        "and add both names to __all__ there"
    )
    return found.pop()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_explorer_is_registered_with_its_function(folder):
    explorer_of(folder)
    name = folder.name.removesuffix("_explorer")
    assert callable(getattr(explorers, name, None)) and name in explorers.__all__, (
        f"{folder.name} offers no function {name!r}: define it in {folder.name}/__init__.py, import it in "
        "kdviz/explorers/__init__.py and add its name to __all__ there"
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_module_makes_the_root_that_its_sheet_is_nested_in(folder):
    shown = explorer_of(folder)
    root = root_class(folder)
    assert f'"{root}"' in shown._esm, f"the root of {folder.name}/view.js must have the class {root!r}"
    assert shown._css.startswith(f".{root} {{")


def test_no_public_function_has_the_name_of_a_folder_or_a_file():
    taken = {path.stem for path in HOUSE.iterdir() if not path.name.startswith("__")}
    assert not taken & set(explorers.__all__)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_two_files_of_a_module_declare_the_same_name(folder):
    needed, seen = [folder / "view.js"], set()
    while needed:
        path = needed.pop().resolve()
        if path not in seen:
            seen.add(path)
            needed += [
                path.parent / found for found in re.findall(r'from "(\..*?)";', path.read_text("utf-8"))
            ]
    names = sorted(name for path in seen for name in DECLARED.findall(path.read_text("utf-8")))
    twice = {name for name, after in zip(names, names[1:], strict=False) if name == after}
    assert not twice, f"all files of {folder.name} share one scope; give one of each another name: {twice}"


def test_a_module_carries_what_it_needs_of_the_kit_and_nothing_else(tmp_path):
    kit = "// A word.\nexport function used() {\n  return helper;\n}\nconst helper = 1;\nfunction idle() {}\n"
    (tmp_path / "kit.js").write_text(kit)
    view = 'import { used } from "./kit.js";\n\nfunction render() {\n  used();\n}\n'
    (tmp_path / "view.js").write_text(view)
    text = bundle(tmp_path / "view.js")
    assert "function used" in text and "helper = 1" in text and text.endswith("used();\n}\n")
    assert "idle" not in text and "import" not in text and "//" not in text


def test_an_import_under_another_name_is_refused(tmp_path):
    (tmp_path / "kit.js").write_text("export const one = 1;\n")
    (tmp_path / "view.js").write_text('import { one as two } from "./kit.js";\n')
    with pytest.raises(ValueError, match="renames what it imports"):
        bundle(tmp_path / "view.js")


def test_every_file_of_the_kit_is_used():
    views = "".join(path.read_text("utf-8") for path in HOUSE.rglob("*.js"))
    unused = [path.name for path in KIT.glob("*.js") if f'{path.name}"' not in views]
    assert unused == ["static_host.js"], "only the static host is asked for by Python"


def test_a_class_without_a_folder_has_no_module():
    assert not hasattr(ImageExplorer, "_css") and not isinstance(vars(Explorer).get("_esm"), str)
