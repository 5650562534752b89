"""A recipe of the second study that trains in a second."""

from typing import Any

from deepfake_ensemble.training.residual.settings import Recipe


def recipe(**changes: Any) -> Recipe:
    """Return it, with changes."""
    return Recipe(
        **{
            "epochs": 2,
            "batch_size": 4,
            "accumulation": 2,
            "learning_rate": 0.05,
            "fine_tuning": True,
            "schedule": "linear",
            "warm_up": 0.1,
            "optimizer": "adamw",
            "weight_decay": 0.01,
            "label_smoothing": 0.0,
            "crop_scale": [0.3, 1.0],
            "cut_mix": 0.0,
            "symmetry": "mirror",
            "mean_over": "none",
            **changes,
        }
    )
