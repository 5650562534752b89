"""Results of a collection: a Parquet file for each shard, and how many images it says what of.

A file's name has the digests of its shard and of what classified it; its metadata have the counts.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.use import wording
from deepfake_ensemble.use.classifying import Classified, Failed
from deepfake_ensemble.use.collection import addresses
from deepfake_ensemble.use.collection.shards import Shard
from deepfake_ensemble.use.formats import faces, verdict
from deepfake_ensemble.use.verdicts import DecisionRule, told

BINS = 20
"""Equal parts of 0 to 1 that P(fake) is counted in."""

_KEY = b"deepfake_ensemble"
_ROWS = 4096  # held as Python's objects, in a list for each column, before they are packed


@dataclass
class Counts:
    """What the images of a shard, or of several, are.

    Attributes:
        images: how many were looked at.
        bytes: of their files.
        verdicts: how many are called fake, and how many real.
        unlike_training: how many of those are unlike the images of training.
        unlike_by: by their pixels or their features.
        bad: how many could not be used, by what is wrong with them.
        passed_over: how many files in archives are no images, by kind.
        p_fake: how many have a P(fake) in each of `BINS` equal parts of 0 to 1.
    """

    images: int = 0
    bytes: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    unlike_training: int = 0
    unlike_by: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    p_fake: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, other: "Counts") -> None:
        """Count others as well."""
        self.images += other.images
        self.bytes += other.bytes
        self.unlike_training += other.unlike_training
        for mine, more in (
            (self.verdicts, other.verdicts),
            (self.unlike_by, other.unlike_by),
            (self.bad, other.bad),
            (self.passed_over, other.passed_over),
        ):
            mine.update(more)
        self.p_fake = [mine + more for mine, more in zip(self.p_fake, other.p_fake, strict=True)]


class ShardTable:
    """The results of one shard while they come; at the end a Parquet file's bytes."""

    def __init__(self, shard: Shard, metadata: ModelMetadata, rule: DecisionRule) -> None:
        self.counts = Counts()
        self._shard, self._metadata, self._rule = shard, metadata, rule
        self._address = addresses.shown(shard.address)
        self._schema = _schema(told(metadata))
        self._columns: dict[str, list[Any]] = {name: [] for name in self._schema.names}
        self._file = io.BytesIO()
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def add(self, size: int, result: Classified | Failed) -> None:
        """Add an image whose file has so many bytes."""
        row = {"shard": self._address, "size": size, **self._told(result)}
        self._count(size, row)
        for name, column in self._columns.items():
            column.append(row.get(name))
        if len(self._columns["path"]) == _ROWS:
            self._pack()

    def _told(self, result: Classified | Failed) -> dict[str, Any]:
        if isinstance(result, Failed):
            return {"path": addresses.shown(result.name), "statements": (), "reason": result.reason}
        return {
            "path": addresses.shown(result.image.name),
            **verdict(result, self._metadata, self._rule),
            "faces": faces(result, self._metadata, self._rule),
            "note": result.image.note,
            "statements": tuple(wording.statement(asdict(each)) for each in result.image.statements),
        }

    def finished(self, account: Mapping[str, Any]) -> bytes:
        """Return the file.

        Args:
            account: of what made it, for its metadata.
        """
        self._pack()
        told = {"shard": self._shard, "counts": self.counts, **account}
        self._writer.add_key_value_metadata({_KEY: json.dumps(told, default=vars).encode()})
        self._writer.close()
        return self._file.getvalue()

    def _count(self, size: int, row: Mapping[str, Any]) -> None:
        counts = self.counts
        counts.images += 1
        counts.bytes += size
        if "reason" in row:
            counts.bad[_kind_of_reason(row["reason"])] += 1
            return
        counts.verdicts[row["verdict"]] += 1
        counts.unlike_training += row["unlike_training"]
        counts.unlike_by.update(row["unlike_by"])
        counts.p_fake[min(int(row[self._rule.detector] * BINS), BINS - 1)] += 1

    def _pack(self) -> None:
        if self._columns["path"]:
            self._writer.write_batch(pa.RecordBatch.from_pydict(self._columns, schema=self._schema))
        for column in self._columns.values():
            column.clear()


def _schema(detectors: Sequence[str]) -> pa.Schema:
    told = [
        *((name, pa.float32()) for name in detectors),
        ("verdict", pa.string()),
        ("unlike_training", pa.bool_()),
        ("unlike_by", pa.list_(pa.string())),
    ]
    face = pa.struct([("box", pa.list_(pa.int32())), ("angle", pa.float32()), *told])
    return pa.schema(
        [
            ("shard", pa.dictionary(pa.int32(), pa.string())),
            ("path", pa.string()),
            ("size", pa.int64()),
            *told,
            ("faces", pa.list_(face)),
            ("note", pa.string()),
            ("statements", pa.list_(pa.string())),
            ("reason", pa.string()),
        ]
    )


def _kind_of_reason(reason: str) -> str:
    """Return a reason without what differs from image to image."""
    return re.sub(r"\d[\d,.]*", "N", reason.partition(":")[0])


def counts_in(address: str) -> Counts | None:
    """Return the counts of a result; None if it is no whole file of results.

    Raises:
        StorageFault: if it cannot be read.
    """
    with addresses.reading(address) as file:
        try:
            told = pq.read_metadata(file).metadata
            counts: dict[str, Any] = json.loads(told[_KEY])["counts"]
        except (pa.ArrowInvalid, KeyError, ValueError, TypeError):
            return None
    counts |= {key: Counter(it) for key, it in counts.items() if isinstance(it, dict)}
    return Counts(**counts)
