"""Make one of the runs on real images, in a clone of its own, and keep what it gave.

    python benchmarks/real_run.py cifake                        # one of benchmarks/real_runs.yaml
    python benchmarks/real_run.py cifake seed=43 --as cifake-43    # with further changes, under another name

Needs the archives that `source: local` needs, in data/local. The clone is .dvc/tmp/runs/NAME, of the last
commit, and has this folder's DVC cache. An interrupted run goes on where it was when the command is given
again; a clone that is older than the last commit is finished by its own code, and `--anew` begins anew. What
was measured goes to docs/measurements/NAME.json, the reports beside it; `make results` shows them.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from deepfake_ensemble.foundation.errors import UserError, exiting, first_line
from deepfake_ensemble.foundation.files import read_json, replacing_folder, write_json
from deepfake_ensemble.foundation.params import FILE
from harness import ENVIRONMENT, FOLDER, kept

RUNS = Path(__file__).with_name("real_runs.yaml")
CLONES = Path(".dvc/tmp/runs")
LOCAL = Path("data/local")


def prepare(clone: Path) -> None:
    """Clone the last commit, with this folder's cache and archives."""
    with replacing_folder(clone) as partial:
        subprocess.run(["git", "clone", "--quiet", "--shared", ".", partial], check=True)
        told = subprocess.run(
            ["dvc", "cache", "dir"], check=True, capture_output=True, text=True, env=ENVIRONMENT
        )
        cache = Path(told.stdout.strip()).resolve()
        of_clone = ["dvc", "--cd", partial, "cache", "dir", "--quiet", "--local"]
        subprocess.run([*of_clone, str(cache)], check=True, env=ENVIRONMENT)
        (partial / LOCAL).symlink_to(LOCAL.resolve(), target_is_directory=True)


def forget_looks(clone: Path, changes: Sequence[str]) -> None:
    """Take out of the clone how often its commit's run of that profile was scored: that is another run."""
    file = _measured(clone, changes)
    if "scored" in (about := kept(file)):
        write_json(file, {key: value for key, value in about.items() if key != "scored"})


def change(clone: Path, changes: Sequence[str]) -> None:
    """Change the commit's params.yaml.

    Raises:
        UserError: if that cannot be.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    subprocess.run(["git", "-C", clone, "checkout", "--quiet", FILE], check=True)
    try:
        apply_overrides(clone / FILE, list(changes))
    except DvcException as error:
        raise UserError(f"{', '.join(changes)}: {first_line(error.__cause__ or error)}; see {FILE}") from None


def with_one_model(run: str, model: str) -> list[str]:
    """Return what a run changes, with one model and without the faces that CIFAKE's run adds."""
    changes = yaml.safe_load(RUNS.read_text(encoding="utf-8"))[run]
    others = [each for each in changes if not each.startswith("members=") and "data_sets.faces" not in each]
    return [*others, f"members=[{model}]"]


def reproduce(clone: Path, stage: str, changes: Sequence[str], times: Path) -> float:
    """Run a stage, and what it needs, of the commit with changes; return the minutes that they took at first.

    Args:
        clone: where; its cache keeps what was made.
        stage: of dvc.yaml.
        changes: of params.yaml.
        times: where the minutes are noted: what is restored takes none.

    Raises:
        UserError: if a stage fails.
    """
    change(clone, changes)
    began = time.monotonic()
    done = subprocess.run(["dvc", "repro", stage], cwd=clone, env=ENVIRONMENT, check=False)
    if done.returncode:
        raise UserError(f"{stage}: ended with code {done.returncode}; the same command goes on, in {clone}")
    minutes: float = round((time.monotonic() - began) / 60, 1)
    noted = {" ".join([stage, *changes]): minutes} | kept(times)
    write_json(times, noted)
    return noted[" ".join([stage, *changes])]


def keep(clone: Path, name: str, changes: list[str]) -> Path:
    """Keep under `name` what `measured_run.py` wrote in the clone, and say what the run changed."""
    of_clone = _measured(clone, changes)
    file = FOLDER / f"{name}.json"
    measured = read_json(of_clone)
    scored = sorted({*kept(file).get("scored", ()), *measured.get("scored", ())})
    write_json(file, measured | {"changes": changes, "scored": scored})
    with replacing_folder(file.with_suffix("")) as partial:
        shutil.copytree(of_clone.with_suffix(""), partial, dirs_exist_ok=True)
    return file


def _measured(clone: Path, changes: Sequence[str]) -> Path:
    """Return the file that `measured_run.py` writes in the clone; of several profiles the last one counts."""
    profiles = [each.partition("=")[2] for each in changes if each.startswith("profile=")]
    return clone / FOLDER / f"{profiles[-1]}.json"


def main() -> None:
    runs = yaml.safe_load(RUNS.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", choices=runs, help=f"of {RUNS.name}")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="further changes of params.yaml")
    parser.add_argument("--as", dest="name", help="the name to keep it under; that of the run by default")
    parser.add_argument("--anew", action="store_true", help="forget the clone of an earlier, interrupted run")
    options = parser.parse_args()
    if options.changes and not options.name:
        raise UserError("with further changes it is another run: name it, --as NAME")
    name, changes = options.name or options.run, runs[options.run] + options.changes
    clone = CLONES / name
    if options.anew:
        shutil.rmtree(clone, ignore_errors=True)
    if not clone.exists():
        prepare(clone)
        forget_looks(clone, changes)
    # Also where there is a clone: the changes may be others than the last time, or have been refused then.
    change(clone, changes)
    measured = [sys.executable, "benchmarks/measured_run.py"]
    done = subprocess.run(measured, cwd=clone, env=ENVIRONMENT | {"PYTHONPATH": "src"}, check=False)
    if done.returncode:
        raise UserError(
            f"{name}: ended with code {done.returncode}; the same command goes on with it, in {clone}"
        )
    print(f"{keep(clone, name, changes)}: `make results` shows it")


if __name__ == "__main__":
    with exiting():
        main()
