"""Published weights, as files: from who publishes them or a mirror, and byte for byte the published ones."""

import hashlib
import importlib.util
import os
from pathlib import Path
from urllib.parse import urlsplit

import requests

from deepfake_ensemble.fetching.http import RETRY, Remote, RetryPolicy, download, set_timeouts
from deepfake_ensemble.foundation.errors import UserError

KERAS_MIRROR = "KERAS_WEIGHTS_MIRROR"
HUB, HUB_MIRROR = "https://huggingface.co", "HF_ENDPOINT"  # Hugging Face's own name for a mirror's address
PACKAGE = "package:"  # before the name of an installed package, and where in it the file is


def fetch(url: str, checksum: str, folder: Path, *, retry: RetryPolicy = RETRY) -> Path:
    """Return the published file at `url`, downloaded to `folder` unless it is there already.

    One that comes in a package stays where that is installed; the package's code does not run.

    Environment variables can name a mirror: HF_ENDPOINT one of Hugging Face, KERAS_WEIGHTS_MIRROR the http(s)
    address of a folder with the files of other publishers (another machine that serves its ~/.keras/models,
    say). Since the bytes must have the published check sum, a mirror need not be trusted.

    Args:
        url: where the file is published: http, https, or `package:NAME/PATH` in an installed package.
        checksum: what its publisher says it has: `md5:` or `sha256:` and the digest in hexadecimal.
        folder: where the file comes to lie under its published name, which is replaced only when the new file
            is complete and has that check sum.
        retry: how long to wait for the server, and how often to try.

    Raises:
        UserError: if it could not be had or is not the published file; it says why and what to do.
    """
    algorithm, _, published = checksum.partition(":")
    destination = folder / url.rpartition("/")[2]
    if destination.is_file() and _digest(destination, algorithm) == published:
        return destination
    if url.startswith(PACKAGE):
        return _packaged(url, algorithm, published, destination)
    address, variable = _source(url)
    mirrored = bool(os.environ.get(variable))
    what = f"ImageNet weights {destination.name} from {_host(address, variable if mirrored else url)}"

    def request() -> requests.Response:
        with requests.Session() as session:
            set_timeouts(session, retry)
            answer = session.get(address, stream=True)
        answer.raise_for_status()
        return answer

    def explain(status: int) -> str:
        mend = f"see whether the mirror in {variable} has it"
        other = f"name the address of a mirror that has it in {variable}"
        return f"the server does not hand it out ({status}): {mend if mirrored else other}"

    def verify(file: Path, answer: requests.Response) -> None:
        if (found := _digest(file, algorithm)) != published:
            raise UserError(
                f"{what}: its {algorithm.upper()} is {found}, published is {published}: it was changed on the"
                " way or at the server, and was not kept; run the same command again, or take it from"
                f" elsewhere ({variable})"
            )

    download(
        Remote(what=what, key=published, request=request, explain=explain, verify=verify), destination, retry
    )
    return destination


def _packaged(url: str, algorithm: str, published: str, destination: Path) -> Path:
    package, _, path = url.removeprefix(PACKAGE).partition("/")
    found = importlib.util.find_spec(package)  # looks for it, and imports nothing
    file = Path(found.origin).parent / path if found and found.origin else None
    mend = f"`make setup` installs it; or put the file at {destination}"
    if file is None or not file.is_file():
        raise UserError(f"ImageNet weights {destination.name}: they come in the package {package}: {mend}")
    if (digest := _digest(file, algorithm)) != published:
        raise UserError(
            f"ImageNet weights {file}: its {algorithm.upper()} is {digest}, published is {published}: the"
            f" package {package} is another version or was changed: {mend}"
        )
    return file


def _source(url: str) -> tuple[str, str]:
    """Return the address to fetch from, and the environment variable that can name a mirror."""
    if url.startswith(f"{HUB}/"):
        hub = os.environ.get(HUB_MIRROR) or HUB
        return hub.rstrip("/") + url.removeprefix(HUB), HUB_MIRROR
    mirror = os.environ.get(KERAS_MIRROR)
    return f"{mirror.rstrip('/')}/{url.rpartition('/')[2]}" if mirror else url, KERAS_MIRROR


def _host(address: str, origin: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            f"{origin}: not an address that weights can be fetched from: it must begin with https:// or http://"
        )
    return parts.hostname


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
