"""Time of training steps with Keras' own Adam and with ours.

    python benchmarks/adam.py [MODEL ...] [--size 40] [--steps 20]

Prints for each model (default: all) the first step, where TensorFlow traces the network, and the median of
later ones, as seconds and as ours over Keras' own. Both are measured in turn, in one process, on a batch that
is already in memory; nothing else should run meanwhile.
"""

import argparse
import statistics
from typing import Any

from deepfake_ensemble.foundation import params, processor
from training_steps import timed

ROUNDS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "models", nargs="*", default=list(params.read("models", dict[str, Any])), metavar="MODEL"
    )
    parser.add_argument("--size", type=int, default=40, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=20, help="steps measured after the first")
    arguments = parser.parse_args()
    profile = params.active_profile()
    processor.pin(params.read(f"{profile}.processor", processor.Processor))
    import keras

    from deepfake_ensemble.models import session
    from deepfake_ensemble.training.ensemble.recipe import Adaptation
    from deepfake_ensemble.training.shared.adam import adam

    adaptation = params.read(f"{profile}.training", Adaptation)
    session.start(0, adaptation.precision, adaptation.optimize_graph)
    print(f"{'':16}{'first step':>26}{'later steps':>26}")
    print(f"{'':16}{'Keras':>10}{'ours':>8}{'ratio':>8}{'Keras':>10}{'ours':>8}{'ratio':>8}")
    for name in arguments.models:
        first: dict[str, list[float]] = {"keras": [], "ours": []}
        later: dict[str, list[float]] = {"keras": [], "ours": []}
        for _ in range(ROUNDS):
            for key, make in (("keras", keras.optimizers.Adam), ("ours", adam)):
                found = timed(name, make(1e-4), arguments.size, arguments.steps, adaptation)
                first[key].append(found.first)
                later[key] += found.later
                keras.backend.clear_session()
        columns = []
        for seconds in (first, later):
            theirs, ours = statistics.median(seconds["keras"]), statistics.median(seconds["ours"])
            columns.append(f"{theirs:10.2f}{ours:8.2f}{ours / theirs:8.2f}")
        print(f"{name:16}{''.join(columns)}", flush=True)


if __name__ == "__main__":
    main()
