"""Pack one split's images, as they are, into TFRecord shards: no image ever exists as a loose file."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.archives.archive import Archive, open_archive
from deepfake_ensemble.archives.index import SplitRow, read_split
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_folder, require_room
from deepfake_ensemble.foundation.progress import count_progress
from deepfake_ensemble.reading import records


def main(split: str, data_set: str) -> None:
    per_shard = params.read("pack.images_per_shard", Annotated[int, Ge(1)])
    rows = read_split(Path("data/splits") / f"{split}.csv")
    with (
        open_archive(Path("data/raw") / f"{data_set}.zip") as archive,
        replacing_folder(Path("data/packed") / split) as folder,
    ):
        framed = 2**10  # more than a record and its row in the index need beside the image
        size = sum(archive.size(row.path) + framed for row in rows)
        require_room(folder, size, f"the packed split {split}")
        records.write(folder, _images(archive, rows, split), len(rows), per_shard)


def _images(archive: Archive, rows: list[SplitRow], split: str) -> Iterator[tuple[str, int, bytes]]:
    with count_progress(f"pack {split}", len(rows)) as advance:
        for row in rows:
            data = archive.read(row.path)
            if hashlib.sha256(data).hexdigest() != row.sha256:
                raise UserError(
                    f"{archive.path}: {row.path} is not the file that was audited; run `dvc repro`"
                )
            yield row.path, row.label, data
            advance(1)


if __name__ == "__main__":
    command.run(main)
