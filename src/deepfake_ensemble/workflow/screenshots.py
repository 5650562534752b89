"""Take the README's pictures of a run of the sample, in the working folder: `make screenshots` (needs Chromium).

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

from deepfake_ensemble.archives.index import CLASS_NAMES, read_split
from deepfake_ensemble.foundation.errors import UserError

ARCHIVE = Path("data/raw/internal.zip")
SPLIT = Path("data/splits/internal/test.csv")
REPORT = Path("reports/report.html")
MODEL = Path("models/ensemble.onnx")
PICTURES = Path("docs/pictures")
FREE = ("chelsea", "coffee", "rocket", "hubble_deep_field")
OF_EACH_CLASS = 3
WIDTH, HEIGHT = 1100, 620  # of a picture, in pixels


def examples(archive: Path, split: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a few test images of both classes by name: of photographs that anybody may show, as many of each."""
    with zipfile.ZipFile(archive) as opened:
        tables = [name for name in opened.namelist() if name.endswith(".csv")]
        shown = {
            row["path"]: Path(row["original_path"].partition("#")[0]).stem
            for table in tables
            for row in csv.DictReader(io.StringIO(opened.read(table).decode()))
        }
        seen = {(kind, photograph): 0 for kind in CLASS_NAMES for photograph in FREE}
        found = dict.fromkeys(CLASS_NAMES, 0)
        for row in read_split(split):
            kind = CLASS_NAMES[row.label]
            photograph = shown["/".join(Path(row.path).parts[-3:])]
            if photograph not in FREE or seen[kind, photograph] or found[kind] == OF_EACH_CLASS:
                continue
            seen[kind, photograph] += 1
            found[kind] += 1
            yield f"{kind}-{photograph}.jpg", opened.read(row.path)


def take(browser: Any, pictures: Path) -> None:
    """Photograph the report's beginning, and the page with examples on it."""
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
                for name, data in examples(ARCHIVE, SPLIT)
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
    for file in (ARCHIVE, SPLIT, REPORT, MODEL):
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
