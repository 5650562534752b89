"""What classifying a large collection would take: arithmetic on rates that were measured, or published."""

from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

from rich.filesize import decimal

from deepfake_ensemble.workflow.estimate import GPUS, PUBLISHED
from deepfake_ensemble.workflow.generated import table

IMAGES = (10**6, 10**8, 10**9)
GPU = "A100"
SIDE = 256  # pixels a side that the networks see
PHOTOGRAPH = "1024×768"
PER_SHARD = 10_000
KEYS = 1_000  # that an object store lists in one answer
ANSWERS = 10  # of those a second, one after the other: an assumption
HOURLY = {"GPU": 2.0, "core": 0.05}  # prices: assumptions, in whatever currency


def gpu_rate() -> float:
    """Return images a second of all members, one after the other, on one GPU, as published."""
    seconds = 0.0
    for known in PUBLISHED.values():
        seconds += 1 / (known.predicted[GPUS.index(GPU)][0] * (known.size / SIDE) ** 2)
    return 1 / seconds


def _hours(of: Mapping[str, Any], images: int) -> str:
    """Return the hours of a core that so many images take, by a measured throughput."""
    return f"{images * median(of['processor_ms_per_image']['workers']) / 1000 / 3600:,.0f}"


def plan(figures: Mapping[str, Any]) -> str:
    """Return it in Markdown.

    Args:
        figures: what benchmarks/collection.py wrote.
    """
    photograph = figures["photographs"][PHOTOGRAPH]
    size, decoded = photograph["bytes"], photograph["images_per_second_and_core"]
    on_gpu = gpu_rate()
    cores = on_gpu / decoded
    hourly = HOURLY["GPU"] + cores * HOURLY["core"]
    listed = figures["listing"]

    lines: dict[str, Callable[[int], str]] = {
        f"shards of {PER_SHARD:,}": lambda n: f"{n // PER_SHARD:,}",
        f"bytes of photographs of {PHOTOGRAPH} pixels": lambda n: decimal(n * size),
        f"hours of one {GPU}": lambda n: f"{n / on_gpu / 3600:,.1f}",
        f"{GPU}s that take a day": lambda n: f"{n / on_gpu / 86_400:,.2f}",
        "cores that decode for them": lambda n: f"{n / on_gpu / 86_400 * cores:,.1f}",
        "hours to list loose objects": lambda n: f"{n / KEYS / ANSWERS / 3600:,.2f}",
        "hours to list loose local files": lambda n: f"{n / listed['files_per_second'] / 3600:,.2f}",
        "bytes of the manifest": lambda n: decimal(n * listed["manifest_bytes_per_file"]),
        "bytes of results": lambda n: decimal(n * figures["killed"]["result_bytes_per_image"]),
        "cost": lambda n: f"{n / on_gpu / 3600 * hourly:,.0f}",
    }
    for side, of in figures.get("throughput", {}).items():
        lines[f"hours of a core, the model file of {side}"] = partial(_hours, of)
    rows = [[name, *(of(n) for n in IMAGES)] for name, of in lines.items()]
    return f"""\
What larger collections would take by these rates; nothing of this table was run:

{table(["images", *(f"{n:,}" for n in IMAGES)], rows)}

An {GPU} does {on_gpu:,.0f} images of {SIDE} pixels a second with all four members in float32, by the rates
that others have published for them (`make estimate` names the sources), if it is not kept waiting: a core
decodes {decoded:,.0f} photographs of {PHOTOGRAPH} pixels ({decimal(size)}) a second, so {cores:.1f} cores
feed it. The cost is at {HOURLY["GPU"]:.2f} an hour for the GPU and {HOURLY["core"]:.2f} for a core,
{1e6 / on_gpu / 3600 * hourly:.2f} a million images; requests and traffic come on top. An object store is
taken to give {ANSWERS} answers a second of {KEYS:,} names each, one after the other. That and the prices are
assumptions, which `workflow/collection_plan.py` holds."""
