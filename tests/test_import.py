"""Importing kdviz must be immediate: heavy libraries are reached only when they are used."""

import subprocess
import sys

HEAVY = ("torch", "sklearn", "scipy", "plotly", "ipywidgets", "anywidget", "captum", "pandas")


def test_import_reaches_no_heavy_library():
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, kdviz; print([m for m in {HEAVY} if m in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"


def test_every_name_offered_is_there():
    import kdviz

    for name in kdviz.__all__:
        assert getattr(kdviz, name) is not None
    assert set(kdviz.__all__) <= set(dir(kdviz))
