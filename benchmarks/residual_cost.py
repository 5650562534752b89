"""What each network of the second study costs on this machine, measured in one run.

    cd residual; python ../benchmarks/residual_cost.py [NETWORK ...] [--size 224] [--seconds 20]

For each network, in a process of its own: parameters, multiply-adds, images a second in training (batch 32,
AdamW) and in prediction (batch 64), from the median step after the first, and the process's peak memory.
Nothing else should run meanwhile. Writes docs/measurements/residual/cost-SIZE.json.
"""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from deepfake_ensemble.foundation import params
from deepfake_ensemble.training.residual.settings import Model, Recipe
from harness import FOLDER, alone, keep, options, pin

FILE = ".." / FOLDER / "residual/cost.json"
TRAINING_BATCH, PREDICTION_BATCH = 32, 64


def measured(name: str, size: int, seconds: float) -> dict[str, Any]:
    """Measure one network in this process."""
    pin()
    import numpy as np

    from deepfake_ensemble.inference.predictor import Predictor
    from deepfake_ensemble.models import architecture, session
    from deepfake_ensemble.studies.common import complexity
    from deepfake_ensemble.training.residual import fitting, network

    model = params.read(f"models.{name}", Model)
    own: Any = params.check(f"models.{name}.network", model.network, architecture.find(name).network)
    session.start(seed=0)
    built = network.build(name, model, own, image_size=size, stem="imagenet")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (PREDICTION_BATCH, size, size, 3), dtype=np.uint8)
    labels = np.arange(PREDICTION_BATCH)[:, None] % 2
    shape = asdict(complexity.cost(built, "imagenet"))
    predictor = Predictor(built)
    predicting = _rate(
        lambda: predictor.predict([(images, labels)], lambda _: None), PREDICTION_BATCH, seconds
    )
    for_prediction = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    step = fitting.Step(built, params.read("recipes.paper", Recipe), jit_compile=False)
    batch = (images[:TRAINING_BATCH], labels[:TRAINING_BATCH])

    def train() -> None:
        step.train_on_batch(batch, 1e-5)
        step.mean_loss()  # waits for the step

    return {
        **{name: value for name, value in shape.items() if name in ("multiply_adds", "trainable", "all")},
        "predicted_per_second": predicting,
        "prediction_peak_mib": for_prediction,
        "trained_per_second": _rate(train, TRAINING_BATCH, seconds),
        "training_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _rate(step: Callable[[], Any], images: int, seconds: float) -> float:
    """Return images a second, from the median of the steps that fit into `seconds`, at least three."""
    step()
    times: list[float] = []
    end = time.monotonic() + seconds
    while len(times) < 3 or time.monotonic() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return round(images / statistics.median(times), 2)


def main() -> None:
    parser = options(__doc__, FILE, models=True)
    parser.add_argument("--size", type=int, default=224, help="side of the images in pixels")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    asked = parser.parse_args()
    found = {}
    for name in asked.models:
        found[name] = alone(measured, name, asked.size, asked.seconds)
        print(f"{name}: {found[name]}", flush=True)
    file = asked.file.with_name(f"{asked.file.stem}-{asked.size}.json")
    keep(file, {"image_size": asked.size, "networks": found})


if __name__ == "__main__":
    main()
