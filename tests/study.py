"""A study that has been trained, made up in seconds: real archives, audits and splits of noise, invented
predictions and learning curves, and every cheap stage run for real."""

import csv
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.evaluation.rounding import rounded
from deepfake_ensemble.foundation.files import read_result, write_csv, write_json
from deepfake_ensemble.foundation.fingerprint import fingerprint
from deepfake_ensemble.studies.ensemble.costs import Cost, costs
from deepfake_ensemble.studies.ensemble.report.study import Run, Settings, Study, read
from deepfake_ensemble.training.ensemble import curves

ROOT = Path(__file__).parents[1]
SKILLS = {"cnn": 0.3, "resnet50": 0.8, "xception": 1.2, "efficientnet_b4": 1.0}
COUNTS = {"train": 8, "val": 40, "test": 60, "cifake": 60}


def make(folder: Path) -> None:
    """Fill `folder` with a study up to its predictions, and tell what they say."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["profiles"]["sample"]["counts"] = COUNTS
    params["comparison"]["resamples"] = 100
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    for data_set, layout, subjects in (("internal", "faces", 20), ("cifake", "cifake", 5)):
        _archive(folder / "data/raw" / f"{data_set}.zip", layout, subjects)
        run(folder, "audit", data_set)
    run(folder, "split")
    for number, (model, skill) in enumerate(SKILLS.items()):
        for split in ("val", "test", "cifake"):
            predict(folder, model, split, skill if split != "cifake" else skill / 6)
        account = fingerprint({"seed": 42}, [folder / "params.yaml"])
        write_json(folder / "predictions" / model / "fingerprint.json", account)
        curves.write(folder / "models/curves" / model, _history(epochs=6 + number))
    tell(folder)


def tell(folder: Path) -> None:
    """Invent what the members that have predictions cost, and run all stages from `weigh` to `report`."""
    members = {
        name: Cost(1_000 * number, 10**6 * number, 5_000 * number)
        for number, name in enumerate(SKILLS, 1)
        if (folder / "predictions" / name).exists()
    }
    write_json(folder / "reports/costs.json", rounded(costs(members)))
    for stage in ("weigh", "curves", "evaluate internal", "evaluate cifake", "compare", "report"):
        run(folder, *stage.split())


def make_alone(folder: Path, study: Path, model: str) -> None:
    """Fill `folder` with the same study of one of its models."""
    for part in ("data/splits", "reports/data"):
        shutil.copytree(study / part, folder / part)
    for part in ("predictions", "models/curves"):
        shutil.copytree(study / part / model, folder / part / model)
    yaml = YAML()
    params = yaml.load((study / "params.yaml").read_text(encoding="utf-8"))
    params["members"] = [model]
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    tell(folder)


def run(folder: Path, stage: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a stage in `folder` as DVC does, with TensorFlow, pandas and scikit-learn out of its reach unless
    it is the audit, which fits its baselines by the last; raises if it fails."""
    blocked = folder / "blocked"
    if not blocked.exists():
        blocked.mkdir()
        for name in ("tensorflow", "keras", "pandas", "sklearn"):
            (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is not for this stage')\n")
    study = "common" if stage in ("audit", "pack") else "ensemble"
    path = [str(ROOT / "src")] if stage == "audit" else [str(blocked), str(ROOT / "src")]
    ran = subprocess.run(
        [sys.executable, "-m", f"deepfake_ensemble.studies.{study}.stages.{stage}", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran


def predict(folder: Path, model: str, split: str, skill: float) -> None:
    """Invent one detector's predictions; its errors are correlated with the others', as real ones are."""
    with (folder / "data/splits" / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([int(row["label"]) for row in rows])
    shared = np.random.default_rng([7, len(split)]).normal(size=len(rows))
    own = np.random.default_rng([sum(map(ord, model)), len(split)]).normal(size=len(rows))
    p_fake = 1 / (1 + np.exp(-2 * (skill * (2 * labels - 1) + 0.6 * shared + 0.8 * own)))
    write_csv(
        folder / "predictions" / model / f"{split}.csv",
        ("path", "label", "p_fake"),
        [(row["path"], row["label"], float(np.float32(p))) for row, p in zip(rows, p_fake, strict=True)],
    )


def _archive(path: Path, layout_name: str, per_subject: int) -> None:
    layout = LAYOUTS[layout_name]
    rng = np.random.default_rng(len(layout_name))
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for class_folder in layout.folders():
            for suffix in layout.subjects or ("",):
                for number in range(per_subject):
                    data = io.BytesIO()
                    noise = rng.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
                    Image.fromarray(noise).save(data, "JPEG", quality=75)
                    name = f"{number:04}{f' ({suffix})' if suffix else ''}.jpg"
                    archive.writestr(f"{class_folder}{name}", data.getvalue())
        for table in layout.label_tables:
            archive.writestr(table, ",original_path,id,label,label_str,path\n")


def _history(epochs: int) -> dict[str, list[float]]:
    falling = [1 / (epoch + 1) for epoch in range(epochs)]
    rising = [1 - 0.5 * loss for loss in falling]
    return {
        "loss": falling,
        "accuracy": rising,
        "val_loss": [0.1 + x for x in falling],
        "val_accuracy": rising,
    }


def found(folder: Path, source: Source = "sample") -> Study:
    """Read what the stages have found in `folder`, as if its images had come from `source`."""
    run = read_result(folder / "reports/run.json", Run)
    with (folder / "params.yaml").open(encoding="utf-8") as file:
        params = YAML().load(file)
    profile = params["profiles"][run.profile]
    settings = Settings(
        source=source,
        image_size=profile["image_size"],
        initial_weights=profile["initial_weights"],
        weighting=params["ensemble"]["weighting"],
        data_sets={name: DataSet(**of) for name, of in params["data_sets"].items()},
    )
    return read(folder / "reports", run, settings)
