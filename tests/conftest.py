"""What all tests share: one store of trained teachers, one thread, and one Chromium."""

import os

import pytest
from hypothesis import settings

# Kernels and workers share this machine: libraries that each took all its cores would wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is slow: no test is timed.
settings.register_profile("kdviz", deadline=None)
settings.load_profile("kdviz")

# Files that take minutes.
LONG = (
    "test_lab",
    "test_static_course",
    "test_results",
    "test_playground",
    "test_playground_stories",
    "test_random_setups",
    "test_setup",
    "test_alignment",
    "test_export",
    "test_claims",
    "test_theatre",
    "test_diagnose",
)

HOW_TO_GET_A_BROWSER = (
    "NO BROWSER TEST RUNS: no Chromium was found. Get one by 'apt-get install chromium' or "
    "'python -m playwright install chromium', then run the tests again."
)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items):
    """Files are dealt out whole and in their order: what takes long begins first, or it ends alone."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def store_of_this_session(tmp_path_factory):
    """Teachers are trained once for all tests, and never come from the reader's own store."""
    import torch

    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDVIZ_CACHE", str(shared_folder(tmp_path_factory) / "store"))
        yield


def shared_folder(tmp_path_factory):
    """The session's folder: under xdist every worker has one of its own inside it."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def executed_pages(store_of_this_session, tmp_path_factory):
    """Where ``site.execute_once`` keeps the executed pages: each is executed once for all tests."""
    return shared_folder(tmp_path_factory) / "executed"


@pytest.fixture(scope="session")
def chromium_path():
    from kdviz.commands.doctor import find_chromium

    path = find_chromium()
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_A_BROWSER)
    return path


@pytest.fixture(scope="session")
def browser(chromium_path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def offline(browser, tmp_path):
    """Open the text of a page from a file; fail on anything it asks for, and on errors that it tells of."""
    context, asked, said = browser.new_context(), [], []

    def refuse(route):
        asked.append(route.request.url)
        route.abort()

    context.route(lambda url: not url.startswith("file:"), refuse)
    # One page is one file: whatever it loads beside itself is a request, from wherever.
    context.on("request", lambda r: asked.append(r.url) if r.resource_type != "document" else None)

    def open_page(text, width=1000, height=720):
        path = tmp_path / f"page_{len(context.pages)}.html"
        path.write_text(text, encoding="utf-8")
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        return page

    open_page.asked, open_page.said = asked, said
    yield open_page
    context.close()
    assert asked == [] and said == []
