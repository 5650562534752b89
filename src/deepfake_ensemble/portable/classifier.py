"""Run the model file: pixels in, probabilities out; ONNX Runtime does the work."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.metadata import ModelMetadata, from_properties

if TYPE_CHECKING:
    import onnxruntime

_ERRORS_ALONE = 3  # what ONNX Runtime may log


def inference_session(model: Path | bytes, threads: int = 0) -> "onnxruntime.InferenceSession":
    """Open a model, on the processor.

    Args:
        model: a file, or what is in it.
        threads: that compute; 0 takes all cores this process may use.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ALONE
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    # A thread that spins while it waits takes the core from those that decode the next images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Classifier:
    """An open model file."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Open a model file.

        Args:
            path: of the file that the stage `export` wrote.
            threads: that compute; 0 takes all cores this process may use.

        Raises:
            UserError: if the file is missing or not such a model.
        """
        if not path.is_file():
            raise UserError(
                f"{path.absolute()}: no such model file; --file names another, and in the project"
                " `dvc repro export` makes it and `dvc pull` fetches a stored one"
            )
        self._path = path
        try:
            self._session = inference_session(path, threads)
        except MemoryError:
            raise
        except Exception as error:  # whatever ONNX Runtime stumbles over: the file is at fault
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"{path}: not a model that can be loaded: {reason}; fetch it again") from error
        try:
            self.metadata: ModelMetadata = from_properties(self._session.get_modelmeta().custom_metadata_map)
            self._check_ends()
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{path}: not a model of this project: it {error}; `dvc repro export` makes one"
            ) from error

    def _check_ends(self) -> None:
        size = self.metadata.image_size
        ins = [(node.name, node.type, node.shape[1:]) for node in self._session.get_inputs()]
        outs = [(node.name, node.type, len(node.shape)) for node in self._session.get_outputs()]
        if ins != [("image", "tensor(uint8)", [size, size, 3])]:
            raise ValueError(f"takes no images of {size} pixels, as its metadata say")
        if outs != [(name, "tensor(float)", 1) for name in self.metadata.detectors]:
            raise ValueError("gives other probabilities than its metadata say")
        if isinstance(self._session.get_inputs()[0].shape[0], int):
            raise ValueError("takes a fixed number of images")

    def p_fake(
        self, images: NDArray[np.uint8], detectors: Sequence[str] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Return P(fake) (n,) by detector.

        Args:
            images: (n, size, size, 3), RGB of 0-255, of the metadata's size.
            detectors: whose is wanted; all by default.

        Raises:
            UserError: if the model does not give as many probabilities.
        """
        names = list(detectors or self.metadata.detectors)
        try:
            found = self._session.run(names, {"image": images})
        except MemoryError:
            raise
        except Exception as error:  # as in loading it
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"{self._path}: cannot be run: {reason}; fetch it again") from error
        for name, p_fake in zip(names, found, strict=True):
            if p_fake.shape != (len(images),) or not ((p_fake >= 0) & (p_fake <= 1)).all():
                raise UserError(f"{self._path}: {name} gives what is no probability; fetch the file again")
        return dict(zip(names, found, strict=True))
