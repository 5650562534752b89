"""What detectors and data sets are called and look like, the same in every table and figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepfake_ensemble.evaluation.weighting import ENSEMBLE

# Stands for the colour of the text, which is dark on white paper and light on a dark screen.
INK = "#010203"

_NAMES = {
    "cnn": "Custom CNN",
    "resnet50": "ResNet50",
    "xception": "Xception",
    "efficientnet_b4": "EfficientNet-B4",
    ENSEMBLE: "Ensemble",
    "internal": "internal test",
    "cifake": "CIFAKE",
    "faces": "faces",
}


def title(name: str) -> str:
    """Return what people read for a detector's or data set's key."""
    return _NAMES.get(name, name)


def place(name: str) -> str:
    """Return what stands after "on": the internal test, or CIFAKE."""
    return f"the {title(name)}" if name == "internal" else title(name)


# What people read for `ensemble.weighting`.
METHODS = {"accuracy": "validation accuracy", "uniform": "equal weights", "log_loss": "least log loss"}


@dataclass(frozen=True)
class Look:
    """How a detector is drawn: told apart by colour, dashes and marker, each by itself."""

    colour: str
    dashes: tuple[float, tuple[float, ...]] | str
    marker: str
    width: float = 1.3


# Okabe & Ito's colours (2008), which the colour-blind can tell apart; first those that stand out on white
# paper and dark screens alike.
_LOOKS = (
    Look("#0072B2", (0, (5, 1.5)), "o"),
    Look("#D55E00", (0, (1, 1)), "s"),
    Look("#009E73", (0, (5, 1.5, 1, 1.5)), "^"),
    Look("#CC79A7", (0, (2.5, 1.5)), "D"),
    Look("#E69F00", (0, (8, 2)), "v"),
    Look("#56B4E9", (0, (3, 1, 1, 1, 1, 1)), "P"),
)
_OWN = {"cnn": 0, "resnet50": 1, "xception": 2, "efficientnet_b4": 3}
_ENSEMBLE_LOOK = Look(INK, "-", "X", width=2.0)


def looks(detectors: Sequence[str]) -> Mapping[str, Look]:
    """Return each detector's look: the study's have their own, others take what is left, in turn."""
    others = [name for name in detectors if name not in _OWN and name != ENSEMBLE]
    number = _OWN | {name: len(_OWN) + i for i, name in enumerate(others)}
    return {
        name: _ENSEMBLE_LOOK if name == ENSEMBLE else _LOOKS[number[name] % len(_LOOKS)] for name in detectors
    }
