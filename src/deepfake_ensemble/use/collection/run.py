"""`classify-collection`: what there is, what is done already, the rest by workers, a summary of it all."""

import math
import random
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.portable.classifier import Device
from deepfake_ensemble.portable.metadata import DEFAULT, ModelMetadata
from deepfake_ensemble.use import wording
from deepfake_ensemble.use.classifying import FacesMode
from deepfake_ensemble.use.collection import addresses, engines, manifest, progress, summary
from deepfake_ensemble.use.collection.addresses import Missing
from deepfake_ensemble.use.collection.manifest import PER_SHARD
from deepfake_ensemble.use.collection.results import Counts, counts_in
from deepfake_ensemble.use.collection.shards import Shard
from deepfake_ensemble.use.collection.summary import Run, Summary, Unfinished
from deepfake_ensemble.use.collection.worker import Done, Outcome, Settings
from deepfake_ensemble.use.opening import open_classifier
from deepfake_ensemble.use.recognising import counted
from deepfake_ensemble.use.verdicts import DecisionRule, decision_rule

_SAMPLED_SHARDS = 10
_FOOTERS_AT_ONCE = 16
_NOTHING = "no image and no shard (zip, tar, Parquet) is there"
_IN_A_ROW = 10  # shards that their storage fails; then it is not tried on


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a collection is classified by; the command's options.

    Attributes:
        named: files, folders and patterns at any address.
        manifest: the address of one, or of a list of paths, in the place of `named`.
        output: the address of the folder for the results.
        model: the model file.
        detector: who decides.
        threshold: from which P(fake) on an image is called fake, or the name of an operating point.
        faces: whether faces are looked for.
        image_column: of Parquet files; None where there is but one that can be.
        sample: how many images are looked at, drawn at random; None: all.
        per_shard: how many loose images make a shard.
        device: what computes.
        threads: that compute in a worker; 0 shares out all cores.
        workers: how many there are; more than one by Ray.
        address: of a cluster of Ray that runs.
        retries: after a fault of storage.
    """

    named: Sequence[str]
    manifest: str | None
    output: str
    model: Path
    detector: str = ENSEMBLE
    threshold: str = DEFAULT
    faces: FacesMode = "auto"
    image_column: str | None = None
    sample: int | None = None
    per_shard: int = PER_SHARD
    device: Device = "auto"
    threads: int = 0
    workers: int = 1
    address: str | None = None
    retries: int = 3


def classify_collection(asked: Asked) -> int:
    """Classify what of a collection has no results yet, and write a summary of all.

    Returns:
        The command's exit code: 1 if an image or a shard could not be used, 3 if storage failed.

    Raises:
        UserError: if there is nothing to classify, an argument is wrong, or another run writes to the output.
        StorageFault: if the collection cannot be listed, or the summary not be written.
    """
    metadata, rule, model_sha256 = _opened(asked)
    for each in asked.named:
        if _within(asked.output, each):
            raise UserError(f"--output {asked.output}: lies in {each}, which is read; take another folder")
    output = addresses.absolute(asked.output)
    if asked.sample:
        output = addresses.joined(output, f"sample-{asked.sample}")
    with addresses.alone(output):
        return _classified(asked, output, metadata, rule, model_sha256)


def _classified(
    asked: Asked, output: str, metadata: ModelMetadata, rule: DecisionRule, model_sha256: str
) -> int:
    shards, missing, passed = _shards(asked, output)
    settings = Settings(
        model=asked.model.absolute(),
        model_sha256=model_sha256,
        device=asked.device,
        threads=asked.threads,
        detector=asked.detector,
        threshold=asked.threshold,
        faces=asked.faces,
        image_column=asked.image_column,
        sample=asked.sample and math.ceil(asked.sample / len(shards)),
        results=addresses.joined(output, "results"),
        waits=tuple(5.0**number for number in range(asked.retries)),
    )
    earlier = _earlier(settings, shards)
    remaining = [shard for shard in shards if shard not in earlier]
    if earlier:
        print(f"classify-collection: {len(earlier):,} of {len(shards):,} shards are done", file=sys.stderr)
    total = Counts(passed_over=passed)
    for counts in earlier.values():
        total.add(counts)
    done, undone, run = _work(asked, settings, remaining, total)
    found = Summary(
        shards=len(shards) + len(missing),
        classified=len(earlier) + done,
        unfinished=[*(_unfinished(line.partition(": ")[0], "missing", line) for line in missing), *undone],
        counts=total,
        sample=asked.sample,
        detector=rule.detector,
        threshold=rule.threshold,
        faces=asked.faces,
        model_sha256=model_sha256,
        demonstration=metadata.demonstration,
        run=run,
    )
    summary.write(output, found, metadata, rule)
    return _told(found, output)


def list_collection(named: Sequence[str], file: str, per_shard: int) -> int:
    """Write a manifest of what is at addresses and below them.

    Returns:
        The command's exit code: 1 if there is nothing at one of them.

    Raises:
        UserError: if there is nothing at all.
        StorageFault: if one cannot be listed, or the manifest not be written.
    """
    missing: list[str] = []
    passed: Counter[str] = Counter()
    with addresses.replacing(file) as place:
        length = manifest.write(place, manifest.listed(named, file, passed, missing), per_shard)
        if not length:
            raise UserError(missing[0] if missing else f"{named[0]}: {_NOTHING}")
    for line in missing:
        print(f"list-collection: {line}", file=sys.stderr)
    if passed.pop(manifest.OWN, 0):
        print(f"list-collection: {file}, which is written, is passed over", file=sys.stderr)
    if passed:
        print(f"list-collection: passed over: {counted(passed)}", file=sys.stderr)
    print(f"{length:,} images and shards are listed in {file}")
    return 1 if missing else 0


def _opened(asked: Asked) -> tuple[ModelMetadata, DecisionRule, str]:
    classifier = open_classifier(asked.model, "cpu")
    if classifier.metadata.demonstration:
        print(wording.DEMONSTRATION, file=sys.stderr)
    if classifier.changed:
        print(wording.CHANGED, file=sys.stderr)
    rule = decision_rule(classifier.metadata, asked.detector, asked.threshold)
    return classifier.metadata, rule, sha256(asked.model)


def _shards(asked: Asked, output: str) -> tuple[list[Shard], list[str], Counter[str]]:
    """Return the shards, a line for each address where nothing is, and what was passed over."""
    missing: list[str] = []
    passed: Counter[str] = Counter()
    if asked.manifest is None:
        found = manifest.listed(asked.named, asked.output, passed, missing)
        listed = manifest.keep(output, found, asked.per_shard)
        if passed.pop(manifest.OWN, 0):
            print(f"classify-collection: what lies in {asked.output} is passed over", file=sys.stderr)
    else:
        listed = addresses.absolute(asked.manifest)
        try:
            if manifest.is_text(listed):
                listed = manifest.keep(output, manifest.from_text(listed), asked.per_shard)
        except Missing as error:
            raise UserError(f"--manifest {error}") from None
    shards = list(dict.fromkeys(manifest.shards(listed)))
    if not shards:
        raise UserError(missing[0] if missing else f"{asked.manifest or asked.named[0]}: {_NOTHING}")
    if asked.sample:
        shards = random.Random(0).sample(shards, min(_SAMPLED_SHARDS, len(shards)))
    return shards, missing, passed


def _within(output: str, folder: str) -> bool:
    client, path = addresses.storage(output)
    other, above = addresses.storage(folder)
    return type(client) is type(other) and PurePosixPath(path).is_relative_to(above)


def _earlier(settings: Settings, shards: Sequence[Shard]) -> dict[Shard, Counts]:
    """Return the counts of the shards that have results."""
    try:
        files = {Path(file.address).name for file, _ in addresses.listing(settings.results)}
    except Missing:
        return {}
    there = {shard: settings.result(shard) for shard in shards}
    there = {shard: address for shard, address in there.items() if Path(address).name in files}
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        found = zip(there, pool.map(counts_in, there.values()), strict=True)
        return {shard: counts for shard, counts in found if counts}


def _work(
    asked: Asked, settings: Settings, shards: Sequence[Shard], total: Counts
) -> tuple[int, list[Unfinished], Run]:
    """Classify shards, and add what is in them to `total`.

    Returns:
        How many were classified, which were not, and what the run did. Where the storage fails one after the
        other, the rest is not tried.
    """
    done = memory = in_a_row = 0
    undone: list[Unfinished] = []
    sizes = [shard.size for shard in shards]
    known = asked.sample is None and None not in sizes
    with progress.told(sum(size or 0 for size in sizes) if known else None) as told:
        with closing(_outcomes(asked, settings, shards, told.tell)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, Done):
                    done, in_a_row = done + 1, 0
                    total.add(outcome.counts)
                    memory = max(memory, outcome.memory_mib)
                    told.done(outcome.counts.images, outcome.shard.size or outcome.counts.bytes)
                    continue
                undone.append(_unfinished(outcome.shard.address, outcome.fault, outcome.reason))
                in_a_row = in_a_row + 1 if outcome.fault == "storage" else 0
                if in_a_row == _IN_A_ROW:
                    print(
                        f"classify-collection: {in_a_row} shards in a row failed by storage", file=sys.stderr
                    )
                    break
        run = Run(told.images, round(told.seconds, 1), asked.workers, memory or None)
    return done, undone, run


def _unfinished(shard: str, fault: str, reason: str) -> Unfinished:
    return Unfinished(addresses.shown(shard), fault, addresses.shown(reason))


def _outcomes(
    asked: Asked, settings: Settings, shards: Sequence[Shard], told: engines.Told
) -> Generator[Outcome]:
    if not shards:
        return
    if asked.workers == 1 and asked.address is None:
        yield from engines.in_process(settings, shards, told)
    else:
        yield from engines.on_ray(settings, shards, told, workers=asked.workers, address=asked.address)


def _told(found: Summary, output: str) -> int:
    for line in summary.as_text(found):
        print(line)
    print(
        f"results: {addresses.joined(output, 'results')}, summary: {addresses.joined(output, 'summary.html')}"
    )
    if found.classified + len(found.unfinished) < found.shards or any(
        each.fault in ("storage", "worker") for each in found.unfinished
    ):
        return 3
    return 1 if found.unfinished or found.counts.bad else 0
