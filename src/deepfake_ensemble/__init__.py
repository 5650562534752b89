"""Train, combine and evaluate detectors of AI-generated faces, as a reproducible workflow.

From Python a trained ensemble is used by `load`; see docs/using.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepfake_ensemble.foundation.errors import UserError
    from deepfake_ensemble.use.inputs import StorageFault
    from deepfake_ensemble.use.library import Detector, FacePrediction, Prediction, Predictions, load

__all__ = [
    "Detector",
    "FacePrediction",
    "Prediction",
    "Predictions",
    "StorageFault",
    "UserError",
    "__version__",
    "load",
]

__version__: str


def __getattr__(name: str) -> Any:
    """Import what is used when it is used: the pipeline's stages pass through here and need none of it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("deepfake-ensemble")
    if name in __all__:
        from deepfake_ensemble.use import library

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
