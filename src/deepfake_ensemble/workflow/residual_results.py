"""Write residual/results.json from the runs' own files.

Run `python -m deepfake_ensemble.workflow.residual_results` in `residual/`. Scores come from
reports/evaluation and, for what a regression on three simple properties of an image reaches, from the
audit; times from measured/, which training fills; a run whose model is not the one that was
timed is left out, with a line that says so. What results.json already holds of other runs and profiles stays,
and under `superseded` what a later training of the same run took the place of.
The sample's images say nothing about CIFAKE, so its scores have no place there. The profile's report, its
pictures, which CIFAKE's licence lets be shown, and the files that it is made from are copied into a folder of
docs/measurements/residual. The folder has the profile's name, or another (`--keep-as NAME`) where not all of
the profile's runs were trained here and the report of all of them is to stay.
"""

import argparse
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import read_json, replacing_folder, write_json
from deepfake_ensemble.inference.left_out import reason_left_out
from deepfake_ensemble.inference.predictor import evaluated_on_test
from deepfake_ensemble.training.residual.settings import MEASURED, ProfileRun, Runs
from deepfake_ensemble.workflow.machine import commit, machine

RESULTS = Path("results.json")
REPORTS = Path("reports/evaluation")
AUDIT = Path("reports/data/internal.json")
KEPT = Path("../docs/measurements/residual")
# What may differ from a commit: results, the documents made of them, and params, which the digest tells.
FREE = ("params.yaml", "dvc.lock", "reports", str(RESULTS), "../docs")
VARYING = {"commit", "scored"}  # of the entries of one training
# Two models of a run that agree in all of these answer alike: the second one's show nothing new.
SCORES = ("f1_official", "f1_leak_free", "accuracy_official", "auc_official")
NOT_KEPT = ("pictures", "mistakes")  # folders of CIFAKE's images, which are for DVC's cache alone


def collected(profile: str) -> list[dict[str, Any]]:
    """Return an entry for each run of a profile that was trained here."""
    runs = params.read("runs", Runs)
    size = params.read(f"{profile}.image_size", int)
    official, leak_free = (
        read_json(REPORTS / name / "comparison.json") for name in ("official", "leak_free")
    )
    scores = read_json(REPORTS / "official/metrics.json")
    baseline = read_json(AUDIT)["baselines"]["logistic"]
    here = machine()
    entries = []
    for name, run in runs.all.items():
        if reason_left_out(Path("models/trained") / name) is not None:
            continue
        timed = _timed(name)
        if timed is None:
            continue
        extent = params.read(f"{profile}.runs.{name}", ProfileRun)
        entries.append(
            {
                "run": name,
                "model": run.model,
                "recipe": run.recipe,
                "settings": params.read(f"recipes.{run.recipe}", dict[str, Any]),
                "weights": runs.weights(name),
                "connections": run.connections,
                "profile": profile.rpartition(".")[2],
                "image_size": extent.image_size or size,
                "stem": extent.stem,
                "epochs": extent.epochs or params.read(f"recipes.{run.recipe}.epochs", int),
                "training_images": timed["training_images"],
                "f1_official": official["intervals"][name]["f1"],
                "f1_leak_free": leak_free["intervals"][name]["f1"],
                "f1_leak_free_equal_shares": leak_free["f1_at_equal_shares"][name],
                "accuracy_official": scores[name]["accuracy"],
                "auc_official": scores[name]["auc"],
                "validation": {of: official["validation"][name][of] for of in ("f1", "log_loss")},
                "trivial_baseline": {of: baseline[of] for of in ("accuracy", "auc")},
                "minutes": timed["minutes"],
                "cores": here["cores"],
                "machine": here,
                "commit": commit(apart_from=FREE),
                "scored": evaluated_on_test(profile.rpartition(".")[2], name),
            }
        )
    return entries


def _timed(name: str) -> dict[str, Any] | None:
    """Return what was measured of a run's training; None, and a line on standard error, if nothing fits."""
    file = MEASURED / f"{name}.json"
    if not file.exists():
        print(
            f"{name}: left out: it was not trained here, so nothing tells how long it took", file=sys.stderr
        )
        return None
    measured = read_json(file)
    if measured["digest"] != read_json(Path("models/trained") / name / "fingerprint.json")["digest"]:
        print(f"{name}: left out: {file} is of another training", file=sys.stderr)
        return None
    return measured


def average(profile: str) -> list[dict[str, Any]]:
    """Return an entry for the weighted average, with its weights; none where there is nothing to average."""
    found = {name: read_json(REPORTS / name / "comparison.json") for name in ("official", "leak_free")}
    shares = found["official"]["ensemble_weights"]
    if not shares:
        return []
    scores = read_json(REPORTS / "official/metrics.json")[ENSEMBLE]
    return [
        {
            "profile": profile.rpartition(".")[2],
            "run": ENSEMBLE,
            "weights": shares,
            **{f"f1_{name}": of["intervals"][ENSEMBLE]["f1"] for name, of in found.items()},
            "f1_leak_free_equal_shares": found["leak_free"]["f1_at_equal_shares"][ENSEMBLE],
            "accuracy_official": scores["accuracy"],
            "auc_official": scores["auc"],
        }
    ]


def merged(before: list[dict[str, Any]], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries there were, but for those that the new ones replace, and the new ones.

    The models whose scores on the test images were seen are never forgotten: those of before count on. A
    model that was made again, and scores the same to the last digit, is not counted again.

    Args:
        before: the entries of residual/results.json.
        entries: of the active profile's runs; completed in place.
    """
    old = {(entry["profile"], entry["run"]): entry for entry in before}
    new = {(entry["profile"], entry["run"]): entry for entry in entries}
    for place, entry in new.items():
        if "scored" not in entry:
            continue  # a weighted average, which was not trained
        was = old.get(place, {})
        if was and all(was.get(key) == entry[key] for key in entry.keys() - VARYING):
            entry["commit"] = was["commit"]  # of the same training: on which it was first seen
        again = bool(was) and all(was.get(score) == entry[score] for score in SCORES)
        entry["scored"] = was["scored"] if again else sorted({*was.get("scored", ()), *entry["scored"]})
        entry["times_scored"] = len(entry["scored"])
    together = old | new
    return [together[place] for place in sorted(together)]


def superseded(before: Mapping[str, Any], runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries of trainings that another of the same run took the place of, once each.

    Args:
        before: the content of residual/results.json.
        runs: the entries that it is to hold now.
    """
    now = {(entry["profile"], entry["run"]): entry for entry in runs}
    gone = [
        entry
        for entry in before.get("runs", [])
        if entry["f1_official"] != now[entry["profile"], entry["run"]]["f1_official"]
    ]
    return [*before.get("superseded", []), *gone]


def main(keep_as: str | None = None) -> None:
    """Rewrite results.json, and keep the report in the folder `keep_as` instead of the profile's own."""
    if keep_as is not None and (not keep_as or keep_as.startswith(".") or Path(keep_as).name != keep_as):
        raise UserError(f"--keep-as {keep_as}: not the name of a folder, without dots and slashes before it")
    profile = params.active_profile()
    if params.read(f"{profile}.source", str) == "sample":
        print(
            f"residual/{RESULTS}: as it was: the images of {profile} are synthesised, its scores no results"
        )
        return
    before = read_json(RESULTS) if RESULTS.exists() else {}
    entries = collected(profile)
    runs = merged(before.get("runs", []), entries)
    write_json(
        RESULTS,
        {
            "runs": runs,
            "superseded": superseded(before, runs),
            "averages": merged(before.get("averages", []), average(profile)),
        },
    )
    print(f"residual/{RESULTS}: {len(entries)} runs brought up to date")
    with replacing_folder(KEPT / (keep_as or profile.rpartition(".")[2])) as partial:
        shutil.copytree("reports", partial, ignore=shutil.ignore_patterns(*NOT_KEPT), dirs_exist_ok=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "--keep-as", metavar="NAME", help=f"keep the report in {KEPT}/NAME, not in the profile's"
    )
    with exiting():
        main(parser.parse_args().keep_as)
