"""Does the model file say what its members said?"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.classifier import Classifier


def check(
    classifier: Classifier,
    batches: Iterable[tuple[NDArray[np.uint8], object]],
    stored: Mapping[str, NDArray[np.float64]],
    advance: Callable[[int], None],
    *,
    tolerance: float,
) -> float:
    """Return how far the file's probabilities are at most from the stored ones.

    Args:
        classifier: the open model file.
        batches: as `largest_differences` takes them.
        stored: as well.
        advance: as well.
        tolerance: the largest difference that passes.

    Raises:
        UserError: naming the detector, if that is more than `tolerance`.
    """
    differences = largest_differences(classifier, batches, stored, advance)
    for name, difference in differences.items():
        if not difference <= tolerance:
            raise UserError(
                f"models/ensemble.onnx: {name} differs by {difference:.1e} from the stored predictions,"
                f" more than {tolerance:.0e}; run `dvc repro -sf predict`"
            )
    return max(differences.values())


def largest_differences(
    classifier: Classifier,
    batches: Iterable[tuple[NDArray[np.uint8], object]],
    stored: Mapping[str, NDArray[np.float64]],
    advance: Callable[[int], None],
) -> dict[str, float]:
    """Return by detector how far its probabilities are at most from the stored ones of the same images (n,).

    Args:
        classifier: the open model file.
        batches: of images, and whatever comes with them, in the order of `stored`.
        stored: by detector, (n,).
        advance: called with the number of images after each batch.
    """
    largest, start = dict.fromkeys(stored, 0.0), 0
    for images, _ in batches:
        end = start + len(images)
        for name, p_fake in classifier.p_fake(images).items():
            apart = np.abs(p_fake.astype(np.float64) - stored[name][start:end]).max()
            largest[name] = float(np.maximum(largest[name], apart))  # max() may pass over what is no number
        start = end
        advance(len(images))
    return largest
