"""Weigh the detectors by what they do on the validation split (eq. 2.24), and warn of those that guess."""

import sys
from dataclasses import asdict
from pathlib import Path

from deepfake_ensemble.foundation import command, params


def main() -> None:
    """Write the ensemble's weights and the members' validation figures to `reports/ensemble`."""
    command.pin_processor(params.active_profile())
    from deepfake_ensemble.comparison.guessing import against_guessing
    from deepfake_ensemble.evaluation import weights_file
    from deepfake_ensemble.evaluation.predictions import read_split
    from deepfake_ensemble.evaluation.rounding import rounded
    from deepfake_ensemble.evaluation.settings import ComparisonParams, EvaluationParams
    from deepfake_ensemble.evaluation.weighting import Method, weights
    from deepfake_ensemble.foundation.files import write_json

    models = params.read("members", list[str])
    val = read_split(models, "val")
    method = params.read("ensemble.weighting", Method)
    measuring = params.read("evaluation", EvaluationParams)
    threshold = measuring.threshold
    confidence = params.read("comparison", ComparisonParams).confidence
    found = {model: against_guessing(val.labels, p, threshold, confidence) for model, p in val.p_fake.items()}
    for model, it in found.items():
        if it.at_chance or it.worse:
            told = "worse than guessing" if it.worse else "not shown to do better than guessing"
            print(
                f"warning: {model} is {told} on the validation split (of {len(val.labels)} images it calls"
                f" {it.true_positive_rate:.3f} of the fakes and {it.false_positive_rate:.3f} of the real ones"
                f" fake, p = {it.p_value:.3f}; AUC {it.auc.value:.3f}): look at its learning curves, try"
                f" another models.{model}.learning_rate",
                file=sys.stderr,
            )
    write_json(
        Path("reports/ensemble/validation.json"), rounded({model: asdict(it) for model, it in found.items()})
    )
    weights_file.write(
        Path("reports/ensemble/weights.json"),
        weights(method, val.labels, val.p_fake, threshold, measuring.smallest_probability),
    )


if __name__ == "__main__":
    command.run(main)
