"""The data sets as Kaggle publishes them.

Requests go through `kagglesdk`, the client library on which the `kaggle` package stands. The package
itself is not imported, because `import kaggle` already signs in: it prints, creates folders, asks
kaggle.com whether a token is good, without a time-out and whatever KAGGLE_API_ENVIRONMENT says, and
deletes a login that is no longer accepted. What it adds to kagglesdk is where to look for a user name and
a key; `_key` follows it, and a test compares the two.
"""

import base64
import hashlib
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import google_crc32c
import requests
from kagglesdk import KaggleClient, KaggleCredentials, get_access_token_from_env
from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest
from kagglesdk.kaggle_env import get_env

from deepfake_ensemble.fetching.http import RETRY, Remote, RetryPolicy, download, set_timeouts
from deepfake_ensemble.foundation.errors import UserError

SLUG = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9_-]+")
TOKENS = "https://www.kaggle.com/settings/api"


@dataclass(frozen=True, kw_only=True)
class _Credentials:
    """What Kaggle's client signs in with: a token, or a user name and a key, or the token of a login.

    `found_in` says where they were found, and `renew` how to get better ones.
    """

    found_in: str
    renew: str = f"create new ones at {TOKENS} and put them there"
    token: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)


def fetch(slug: str, version: int, destination: Path, *, retry: RetryPolicy = RETRY) -> None:
    """Download one version of a data set, as the zip that Kaggle makes of it, to `destination`.

    Credentials are taken from wherever the `kaggle` command takes them: KAGGLE_API_TOKEN (a token or a file
    with one), ~/.kaggle/access_token, KAGGLE_USERNAME and KAGGLE_KEY, kaggle.json, or `kaggle auth login`.

    Args:
        slug: OWNER/NAME, as in the address of the data set's page.
        version: the number of the version, from 1.
        destination: replaced only when the new archive is complete; parts of a download that broke off
            are kept beside it and gone on with at the next call.
        retry: how long to wait for Kaggle, and how often to try.

    Raises:
        UserError: if it could not be downloaded; it says why and what to do.
    """
    if not SLUG.fullmatch(slug):
        raise UserError(f"{slug!r} is not a Kaggle data set: write OWNER/NAME, as in the address of its page")
    what = f"Kaggle data set {slug} (version {version})"
    credentials = _credentials(what)
    remote = Remote(
        what=what,
        key=f"{slug.replace('/', '-')}-{version}",
        request=lambda: _ask(credentials, slug, version, retry),
        explain=lambda status: _explain(
            status, f"https://www.kaggle.com/datasets/{slug}/versions/{version}", credentials
        ),
        verify=lambda archive, answer: _verify(archive, answer, what),
    )
    download(remote, destination, retry)


def _explain(status: int, page: str, credentials: _Credentials) -> str:
    reasons = {
        400: f"Kaggle does not understand the request (400): see whether {page} exists",
        401: f"Kaggle does not accept the credentials from {credentials.found_in} (401): {credentials.renew}",
        403: f"Kaggle refuses access (403): open {page} in a browser, signed in as the same user, accept the "
        "terms it shows, and run the same command again",
        404: "Kaggle has no such data set or version (404): compare its slug and version in params.yaml "
        f"with {page}",
    }
    return reasons.get(status, f"Kaggle answers with error {status}: see whether {page} can be opened")


def _ask(credentials: _Credentials, slug: str, version: int, retry: RetryPolicy) -> requests.Response:
    """Ask Kaggle for an archive; the answer comes from the storage that Kaggle redirects to, and streams."""
    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = slug.split("/")
    request.dataset_version_number = version
    token = _renewed_login(retry) if credentials == LOGIN else credentials.token
    try:
        with _client(
            retry, api_token=token, username=credentials.username, password=credentials.key
        ) as client:
            return client.datasets.dataset_api_client.download_dataset(request)
    except requests.RequestException:
        raise
    except (AttributeError, TypeError, ValueError):  # JSON that Kaggle's client did not reckon with
        raise requests.exceptions.InvalidJSONError from None


def _verify(archive: Path, answer: requests.Response, what: str) -> None:
    """Check that an archive is a zip, and has the check sum in the header of Google's storage, if any.

    The header: https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash
    """
    pairs = (pair.strip().partition("=") for pair in answer.headers.get("x-goog-hash", "").split(","))
    published = {name: value for name, _, value in pairs}
    for name, digest in (("md5", _md5), ("crc32c", _crc32c)):  # large files have only the second
        if name in published:
            found = base64.b64encode(digest(archive)).decode()
            if found != published[name]:
                raise UserError(
                    f"{what}: the file that came has the {name} {found}, Kaggle's has {published[name]}: "
                    "it was damaged on the way and not kept; run the same command again"
                )
            break
    if not zipfile.is_zipfile(archive):
        raise UserError(
            f"{what}: what came is not a zip archive and was not kept: "
            "see whether a proxy or a sign-in page of the network answers in Kaggle's place"
        )


def _md5(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


def _crc32c(path: Path) -> bytes:
    checksum = google_crc32c.Checksum()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return checksum.digest()


@contextmanager
def _client(retry: RetryPolicy, **credentials: str | None) -> Iterator[KaggleClient]:
    """Open Kaggle's client. An answer that streams may be read when it is closed again."""
    try:
        environment = get_env()
    except Exception:  # it raises no type of its own
        name = os.environ["KAGGLE_API_ENVIRONMENT"]
        raise UserError(
            f"KAGGLE_API_ENVIRONMENT={name!r} means nothing to Kaggle's client: unset it"
        ) from None
    with KaggleClient(env=environment, user_agent="deepfake-ensemble", **credentials) as client:
        set_timeouts(client.http_client()._session, retry)  # it has no public way to set time-outs
        yield client


def _credentials(what: str) -> _Credentials:
    """Find the user's credentials where the `kaggle` command would, in the same order."""
    credentials = _token() or _key() or _login()
    if credentials is None:
        raise UserError(
            f"{what}: no Kaggle credentials found: run `kaggle auth login`, or create a token at {TOKENS} "
            "and put it into the variable KAGGLE_API_TOKEN or the file ~/.kaggle/access_token "
            "(KAGGLE_USERNAME with KAGGLE_KEY, and kaggle.json, work as well)"
        )
    for secret in (credentials.token, credentials.username, credentials.key):
        # A line break or a letter beyond ASCII cannot be sent, and the complaint would quote the secret.
        if secret is not None and not (secret.isascii() and secret.isprintable()):
            raise UserError(
                f"the Kaggle credentials from {credentials.found_in} hold characters that none have: "
                f"{credentials.renew}"
            )
    return credentials


def _token() -> _Credentials | None:
    try:
        token, source = get_access_token_from_env()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UserError(
            f"the Kaggle token in KAGGLE_API_TOKEN or ~/.kaggle/access_token cannot be read ({reason}): "
            "mend or remove it"
        ) from None
    if not token:
        return None
    return _Credentials(
        found_in="~/.kaggle/access_token" if source == "access_token" else source, token=token
    )


def _key() -> _Credentials | None:
    """Return the user name and key from the environment, or else from kaggle.json."""
    file = _config_folder() / "kaggle.json"
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = None
    if not isinstance(stored, dict):
        stored = {}
    username = os.environ.get("KAGGLE_USERNAME") or stored.get("username")
    key = os.environ.get("KAGGLE_KEY") or stored.get("key")
    if not (isinstance(username, str) and isinstance(key, str) and username and key):
        return None
    return _Credentials(
        found_in="KAGGLE_USERNAME and KAGGLE_KEY" if os.environ.get("KAGGLE_KEY") else str(file),
        username=username,
        key=key,
    )


def _config_folder() -> Path:
    """Return the folder in which the `kaggle` package looks for kaggle.json."""
    if folder := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(folder)
    home = Path("~/.kaggle").expanduser()
    if home.exists() or not sys.platform.startswith("linux"):
        return home
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "kaggle"


LOGIN = _Credentials(found_in="`kaggle auth login`", renew="run `kaggle auth login --force`")
UNREADABLE_LOGIN = f"the login in {KaggleCredentials.DEFAULT_CREDENTIALS_FILE} cannot be read: {LOGIN.renew}"


def _login() -> _Credentials | None:
    """Return LOGIN if the user has logged in with `kaggle auth login`."""
    try:
        return LOGIN if KaggleCredentials.load(client=None) else None
    except (OSError, AttributeError, TypeError, ValueError):
        raise UserError(UNREADABLE_LOGIN) from None


def _renewed_login(retry: RetryPolicy) -> str:
    """Return the access token of the login; Kaggle's client renews it, and the file, when it has expired."""
    try:
        with _client(retry) as client:
            return KaggleCredentials.load(client).get_access_token()
    except requests.RequestException:
        raise
    except (OSError, AttributeError, TypeError, ValueError):
        raise UserError(UNREADABLE_LOGIN) from None
