"""What the same bytes cost: training steps with and without what makes them repeatable.

    python benchmarks/determinism.py [MODEL ...] [--size 40] [--steps 20] [--rounds 5]

Each setting runs in a process of its own, because none of them can be taken back; the settings take turns.
Writes docs/determinism.md: the median of the rounds' median steps, how far these lie apart, and the ratio to
the settings of the active profile. Nothing is frozen. Nothing else should run meanwhile.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import params, processor
from deepfake_ensemble.workflow.machine import machine, versions
from timing import alone
from training_steps import BATCH, timed

PAGE = Path("docs/determinism.md")
SETTINGS = {
    "as in the profile": (),
    "without repeatable operations": ("operations",),
    "with every instruction there is": ("instructions",),
    "with neither": ("operations", "instructions"),
}


def steps(name: str, size: int, count: int, without: list[str]) -> list[float]:
    """Return the seconds of `count` training steps after the first."""
    profile = params.active_profile()
    settings = params.read(f"{profile}.processor", processor.Processor)
    if "instructions" in without:
        settings = processor.Processor(threads=settings.threads, cpu_isa="native")
    processor.pin(settings)
    import tensorflow as tf

    from deepfake_ensemble.models import session
    from deepfake_ensemble.training.ensemble.recipe import Adaptation
    from deepfake_ensemble.training.shared.adam import adam

    adaptation = params.read(f"{profile}.training", Adaptation)
    if "operations" in without:
        tf.config.experimental.enable_op_determinism = lambda: None
    session.start(0, adaptation.precision, adaptation.optimize_graph)
    return timed(name, adam(1e-4), size, count, adaptation).later


def measured(models: list[str], size: int, count: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return each round's median step of each model under each setting, in seconds."""
    found: dict[str, dict[str, list[float]]] = {model: {it: [] for it in SETTINGS} for model in models}
    for number in range(rounds):
        for model in models:
            for setting, without in SETTINGS.items():
                each = alone(__file__, model, "--size", size, "--steps", count, "--one", *without)
                found[model][setting].append(statistics.median(each))
        print(f"round {number + 1} of {rounds} done", flush=True)
    return found


def page(found: dict[str, dict[str, list[float]]], size: int, count: int, rounds: int) -> str:
    """Return docs/determinism.md."""
    from deepfake_ensemble.workflow.generated import table  # it imports NumPy, for which `steps` is not ready

    rows = []
    for model, by_setting in found.items():
        reference = statistics.median(by_setting["as in the profile"])
        for setting, seconds in by_setting.items():
            median = statistics.median(seconds)
            spread = f"{min(seconds):.3f}–{max(seconds):.3f}"
            rows.append([model, setting, f"{median:.3f}", spread, f"{median / reference:.2f}"])
    here, libraries = machine(), versions()
    return f"""# What the same bytes cost

`python benchmarks/determinism.py`: training steps of {BATCH} images of {size}×{size} pixels, {count} steps in
each of {rounds} rounds, settings in turn, each in a process of its own. Repeatable operations are
TensorFlow's op determinism; the profile allows no instructions newer than `cpu_isa`. Measured on
{here["cpu"]}, {here["cores"]} cores, TensorFlow {libraries["tensorflow"]}, Keras {libraries["keras"]}.

{table(["model", "setting", "median step (s)", "rounds (s)", "ratio"], rows)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "models", nargs="*", default=list(params.read("models", dict[str, Any])), metavar="MODEL"
    )
    parser.add_argument("--size", type=int, default=40, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=20, help="steps measured after the first")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs="*", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one is not None:
        print(json.dumps(steps(asked.models[0], asked.size, asked.steps, asked.one)))
        return
    found = measured(asked.models, asked.size, asked.steps, asked.rounds)
    PAGE.write_text(page(found, asked.size, asked.steps, asked.rounds), encoding="utf-8")


if __name__ == "__main__":
    main()
