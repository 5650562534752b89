"""What the stage `compare` costs: its time, its memory, and how long SciPy takes to be imported.

    python benchmarks/comparing.py [MODEL ...] [--images 20000] [--validation 10000] [--repeats 3]

The stage runs as it is, in a process of its own each time, in a folder of invented predictions of the models
(all of params.yaml by default): so many images in each data set of params.yaml, with the settings that the
project compares with. Nothing else should run meanwhile. Writes docs/measurements/comparing.json.
"""

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.section import INTERNAL
from harness import FOLDER, alone, here, keep, of_several, options, pin

FILE = FOLDER / "comparing.json"

SKILL = 0.8  # what P(fake) tells of a class, in standard deviations of its logit
SUBJECTS = 10


def invented(folder: Path, models: Sequence[str], images: int, validation: int) -> None:
    """Fill a folder with what the stage reads: params, weights, and a table of each model and split."""
    import numpy as np

    from deepfake_ensemble.evaluation import weights_file
    from deepfake_ensemble.evaluation.predictions import HEADER
    from deepfake_ensemble.evaluation.settings import split_of
    from deepfake_ensemble.foundation.files import write_csv

    shutil.copyfile("params.yaml", folder / "params.yaml")
    weights_file.write(folder / "reports/ensemble/weights.json", dict.fromkeys(models, 1 / len(models)))
    splits = {split_of(name): images for name in params.read("data_sets", dict[str, Any])} | {
        "val": validation
    }
    for number, (split, n) in enumerate(splits.items()):
        rng, labels = np.random.default_rng(number), np.arange(n) % 2
        shared = rng.normal(size=n)  # what all models get wrong together
        paths = [f"test/{i % 2}/{i // SUBJECTS:05} ({i % SUBJECTS + 1}).jpg" for i in range(n)]
        for model in models:
            scores = SKILL * (2 * labels - 1) + shared + rng.normal(size=n)
            p_fake = 1 / (1 + np.exp(-scores))
            rows = zip(paths, labels.tolist(), p_fake.tolist(), strict=True)
            write_csv(folder / "predictions" / model / f"{split}.csv", HEADER, rows)


def compared(folder: str) -> dict[str, float]:
    """Run the stage in this process, in a folder, and return what it took."""
    os.chdir(folder)
    from deepfake_ensemble.studies.ensemble.stages import compare

    start = time.perf_counter()
    compare.main()
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def scipys_import() -> float:
    """Return how long the parts of SciPy that the stage uses take to be imported, after NumPy."""
    pin()
    import numpy as np

    start = time.perf_counter()
    import scipy.optimize
    import scipy.special

    assert scipy.special.expit(0) == 0.5 and callable(scipy.optimize.brentq) and np.__name__
    return round(time.perf_counter() - start, 3)


def measured(models: Sequence[str], images: int, validation: int, repeats: int) -> dict[str, Any]:
    """Return what the stage took each time, and SciPy's import."""
    with tempfile.TemporaryDirectory(prefix="comparing-") as folder:
        invented(Path(folder), models, images, validation)
        rounds = [alone(compared, folder) for _ in range(repeats)]
    return {
        "models": list(models),
        "data_sets": list(params.read("data_sets", dict[str, Any])),
        "images": images,
        "validation": validation,
        "resamples": params.read("comparison.resamples", int),
        "seconds": [of["seconds"] for of in rounds],
        "peak_mib": max(of["peak_mib"] for of in rounds),
        "scipy_seconds": [alone(scipys_import) for _ in range(repeats)],
    }


def page(results: Mapping[str, Any]) -> str:
    """Return what was measured, in Markdown."""
    others = len(results["data_sets"]) - 1
    drops = f", and the drop from `{INTERNAL}` to the other{'s' if others > 1 else ''}" if others else ""
    return f"""\
`python benchmarks/comparing.py` on {here(results)}. The stage `compare`, on invented predictions of
{len(results["models"])} models and their ensemble, of {results["images"]:,} images in each of
{len(results["data_sets"])} data sets and {results["validation"]:,} of validation, with
{results["resamples"]:,} resamples: all intervals, tests and weightings of each data set{drops}.

| seconds | peak memory, MiB | of it to import SciPy, seconds |
|--------:|-----------------:|-------------------------------:|
| {of_several(results["seconds"])} | {results["peak_mib"]:,} | {of_several(results["scipy_seconds"], 2)} |
"""


def main() -> None:
    parser = options(__doc__, FILE, models=True)
    parser.add_argument("--images", type=int, default=20_000, help="in each data set")
    parser.add_argument("--validation", type=int, default=10_000, help="images of the validation split")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    keep(asked.file, measured(asked.models, asked.images, asked.validation, asked.repeats))


if __name__ == "__main__":
    main()
