"""The static course as a reader without network and without kernel meets it."""

import statistics

import pytest
from controls import CONTROLS, EXPLORERS, frame_times, move_every_control

from kdviz.course.paths import course_folder

NAMES = sorted(path.stem for path in (course_folder() / "notebooks").glob("*.ipynb"))
TRACES = ".points path, .js-line, .heatmaplayer image"
pytestmark = [pytest.mark.browser, pytest.mark.complete]


def _is_another_file(request):
    return request.url.startswith("file:") and request.resource_type != "document"


@pytest.fixture
def reader(browser):
    """A browser that may open files only; requests and errors of its pages fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    asked, said = [], []

    def refuse(route):
        asked.append(route.request.url)
        route.abort()

    context.route(lambda url: not url.startswith(("file:", "data:", "blob:")), refuse)
    # A page is one file, so another file that is not a page is a request too.
    context.on("request", lambda r: asked.append(r.url) if _is_another_file(r) else None)

    def hear(page):
        page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))

    context.on("page", hear)
    yield context
    context.close()
    assert asked == []
    assert said == []


@pytest.mark.parametrize("name", NAMES)
def test_every_control_of_a_page_works_by_keyboard(reader, built_site, name, tmp_path):
    page = reader.new_page()
    page.goto((built_site / f"{name}.html").as_uri())
    page.wait_for_selector("main")
    explorers = page.locator(EXPLORERS).all()
    assert [label for explorer in explorers for label in move_every_control(page, explorer)]
    assert page.locator("[data-kdviz-explorer]:not([data-mounted])").count() == 0
    page.screenshot(path=tmp_path / f"{name}.png", full_page=True)


def test_an_explorer_that_does_not_listen_is_noticed(reader, built_site):
    """The test above could fail: the same page, with its explorers deaf."""
    page = reader.new_page()
    page.goto((built_site / "00_start_here.html").as_uri())
    page.evaluate(
        """() => { for (const kind of ["input", "change", "click", "keydown"])
          window.addEventListener(kind, (event) => event.stopImmediatePropagation(), true); }"""
    )
    explorers = [one for one in page.locator("[data-kdviz-explorer]").all() if one.locator(CONTROLS).count()]
    assert len(explorers) >= 3
    for explorer in explorers:
        with pytest.raises(AssertionError, match="did not change"):
            move_every_control(page, explorer)


@pytest.mark.parametrize("name", NAMES)
def test_formulas_and_figures_are_drawn(reader, built_site, name):
    page = reader.new_page()
    page.goto((built_site / f"{name}.html").as_uri())
    page.wait_for_selector("[data-mounted]")
    follows = page.get_by_role("button", name="Go on without a guess")
    while follows.count():
        follows.first.click()
    page.evaluate("document.querySelectorAll('details').forEach((box) => (box.open = true))")
    for formula in page.locator("math").all():
        assert formula.bounding_box()["height"] > 5
    for figure in page.locator("[data-plotly]").all():
        figure.locator(TRACES).first.wait_for(state="attached")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_keeps_within_its_size(built_site, name):
    assert (built_site / f"{name}.html").stat().st_size <= 2.5e6


def test_the_whole_course_keeps_within_its_size(built_site):
    assert sum(page.stat().st_size for page in built_site.iterdir()) <= 25e6


def test_a_narrow_page_scrolls_in_one_direction_only(reader, built_site):
    page = reader.new_page()
    page.set_viewport_size({"width": 320, "height": 700})
    for name in (*NAMES, "index"):
        page.goto((built_site / f"{name}.html").as_uri())
        page.wait_for_selector("main")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 320, name


def test_the_index_leads_to_every_page_and_back(reader, built_site):
    page = reader.new_page()
    page.goto((built_site / "index.html").as_uri())
    for name in NAMES:
        assert page.locator(f"a[href='{name}.html']").count() >= 1
    page.locator(f".pages li > a[href='{NAMES[0]}.html']").click()
    page.locator("header a[href='index.html']").click()
    assert page.url.endswith("index.html")


def test_a_slider_paints_within_a_few_frames(reader, built_site):
    page = reader.new_page()
    page.goto((built_site / "01_soft_targets.html").as_uri())
    times = frame_times(page, page.locator("input[type=range]").first)
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"\nstatic page, slider to painted frame: median {statistics.median(times):.1f}, p95 {p95:.1f} ms")
    # The budget is 20 ms; what it is on a shared machine says nothing, so every move is seen.
    assert len(times) == 60
