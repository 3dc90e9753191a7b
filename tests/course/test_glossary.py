"""The words of the course and its papers: where they are kept, and where the reader meets them."""

import nbformat
import pytest

from kdviz.course.glossary import DEFINITIONS, glossary, with_links
from kdviz.course.pages import Page, pages
from kdviz.course.paths import course_folder
from kdviz.course.references import references


def test_glossary_shows_all_words_or_those_asked_for():
    assert glossary()._repr_markdown_().count("\n") == len(DEFINITIONS) + 1
    assert repr(glossary("student")) == f"student: {DEFINITIONS['student']}"
    with pytest.raises(ValueError, match="the glossary has no 'pupil'"):
        glossary("pupil")


def test_a_word_is_linked_where_it_is_met_first():
    met = set()
    first = with_links("<p>Logits, and logits of students.</p>", met)
    assert first.count("<a ") == 2
    assert 'href="glossary.html#logits"' in first and ">Logits</a>, and logits of" in first
    assert with_links("<p>The student gives logits.</p>", met) == "<p>The student gives logits.</p>"


def test_the_longer_of_two_words_is_linked():
    linked = with_links("<p>logit matching and cross-entropy</p>", set())
    assert "#logit-matching" in linked and "#cross-entropy" in linked
    assert "#logits" not in linked and "#entropy" not in linked


@pytest.mark.parametrize("tag", ["a", "code", "h2", "math", "summary", "pre"])
def test_links_headings_code_and_formulas_stay_as_they_are(tag):
    kept = f"<{tag}>the <b>student</b></{tag}>"
    assert with_links(kept, set()) == kept
    assert with_links(f"{kept} student", set()).endswith(">student</a>")


def papers(*sources):
    cells = [nbformat.v4.new_markdown_cell(source) for source in sources]
    return {Page(f"0{i}_page", "Page"): nbformat.v4.new_notebook(cells=[c]) for i, c in enumerate(cells)}


def test_papers_are_read_from_the_pages():
    first = "- Gu et al. 2024, [*MiniLLM*](https://a.org/1): reverse KL; Ba and Li 2019, *No Link*.\n"
    second = "See Gu, Dong and Wei 2024, [*MiniLLM*](https://a.org/1), and [a tool](https://b.org)."
    assert [
        (p.authors, p.year, p.title, p.link, len(p.pages)) for p in references(papers(first, second))
    ] == [
        ("Ba and Li", 2019, "No Link", None, 1),
        ("Gu, Dong and Wei", 2024, "MiniLLM", "https://a.org/1", 2),
    ]


def test_every_paper_that_a_page_links_is_in_the_list():
    folder = course_folder() / "notebooks"
    notebooks = {page: nbformat.read(folder / page.notebook, as_version=4) for page in pages()}
    listed = {paper.link for paper in references(notebooks)}
    for page, notebook in notebooks.items():
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        for address in ("https://arxiv.org/abs/", "https://doi.org/"):
            for rest in text.split(address)[1:]:
                link = address + rest.split(")")[0]
                assert link in listed, f"{page.name}: write it as Authors 2015, [*Title*]({link})"
