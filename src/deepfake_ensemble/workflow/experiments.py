"""Print what differs between the workspace, the last commit and the experiments, an experiment a column.

`dvc exp show` has a column for each metric, each param and each file that a stage reads. This is run by
`make experiments` or, with options of `dvc exp show`, as `python -m deepfake_ensemble.workflow.experiments`.
"""

import csv
import subprocess
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from deepfake_ensemble.foundation.errors import UserError, exiting

# Columns of files, by their hash; a metric whose name is in two files has the file's name before a colon.
FILES = r"[^:]*/[^:]*$|params\.yaml$|predictions"
ABOUT = ("Experiment", "rev", "typ", "Created", "parent", "State", "Executor")


def differences(experiments: Sequence[Mapping[str, str]]) -> Table:
    """Return a table with a column for each experiment, and a row for each value that is not the same in all.

    Args:
        experiments: the lines of `dvc exp show --csv`.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for experiment in experiments:
        table.add_column(experiment["Experiment"] or experiment["rev"], justify="right")
    for name in experiments[0]:
        values = [experiment[name] for experiment in experiments]
        if name not in ABOUT and len(set(values)) > 1:
            table.add_row(name, *values)
    return table


def main() -> None:
    """Ask DVC, and print what it knows of values that differ."""
    command = ["dvc", "exp", "show", "--csv", "--precision", "4", "--drop", FILES, *sys.argv[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError("experiments: `dvc exp show` failed; what it said stands above")
    table = differences(list(csv.DictReader(done.stdout.splitlines())))
    Console(width=200).print(table if table.row_count else "No experiment differs from what is here.")


if __name__ == "__main__":
    with exiting():
        main()
