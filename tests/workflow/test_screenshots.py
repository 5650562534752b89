"""The README's pictures are small."""

from pathlib import Path

import pytest

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.workflow import screenshots

ROOT = Path(__file__).parents[2]


def test_without_a_run_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^reports/report\.html: missing; `make repro` makes it"):
        screenshots.main()


def test_the_pictures_are_small() -> None:
    pictures = list((ROOT / "docs/pictures").glob("*.png"))
    assert {picture.name for picture in pictures} == {"page.png", "report.png"}
    assert all(picture.stat().st_size <= 200_000 for picture in pictures)
