"""Weigh the detectors by what they do on the validation split (eq. 2.24)."""

from pathlib import Path
from typing import Any

from deepfake_ensemble import params
from deepfake_ensemble.stages import command


def main() -> None:
    command.settle(params.active_profile())
    from deepfake_ensemble.ensemble import weights_file
    from deepfake_ensemble.ensemble.weighting import Method, weights
    from deepfake_ensemble.evaluation.predictions import aligned, read
    from deepfake_ensemble.evaluation.settings import EvaluationParams

    models = params.read("models", dict[str, Any])
    val = aligned({model: read(Path("predictions") / model / "val.csv") for model in models})
    method = params.read("ensemble.weighting", Method)
    threshold = params.read("evaluation", EvaluationParams).threshold
    weights_file.write(
        Path("reports/ensemble/weights.json"), weights(method, val.labels, val.p_fake, threshold)
    )


if __name__ == "__main__":
    command.run(main)
