import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kdviz.course import site

FORMULA = r"""# A page about $T^2$

$$\mathcal{L} = \frac{T^2}{N} \sum_n \lVert \tilde z_S - \tilde z_T \rVert^2$$

Then the [next page](two.ipynb)."""


def page_of(*cells, name="one", names=("one", "two")):
    return site.to_page(new_notebook(cells=list(cells)), name, names)


def shown(**data):
    return new_code_cell("1", outputs=[new_output("display_data", data)])


def plotly_figure():
    from plotly import graph_objects as go

    import kdviz.figures.template  # noqa: F401

    return go.Figure(go.Scatter(y=[1, 3, 2]), {"template": "kdviz"}).to_plotly_json()


@pytest.fixture
def open_offline(browser, tmp_path):
    """Open a page from the file system with every request refused; fail on requests and errors."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    asked, said = [], []

    def refuse(route):
        asked.append(route.request.url)
        route.abort()

    context.route(lambda url: not url.startswith("file:"), refuse)

    def open_page(text):
        path = tmp_path / "one.html"
        path.write_text(text, encoding="utf-8")
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_page
    context.close()
    assert asked == [] and said == []


@pytest.mark.browser
def test_formulas_are_drawn_without_a_script(open_offline):
    page = open_offline(page_of(new_markdown_cell(FORMULA), shown(**{"text/latex": r"$$a \cdot b$$"})))
    formulas = page.locator("math")
    assert formulas.count() == 3
    boxes = [formulas.nth(place).bounding_box() for place in range(3)]
    assert all(box["width"] > 5 and box["height"] > 5 for box in boxes)
    # A norm bar as high as the whole line would make the formula tower.
    assert boxes[1]["height"] < 90
    assert "$" not in page.locator("main").inner_text()


@pytest.mark.browser
def test_figures_are_drawn_from_the_page_itself(open_offline):
    text = page_of(new_markdown_cell("# Figure"), shown(**{site.PLOTLY: plotly_figure()}))
    page = open_offline(text)
    page.wait_for_selector(".scatterlayer path.js-line")
    assert len(text.encode()) < 8e6


def test_a_page_without_figures_is_small_and_names_no_other_place():
    text = page_of(new_markdown_cell(FORMULA))
    assert len(text.encode()) < 2.5e6
    assert "<script src" not in text and "https://cdn" not in text


def test_links_lead_to_pages():
    text = page_of(new_markdown_cell(FORMULA))
    assert 'href="two.html"' in text and ".ipynb" not in text
    assert 'rel="next"' in text and 'rel="prev"' not in text


def test_the_title_is_the_first_heading():
    assert "<title>A page about $T^2$ · kdviz</title>" in page_of(new_markdown_cell(FORMULA))


@pytest.mark.parametrize("formula", [r"\left( 1", r"\nonesuch{x}", r"\begin{aligned} a &= b \end{aligned}"])
def test_a_formula_that_cannot_be_drawn_stops_the_build(formula):
    with pytest.raises(site.SiteError, match="one.*formula"):
        page_of(new_markdown_cell(f"# Bad\n\n$${formula}$$"))


@pytest.mark.parametrize(
    "kind, content, message",
    [
        ("application/x-unheard-of", "1", "cannot show: application/x-unheard-of"),
        (site.WIDGET, {"model_id": "1"}, "no static twin"),
    ],
)
def test_an_output_that_cannot_be_shown_stops_the_build(kind, content, message):
    with pytest.raises(site.SiteError, match=message):
        page_of(new_markdown_cell("# Bad"), shown(**{kind: content}))


def write(folder, *cells):
    path = folder / "one.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# One"), *cells]), path)
    return path


@pytest.mark.notebook
def test_an_error_in_a_cell_stops_the_build_and_leaves_the_old_site(tmp_path):
    write(tmp_path, new_code_cell("1 / 0"))
    old = tmp_path / "site" / "index.html"
    old.parent.mkdir()
    old.write_text("old")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        site.build(tmp_path, tmp_path / "site")
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.notebook
def test_a_word_on_standard_error_stops_the_build(tmp_path):
    path = write(tmp_path, new_code_cell("import sys; print('careful', file=sys.stderr)"))
    with pytest.raises(site.SiteError, match="careful"):
        site.execute(path)


def test_a_folder_without_notebooks_is_explained(tmp_path):
    with pytest.raises(site.SiteError, match="no notebook"):
        site.build(tmp_path, tmp_path / "site")
