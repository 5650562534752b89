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
from deepfake_ensemble.foundation.files import write_json


def main() -> None:
    data_sets = params.read("data_sets", dict[str, DataSet])
    counts = params.read(f"{params.active_profile()}.counts", dict[str, Annotated[int, Ge(2)]])
    splits = {name: ("train", "val", "test") if name == "internal" else (name,) for name in data_sets}
    wanted = {split for of in splits.values() for split in of}
    if wanted != counts.keys():
        raise UserError(
            f"{params.FILE}: {params.active_profile()}.counts: has {', '.join(sorted(counts))}, but data_sets"
            f" names the splits {', '.join(sorted(wanted))}"
        )
    summary = {}
    for name, data_set in data_sets.items():
        drawn = split_set(
            data_set.archive,
            read_index(Path("data/index") / f"{data_set.archive}.csv"),
            LAYOUTS[data_set.layout],
            {split: counts[split] for split in splits[name]},
            params.read("split.seed", int),
            partition=data_set.partition,
        )
        for split, rows in drawn.rows.items():
            write_split(Path("data/splits") / f"{split}.csv", rows)
        summary[data_set.archive] = drawn.summary
    write_json(Path("reports/data/splits.json"), summary)


if __name__ == "__main__":
    command.run(main)
