"""Write residual/results.json from the runs' own files.

Run `python -m deepfake_ensemble.residual.pipeline.results` in `residual/`. Scores come from
reports/evaluation and, for what a regression on three simple properties of an image reaches, from the
audit; times from measured/, which training fills; a run whose model is not the one that was
timed is left out, with a line that says so. Runs that results.json already holds, of other profiles, stay.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_json
from deepfake_ensemble.json_files import read_json
from deepfake_ensemble.residual import stopwatch, times_scored
from deepfake_ensemble.residual.results_folder import why_empty
from deepfake_ensemble.residual.settings import Extent, Runs

RESULTS = Path("results.json")
REPORTS = Path("reports/evaluation")
AUDIT = Path("reports/data/cifake.json")


def collected() -> list[dict[str, Any]]:
    """Return an entry for each run of the active profile that was trained here."""
    profile = params.active_profile()
    runs = params.read("runs", Runs)
    size = params.read(f"{profile}.image_size", int)
    official, leak_free = (
        read_json(REPORTS / name / "comparison.json") for name in ("official", "leak_free")
    )
    scores = read_json(REPORTS / "official/metrics.json")
    baseline = read_json(AUDIT)["baselines"]["logistic"]
    entries = []
    for name, run in runs.all.items():
        if why_empty(Path("models") / name) is not None:
            continue
        timed = _timed(name)
        if timed is None:
            continue
        extent = params.read(f"{profile}.runs.{name}", Extent)
        entries.append(
            {
                "run": name,
                "model": run.model,
                "recipe": run.recipe,
                "weights": runs.weights(name),
                "connections": run.connections,
                "profile": profile.rpartition(".")[2],
                "image_size": size,
                "stem": extent.stem,
                "epochs": extent.epochs or params.read(f"recipes.{run.recipe}.epochs", int),
                "training_images": timed["training_images"],
                "f1_official": official["intervals"][name]["f1"],
                "f1_leak_free": leak_free["intervals"][name]["f1"],
                "accuracy_official": scores[name]["accuracy"],
                "auc_official": scores[name]["auc"],
                "trivial_baseline": {of: baseline[of] for of in ("accuracy", "auc")},
                "minutes": timed["minutes"],
                "cores": timed["machine"]["cores"],
                "machine": timed["machine"],
                "commit": timed["commit"],
                "times_scored": times_scored.count(profile.rpartition(".")[2], name),
            }
        )
    return entries


def _timed(name: str) -> dict[str, Any] | None:
    """Return what was measured of a run's training; None, and a line on standard error, if nothing fits."""
    file = stopwatch.FOLDER / f"{name}.json"
    if not file.exists():
        print(
            f"{name}: left out: it was not trained here, so nothing tells how long it took", file=sys.stderr
        )
        return None
    measured = read_json(file)
    if measured["digest"] != read_json(Path("models") / name / "fingerprint.json")["digest"]:
        print(f"{name}: left out: {file} is of another training", file=sys.stderr)
        return None
    return measured


def merged(before: Mapping[str, Any], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries there were, but for those that the new ones replace, and the new ones."""
    new = {(entry["profile"], entry["run"]) for entry in entries}
    kept = [entry for entry in before.get("runs", []) if (entry["profile"], entry["run"]) not in new]
    return sorted([*kept, *entries], key=lambda entry: (entry["profile"], entry["run"]))


def main() -> None:
    """Rewrite results.json."""
    try:
        before = json.loads(RESULTS.read_text(encoding="utf-8"))
    except FileNotFoundError:
        before = {}
    entries = collected()
    write_json(RESULTS, {"runs": merged(before, entries)})
    print(f"residual/{RESULTS}: {len(entries)} runs brought up to date")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
