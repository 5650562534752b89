"""Draw the splits: validation out of the training half, the test half as published and without what leaks."""

from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.archives.index import read_index, write_split
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.archives.splitting import split_published
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.files import replacing_folder, write_json
from deepfake_ensemble.foundation.section import INTERNAL, Seed


def main() -> None:
    """Write each split's images to `data/splits`, and what was drawn to `reports/data/splits.json`."""
    drawn = split_published(
        "cifake",
        read_index(Path("data/index") / f"{INTERNAL}.csv"),
        LAYOUTS["cifake"],
        params.read(f"{params.active_profile()}.counts", dict[str, Annotated[int, Ge(2)]]),
        params.read("split.seed", Seed),
    )
    with replacing_folder(Path("data/splits")) as folder:
        for name, rows in drawn.rows.items():
            write_split(folder / f"{name}.csv", rows)
    write_json(Path("reports/data/splits.json"), drawn.summary)


if __name__ == "__main__":
    command.run(main)
