"""A worker: one open model file, and the shards that it is given, one after another."""

import hashlib
import json
import os
import random
import re
import resource
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.portable.classifier import Classifier, Device
from deepfake_ensemble.use.classifying import FacesMode, classify
from deepfake_ensemble.use.collection import addresses, shards
from deepfake_ensemble.use.collection.addresses import Missing
from deepfake_ensemble.use.collection.results import Counts, ShardTable
from deepfake_ensemble.use.collection.shards import Damaged, Shard
from deepfake_ensemble.use.inputs import Input, StorageFault
from deepfake_ensemble.use.opening import open_classifier
from deepfake_ensemble.use.verdicts import DecisionRule, decision_rule, shown

if TYPE_CHECKING:
    from deepfake_ensemble.reading.images import BadImage

T = TypeVar("T")

_FORMAT = 1  # of results; raised when a column changes its meaning


@dataclass(frozen=True)
class Settings:
    """How shards are classified, and where the results go.

    Attributes:
        model: the model file, at the same path on every host.
        model_sha256: of its bytes.
        device: what computes.
        threads: that compute; 0 takes all cores the process may use.
        detector: who decides.
        threshold: from which P(fake) on an image is called fake, or the name of an operating point.
        faces: whether faces are looked for.
        image_column: of Parquet files; None where there is but one that can be.
        sample: how many images of a shard are looked at, drawn at random; None: all.
        results: the address of the folder that they go to.
        waits: seconds before each new attempt after a fault of storage.
    """

    model: Path
    model_sha256: str
    device: Device
    threads: int
    detector: str
    threshold: str
    faces: FacesMode
    image_column: str | None
    sample: int | None
    results: str
    waits: tuple[float, ...]

    @property
    def account(self) -> Mapping[str, Any]:
        """What of these decides what is said of an image."""
        return {
            "model_sha256": self.model_sha256,
            "detector": self.detector,
            "threshold": self.threshold,
            "faces": self.faces,
            "image_column": self.image_column,
            "sample": self.sample,
        }

    def result(self, shard: Shard) -> str:
        """Return the address of a shard's results: named by what it is, and by what says what of it."""
        said_by = hashlib.sha256(json.dumps([_FORMAT, self.account]).encode()).hexdigest()
        stem = re.sub(r"[^\w.-]", "_", shard.name)[:80]
        return addresses.joined(self.results, f"{stem}-{shard.digest[:12]}-{said_by[:12]}.parquet")


@dataclass(frozen=True)
class Done:
    """A shard that was classified, and the most memory that its worker has taken so far, in MiB."""

    shard: Shard
    counts: Counts
    memory_mib: int


@dataclass(frozen=True)
class Undone:
    """A shard that was not classified: what is at fault, and a line that says why."""

    shard: Shard
    fault: Literal["damaged", "missing", "storage", "worker"]
    reason: str


Outcome: TypeAlias = Done | Undone


class Stopped(Exception):
    """The worker was told to stop."""


class Worker:
    """Classifies shards. Two may be given at once: the second is fetched while the first is classified."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: tuple[Classifier, DecisionRule] | None = None
        self._turn = threading.Lock()
        self._in_hand: dict[Shard, tuple[int, int]] = {}
        self._stopped = False

    def open(self) -> int:
        """Open the model file, and return this process' number.

        Raises:
            UserError: if it is another one than the driver's, or cannot be used.
        """
        with self._turn:
            self._model()
        return os.getpid()

    def in_hand(self) -> tuple[int, int]:
        """Return how many images of unfinished shards are done, and their bytes."""
        parts = list(self._in_hand.values())
        return sum(images for images, _ in parts), sum(size for _, size in parts)

    def stop(self) -> None:
        """End what is going on."""
        self._stopped = True

    def classify(self, shard: Shard) -> Outcome:
        """Classify a shard and write its results."""
        try:
            counts, table = self._patiently(partial(self._classified, shard))
            self._patiently(partial(self._write, shard, table))
        except Damaged as error:
            return Undone(shard, "damaged", str(error))
        except Missing as error:
            return Undone(shard, "missing", str(error))
        except (StorageFault, UserError) as error:  # the latter where this host has no client of its address
            return Undone(shard, "storage", str(error))
        finally:
            self._in_hand.pop(shard, None)
        return Done(shard, counts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

    def _model(self) -> tuple[Classifier, DecisionRule]:
        if self._opened is None:
            of = self._settings
            if (found := sha256(of.model)) != of.model_sha256:
                raise UserError(
                    f"{of.model}: another model file (SHA-256 {found[:12]}) than where the command was typed"
                    f" ({of.model_sha256[:12]}); bring the same to every host"
                )
            classifier = open_classifier(of.model, of.device, of.threads)
            self._opened = classifier, decision_rule(classifier.metadata, of.detector, of.threshold)
        return self._opened

    def _patiently(self, attempt: Callable[[], T]) -> T:
        for wait in self._settings.waits:
            try:
                return attempt()
            except StorageFault:
                for _ in range(max(1, round(wait * 10))):
                    self._go_on()
                    time.sleep(min(wait, 0.1))
        return attempt()

    def _go_on(self) -> None:
        if self._stopped:
            raise Stopped

    def _classified(self, shard: Shard) -> tuple[Counts, bytes]:
        of = self._settings
        self._go_on()
        loose = shard.kind == "files"
        with nullcontext(Path()) if loose else addresses.here(shard.address, shard.size) as file, self._turn:
            classifier, rule = self._model()
            table = ShardTable(shard, classifier.metadata, rule)
            chosen = None if of.sample is None else _drawn(shard, file, of.image_column, of.sample)
            sizes: deque[int] = deque()

            def inputs() -> Iterator[Input]:
                for name, data in shards.images(
                    shard,
                    file,
                    column=of.image_column,
                    passed=table.counts.passed_over,
                    chosen=chosen,
                ):
                    self._go_on()
                    sizes.append(len(data) if isinstance(data, bytes) else 0)
                    yield Input(name, partial(_given, data))

            for result in classify(classifier, inputs(), shown(classifier.metadata, rule), of.faces):
                table.add(sizes.popleft(), result)
                self._in_hand[shard] = table.counts.images, table.counts.bytes
            return table.counts, table.finished(of.account)

    def _write(self, shard: Shard, table: bytes) -> None:
        with addresses.replacing(self._settings.result(shard)) as file:
            file.write_bytes(table)


def _given(data: "bytes | BadImage") -> bytes:
    if isinstance(data, bytes):
        return data
    raise data


def _drawn(shard: Shard, file: Path, column: str | None, wanted: int) -> frozenset[int]:
    """Draw images of a shard, by their numbers: the same of the same shard."""
    there = shards.count(shard, file, column)
    return frozenset(random.Random(shard.digest).sample(range(there), min(wanted, there)))
