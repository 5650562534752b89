"""What the stages that both studies have do at the active profile, in words and numbers."""

from pathlib import Path

from deepfake_ensemble.foundation.section import INTERNAL, INTERNAL_SPLITS
from deepfake_ensemble.studies.common.params import Params
from deepfake_ensemble.studies.common.planning import Known, Work

# What an image takes as a JPEG file, by source and layout. The faces' quality on Kaggle was not seen.
BYTES_PER_IMAGE = {
    "sample": {"faces": 1_007, "cifake": 783},
    "local": {"faces": 11_382, "cifake": 923},
    "kaggle": {"faces": 26_099, "cifake": 923},
    "folder": {"faces": 26_099, "cifake": 923},
}
_ORIGIN = {
    "sample": "the means of the sample archives",
    "local": "the means of 1,800 real faces at quality 75 and of CIFAKE",
    "kaggle": "the means of real faces at quality 95 and of CIFAKE",
    "folder": "the means of real faces at quality 95 and of CIFAKE",
}
# How many images the publishers' archives hold.
PUBLISHED = {"faces": 140_000, "cifake": 120_000}
BYTES_PER_ENTRY = 200  # a zip names each image twice
BYTES_PER_RECORD = 16  # TFRecord's length and check sums
BYTES_PER_ROW = 120  # at most, in the pipeline's tables of images


def basis(whole: Params) -> str:
    """Return on what estimates of sizes rest."""
    source = whole.active.source
    layouts = dict.fromkeys(data_set.layout for data_set in whole.data_sets.values())
    each = ", ".join(f"{BYTES_PER_IMAGE[source][it]:,} bytes an image in the layout {it}" for it in layouts)
    return f"{each}, {_ORIGIN[source]}"


def counts(whole: Params, data_set: str) -> dict[str, int | None]:
    """Return how many images are drawn from a data set, by split; None if all that are half of each class."""
    splits = INTERNAL_SPLITS if data_set == INTERNAL else (data_set,)
    return {split: whole.active.counts.get(split) for split in splits}


def predicted(whole: Params) -> dict[str, int | None]:
    """Return how many images are predicted of each split; None if as many as there are."""
    every = {split: n for name in whole.data_sets for split, n in counts(whole, name).items()}
    return {split: n for split, n in every.items() if split != "train"}


def archive_bytes(whole: Params, data_set: str) -> int | None:
    """Return the size of a data set's archive; None if nothing tells."""
    of, source = whole.data_sets[data_set], whole.active.source
    if source in ("kaggle", "folder"):  # to count a folder's own bytes takes minutes where it is mounted
        return PUBLISHED[of.layout] * (BYTES_PER_IMAGE[source][of.layout] + BYTES_PER_ENTRY)
    local = _local(whole, data_set)
    return local.stat().st_size if source == "local" and local.is_file() else None


def packed_bytes(whole: Params, data_set: str) -> int | None:
    """Return the size of a data set's packed images; None if params.yaml does not say how many they are."""
    drawn = counts(whole, data_set).values()
    if None in drawn:
        return None
    each = BYTES_PER_IMAGE[whole.active.source][whole.data_sets[data_set].layout]
    return sum(n or 0 for n in drawn) * (each + BYTES_PER_RECORD + BYTES_PER_ROW)


def _local(whole: Params, data_set: str) -> Path:
    suffix = "" if whole.active.source == "folder" else ".zip"
    return Path("data/local") / f"{whole.data_sets[data_set].archive}{suffix}"


def _download(whole: Params, known: Known) -> Work:
    of, source = whole.data_sets[known.item], whole.active.source
    file, disk = f"{of.archive}.zip", archive_bytes(whole, known.item)
    if source == "sample":
        return Work(f"{file}, synthesised from photographs, seed {whole.sample.seed}", {"source": source})
    if source == "kaggle":
        images = PUBLISHED[of.layout]
        return Work(
            f"{file} from Kaggle: {of.kaggle}, version {of.version}",
            {"source": source, "kaggle": of.kaggle, "version": of.version, "images": images},
            disk,
        )
    local = _local(whole, known.item)
    there = local.exists()
    return Work(
        f"{file} from {local}" + ("" if there else ", which is not there yet"),
        {"source": source, "archive": str(local), "present": there},
        disk,
    )


def _audit(whole: Params, known: Known) -> Work:
    of = whole.data_sets[known.item]
    if whole.active.source not in ("kaggle", "folder"):
        return Work(f"decodes and hashes all images of {of.archive}.zip")
    images = PUBLISHED[of.layout]
    return Work(
        f"decodes and hashes {images:,} images of {of.archive}.zip",
        {"images": images},
        images * BYTES_PER_ROW,
    )


def _split(whole: Params, known: Known) -> Work:
    drawn = {split: n for name in whole.data_sets for split, n in counts(whole, name).items()}
    images = sum(n or 0 for n in drawn.values())
    return Work(
        ", ".join(f"{split} {_count(n)}" for split, n in drawn.items()) + "; half of them fake",
        {"images": drawn},
        None if None in drawn.values() else images * BYTES_PER_ROW,
    )


def _pack(whole: Params, known: Known) -> Work:
    drawn = counts(whole, known.item)
    if None in drawn.values():
        return Work("all usable images, half of each class", {"images": None})
    images = sum(n or 0 for n in drawn.values())
    shards = sum(ceil(n or 0, whole.pack.images_per_shard) for n in drawn.values())
    return Work(
        f"{images:,} images in {shards} TFRecord shard{'s' * (shards > 1)}",
        {"images": images, "shards": shards},
        packed_bytes(whole, known.item),
    )


def predict(whole: Params, known: Known) -> Work:
    """Return what the prediction of all splits but train by one network is.

    Args:
        whole: params.yaml.
        known: the item of the stage, a network or a run.
    """
    size = whole.active.prediction_batch_size
    told = predicted(whole)
    images = sum(n or 0 for n in told.values())
    batches = sum(ceil(n or 0, size) for n in told.values())
    others = "".join(f", and all of {split}" for split, n in told.items() if n is None)
    return Work(
        f"{images:,} images in {batches:,} batches of {size}{others}",
        {"images": images, "batches": batches, "batch_size": size},
        None if others else images * BYTES_PER_ROW,
        gpu=True,
    )


def ceil(count: int, of: int) -> int:
    """Return how many groups of at most `of` hold `count`."""
    return -(-count // of)


def _count(n: int | None) -> str:
    return "all" if n is None else f"{n:,}"


WORK = {"download": _download, "audit": _audit, "split": _split, "pack": _pack, "predict": predict}
