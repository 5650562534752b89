"""The ImageNet weights that Keras publishes, as files."""

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

import requests

from deepfake_ensemble.fetching.http import PATIENT, Patience, Remote, arm, download
from deepfake_ensemble.foundation.errors import UserError

MIRROR = "KERAS_WEIGHTS_MIRROR"


def fetch(url: str, md5: str, destination: Path, *, patience: Patience = PATIENT) -> None:
    """Download a file of weights to `destination`; nothing is downloaded if it is there already.

    The environment variable KERAS_WEIGHTS_MIRROR can name the http(s) address of a folder to take the file
    from instead, by the last part of its name: another machine that serves its ~/.keras/models, say. Since
    the bytes must have the published check sum, a mirror need not be trusted.

    Args:
        url: where Keras publishes the file; http or https.
        md5: the check sum that Keras publishes for it, in hexadecimal.
        destination: replaced only when the new file is complete and has that check sum.
        patience: how long to wait for the server, and how often to try.

    Raises:
        UserError: if it could not be downloaded or is not the published file; it says why and what to do.
    """
    if destination.is_file() and _md5(destination) == md5:
        return
    mirror = os.environ.get(MIRROR)
    name = url.rsplit("/", 1)[-1]
    address = f"{mirror.rstrip('/')}/{name}" if mirror else url
    server = _server(address, MIRROR if mirror else url)
    what = f"ImageNet weights {name} from {server}"

    def ask() -> requests.Response:
        with requests.Session() as session:
            arm(session, patience)
            answer = session.get(address, stream=True)
        answer.raise_for_status()
        return answer

    def explain(status: int) -> str:
        mend = "see whether the folder in" if mirror else "name the address of a folder that has it in"
        return f"the server does not hand it out ({status}): {mend} {MIRROR}{' has it' if mirror else ''}"

    def verify(file: Path, answer: requests.Response) -> None:
        if (found := _md5(file)) != md5:
            raise UserError(
                f"{what}: its MD5 is {found}, Keras publishes {md5}: it was changed on the way or at the "
                f"server, and was not kept; run the same command again, or take it from elsewhere ({MIRROR})"
            )

    remote = Remote(what=what, key=md5, ask=ask, explain=explain, verify=verify)
    download(remote, destination, patience)


def _server(address: str, origin: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            f"{origin}: not an address that weights can be fetched from: it must begin with https:// or http://"
        )
    return parts.hostname


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
