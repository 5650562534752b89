"""Run the model file: pixels in, probabilities out; ONNX Runtime does the work."""

import dataclasses
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from deepfake_ensemble.foundation.errors import UserError, first_line
from deepfake_ensemble.portable.graph_digest import PROPERTY, graph_digest
from deepfake_ensemble.portable.metadata import DISTANCE, ModelMetadata, from_properties

if TYPE_CHECKING:
    import onnxruntime

Device = Literal["auto", "cpu", "cuda"]
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_ERRORS_ALONE = 3  # what ONNX Runtime may log
_BATCH = 32
# 8 images of 256 pixels, in batches of which bare sessions on a processor are 10 % faster than in batches of
# 32 (`bare_sessions_in_same_batches` in docs/measurements/collection.json). Other sizes were not compared.
_BATCH_PIXELS = 2**19


def inference_session(
    model: Path | bytes, threads: int = 0, device: Device = "cpu"
) -> "onnxruntime.InferenceSession":
    """Open a model.

    Args:
        model: a file, or what is in it.
        threads: that compute; 0 takes all cores this process may use.
        device: what computes; auto takes a GPU if there is one that can be used.

    Raises:
        UserError: if a GPU is wanted and none can be used.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ALONE
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    # A thread that spins while it waits takes the core from those that decode the next images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with_cuda = device != "cpu" and CUDA in onnxruntime.get_available_providers()
    if device == "cuda" and not with_cuda:
        raise UserError(
            "--device cuda: this ONNX Runtime knows no GPU; in an environment of its own,"
            " `pip install deepfake-ensemble[cuda]` and then `pip uninstall onnxruntime` brings one that does"
        )
    if with_cuda:
        onnxruntime.preload_dlls()  # CUDA and cuDNN, from their packages
    session = onnxruntime.InferenceSession(model, options, providers=[CUDA, CPU] if with_cuda else [CPU])
    # It falls back on the processor without a word.
    if device == "cuda" and CUDA not in session.get_providers():
        raise UserError(
            "--device cuda: ONNX Runtime cannot use the GPU; `nvidia-smi` tells whether it is seen"
        )
    return session


def batch_size(image_size: int, *, on_gpu: bool) -> int:
    """Return how many images are best computed at once.

    A processor's caches are to hold what the layers make of them: of large images it is given few. Which
    images are computed together changes no answer on a processor.
    """
    return _BATCH if on_gpu else min(_BATCH, max(1, _BATCH_PIXELS // image_size**2))


class Classifier:
    """An open model file.

    Attributes:
        metadata: what the file says of itself. What was measured is left out if `changed`.
        changed: whether the graph is another one since: quantised or optimised, say, by a tool that carried
            the metadata along.
        batch_size: how many images it is best given at once.
    """

    def __init__(self, path: Path, threads: int = 0, device: Device = "cpu") -> None:
        """Open a model file.

        Args:
            path: of the file that the stage `export` wrote.
            threads: that compute; 0 takes all cores this process may use.
            device: see `inference_session`.

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
            self._session = inference_session(path, threads, device)
        except (MemoryError, UserError):
            raise
        except Exception as error:  # whatever ONNX Runtime stumbles over: the file is at fault
            raise UserError(
                f"{path}: not a model that can be loaded, or not all of it: {first_line(error)}"
            ) from error
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            self.metadata: ModelMetadata = from_properties(properties)
            self._check_ends()
            self.changed = _digest_of(path) != properties.get(PROPERTY)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{path}: not a model of this project: it {error}; `dvc repro export` makes one"
            ) from error
        on_gpu = CUDA in self._session.get_providers()
        self.batch_size = batch_size(self.metadata.image_size, on_gpu=on_gpu)
        if self.changed:
            self.metadata = dataclasses.replace(self.metadata, measured=())

    def _check_ends(self) -> None:
        size = self.metadata.image_size
        ins = [(node.name, node.type, node.shape[1:]) for node in self._session.get_inputs()]
        outs = [(node.name, node.type, len(node.shape)) for node in self._session.get_outputs()]
        if ins != [("image", "tensor(uint8)", [size, size, 3])]:
            raise ValueError(f"takes no images of {size} pixels, as its metadata say")
        if outs != [(name, "tensor(float)", 1) for name in (*self.metadata.detectors, DISTANCE)]:
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
        return self._probabilities(self._run(images, list(detectors or self.metadata.detectors)))

    def p_fake_and_distance(
        self, images: NDArray[np.uint8]
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """Return P(fake) (n,) by detector, and how far the images lie from those of validation (n,).

        Args:
            images: as `p_fake` takes them.

        Raises:
            UserError: as `p_fake` does.
        """
        found = self._run(images, [*self.metadata.detectors, DISTANCE])
        distance = found.pop(DISTANCE)
        return self._probabilities(found), distance

    def _run(self, images: NDArray[np.uint8], names: list[str]) -> dict[str, NDArray[np.float32]]:
        try:
            found = self._session.run(names, {"image": images})
        except MemoryError:
            raise
        except Exception as error:  # as in loading it
            raise UserError(f"{self._path}: cannot be run: {first_line(error)}") from error
        for name, each in zip(names, found, strict=True):
            if each.shape != (len(images),):
                raise UserError(f"{self._path}: {name} gives no figure an image; the file is damaged")
        return dict(zip(names, found, strict=True))

    def _probabilities(self, found: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        for name, p_fake in found.items():
            if not ((p_fake >= 0) & (p_fake <= 1)).all():
                raise UserError(f"{self._path}: {name} gives what is no probability; the file is damaged")
        return found


def _digest_of(path: Path) -> str:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as model:
        return graph_digest(model)
