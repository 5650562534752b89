"""Probabilities of a trained model for the images of a split, and which models have seen the test images."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import write_csv
from deepfake_ensemble.reading.batches import Batch

if TYPE_CHECKING:
    import keras


class Predictor:
    """Runs one model; its graph is traced once, for batches of any length and all splits."""

    def __init__(self, model: "keras.Model") -> None:
        import tensorflow as tf

        self._name = model.name
        size = model.input_shape[1]
        specification = tf.TensorSpec((None, size, size, 3), tf.uint8)
        self._run = tf.function(lambda images: model(images, training=False), input_signature=[specification])

    def predict(self, batches: Iterable[Batch], advance: Callable[[int], None]) -> NDArray[np.float32]:
        """Return P(fake) of all images in `batches`: (n,).

        Args:
            batches: images (batch, size, size, 3), and labels that are not looked at.
            advance: is told how many images each batch that is done had.

        Raises:
            UserError: if one of them is no number.
        """
        batch_by_batch = []
        for images, _ in batches:
            batch_by_batch.append(self._run(images).numpy()[:, 0])
            advance(len(images))
        p_fake = np.concatenate(batch_by_batch)
        if len(strange := np.flatnonzero(~np.isfinite(p_fake))):
            raise UserError(
                f"{self._name}: gives {p_fake[strange[0]]} for image {strange[0] + 1} of the split; train it"
                " again with a lower learning_rate, or with precision: float32 if it is mixed"
            )
        return p_fake


SCORED = Path("measured/scored.tsv")  # profile, run and digest of each model that was shown the test images


def write(path: Path, paths: Sequence[str], labels: NDArray[np.int64], p_fake: NDArray[np.float32]) -> None:
    """Write a table of predictions; a probability has as many digits as tell it from its neighbours.

    Args:
        path: of the table.
        paths: of the images (n,), in the split's order.
        labels: (n,), 1 for fake, 0 for real.
        p_fake: (n,), probabilities.
    """
    rows = zip(paths, labels.tolist(), (str(p) for p in p_fake), strict=True)
    write_csv(path, ("path", "label", "p_fake"), rows)


def record_test_evaluation(profile: str, run: str, digest: str) -> None:
    """Note that a run's model, of the training with this digest, was shown the test images (once more).

    The less often that is done, the more their scores are worth.

    Args:
        profile: its name.
        run: the model's name.
        digest: of the fingerprint that lies beside the model.
    """
    SCORED.parent.mkdir(exist_ok=True)
    with SCORED.open("a", encoding="utf-8") as file:
        file.write(f"{profile}\t{run}\t{digest}\n")


def evaluated_on_test(profile: str, run: str) -> list[str]:
    """Return the digests of a run's models that were shown the test images here, each once."""
    lines = SCORED.read_text(encoding="utf-8").splitlines() if SCORED.exists() else []
    start = f"{profile}\t{run}\t"
    return sorted({line.removeprefix(start) for line in lines if line.startswith(start)})
