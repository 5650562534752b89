"""Write Vega's scripts into the environment, so that `dvc plots` draws without the internet: `make setup`.

`.dvc/page.html`, which DVC fills, looks for them there.
"""

from pathlib import Path

SCRIPTS = Path(".venv/vega.js")


def main() -> None:
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    SCRIPTS.write_text(f"(() => {{{bundle}}})();", encoding="utf-8")  # its names are not the page's


if __name__ == "__main__":
    main()
