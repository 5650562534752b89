"""What a collection takes: docs/collections.md shows what was measured, and what follows from it."""

from pathlib import Path

import pytest

import collection
from deepfake_ensemble.foundation.files import read_json
from deepfake_ensemble.workflow import collection_plan, generated
from measured_pages import HERE, cells

ROOT = Path(__file__).parents[2]
FIGURES = HERE | {
    "killed": {
        "images": 20_000,
        "shards": 40,
        "rows": 20_000,
        "rows_more_than_once": 0,
        "shards_done_when_the_driver_died": 20,
        "images_of_the_last_run": 10_000,
        "largest_difference_from_predict": {"cnn": 1e-7, "ensemble": 2e-7},
        "memory_mib": [{"first third": 700, "second third": 701, "last third": 702}],
        "result_bytes_per_image": 40.0,
    },
    "throughput": {
        "256 pixels": {
            "batch": 8,
            "images_per_second": {
                "workers": [50.0],
                "bare_sessions": [54.0],
                "bare_sessions_in_same_batches": [60.0],
            },
            "processor_ms_per_image": {
                "workers": [20.0],
                "bare_sessions": [19.0],
                "bare_sessions_in_same_batches": [17.0],
            },
        }
    },
    "faults": {"faults": {"damaged": 1, "missing": 1, "storage": 1}, "exit_code": 3},
    "listing": {"files": 1000, "files_per_second": 10_000, "manifest_bytes_per_file": 25.0},
    "photographs": {"1024×768": {"bytes": 200_000, "images_per_second_and_core": 100.0}},
}


def test_the_page_tells_what_was_measured() -> None:
    page = collection.page(FIGURES)
    assert cells(page, "workers' rate over that of bare sessions in batches of 32, 256 pixels, in turns") == [
        "0.93"
    ]
    assert cells(
        page, "workers' rate over that of bare sessions in batches of 32, 256 pixels, by processors' time"
    ) == ["0.95"]
    assert cells(
        page, "workers' rate over that of bare sessions in batches of 8, 256 pixels, by processors' time"
    ) == ["0.85"]
    assert cells(page, "images with more than one row") == ["0"]
    assert cells(page, "a shard cut off, one missing, one on a broken disk: told as") == [
        "damaged 1, missing 1, storage 1; exit code 3"
    ]


def test_the_plan_is_arithmetic_on_the_rates() -> None:
    plan = collection_plan.plan(FIGURES)
    assert cells(plan, "shards of 10,000") == ["100", "10,000", "100,000"]
    assert cells(plan, "bytes of photographs of 1024×768 pixels") == ["200.0 GB", "20.0 TB", "200.0 TB"]
    rate = collection_plan.gpu_rate()
    assert cells(plan, "hours of one A100")[0] == f"{1e6 / rate / 3600:,.1f}"
    assert cells(plan, "hours to list loose local files")[1] == f"{1e8 / 10_000 / 3600:,.2f}"
    assert f"{rate / 100:.1f} cores" in plan.replace("\n", " ")


def test_the_docs_have_the_figures_of_their_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = collection.PAGE.read_text(encoding="utf-8")
    made = {"measured": collection.page(read_json(collection.FILE))}
    assert generated.filled(text, made, collection.PAGE) == text, "run `python benchmarks/collection.py page`"
