"""Opening the model file that a user named, and saying what it is if it is another one."""

from pathlib import Path

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.classifier import Classifier, Device
from deepfake_ensemble.use.recognising import image_kind, kind_of

MODEL_FILE = Path("models/ensemble.onnx")
_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF"
_ONNX = b"\x08"  # the key of its first field, the version of the format


def open_classifier(path: Path, device: Device = "auto", threads: int = 0) -> Classifier:
    """Open a model file; see `Classifier`.

    Raises:
        UserError: if it is no model of this project; saying what it is, as far as its first bytes tell.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder; --file names the model file in it, {MODEL_FILE.name} say")
    if path.is_file():
        try:
            with path.open("rb") as file:
                beginning = file.read(4096)
        except OSError as error:
            raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None
        if beginning.startswith((_ZIP, _HDF5)):
            raise UserError(
                f"{path}: a model of Keras, which the pipeline uses; --file wants {MODEL_FILE.name}, made of"
                " all of them (`dvc repro export` makes it), and --model NAME picks one detector in it"
            )
        if not beginning.startswith(_ONNX):
            kind = image_kind(beginning) or kind_of(beginning)
            raise UserError(f"{path}: not a model file; {kind.partition(':')[0]}")
    return Classifier(path, threads, device)
