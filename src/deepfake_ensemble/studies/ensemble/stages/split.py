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
    wanted = {split for data_set in data_sets.values() for split in data_set.splits}
    if wanted != counts.keys():
        raise UserError(
            f"{params.FILE}: {params.active_profile()}.counts: has {', '.join(sorted(counts))}, but data_sets"
            f" names the splits {', '.join(sorted(wanted))}"
        )
    summary = {}
    for name, data_set in data_sets.items():
        drawn = split_set(
            name,
            read_index(Path("data/index") / f"{name}.csv"),
            LAYOUTS[data_set.layout],
            {split: counts[split] for split in data_set.splits},
            params.read("split.seed", int),
            partition=data_set.partition,
        )
        for split, rows in drawn.rows.items():
            write_split(Path("data/splits") / f"{split}.csv", rows)
        summary[name] = drawn.summary
    write_json(Path("reports/data/splits.json"), summary)


if __name__ == "__main__":
    command.run(main)
