"""The static course, built once for all browser tests, and the JupyterLab that a file of tests shares."""

import pytest
from lab import lab_server

from kdviz.course import site
from kdviz.course.paths import course_folder


@pytest.fixture(scope="session")
def built_site(executed_pages, tmp_path_factory):
    """The whole course, executed and exported as ``make site`` does it."""
    output = tmp_path_factory.mktemp("course") / "site"
    site.write(site.execute_all(course_folder() / "notebooks", executed_pages), output)
    return output


@pytest.fixture(scope="module")
def server(store_of_this_session, tmp_path_factory):
    with lab_server(tmp_path_factory.mktemp("lab")) as server:
        yield server
