"""Pack the images of a data set's splits, as they are, into TFRecord shards: none is ever a loose file."""

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
from deepfake_ensemble.foundation.section import INTERNAL, INTERNAL_SPLITS
from deepfake_ensemble.reading import records


def main(data_set: str) -> None:
    """Write the shards of a data set's splits, `data/packed/DATA_SET`."""
    per_shard = params.read("pack.images_per_shard", Annotated[int, Ge(1)])
    splits = INTERNAL_SPLITS if data_set == INTERNAL else (data_set,)
    rows = {split: read_split(Path("data/splits") / f"{split}.csv") for split in splits}
    with (
        open_archive(Path("data/raw") / f"{data_set}.zip") as archive,
        replacing_folder(Path("data/packed") / data_set) as folder,
    ):
        framed = 2**10  # more than a record and its row in the index need beside the image
        size = sum(archive.size(row.path) + framed for of in rows.values() for row in of)
        require_room(folder, size, f"the packed data set {data_set}")
        for split, of in rows.items():
            # A data set that is only predicted is one split, and lies in the folder itself.
            shards = folder / split if data_set == INTERNAL else folder
            shards.mkdir(exist_ok=True)
            records.write(shards, _images(archive, of, split), len(of), per_shard)


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
