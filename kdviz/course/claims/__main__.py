"""``python -m kdviz.course.claims PAGE [--run]``: what is missing, and what does not hold."""

import sys
import tempfile
from types import SimpleNamespace

import nbformat

from kdviz.course import site
from kdviz.course.claims import checks
from kdviz.course.pages import pages
from kdviz.course.paths import course_folder


def main(arguments):
    run = "--run" in arguments
    names = [one for one in arguments if one != "--run"] or [page.name for page in pages()]
    found = [fault for name in names for fault in faults(name, run)]
    print("\n".join(found) or "All claims hold.")
    return bool(found)


def faults(page, run):
    path = course_folder() / "notebooks" / f"{page}.ipynb"
    claims = checks.claims_of(page) or SimpleNamespace(CLAIMS=[], EXEMPT={})
    found = checks.faults_of_text(page, nbformat.read(path, as_version=4), claims)
    found += checks.faults_of_stored(page, claims)
    if run:
        with tempfile.TemporaryDirectory() as folder:
            found += checks.faults_of_live(page, site.execute_once(path, folder), claims)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
