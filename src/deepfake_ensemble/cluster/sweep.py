"""Run a grid of params, each point a DVC experiment: `make sweep S="seed=1,2 training.batch_size=16,32"`.

The grid is written as Hydra's sweeps are: a key with several values, and every combination of several keys.
`dvc exp show` lists the points.
"""

import argparse
import re
from collections.abc import Sequence

from deepfake_ensemble.cluster import engines, head
from deepfake_ensemble.cluster.head import Point
from deepfake_ensemble.cluster.orders import tool
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError, exiting, first_line


def points(changes: Sequence[str], name: str) -> list[Point]:
    """Return the points of a grid.

    Args:
        changes: as `seed=1,2` or `training.epochs=range(5,20,5)`.
        name: of the experiments, before their numbers.

    Raises:
        UserError: if Hydra cannot read a change, or the name is none of a folder.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UserError(f"sweep: --name {name}: should be of letters, digits, '.', '_' and '-' alone")
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import get_hydra_sweeps
    from hydra.errors import OverrideParseException

    try:
        grid = get_hydra_sweeps({str(params.FILE): list(changes)})
    except (DvcException, OverrideParseException) as error:
        raise UserError(f"sweep: {' '.join(changes)}: {first_line(error)}") from None
    return [
        Point(f"{name}-{number}", tuple(point[str(params.FILE)]))
        for number, point in enumerate(grid, start=1)
    ]


def main() -> None:
    """Run the grid that the command line names."""
    parser = argparse.ArgumentParser(prog="make sweep", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("-S", "--set-param", action="append", required=True, metavar="KEY=VALUE,VALUE")
    parser.add_argument("--name", default="sweep", help="of the experiments: NAME-1, NAME-2, ...")
    engines.add_arguments(parser)
    arguments = parser.parse_args()
    grid = points(arguments.set_param, arguments.name)
    there = set(tool(params.FILE.parent, "dvc", "exp", "list", "--name-only").split())
    taken = [point.name for point in grid if point.name in there]
    if taken:
        raise UserError(
            f"sweep: there is an experiment {taken[0]}; choose another name with --name, or remove it"
        )
    for point in grid:
        print(f"sweep: {point.name}: {' '.join(point.changes)}", flush=True)
    head.experiments(grid, engines.handing(arguments))


if __name__ == "__main__":
    with exiting():
        main()
