"""A person at the page: pictures are dropped in, read, sorted, explained; in a browser, if there is one."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import model_file
from deepfake_ensemble.reading.images import pixels
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.use.recognising import SUFFIXES
from pictures import encoded, picture
from serving import served

CASES = Path(__file__).parent / "cases"
PAGE = Path(__file__).parents[2] / "src/deepfake_ensemble/use/page"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of models that mean what they say."""
    folder = tmp_path_factory.mktemp("page")
    model_file.write(folder / "models/ensemble.onnx", model_file.metadata(demonstration=False))
    with served(folder, "--rate", "100000") as (address, _):
        yield address


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("demonstration")
    model_file.write(folder / "models/ensemble.onnx")
    with served(folder) as (address, _):
        yield address


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; nothing may go wrong on it, and it may ask no other host."""
    pages, asked, wrong = [], set(), []

    def opened(address: str, **options: Any) -> Any:
        page = browser.new_page(**options)
        page.on("request", lambda request: asked.add((address, request.url)))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#errors li")
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert not wrong
    assert all(url.startswith((address, "blob:")) for address, url in asked)


@pytest.fixture
def page(opened: Callable[..., Any], address: str) -> Any:
    return opened(address)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    for seed in range(4):
        (folder / f"{seed}.jpg").write_bytes(encoded(picture(seed, 200, 150)))
    (folder / "broken.jpg").write_bytes(b"nothing")
    Image.new("RGB", (300, 200), "black").save(folder / "black.png")
    return sorted(folder.iterdir())


def classified(page: Any) -> None:
    """Wait until nothing is left to do."""
    page.wait_for_selector("#status:has-text('classified')")


def choose(page: Any, files: list[Path]) -> None:
    page.set_input_files("#files", [str(file) for file in files])
    classified(page)


def drop(page: Any, *paths: Path) -> None:
    """Drop files and folders on the page as a mouse does."""
    box = page.locator("#drop").bounding_box()
    place = {"x": box["x"] + 20, "y": box["y"] + 20}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    classified(page)


def card(page: Any, name: str) -> Any:
    return page.locator(f"#cards > li:has-text('{name}')")


def names(page: Any) -> list[str]:
    return [each.inner_text() for each in page.query_selector_all("#cards .name")]


def column(page: Any, number: int) -> list[str]:
    return [cell.inner_text() for cell in page.query_selector_all(f"#rows tr > :nth-child({number})")]


def test_images_that_are_chosen_each_get_a_card_that_answers(page, files):
    choose(page, files)
    assert page.inner_text("#status") == "5 of 6 images classified; 1 could not be."
    assert names(page) == [file.name for file in files]
    p = {name: value[0] for name, value in model_file.p_fake(pixels(files[0].read_bytes(), 32)[None]).items()}
    text = card(page, "0.jpg").inner_text()
    assert f"Called {'fake' if p['ensemble'] >= 0.5 else 'real'}" in text
    assert f"P(fake) {p['ensemble']:.2f}; called fake from 0.50 on" in text
    card(page, "0.jpg").locator("summary").click()
    details = card(page, "0.jpg").locator("details").inner_text()
    assert all(f"{value:.4f}" in details for value in p.values())
    assert "of the internal test" in details and "Grad-CAM needs" in details
    assert "Not classified" in (text := card(page, "broken").inner_text()) and "a text." in text
    assert "unlike training" in card(page, "black").inner_text()
    assert page.is_hidden("#demonstration")
    page.wait_for_selector("#cards > li:has-text('0.jpg') img")


def test_demonstration_models_give_no_verdict_and_no_colour(opened, demonstration, files):
    page = opened(demonstration)
    choose(page, files)
    assert "Demonstration models" in page.inner_text("#demonstration")
    assert "Demonstration: no verdict" in card(page, "0.jpg").inner_text()
    assert not page.query_selector_all(".real, .fake")
    page.click("#view")
    assert column(page, 3)[0] == "demonstration: no verdict"
    assert not page.query_selector_all(".real, .fake")


def test_a_detector_alone_is_told_of_once_and_by_its_name(opened, tmp_path, files):
    about = model_file.metadata(weights=model_file.ALONE, demonstration=False)
    model_file.write(tmp_path / "models/ensemble.onnx", about)
    with served(tmp_path) as (address, _):
        page = opened(address)
        choose(page, files)
        page.click("#cards summary >> nth=0")
        assert "nsemble" not in page.inner_text("body")
        page.click("#view")
        heads = [each.inner_text() for each in page.query_selector_all("#head button")]
        assert heads == ["Image", "Verdict", "EfficientNet-B4", "Unlike training"]
        with page.expect_download() as saved:
            page.click("#save")
        assert saved.value.path().read_text().startswith('"image","efficientnet_b4","verdict",')


@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 844), (1280, 900)])
def test_the_first_answer_is_seen_without_scrolling_and_nothing_runs_over(
    opened, address, demonstration, files, width, height
):
    for where in (address, demonstration):
        page = opened(where, viewport={"width": width, "height": height})

        def overflow(page: Any = page) -> int:
            return page.evaluate("document.documentElement.scrollWidth - innerWidth")

        assert overflow() <= 0
        choose(page, files)
        box = card(page, "0.jpg").locator(".verdict").bounding_box()
        assert box["y"] + box["height"] <= height
        assert overflow() <= 0
        for folded in page.query_selector_all("summary"):
            folded.click()
        assert overflow() <= 0
        page.click("#view")
        assert overflow() <= 0
        page.goto(f"{where}/docs")
        page.wait_for_selector(".endpoint")
        assert overflow() <= 0


def test_whatever_is_read_can_be_chosen(page):
    accepted = page.locator("#files").get_attribute("accept").split(",")
    assert {"image/*", ".zip", *SUFFIXES} == set(accepted)


def test_a_folder_that_is_dropped_is_walked_and_what_is_beside_images_is_counted(page, tmp_path):
    folder = tmp_path / "holiday"
    for name in ("b.jpg", "deep/a.png", "._b.jpg", ".DS_Store", "deep/film.mov", "@eaDir/b.jpg", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(picture(1), "PNG"))
    shutil.copy(CASES / "IMG_0001.HEIC", folder)
    (folder / "whole.heic").write_bytes(encoded(picture(1, 64, 48), "HEIF"))
    drop(page, folder)
    found = ["IMG_0001.HEIC", "b.jpg", "deep/a.png", "whole.heic"]
    assert names(page) == [f"holiday/{name}" for name in found]
    beside = "2 files of macOS, 1 file of a network drive, 1 video, 1 text or table"
    assert page.inner_text("#status") == f"3 of 4 images classified; 1 could not be. Passed over: {beside}."
    assert "begins as a HEIC image, and cannot be read on" in card(page, "IMG_0001").inner_text()
    page.wait_for_selector("#cards > li:has-text('whole.heic') img")  # as the server shows it


def test_a_folder_without_images_is_told(page, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes.txt").write_text("x")
    drop(page, tmp_path / "empty")
    assert "no file in this folder ends like an image that is read." in card(page, "empty").inner_text()


def test_a_folder_is_chosen_from_the_keyboard_too(page, tmp_path):
    (tmp_path / "chosen/deep").mkdir(parents=True)
    (tmp_path / "chosen/deep/a.jpg").write_bytes(encoded(picture(1)))
    (tmp_path / "chosen/._a.jpg").write_bytes(b"")
    page.set_input_files("#folder", str(tmp_path / "chosen"))
    classified(page)
    assert names(page) == ["chosen/deep/a.jpg"]


@pytest.mark.parametrize(
    ("archive", "found"),
    [
        ("mac.zip", ["pics/a.jpg"]),
        ("accents.zip", ["é/photo–1.jpg", "😀.jpg"]),
        ("win_mixed.zip", ["a.jpg", "b.jpg", "Brücke.jpg"]),
    ],
)
def test_a_zip_is_opened_as_the_command_does(page, archive, found):
    choose(page, [CASES / archive])
    assert names(page) == [f"{archive}/{name}" for name in found]
    assert page.inner_text("#status").startswith(f"{len(found)} of {len(found)} images classified.")


def test_one_bad_entry_of_a_zip_costs_one_card(page, tmp_path):
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.jpg", "cut.jpg", "secret.jpg"):
            archive.writestr(name, encoded(picture(1)))
    data = bytearray(path.read_bytes())
    for entry in zipfile.ZipFile(path).infolist():
        if entry.filename == "cut.jpg":
            data[entry.header_offset + 60 : entry.header_offset + 90] = b"\xff" * 30
        if entry.filename == "secret.jpg":
            data[data.rindex(b"secret.jpg") - 46 + 8] |= 1
    path.write_bytes(data)
    choose(page, [path])
    assert "Called" in card(page, "a.jpg").inner_text()
    assert "cannot be unpacked: it is damaged." in card(page, "cut.jpg").inner_text()
    assert "is encrypted; unpack the archive" in card(page, "secret.jpg").inner_text()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("../out.jpg", b"x", "leads out of the archive"),
        ("/etc/out.jpg", b"x", "has an absolute path"),
        ("zeros.jpg", b"\0" * 20_000_000, "like a decompression bomb"),
        ("notes.txt", b"x", "no file in this archive ends like an image that is read"),
    ],
)
def test_a_zip_that_is_no_good_is_refused_as_a_whole(page, tmp_path, name, data, said):
    with zipfile.ZipFile(tmp_path / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg" if name != "notes.txt" else "more.txt", encoded(picture(1)))
        archive.writestr(name, data)
    choose(page, [tmp_path / "some.zip"])
    assert names(page) == ["some.zip"]
    assert said in card(page, "some.zip").inner_text()


def test_overlapping_entries_refuse_a_zip_and_what_is_none_is_told(page, tmp_path):
    path = tmp_path / "overlap.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", encoded(picture(1)))
        archive.writestr("b.jpg", encoded(picture(2)))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"b.jpg") - 46 + 42
    data[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    (tmp_path / "none.zip").write_bytes(b"nothing" * 10)
    choose(page, [path, tmp_path / "none.zip"])
    assert "overlaps what follows it" in card(page, "overlap.zip").inner_text()
    assert "not a zip archive, or a damaged one" in card(page, "none.zip").inner_text()


def test_the_page_knows_the_letters_of_dos():
    (line,) = [line for line in (PAGE / "zip.js").read_text().splitlines() if "ÇüéâäàåçêëèïîìÄÅ" in line]
    assert json.loads(line.strip().removesuffix(";")) == bytes(range(128, 256)).decode("cp437")


def test_a_file_that_the_browser_cannot_read_is_not_blamed_on_the_server(page, tmp_path):
    (tmp_path / "gone.jpg").write_bytes(encoded(picture(1)))
    page.route("**/api/classify**", lambda route: route.abort())
    page.evaluate("() => { File.prototype.arrayBuffer = () => Promise.reject(new DOMException('x')); }")
    choose(page, [tmp_path / "gone.jpg"])
    assert "your browser cannot read this file" in card(page, "gone.jpg").inner_text()


def test_a_server_that_does_not_answer_is_told(page, files):
    page.route("**/api/classify**", lambda route: route.abort())
    choose(page, files[:1])
    assert "the server does not answer" in card(page, files[0].name).inner_text()


def test_examples_can_be_tried_with_the_keyboard(page):
    page.locator("#examples button").first.focus()
    page.keyboard.press("Enter")
    classified(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#status:has-text('2 of 2 images classified')")
    assert names(page) == ["chelsea-real.jpg", "chelsea-made.jpg"]


def test_a_heat_map_stands_beside_the_picture_and_is_large(opened, address, files):
    page = opened(address)
    page.route(
        "**/api/model",
        lambda route: route.fulfill(
            json=route.fetch().json() | {"explains": True, "explains_not_because": None}
        ),
    )
    heat = encoded(picture(5, 256, 256), "PNG")
    page.route("**/api/explain**", lambda route: route.fulfill(body=heat, content_type="image/png"))
    page.reload()
    page.wait_for_selector("#errors li")
    choose(page, files)
    card(page, "0.jpg").locator("text=Show where the ensemble looks").click()
    page.wait_for_selector(".heat img")
    shown = page.locator(".heat img").bounding_box()
    beside = card(page, "0.jpg").locator(".picture img").bounding_box()
    assert shown["width"] >= 256 and shown["height"] >= 256
    assert abs(shown["y"] - beside["y"]) < 2 and shown["x"] > beside["x"] + beside["width"]
    assert "bright spots speak the most for" in page.inner_text(".heat figcaption")
    assert page.evaluate("document.activeElement.closest('.card') !== null")


def test_many_images_are_a_table_that_is_sorted_by_any_column_from_the_keyboard_too(page, files):
    choose(page, files * 2)
    assert page.is_hidden("#cards") and page.get_attribute("#view", "aria-pressed") == "true"
    header = page.locator("#head th[data-key=ensemble]")
    header.locator("button").focus()
    page.keyboard.press("Enter")
    rising = column(page, 4)
    assert header.get_attribute("aria-sort") == "ascending"
    assert rising[:10] == sorted(rising[:10], key=float) and rising[10:] == ["–", "–"]
    page.keyboard.press("Enter")
    assert column(page, 4)[:10] == rising[:10][::-1]
    assert header.get_attribute("aria-sort") == "descending"
    page.locator("#view").focus()
    page.keyboard.press("Enter")
    assert page.is_hidden("#list") and len(names(page)) == 12


def test_the_slider_changes_verdicts_and_says_with_what_errors(page, files):
    choose(page, files)

    def verdicts() -> list[str]:
        return [each.inner_text() for each in page.query_selector_all("#cards .verdict")]

    before, sentences = verdicts(), page.inner_text("#errors")
    page.locator("#threshold").focus()
    page.keyboard.press("Home")
    page.wait_for_selector("#errors:has-text('From P(fake) 0.01 on')")
    assert verdicts() != before
    assert verdicts().count("Called fake") == 5
    assert page.inner_text("#errors") != sentences
    page.select_option("#point", "youden")
    page.wait_for_selector("#errors:has-text('From P(fake) 0.4321 on')")


def test_a_name_is_shown_and_never_run(page, tmp_path):
    file = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    file.write_bytes(encoded(picture(1)))
    choose(page, [file])
    assert names(page) == [file.name]


def test_a_long_name_of_any_letters_is_no_trouble(page, tmp_path):
    file = tmp_path / f"{'😀' * 60}.jpg"
    file.write_bytes(encoded(picture(1)))
    choose(page, [file])
    assert names(page) == [file.name]


def test_what_was_shown_can_be_removed_and_saved(page, files):
    choose(page, files)
    with page.expect_download() as download:
        page.click("#save")
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 7 and lines[0].startswith('"image","ensemble"')
    page.click("#clear")
    assert not page.query_selector_all("#cards li") and page.is_hidden("#results")
    assert page.is_visible("#examples") and page.inner_text("#status") == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened, address, demonstration, files, scheme):
    for where in (address, demonstration):
        page = opened(where, color_scheme=scheme)
        ground = _colour(page, "body", "backgroundColor")
        assert _contrast(_colour(page, ".button", "color"), ground) >= 4.5
        choose(page, files)
        for selector in ("body", ".small", "a", ".verdict", ".card h3"):
            assert _contrast(_colour(page, selector, "color"), ground) >= 4.5
        assert (
            _contrast(_colour(page, ".banner", "color"), _colour(page, ".banner", "backgroundColor")) >= 4.5
        )


def test_everything_that_can_be_used_has_a_name_for_those_who_hear_the_page(page, files):
    for _ in range(2):
        for element in page.query_selector_all("button, input, select, summary"):
            name = element.evaluate(
                "it => it.ariaLabel || it.labels?.[0]?.innerText || it.innerText || it.firstChild?.alt"
            )
            assert name and name.strip()
        choose(page, files)
    assert page.get_attribute("html", "lang") == "en"
    assert page.get_attribute("#status", "aria-live") == "polite"


def test_the_page_is_used_with_the_keyboard_alone(page):
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.id || document.activeElement.dataset.name || ''")
        )
    for name in ("files", "folder", "chelsea-real.jpg", "point", "threshold"):
        assert name in reached


def test_the_endpoints_are_described_to_people(opened, address):
    page = opened(address)
    page.click("a[href=docs]")
    page.wait_for_selector(".endpoint")
    text = page.inner_text("main")
    for part in (
        "POST /api/classify",
        "curl --data-binary @photo.jpg",
        "threshold",
        "fakes_called_real",
        "415",
    ):
        assert part in text


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


def test_faces_have_boxes_and_cards_and_who_insists_has_the_whole_image(opened, tmp_path):
    model_file.write(tmp_path / "models/ensemble.onnx", model_file.metadata(faces=True, demonstration=False))
    astronaut = Image.fromarray(photographs.read("skimage/data/astronaut.png").pixels)
    face = astronaut.crop((120, 20, 320, 200))
    two = Image.new("RGB", (400, 180), "grey")
    two.paste(face, (0, 0))
    two.paste(face.point(lambda value: round(value * 0.8)), (200, 0))
    with served(tmp_path) as (address, _):
        page = opened(address)
        page.set_input_files(
            "#files",
            [
                {"name": "two.png", "mimeType": "image/png", "buffer": encoded(two, "PNG")},
                {"name": "none.png", "mimeType": "image/png", "buffer": encoded(picture(1), "PNG")},
            ],
        )
        examples = page.locator("#examples button:visible")
        assert examples.evaluate_all("all => all.map((it) => it.dataset.name)") == [
            "astronaut-real.jpg",
            "astronaut-made.jpg",
        ]
        page.wait_for_selector(".boxes rect")
        assert page.locator(".boxes rect").count() == 2
        assert page.locator(".boxes text").all_text_contents() == ["1", "2"]
        assert page.locator(".faces li").count() == 2
        several = ", of 2 faces the one most likely fake"
        assert several in page.locator(".card", has_text="two.png").inner_text()
        page.click("#view")
        assert page.locator("#rows tr", has_text="two.png").inner_text().count(several) == 1
        page.click("#view")
        drawn, shown = (
            page.locator(".boxes").bounding_box(),
            page.locator(".picture img").first.bounding_box(),
        )
        assert drawn == shown
        none = page.locator(".card", has_text="none.png")
        none.get_by_text("no face found: these detectors know faces only.").wait_for()
        none.locator("img").wait_for()  # who has to choose sees the picture
        none.get_by_role("button", name="Classify the whole image").click()
        none.locator(".verdict", has_text="Called").wait_for()
        assert page.locator(".boxes").count() == 1
