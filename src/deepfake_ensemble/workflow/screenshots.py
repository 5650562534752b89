"""Take the README's pictures from a run of the sample, with Chromium: `make screenshots`."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError

REPORT = Path("reports/report.html")
MODEL = Path("models/ensemble.onnx")
PICTURES = Path("docs/pictures")
WIDTH, HEIGHT = 1100, 880  # of the window, in pixels
SHOWN = 2  # of the page's examples


def of_report(browser: Any, picture: Path) -> None:
    """Photograph the report's beginning.

    Args:
        browser: Playwright's.
        picture: the PNG that is written.
    """
    report = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    report.goto(REPORT.absolute().as_uri())
    report.screenshot(path=picture)


def of_page(browser: Any, picture: Path) -> None:
    """Photograph the page of `serve` with its own examples on it.

    Args:
        browser: Playwright's.
        picture: the PNG that is written.
    """
    program = [sys.executable, "-m", "deepfake_ensemble.use.command_line", "serve", "--port", "0"]
    with subprocess.Popen([*program, "--file", str(MODEL)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT * 3 // 5})
            page.goto(server.stdout.readline().split()[0])
            page.wait_for_selector("#errors li")
            for number in range(SHOWN):
                page.locator("#examples button").nth(number).click()
            page.locator(".card img").nth(SHOWN - 1).wait_for()
            page.wait_for_selector("#status:has-text('classified')")
            page.screenshot(path=picture)
        finally:
            server.terminate()


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the Chromium of this machine, and end it.

    Raises:
        UserError: if there is none; it is no Python package.
    """
    installed = shutil.which("chromium") or shutil.which("google-chrome")
    if installed is None:
        raise UserError("chromium: not found; install it, or Google Chrome")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield browser
        browser.close()


def main() -> None:
    """Write the pictures.

    Raises:
        UserError: if the run is not there, or Chromium.
    """
    for file in (REPORT, MODEL):
        if not file.exists():
            raise UserError(f"{file}: missing; `make repro` makes it")
    PICTURES.mkdir(exist_ok=True)
    with chromium() as browser:
        of_report(browser, PICTURES / "report.png")
        of_page(browser, PICTURES / "page.png")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
