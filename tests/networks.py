"""The four detectors at 32 pixels, each built once for all tests that only look at it."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import h5py

from deepfake_ensemble.foundation import params
from deepfake_ensemble.models import architecture, detector

SIZE = 32
FILE = Path(__file__).parents[1] / "params.yaml"
# The detectors of the ensemble study; the registry holds the networks of the second study as well.
STUDY = sorted(params.read("models", dict[str, Any], FILE))


def settings(name: str) -> Any:
    """Return the section `models.NAME.network` of the committed params.yaml."""
    return params.read(f"models.{name}.network", architecture.find(name).network, FILE)


def build(name: str, *, seed: int = 1, size: int = SIZE, input_scaling: Any = "unit", **options: Any) -> Any:
    """Build a detector of one's own, to train, freeze or change."""
    import keras

    keras.utils.set_random_seed(seed)
    return detector.build(
        name,
        architecture.find(name),
        image_size=size,
        input_scaling=input_scaling,
        network=options.pop("network", settings(name)),
        **options,
    )


@cache
def shared(name: str, input_scaling: str = "unit") -> Any:
    """Return a detector that must be left as it is."""
    return build(name, input_scaling=input_scaling)


def layers_of(content: bytes) -> list[str]:
    """Return the groups of a weights file that hold the weights of a layer."""
    groups = []
    with h5py.File(io.BytesIO(content)) as file:
        file.visit(lambda name: groups.append(name.removesuffix("/vars")) if name.endswith("/vars") else None)
        return [group for group in groups if len(file[f"{group}/vars"])]
