"""Take the README's pictures from a run of the sample, with Chromium: `make screenshots`.

The images that are shown on the page are crops of photographs that anybody may show: public domain or CC0.
"""

import csv
import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.index import CLASS_NAMES
from deepfake_ensemble.evaluation import predictions
from deepfake_ensemble.foundation.errors import UserError

ARCHIVE = Path("data/raw/internal.zip")
PREDICTED = Path("predictions/cnn/test.csv")
REPORT = Path("reports/report.html")
MODEL = Path("models/ensemble.onnx")
PICTURES = Path("docs/pictures")
FREE = ("chelsea", "coffee", "rocket")
WIDTH, HEIGHT = 1100, 880  # of the window, in pixels


def examples(archive: Path, test: predictions.Predictions) -> Iterator[tuple[str, bytes]]:
    """Yield a test image of each class of each photograph that anybody may show, by name.

    Args:
        archive: of the sample's faces; its tables say which photograph an image is from.
        test: predictions of test images.

    Yields:
        File names and JPEG files.
    """
    with zipfile.ZipFile(archive) as opened:
        tables = [name for name in opened.namelist() if name.endswith(".csv")]
        origins = {
            row["path"]: Path(row["original_path"].partition("#")[0]).stem
            for table in tables
            for row in csv.DictReader(io.StringIO(opened.read(table).decode()))
        }
        shown: dict[str, str] = {}
        for path, label in zip(test.paths, test.labels, strict=True):
            photograph = origins["/".join(Path(path).parts[-3:])]
            if photograph in FREE:
                shown.setdefault(f"{photograph}-{CLASS_NAMES[label]}.jpg", path)
        for name, path in sorted(shown.items()):
            yield name, opened.read(path)


def take(browser: Any, pictures: Path) -> None:
    """Photograph the report's beginning, and the page with examples on it.

    Args:
        browser: Playwright's, open.
        pictures: the folder that report.png and page.png are written to.
    """
    report = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    report.goto(REPORT.absolute().as_uri())
    report.screenshot(path=pictures / "report.png")
    program = [sys.executable, "-m", "deepfake_ensemble.use.command_line", "serve", "--port", "0"]
    with subprocess.Popen([*program, "--file", str(MODEL)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            address = server.stdout.readline().split()[0]
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(address)
            page.wait_for_selector("#errors li")
            files = [
                {"name": name, "mimeType": "image/jpeg", "buffer": data}
                for name, data in examples(ARCHIVE, predictions.read(PREDICTED))
            ]
            page.set_input_files("#files", files)
            page.wait_for_selector("#status:has-text('classified')")
            page.locator("#results").screenshot(path=pictures / "page.png")
        finally:
            server.terminate()


def main() -> None:
    """Write the pictures.

    Raises:
        UserError: if the run is not there, or Chromium.
    """
    for file in (ARCHIVE, PREDICTED, REPORT, MODEL):
        if not file.exists():
            raise UserError(f"{file}: missing; `make repro` makes it")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise UserError("chromium: not found; install it to take screenshots")
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        take(browser, PICTURES)
        browser.close()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
