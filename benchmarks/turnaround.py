"""How long one waits for a small change, in a fresh clone of the last commit that has its results.

    python benchmarks/turnaround.py [--repeats 5]

Times `dvc status` and a `dvc repro` with nothing to do in both studies; `dvc exp run -S
ensemble.weighting=... report`; and `dvc repro report` after a change of a figure's code. The results come
from this workspace's cache; what it lacks is made first. Nothing else should run meanwhile. Writes
docs/measurements/turnaround.json.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import read_json
from harness import ENVIRONMENT, FOLDER, here, keep, of_several, options, seconds

FILE = FOLDER / "turnaround.json"
FIGURES = Path("src/deepfake_ensemble/studies/ensemble/report/figures.py")
STUDIES = {"ensemble": Path(), "residual": Path("residual")}
WEIGHTINGS = ("uniform", "log_loss")  # in turn, so that each differs from the one before


def cloned(folder: Path) -> Path:
    """Clone the last commit with the results that belong to it."""
    seconds(["git", "clone", "--quiet", ".", str(folder)], Path.cwd())
    for place in STUDIES.values():
        cache = (place / ".dvc/cache").absolute()  # laid out as a remote
        seconds(["dvc", "remote", "add", "--local", "--default", "workspace", str(cache)], folder / place)
        subprocess.run(
            ["dvc", "pull", "--quiet"],
            cwd=folder / place,
            env=ENVIRONMENT,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        seconds(["dvc", "repro"], folder / place)
    return folder


def measured(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each command, over and over, by what it is called on the page."""
    found: dict[str, list[float]] = {}
    for study, place in STUDIES.items():
        for command in ("status", "repro"):
            told = f"`dvc {command}`, nothing to do: study {study}"
            found[told] = [seconds(["dvc", command], folder / place) for _ in range(repeats)]
    weighting = "`dvc exp run -S ensemble.weighting=... report`"
    found[weighting] = [_weighted(folder, WEIGHTINGS[number % 2]) for number in range(repeats)]
    figure = "`dvc repro report` after a change of a figure's code"
    seconds(["dvc", "repro", "report"], folder)
    found[figure] = [_drawn(folder, number) for number in range(repeats)]
    return found


def _weighted(folder: Path, weighting: str) -> float:
    shutil.rmtree(folder / ".dvc/cache/runs", ignore_errors=True)  # else it is only looked up there
    taken = seconds(["dvc", "exp", "run", "-S", f"ensemble.weighting={weighting}", "report"], folder)
    used = read_json(folder / "reports/run.json")["params"]["ensemble"]["weighting"]
    if used != weighting:
        raise UserError(f"dvc exp run: the report is of the weighting {used}, not {weighting}")
    return taken


def _drawn(folder: Path, number: int) -> float:
    with (folder / FIGURES).open("a", encoding="utf-8") as file:
        file.write(f"# another line: {number}\n")
    return seconds(["dvc", "repro", "report"], folder)


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    from deepfake_ensemble.workflow.generated import table

    rows = [[told, of_several(of, 2)] for told, of in results["seconds"].items()]
    return f"""\
`python benchmarks/turnaround.py` on {here(results)}: medians, smallest and largest in brackets.

{table(["in a clone with its results", "seconds"], rows)}
"""


def main() -> None:
    parser = options(__doc__, FILE)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnaround-") as scratch:
        keep(asked.file, {"seconds": measured(cloned(Path(scratch) / "clone"), asked.repeats)})


if __name__ == "__main__":
    with exiting():
        main()
