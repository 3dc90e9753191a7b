import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kdviz.course import site
from kdviz.course.pages import Page

FORMULA = r"""# A page about $T^2$

$$\mathcal{L} = \frac{T^2}{N} \sum_n \lVert \tilde z_S - \tilde z_T \rVert^2$$

Then the [next page](02_two.ipynb)."""

COURSE = [
    Page("01_one", "About formulas", teaches="what one is", minutes=5, difficulty="easy", exercises=1),
    Page("02_two", "Two", teaches="what two are", minutes=10, difficulty="hard", needs=("01_one",)),
]


def page_of(*cells, page=COURSE[0]):
    return site.render(new_notebook(cells=list(cells)), page, COURSE)


def shown(**data):
    return new_code_cell("1", outputs=[new_output("display_data", data)])


def plotly_figure():
    from plotly import graph_objects as go

    import kdviz.figures.template  # noqa: F401

    return go.Figure(go.Scatter(y=[1, 3, 2]), {"template": "kdviz"}).to_plotly_json()


@pytest.mark.browser
def test_formulas_are_drawn_without_a_script(offline):
    page = offline(page_of(new_markdown_cell(FORMULA), shown(**{"text/latex": r"$$a \cdot b$$"})))
    formulas = page.locator("math")
    assert formulas.count() == 3
    boxes = [formulas.nth(place).bounding_box() for place in range(3)]
    assert all(box["width"] > 5 and box["height"] > 5 for box in boxes)
    # A norm bar as high as the whole line would make the formula tower.
    assert boxes[1]["height"] < 90
    assert "$" not in page.locator("main").inner_text()


ALL_WE_WRITE = [
    r"\frac{1}{N} \sum_n x_n",
    r"\tfrac{1}{2} \mathrm{KL}(q \,\|\, p)",
    r"\mathcal{L}_{\text{soft}} = \lVert z \rVert^2",
    r"\operatorname{softmax}(z / T)",
    r"\begin{aligned} a + b &= c \\ d &= e + f + g \end{aligned}",
]


@pytest.mark.browser
@pytest.mark.parametrize("formula", ALL_WE_WRITE)
def test_the_tex_of_the_course_is_drawn(offline, formula):
    drawn = offline(page_of(new_markdown_cell(f"# One\n\n$${formula}$$"))).locator("math")
    box = drawn.bounding_box()
    assert box["width"] > 20 and 10 < box["height"] < 120
    assert not set("\\&$") & set(drawn.text_content())


@pytest.mark.browser
def test_an_alignment_sets_its_lines_at_the_equals_signs(offline):
    page = offline(page_of(new_markdown_cell(f"# One\n\n$${ALL_WE_WRITE[-1]}$$")))
    first, second = (row.bounding_box() for row in page.locator("mtr").all())
    assert second["y"] >= first["y"] + first["height"]
    signs = [sign.bounding_box()["x"] for sign in page.locator("mo", has_text="=").all()]
    assert len(signs) == 2 and abs(signs[0] - signs[1]) < 1
    ends = [page.locator("mtr").nth(row).locator("mtd").first.locator("mi").last for row in (0, 1)]
    right = [box["x"] + box["width"] for box in (end.bounding_box() for end in ends)]
    assert abs(right[0] - right[1]) < 1


@pytest.mark.browser
def test_details_open_by_keyboard(offline):
    source = "# One\n\n<details><summary>Hint</summary>\n\nDivide by $T$.\n\n</details>"
    page = offline(page_of(new_markdown_cell(source)))
    assert not page.get_by_text("Divide by").is_visible()
    page.locator("main summary").press("Enter")
    assert page.get_by_text("Divide by").is_visible()


@pytest.mark.browser
def test_a_page_loads_nothing_even_where_it_is_told_to(offline):
    source = "# One\n\n![a picture](https://example.org/picture.png)\n\n<script src='other.js'></script>"
    page = offline(page_of(new_markdown_cell(source)))
    page.wait_for_load_state()
    # What the browser was told to load is listed, and the page's own policy stopped it.
    assert len(offline.asked) == len(offline.said) == 2
    assert all("Content Security Policy" in text for text in offline.said)
    offline.asked.clear()
    offline.said.clear()


@pytest.mark.browser
def test_figures_are_drawn_from_the_page_itself(offline):
    text = page_of(new_markdown_cell("# Figure"), shown(**{site.PLOTLY: plotly_figure()}))
    page = offline(text)
    page.wait_for_selector(".scatterlayer path.js-line")
    assert len(text.encode()) < 1.5e6


def test_a_figure_that_plotlys_smaller_script_cannot_draw_stops_the_build():
    globe = {"data": [{"type": "scattergeo"}, {"type": "bar"}], "layout": {}}
    with pytest.raises(site.SiteError, match="draws scattergeo; a static page can draw bar, box, "):
        page_of(new_markdown_cell("# Figure"), shown(**{site.PLOTLY: globe}))


def test_a_page_without_figures_is_small_and_names_no_other_place():
    text = page_of(new_markdown_cell(FORMULA))
    assert len(text.encode()) < 2.5e6
    assert "<script src" not in text and "https://cdn" not in text


def test_links_lead_to_pages():
    text = page_of(new_markdown_cell(FORMULA))
    assert 'href="02_two.html"' in text and ".ipynb" not in text
    assert 'rel="next">02 Two →' in text and 'rel="prev"' not in text
    last = page_of(new_markdown_cell("# Two"), page=COURSE[1])
    assert 'rel="prev">← 01 About formulas' in last and 'rel="next"' not in last


def test_the_title_is_the_declared_one():
    assert "<title>01 About formulas · kdviz</title>" in page_of(new_markdown_cell(FORMULA))


@pytest.mark.parametrize("formula", [r"\left( 1", r"\nonesuch{x}", r"a & b", "a_b_c"])
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


def test_what_nbconvert_warns_of_stops_the_build(monkeypatch):
    monkeypatch.setattr(site, "DRAWABLE", {"application/x-unheard-of"})
    with pytest.raises(site.SiteError, match="01_one: nbconvert warns: .*not able to be represented"):
        page_of(new_markdown_cell("# Bad"), shown(**{"application/x-unheard-of": "1"}))


def test_what_nbconvert_writes_to_its_log_stops_the_build():
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    with pytest.raises(site.SiteError, match="Alternative text is missing"):
        page_of(new_markdown_cell("# Bad"), shown(**{"image/png": pixel}))


def write(folder, *cells, name="01_one"):
    path = folder / f"{name}.ipynb"
    heading = new_markdown_cell("# One\n\nA student. Ba and Caruana 2014, [*Do Deep Nets*](https://a.org/1).")
    nbformat.write(new_notebook(cells=[heading, *cells]), path)
    return path


EVERY_OUTPUT = """from IPython.display import Math, display
import kdviz as kd
display(Math("a \\\\cdot b"))
display(kd.figures.class_bars({"teacher": [0.7, 0.3]}, ["0", "1"]))
kd.explorers.prediction("Which?", ["left", "right"])"""


@pytest.mark.browser
def test_a_small_course_is_built_and_works_from_its_files(tmp_path, offline):
    write(tmp_path, new_code_cell(EVERY_OUTPUT))
    write(tmp_path, name="02_two")
    write(tmp_path, name="scratch_of_a_reader")
    site.build(tmp_path, tmp_path / "site", COURSE)
    names = {path.name for path in (tmp_path / "site").iterdir()}
    pages = "01_one 02_two index playground language glossary references concept_test guide loss_card search"
    pages = [*pages.split(), *(chapter.file for chapter in site.chapters())]
    assert names == {f"{name}.html" for name in pages} | {site.MARKER}
    page = offline((tmp_path / "site" / "01_one.html").read_text(encoding="utf-8"))
    assert page.locator("math").bounding_box()["width"] > 5
    page.wait_for_selector(".barlayer .point path")
    page.get_by_label("right").check()
    page.get_by_role("button", name="Commit").press("Enter")
    assert "You said: right" in page.locator("main").inner_text()
    first = offline((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    assert first.locator(".pages a[href='01_one.html']").count() == 2  # its own line, and where it is needed
    assert first.get_by_text("5 minutes, easy, 1 exercise").count() == 1
    assert first.get_by_text("10 minutes, hard; read first: 01 About formulas").count() == 1
    assert first.locator("main a").first.get_attribute("href") == "playground.html"
    picture = first.locator("a[href='playground.html'] img")
    assert picture.evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") == 960
    assert len(picture.get_attribute("src")) < 120_000
    assert (tmp_path / "site" / "playground.html").stat().st_size < 600_000
    papers = offline((tmp_path / "site" / "references.html").read_text(encoding="utf-8"))
    assert papers.get_by_text("Ba and Caruana 2014. Do Deep Nets").count() == 1
    assert papers.locator("a[href='01_one.html'], a[href='02_two.html']").count() == 2


@pytest.mark.browser
def test_every_word_that_a_page_links_is_in_the_glossary(offline):
    text = page_of(new_markdown_cell("# One\n\nA **student** learns *soft targets*; the student has logits."))
    linked = offline(text).locator("main a.term")
    addresses = [link.get_attribute("href") for link in linked.all()]
    assert addresses == [f"glossary.html#{word}" for word in ("student", "soft-targets", "logits")]
    words = site.glossary_page()
    for address in addresses:
        assert offline(words).locator(f"dt#{address.split('#')[1]} + dd").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_page_follows_the_readers_light_or_dark(browser, scheme):
    page = browser.new_page(color_scheme=scheme)
    page.set_content(site.index(COURSE))
    paper = page.evaluate("getComputedStyle(document.querySelector('.kdviz-map')).backgroundColor")
    assert paper == page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(17, 20, 24)")
    page.close()


def test_a_notebook_is_executed_once_for_all_who_ask(tmp_path):
    path = write(tmp_path, new_code_cell("import time; print(time.time_ns())"))
    first, second = (site.execute_all(tmp_path, tmp_path / "executed", COURSE[:1]) for _ in range(2))
    assert first[COURSE[0]].cells[1].outputs == second[COURSE[0]].cells[1].outputs != []
    assert nbformat.read(path, as_version=4).cells[1].outputs == []


def test_a_folder_with_other_work_is_not_replaced(tmp_path):
    write(tmp_path)
    other = tmp_path / "work" / "thesis.tex"
    other.parent.mkdir()
    other.write_text("years")
    with pytest.raises(site.SiteError, match="'thesis.tex'.*new or empty folder"):
        site.build(tmp_path, other.parent, COURSE)
    assert other.read_text() == "years"


@pytest.mark.parametrize("marker", [None, "", "{}", '{"pages": ["../thesis.html"]}', '{"pages": 3}'])
def test_pages_that_no_marker_lists_are_the_readers_own(tmp_path, marker):
    write(tmp_path)
    mine = tmp_path / "mine"
    (mine / "old.html").mkdir(parents=True)
    (mine / "old.html" / "data.csv").write_text("1")
    (mine / "thesis.html").write_text("years")
    if marker is not None:
        (mine / site.MARKER).write_text(marker)
    with pytest.raises(site.SiteError, match="new or empty folder"):
        site.build(tmp_path, mine, COURSE)
    assert (mine / "thesis.html").read_text() == "years" and (mine / "old.html" / "data.csv").exists()


def pages_of(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).write_text(f"new {name}")
    return folder


def test_only_what_the_old_site_lists_is_deleted(tmp_path):
    output = tmp_path / "site"
    site._replace([], pages_of(tmp_path / "first", "index.html", "gone.html"), output)
    (output / "notes.html").write_text("mine")
    (output / "notes.txt").write_text("mine")
    old = site._old_pages(output)
    assert old == ["gone.html", "index.html"]
    site._replace(old, pages_of(tmp_path / "second", "index.html"), output)
    assert sorted(path.name for path in output.iterdir()) == [
        site.MARKER, "index.html", "notes.html", "notes.txt"
    ]  # fmt: skip
    with pytest.raises(site.SiteError, match="notes.html is no page of the old site"):
        site._replace(site._old_pages(output), pages_of(tmp_path / "third", "notes.html"), output)
    assert (output / "notes.html").read_text() == "mine"


def test_every_page_says_whose_the_digits_are():
    pages = {
        "a notebook": page_of(new_markdown_cell("# One")),
        "index": site.index(COURSE),
        "glossary": site.glossary_page(),
        "references": site._plain("references.html.j2", references=[]),
        "guide": site.guide_page(),
        "concept test": site.concept_test_page(),
        "playground": site.playground_page(),
    }
    for name, text in pages.items():
        assert "UCI" in text and "CC BY 4.0" in text and "MIT" in text, name
        # The playground names no address: nothing in it can be asked of the network.
        assert name == "playground" or "creativecommons.org/licenses/by/4.0" in text, name


def test_an_error_in_a_cell_stops_the_build_and_leaves_the_old_site(tmp_path):
    write(tmp_path, new_code_cell("1 / 0"))
    old = tmp_path / "site" / "index.html"
    old.parent.mkdir()
    old.write_text("old")
    (old.parent / site.MARKER).write_text('{"pages": ["index.html"]}')
    with pytest.raises(site.SiteError, match=r"01_one.ipynb does not run(?s:.*)ZeroDivisionError"):
        site.build(tmp_path, tmp_path / "site", COURSE[:1])
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_word_on_standard_error_stops_the_build(tmp_path):
    path = write(tmp_path, new_code_cell("import sys; print('careful', file=sys.stderr)"))
    with pytest.raises(site.SiteError, match="careful"):
        site.execute(path)


def test_a_missing_notebook_is_named(tmp_path):
    with pytest.raises(site.SiteError, match="no notebook .*01_one.ipynb"):
        site.build(tmp_path, tmp_path / "site", COURSE[:1])


def test_progress_is_left_at_its_last_state():
    printed = [new_output("stream", text=text) for text in ("\r1 of 2", "\r2 of 2", "\r2 of 2\n", "done\n")]
    text = page_of(new_markdown_cell("# Bar"), new_code_cell("1", outputs=printed))
    assert "<pre>2 of 2\ndone\n</pre>" in text and "1 of 2" not in text
