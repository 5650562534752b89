"""What a result was made from: params, code, data and versions; never a time, a host or a commit."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation.files import sha256

VERSIONED = (
    "tensorflow",
    "keras",
    "numpy",
    "pillow",
    "simplejpeg",
    "h5py",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "matplotlib",
)


def fingerprint(params: Mapping[str, Any], data: Iterable[Path]) -> dict[str, Any]:
    """Return a JSON-able account of what made a result, closed by a digest of it all.

    Args:
        params: the parameters that were used, by their path in params.yaml: plain values or dataclasses.
        data: the files and folders that were read.

    Returns:
        `params`, `code` (one digest over this package's modules loaded so far and their templates,
        without the `__init__` files), `data` (digests by path), `versions` (of the libraries loaded so
        far) and `digest`.
    """
    account: dict[str, Any] = {
        "params": {path: _plain(value) for path, value in params.items()},
        "code": _code(),
        "data": {path.as_posix(): _content(path) for path in data},
        "versions": _versions(),
    }
    return account | {"digest": _digest(json.dumps(account, sort_keys=True).encode())}


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _code() -> str:
    package = __name__.partition(".")[0]
    digests = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in (package, "__main__"):
            # The stage itself was loaded as `__main__`; what it was found as says its real name.
            found_as = module.__spec__
            if found_as is not None and found_as.name.startswith(package) and found_as.origin is not None:
                if found_as.submodule_search_locations is None:
                    digests[found_as.name] = sha256(Path(found_as.origin))
                else:
                    # No stage depends on a package's own file, which computes nothing; templates count.
                    folder = Path(found_as.origin).parent / "templates"
                    digests |= {f"{found_as.name}/{it.name}": sha256(it) for it in folder.glob("*")}
    return _digest(json.dumps(digests, sort_keys=True).encode())


def _content(path: Path) -> str:
    if not path.is_dir():
        return sha256(path)
    files = {file.relative_to(path).as_posix(): sha256(file) for file in path.rglob("*") if file.is_file()}
    return _digest(json.dumps(files, sort_keys=True).encode())


def _versions() -> dict[str, str]:
    imported = {"scikit-learn": "sklearn", "scikit-image": "skimage", "pillow": "PIL"}
    loaded = {name for name in VERSIONED if imported.get(name, name) in sys.modules}
    return {name: metadata.version(name) for name in sorted(loaded)}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
