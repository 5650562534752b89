"""Draw the splits: exact counts, half of each class, no file in two of them."""

from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.archives.index import read_index, write_split
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.archives.splitting import split_set
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_folder, write_json
from deepfake_ensemble.foundation.section import INTERNAL, INTERNAL_SPLITS


def main() -> None:
    """Write each split's images to `data/splits`, and what was drawn to `reports/data/splits.json`."""
    data_sets = params.read("data_sets", dict[str, DataSet])
    counts = params.read(f"{params.active_profile()}.counts", dict[str, Annotated[int, Ge(2)]])
    if missing := [split for split in INTERNAL_SPLITS if split not in counts]:
        raise UserError(f"{params.FILE}: {params.active_profile()}.counts.{missing[0]}: missing")
    summary = {}
    with replacing_folder(Path("data/splits")) as folder:
        for name, data_set in data_sets.items():
            splits = INTERNAL_SPLITS if name == INTERNAL else (name,)
            drawn = split_set(
                name,
                read_index(Path("data/index") / f"{name}.csv"),
                LAYOUTS[data_set.layout],
                # Of a data set that is only predicted, all images that can be used unless a number is given.
                {split: counts.get(split) for split in splits},
                params.read("split.seed", int),
                partition=data_set.partition,
            )
            for split, rows in drawn.rows.items():
                write_split(folder / f"{split}.csv", rows)
            summary[name] = drawn.summary
    write_json(Path("reports/data/splits.json"), summary)


if __name__ == "__main__":
    command.run(main)
