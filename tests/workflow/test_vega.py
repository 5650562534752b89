"""The page of `dvc plots` is drawn without the internet, by scripts of the environment."""

from pathlib import Path

import pytest

from clones import ROOT, Clone
from deepfake_ensemble.workflow import vega

ELSEWHERE = '<script src="https://example.org/vega.js"></script>'
PLOT = """
<div id="plot"><script>
vegaEmbed("#plot", {"$schema": "https://vega.github.io/schema/vega-lite/v5.json",
  "data": {"values": [{"x": 1}]}, "mark": "bar", "encoding": {"x": {"field": "x"}}});
</script></div>
"""


@pytest.mark.parametrize("study", [ROOT, ROOT / "residual"])
def test_dvc_fills_our_page(study: Path) -> None:
    template = Clone(study).dvc("config", "plots.html_template").strip()
    page = (study / ".dvc" / template).read_text(encoding="utf-8")
    assert page.index("../.venv/vega.js") < page.index("{scripts}") < page.index("{plot_divs}")


@pytest.mark.parametrize("study", [ROOT, ROOT / "residual"])
def test_what_dvc_plots_writes_is_not_committed(study: Path) -> None:
    assert Clone(study).git("check-ignore", "dvc_plots/index.html").strip() == "dvc_plots/index.html"


@pytest.mark.parametrize("folder", ["dvc_plots", "residual/dvc_plots"])
def test_a_plot_is_drawn_and_no_other_host_asked(browser, tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    vega.SCRIPTS.parent.mkdir()
    vega.main()
    template = (ROOT / ".dvc/page.html").read_text(encoding="utf-8")
    file = tmp_path / folder / "index.html"
    file.parent.mkdir(parents=True)
    for name, text in (("refresh_tag", ""), ("scripts", ELSEWHERE), ("plot_divs", PLOT)):
        template = template.replace(f"{{{name}}}", text)
    file.write_text(template, encoding="utf-8")
    page, asked = browser.new_page(), set()
    page.on("request", lambda request: asked.add(request.url.partition(":")[0]))
    page.goto(file.as_uri())
    page.wait_for_selector("#plot canvas, #plot svg")
    assert asked == {"file"}


@pytest.mark.parametrize("template", sorted(ROOT.glob("**/.dvc/plots/*.json")), ids=lambda path: path.stem)
def test_revisions_can_be_told_apart(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    if '"row": {"field": "rev"' not in text:  # a row of charts each
        assert '"strokeDash": {"field": "rev"' in text and '"shape": {"field": "rev"' in text
