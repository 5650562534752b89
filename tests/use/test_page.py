"""A person at the page: pictures are dropped in, read, sorted, explained; in a browser, if there is one."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import model_file
from pictures import encoded, picture
from serving import served

pytest.importorskip("playwright.sync_api")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    model_file.write(folder / "models/ensemble.onnx")
    with served(folder) as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, opened; nothing may go wrong on it, and it may ask no other host."""
    page, asked, wrong = browser.new_page(), set(), []
    page.on("request", lambda request: asked.add(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#errors li")
    yield page
    page.close()
    assert not wrong
    assert all(url.startswith((address, "blob:")) for url in asked)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    for seed in range(4):
        (folder / f"{seed}.jpg").write_bytes(encoded(picture(seed, 200, 150)))
    (folder / "broken.jpg").write_bytes(b"nothing")
    Image.new("RGB", (300, 200), "black").save(folder / "black.png")
    return sorted(folder.iterdir())


def choose(page: Any, files: list[Path]) -> None:
    page.set_input_files("#files", [str(file) for file in files])
    page.wait_for_selector("#status:has-text('classified')")


def column(page: Any, number: int) -> list[str]:
    return [cell.inner_text() for cell in page.query_selector_all(f"#rows tr > :nth-child({number})")]


def test_images_that_are_chosen_are_listed_with_every_detectors_probability(page, files):
    choose(page, files)
    assert page.inner_text("#status") == "5 of 6 images classified; 1 could not be."
    assert column(page, 2) == [file.name for file in files]
    row = page.query_selector("#rows tr:has-text('0.jpg')").inner_text()
    from deepfake_ensemble.reading.images import pixels

    for p in model_file.p_fake(pixels(files[0].read_bytes(), 32)[None]).values():
        assert f"{p[0]:.4f}" in row
    assert "not classified: not an image" in page.query_selector("#rows tr:has-text('broken')").inner_text()
    assert "unlike" in page.query_selector("#rows tr:has-text('black')").inner_text()
    assert "Demonstration models" in page.inner_text("#demonstration")


def test_an_image_that_is_dropped_is_taken(page, files):
    data = base64.b64encode(files[0].read_bytes()).decode()
    handle = page.evaluate_handle(
        """(data) => {
            const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
            return transfer;
        }""",
        data,
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": handle})
    page.wait_for_selector("#rows tr:has-text('dropped.jpg')")
    page.wait_for_selector("#status:has-text('1 of 1 images classified.')")


def test_the_table_is_sorted_by_any_column_from_the_keyboard_too(page, files):
    choose(page, files)
    header = page.locator("#head th[data-key=ensemble]")
    header.locator("button").focus()
    page.keyboard.press("Enter")
    rising = column(page, 4)
    assert header.get_attribute("aria-sort") == "ascending"
    assert rising[:5] == sorted(rising[:5], key=float) and rising[5] == "–"
    page.keyboard.press("Enter")
    assert column(page, 4)[:5] == rising[:5][::-1]
    assert header.get_attribute("aria-sort") == "descending"


def test_the_slider_changes_verdicts_and_says_with_what_errors(page, files):
    choose(page, files)
    before, sentences = column(page, 3), page.inner_text("#errors")
    slider = page.locator("#threshold")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_selector("#errors:has-text('From P(fake) 0.01 on')")
    assert column(page, 3) != before
    assert column(page, 3).count("fake") == 5
    assert page.inner_text("#errors") != sentences
    page.select_option("#point", "youden")
    page.wait_for_selector("#errors:has-text('From P(fake) 0.4321 on')")


def test_more_about_an_image_is_told_in_words(page, files):
    choose(page, files)
    button = page.locator("#rows tr").first.locator("button")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    details = page.inner_text("#rows tr.more")
    assert "of the internal test" in details and "Grad-CAM needs" in details
    assert page.locator("#rows tr").first.locator("button").get_attribute("aria-expanded") == "true"


def test_a_name_is_shown_and_never_run(page, tmp_path):
    file = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    file.write_bytes(encoded(picture(1)))
    choose(page, [file])
    assert column(page, 2) == [file.name]


def test_what_was_shown_can_be_removed_and_saved(page, files):
    choose(page, files)
    with page.expect_download() as download:
        page.click("#save")
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 7 and lines[0].startswith('"image","ensemble"')
    page.click("#clear")
    assert not page.query_selector_all("#rows tr") and page.is_hidden("#results")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, address, scheme):
    page = browser.new_page(color_scheme=scheme)
    page.goto(address)
    page.wait_for_selector("#errors li")
    ground = _colour(page, "body", "backgroundColor")
    for selector in ("body", ".small", "a"):
        assert _contrast(_colour(page, selector, "color"), ground) >= 4.5
    assert _contrast(_colour(page, ".banner", "color"), _colour(page, ".banner", "backgroundColor")) >= 4.5
    page.close()


def test_everything_that_can_be_used_has_a_name_for_those_who_hear_the_page(page, files):
    choose(page, files)
    for element in page.query_selector_all("button, input, select"):
        name = element.evaluate("it => it.ariaLabel || it.labels?.[0]?.innerText || it.innerText")
        assert name and name.strip()
    assert page.get_attribute("html", "lang") == "en"
    assert page.get_attribute("#status", "aria-live") == "polite"


def _colour(page: Any, selector: str, name: str) -> list[float]:
    script = "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]"
    text = page.evaluate(script, [selector, name])
    return [int(part) / 255 for part in text.removeprefix("rgb(").removesuffix(")").split(",")[:3]]


def _contrast(one: list[float], other: list[float]) -> float:
    """WCAG's contrast ratio."""

    def luminance(colour: list[float]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
