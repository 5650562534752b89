"""What benchmarks/quick_trials.py tried for profile `quick`, for docs/results.md."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from deepfake_ensemble.workflow.generated import table
from deepfake_ensemble.workflow.machine import shown


def page(results: Mapping[str, Any]) -> str:
    """Return all trials, in Markdown: the validation loss after each pass, and the accuracy of the best."""
    trials = results["trials"]
    # A column a pass: of the trials with fewer passes it is empty.
    losses = zip(*zip_longest(*(of["val_loss"] for of in trials)), strict=True)
    rows = [
        [
            f"`{of['model']}`",
            f"{of['learning_rate']:g}",
            f"{of['images']:,}",
            *("" if loss is None else f"{loss:.3f}" for loss in by_pass),
            f"{of['best_val_accuracy']:.4f}",
        ]
        for of, by_pass in zip(trials, losses, strict=True)
    ]
    passes = [f"loss {number}" for number in range(1, max(len(of["val_loss"]) for of in trials) + 1)]
    header = ["model", "learning rate", "images", *passes, "accuracy"]
    return (
        "Profile `quick` was not run. Its learning rates, number of images and passes were tried in its place"
        " on CIFAKE's training part at 64 pixels: as it trains but in float32, without XLA and without"
        " TensorFlow's rewriting of the graph, EfficientNet-Lite0 from ImageNet's weights for the networks"
        " that are fine-tuned, and the custom CNN, whose loss has its penalty on large weights in it. No test"
        " image was looked at.\n\n"
        f"Made at commit `{results['commit']}` by `python benchmarks/quick_trials.py`, on"
        f" {shown(results['machine'])}. Loss after each pass, and accuracy where it was least, on"
        f" {results['val_images']:,} validation images; one training each.\n\n{table(header, rows)}"
    )
