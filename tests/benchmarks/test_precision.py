"""The benchmark of precision and XLA: medians of blocks, and a page that shows what each setting is worth."""

from pathlib import Path

import pytest

import precision
from measured_pages import HERE, cells


def found(*seconds: float, same: bool | None = True) -> dict:
    return {"first_step_seconds": 3.0, "step_seconds": list(seconds), "peak_mib": 2048, "same_weights": same}


def test_a_measurement_is_the_median_of_a_block_of_steps() -> None:
    assert precision._medians(
        [1.0, 2.0, 9.0, 4.0, 4.0, 4.0, 5.0, 5.0, 0.0, 6.0, 6.0, 6.0, 7.0, 7.0, 7.0]
    ) == [
        2.0,
        4.0,
        5.0,
        6.0,
        7.0,
    ]


def test_fewer_steps_than_blocks_are_measured_one_by_one() -> None:
    assert precision._medians([0.5, 0.25]) == [0.5, 0.25]


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        (precision.Setting("float32"), "float32"),
        (precision.Setting("mixed_bfloat16", jit_compile=True), "mixed_bfloat16, XLA"),
        (precision.Setting("float32", repeatable=False), "float32, not repeatable"),
    ],
)
def test_a_setting_is_named_by_what_it_changes(setting: precision.Setting, named: str) -> None:
    assert str(setting) == named


def test_the_page_compares_each_setting_with_float32() -> None:
    by_setting = {
        "float32": found(0.064, 0.080, 0.072),
        "mixed_bfloat16": found(0.032, 0.036, 0.040, same=False),
        "float32, XLA": found(0.024, same=None),
    }
    machine = {**HERE["machine"], "gpu": "A GPU"}
    gpu = {"machine": machine, "image_size": 256, "repeated": 10, "models": {"cnn": by_setting}}
    page = precision.page({"gpu": gpu})
    assert "on A GPU; A processor, 2 cores" in page
    rows = [line for line in page.splitlines() if line.startswith("| cnn")]
    plain, mixed, compiled = (cells(row, "cnn") for row in rows)
    assert plain == ["float32", "72.0 (64.0–80.0)", "444", "1.00", "3", "2,048", "yes"]
    assert mixed[3] == "2.00"
    assert mixed[-1] == "no"
    assert compiled[1:4] == ["24.0", "1,333", "3.00"]
    assert compiled[-1] == "–"


def test_the_page_tells_what_kept_programs_are_worth_and_what_an_epoch_takes() -> None:
    by_setting = {"float32, XLA": found(0.032) | {"first_step_again_seconds": 1.4}}
    epoch = {"images": 2048, "seconds": 2.56, "readers": 4, "setting": "float32, XLA"}
    gpu = {
        "machine": {**HERE["machine"], "gpu": "A GPU"},
        "image_size": 256,
        "repeated": 10,
        "models": {"cnn": by_setting},
        "epochs": {"cnn": epoch, "resnet50": epoch},
    }
    page = precision.page({"gpu": gpu})
    step, fed = (cells(line, "cnn") for line in page.splitlines() if line.startswith("| cnn"))
    assert step[4] == "3, 1"
    assert fed == ["float32, XLA", "2,048", "2.6", "800", "0.80"]
    (unknown,) = (line for line in page.splitlines() if line.startswith("| resnet50"))
    assert cells(unknown, "resnet50")[-1] == "–"


def test_what_is_kept_is_of_one_machine_and_one_size(tmp_path: Path) -> None:
    file = tmp_path / "precision.json"

    def models(size: int, name: str) -> list[str]:
        precision._keep(file, "gpu", size, 10, (name, "float32", found(0.1)))
        return list(precision.kept(file)["gpu"]["models"])

    assert models(256, "cnn") == ["cnn"]
    assert models(256, "xception") == ["cnn", "xception"]
    assert models(128, "resnet50") == ["resnet50"]


def test_the_page_compares_nothing_where_float32_was_not_measured() -> None:
    machine = {**HERE["machine"], "gpu": "A GPU"}
    models = {"cnn": {"float32, XLA": found(0.024)}}
    page = precision.page({"gpu": {"machine": machine, "image_size": 256, "repeated": 10, "models": models}})
    (row,) = (line for line in page.splitlines() if line.startswith("| cnn"))
    assert cells(row, "cnn")[1:4] == ["24.0", "1,333", "–"]
