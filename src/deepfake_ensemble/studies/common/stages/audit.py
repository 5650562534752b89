"""Look at every image of one data set: index them, and report what a careful reviewer would want to know."""

from pathlib import Path

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.foundation import command, params


def main(data_set: str) -> None:
    """Write `data/index/DATA_SET.csv`, and what the audit found to `reports/data/DATA_SET.json`."""
    command.pin_processor(params.active_profile())
    from deepfake_ensemble.archives.archive import open_archive
    from deepfake_ensemble.archives.audit import AuditParams, audit
    from deepfake_ensemble.archives.index import write_index
    from deepfake_ensemble.archives.layouts import LAYOUTS
    from deepfake_ensemble.foundation.files import write_json

    layout = LAYOUTS[params.read(f"data_sets.{data_set}", DataSet).layout]
    with open_archive(Path("data/raw") / f"{data_set}.zip") as archive:
        found = audit(archive, layout, params.read("audit", AuditParams))
    write_index(Path("data/index") / f"{data_set}.csv", found.rows)
    write_json(Path("reports/data") / f"{data_set}.json", found.report)


if __name__ == "__main__":
    command.run(main)
