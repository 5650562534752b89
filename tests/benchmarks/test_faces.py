"""What docs/using.md says of faces, and of what is unlike training, is what was measured."""

from pathlib import Path

import faces
import unlike
from deepfake_ensemble.workflow.generated import filled
from harness import kept
from measured_pages import cells

ROOT = Path(__file__).parents[2]


def test_the_page_says_what_was_measured() -> None:
    text = (ROOT / faces.PAGE).read_text(encoding="utf-8")
    parts = faces.parts(kept(ROOT / faces.FILE)) | {"unlike": unlike.part(kept(ROOT / unlike.FILE))}
    assert filled(text, parts, faces.PAGE) == text


def test_what_was_not_measured_yet_leaves_the_page_as_it_is_there() -> None:
    measured = kept(ROOT / faces.FILE)
    assert list(faces.parts({"pictures": measured["pictures"]})) == ["pictures"]
    assert list(faces.parts({"found": measured["found"], "detector": measured["detector"]})) == ["lost"]


def test_a_loss_meets_its_aim_by_itself_or_but_for_what_size_and_compression_take() -> None:
    def row(name: str, **lost: float) -> list[str]:
        each = {
            "originals": 0.8,
            "lost": lost,
            "lost_by_network": {way: [it, it] for way, it in lost.items()},
        }
        rows = {"as they are": each, name: each}
        return cells(faces.parts(kept(ROOT / faces.FILE) | {"detector": {"auc": rows}})["lost"], name)

    assert row("a", found=0.02) == ["0.020 (0.020 to 0.020)", "–", "–", "met"]
    assert row("b", found=0.05, small_and_compressed=0.04)[-1] == "met but for size and compression"
    assert row("c", found=0.05, small_and_compressed=-0.04)[-2:] == ["−0.040 (−0.040 to −0.040)", "missed"]
