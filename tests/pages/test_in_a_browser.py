"""The report as Chromium shows it: tables whole, what is folded opened by links and on paper."""

import pytest


@pytest.fixture
def opened(browser, study):
    """Open the report in a window of some width, at a section if one is named."""
    pages = []

    def open_at(width, anchor=""):
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.goto((study / "reports/report.html").as_uri() + anchor)
        return page

    yield open_at
    for page in pages:
        page.close()


UNFOLD = "document.querySelectorAll('details').forEach((it) => { it.open = true; })"
CUT_OFF = """[...document.querySelectorAll(".table")].filter((it) => it.scrollWidth > it.clientWidth)
  .map((it) => it.querySelector("caption").innerText)"""


def test_every_table_is_whole_on_a_screen_of_1280(opened):
    page = opened(1280)
    page.evaluate(UNFOLD)
    assert page.evaluate(CUT_OFF) == []


def test_a_narrow_screen_scrolls_tables_and_not_the_page(opened):
    page = opened(390)
    page.evaluate(UNFOLD)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(CUT_OFF)
    head = page.locator("#the-detectors tbody th").first
    before = head.bounding_box()["x"]
    page.evaluate("document.querySelector('#the-detectors .table').scrollLeft = 200")
    assert head.bounding_box()["x"] == before  # names stay while figures pass


def test_the_first_screen_has_the_answer_and_sections_are_folded(opened):
    page = opened(1280)
    for paragraph in page.locator("header .answer").all():
        box = paragraph.bounding_box()
        assert box["y"] + box["height"] < 900
    assert page.evaluate("document.documentElement.scrollHeight") < 3000
    assert not page.locator("section .table").first.is_visible()


def test_a_link_into_a_folded_section_opens_it(opened):
    page = opened(1280, "#training")
    assert page.locator("#training .table").is_visible()
    assert not page.locator("#data .table").first.is_visible()


def test_paper_gets_everything_and_the_screen_is_as_before_after_it(opened):
    page = opened(1280)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(table.is_visible() for table in page.locator(".table").all())
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.locator("section .table").first.is_visible()
