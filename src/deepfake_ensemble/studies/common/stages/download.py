"""Fetch or build the archive of one data set, as its publisher lays it out."""

from pathlib import Path

from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.foundation import command, params


def main(data_set: str) -> None:
    """Make `data/raw/DATA_SET.zip`."""
    source = params.read(f"{params.active_profile()}.source", Source)
    published = params.read(f"data_sets.{data_set}", DataSet)
    archive = Path("data/raw") / f"{data_set}.zip"
    if source == "sample":
        from deepfake_ensemble.sample import archives as sample

        sample.build(published.layout, archive, seed=params.read("sample.seed", int))
    elif source == "kaggle":
        from deepfake_ensemble.fetching import kaggle

        kaggle.fetch(published.kaggle, published.version, archive)
    elif source == "local":
        from deepfake_ensemble.fetching import local

        local.fetch(Path("data/local") / f"{published.archive}.zip", archive)
    else:
        from deepfake_ensemble.archives.layouts import LAYOUTS
        from deepfake_ensemble.fetching import folder

        layout = LAYOUTS[published.layout]
        folder.fetch(Path("data/local") / published.archive, layout.root, list(layout.folders()), archive)


if __name__ == "__main__":
    command.run(main)
