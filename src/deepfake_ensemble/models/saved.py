"""Model files whose bytes depend on the model alone."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake_ensemble.foundation.errors import UserError, first_line
from deepfake_ensemble.foundation.files import replacing_file, require_room

if TYPE_CHECKING:
    import keras

FINGERPRINT = "fingerprint.json"


def save(model: "keras.Model", path: Path, fingerprint: Mapping[str, Any]) -> None:
    """Save `model` without its optimizer as a `.keras` file that also holds `fingerprint`.

    Keras writes the time of saving into the file, twice, and addresses in memory; here every member of the
    zip carries the earliest time that the format knows, the date is left out, and the addresses are numbered.

    Args:
        model: trained; it may be compiled.
        path: of the file, which is replaced when the new one is complete.
        fingerprint: what the model was made from; becomes the file's member `fingerprint.json`.

    Raises:
        UserError: if the disk has no room for it; what was there before stays.
    """
    import keras

    inference = keras.Model(model.input, model.output, name=model.name)
    with replacing_file(path) as partial:
        # For a moment it is there twice: as Keras writes it, and without the dates.
        require_room(path.parent, 2 * 4 * inference.count_params() + 2**20, f"the model {path.name}")
        dated = partial.with_name(f"{partial.name}-dated.keras")
        try:
            inference.save(dated)
            with zipfile.ZipFile(dated) as source, zipfile.ZipFile(partial, "w") as target:
                for name in sorted(source.namelist()):
                    data = source.read(name)
                    if name == "metadata.json":
                        metadata = json.loads(data)
                        del metadata["date_saved"]
                        data = json.dumps(metadata).encode()
                    elif name == "config.json":
                        data = json.dumps(_number_shared_objects(json.loads(data), {})).encode()
                    target.writestr(zipfile.ZipInfo(name), data)
                target.writestr(zipfile.ZipInfo(FINGERPRINT), json.dumps(fingerprint, indent=2))
        finally:
            dated.unlink(missing_ok=True)


def _number_shared_objects(config: Any, numbers: dict[int, int]) -> Any:
    """Replace the addresses by which Keras marks an object that occurs twice by numbers, from 1 on."""
    if isinstance(config, list):
        return [_number_shared_objects(item, numbers) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: numbers.setdefault(value, len(numbers) + 1)
        if key == "shared_object_id"
        else _number_shared_objects(value, numbers)
        for key, value in config.items()
    }


def load(path: Path) -> "keras.Model":
    """Load a model for inference; code inside the file (Lambda layers, foreign classes) is refused.

    Raises:
        UserError: if the file is missing, damaged, or holds code.
    """
    import keras

    if not path.is_file():
        raise UserError(f"{path}: no such model; `dvc repro` trains it and `dvc pull` fetches a stored one")
    restore = "`dvc checkout` restores the trained one"
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: not a whole .keras file; {restore}")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever Keras stumbles over: the file is at fault
        raise UserError(
            f"{path}: not a model that can be loaded safely: {first_line(error)}; {restore}"
        ) from error


def save_weights(model: "keras.Model", path: Path) -> None:
    """Save the weights of `model`, which is not compiled (or its optimizer comes with them), as HDF5."""
    with replacing_file(path) as partial:
        named = partial.with_name(f"{partial.name}.weights.h5")  # Keras insists on the ending
        try:
            model.save_weights(named)
            named.replace(partial)
        finally:
            named.unlink(missing_ok=True)


def load_weights(model: "keras.Model", path: Path) -> None:
    """Fill `model` with the weights in `path`, an HDF5 file in Keras' present layout or its older one.

    Raises:
        UserError: if the file is missing, damaged, or holds weights of another network.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such weights; `dvc repro` makes them and `dvc pull` fetches stored ones")
    try:
        model.load_weights(path)
    except MemoryError:
        raise
    except Exception as error:
        raise UserError(
            f"{path}: not weights of {model.name} as it is built here: {first_line(error)};"
            " delete the file and run `dvc repro`"
        ) from error
