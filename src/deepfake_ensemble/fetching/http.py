"""Fetch one large file over HTTP: resumed where it broke off, patient with busy servers, all or nothing.

The clients that come with Kaggle and Keras each lack part of that. `KaggleApi.download_file` waits
without end for a server that has gone silent, and where a resumption is answered by an error it writes
the error page over the bytes that had arrived; `keras.utils.get_file` starts again from the first byte.
So they only say where a file is, and the bytes come through here.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from rich.filesize import decimal
from urllib3.exceptions import (
    ConnectTimeoutError,
    InvalidHeader,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)
from urllib3.util import Retry

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import require_room
from deepfake_ensemble.foundation.progress import bytes_progress

BLOCK = 1 << 16  # bytes; at most so many of those that arrived are lost when a connection breaks
ADVANCE = 1 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often to try, and how long to wait; times are in seconds.

    Attributes:
        attempts: so many failures in a row end a download; one after another 1 MiB has come starts a new row.
        first_wait: each further wait is twice as long, unless the server names a time itself.
        longest_wait: a server that asks for more is left to the user.
        connect: how long a connection may take to be made.
        read: how long a server may send nothing.
    """

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 300.0
    connect: float = 10.0
    read: float = 30.0


RETRY = RetryPolicy()


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file on a server.

    Attributes:
        what: how messages call it.
        key: names what is asked for, in letters, digits, dots, dashes and underscores.
        request: asks for the file and returns the streaming answer, from the first byte on; raises
            requests.HTTPError for an error status. It is called once for each attempt.
        explain: for an HTTP status that no further attempt will change, what it means and what to do.
        verify: checks the complete file against the answer to `request`; raises UserError if it is not right.
    """

    what: str
    key: str
    request: Callable[[], requests.Response]
    explain: Callable[[int], str]
    verify: Callable[[Path, requests.Response], None]


class _Unusable(Exception):
    """The server sent something else than it promised; the message says what."""


class _TimeoutAdapter(HTTPAdapter):
    """What a session sends through it never waits without end."""

    def __init__(self, retry: RetryPolicy) -> None:
        super().__init__()
        self.timeout = (retry.connect, retry.read)

    def send(self, request, **options):  # type: ignore[override]
        return super().send(request, **options | {"timeout": self.timeout})


def set_timeouts(session: requests.Session, retry: RetryPolicy) -> None:
    """Give a session time-outs, and have it ask for files as they are: byte ranges count those bytes.

    Args:
        session: whose http and https adapters are replaced.
        retry: says how long a connection and an answer may take.
    """
    session.mount("http://", _TimeoutAdapter(retry))
    session.mount("https://", _TimeoutAdapter(retry))
    session.headers["Accept-Encoding"] = "identity"


def download(remote: Remote, destination: Path, retry: RetryPolicy = RETRY) -> None:
    """Download a file.

    What has arrived is kept beside `destination`, in a hidden file named after `remote.key` and the identity
    of the file on the server (its ETag, date and size), so that the next call goes on with it, and with no
    other.

    Args:
        remote: the file.
        destination: replaced only when the new file is complete and verified.
        retry: how often to try, and how long to wait.

    Raises:
        UserError: if the download failed; it says why and what to do.
    """
    failures = 0
    most = _kept(destination)
    while True:
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            _attempt(remote, destination, retry)
            return
        except (_Unusable, requests.RequestException) as trouble:  # the latter is an OSError: it goes first
            error = trouble
        except OSError as trouble:
            raise UserError(
                f"{destination.parent}: {remote.what} cannot be stored there: {trouble.strerror}: "
                "make the folder writable, with room enough, and run the same command again"
            ) from None
        status = _status(error)
        if status is not None and status < 500 and status not in (408, 425, 429):
            raise UserError(f"{remote.what}: {remote.explain(status)}")
        kept = _kept(destination)
        failures = 1 if kept >= most + ADVANCE else failures + 1
        most = max(most, kept)
        reason, advice = _reason(error, status, retry)
        wait = _demanded_wait(error)
        if wait is None:
            wait = min(retry.first_wait * 2 ** (failures - 1), retry.longest_wait)
        if failures >= retry.attempts or wait > retry.longest_wait:
            when = f"in {_duration(wait)}" if wait > retry.longest_wait else "later"
            rest = f"; the {decimal(kept)} that came are kept" if kept else ""
            what = f"{remote.what}: {reason} (attempt {failures})"
            raise UserError(f"{what}: {advice}run the same command again {when}{rest}")
        attempts = f"attempt {failures} of {retry.attempts}"
        print(
            f"{remote.what}: {reason} ({attempts}); trying again in {_duration(wait)}",
            file=sys.stderr,
            flush=True,
        )
        time.sleep(wait)


def _attempt(remote: Remote, destination: Path, retry: RetryPolicy) -> None:
    with _answer(remote) as answer:
        size = _length(answer)
        partial = destination.with_name(f"{_prefix(destination)}{remote.key}-{_identity(answer)}")
        for other in _partials(destination):
            if other != partial:  # a part of something else: nobody can go on with it
                other.unlink()
        done = partial.stat().st_size if partial.exists() else 0
        if done and size is None:  # whether it is a part of the file, nobody can tell
            partial.unlink()
            done = 0
        if not done:
            _receive(answer, partial, 0, size, remote.what)
    if done and done != size:
        _resume(remote, answer.request, partial, size, retry)
    try:
        remote.verify(partial, answer)
    except UserError:
        partial.unlink()
        raise
    partial.replace(destination)


def _answer(remote: Remote) -> requests.Response:
    try:
        return remote.request()
    except requests.RequestException:
        raise
    except OSError as error:  # requests cannot read the file that REQUESTS_CA_BUNDLE names, say
        raise UserError(f"{remote.what}: cannot be asked for: {error}") from None


def _resume(
    remote: Remote, request: requests.PreparedRequest, partial: Path, size: int | None, retry: RetryPolicy
) -> None:
    """Send `request`, which has led to the file, once more for the bytes that are not in `partial` yet."""
    done = partial.stat().st_size
    request = request.copy()
    request.headers["Range"] = f"bytes={done}-"
    with requests.Session() as session:
        set_timeouts(session, retry)
        settings = session.merge_environment_settings(request.url or "", {}, True, None, None)
        with session.send(request, **settings) as answer:
            if answer.status_code == 416:
                partial.unlink()
                raise _Unusable("the server has no bytes after those that are here already")
            answer.raise_for_status()
            if answer.status_code != 206:  # it does not know ranges and sends everything
                done = 0
            elif not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
                raise _Unusable("the server sent another part of the file than it was asked for")
            _receive(answer, partial, done, size, remote.what)


def _receive(answer: requests.Response, partial: Path, start: int, size: int | None, what: str) -> None:
    """Write the body of `answer` to `partial`, from byte `start` on; never more than `size` bytes."""
    length = _length(answer)
    if size is not None and length is not None and start + length != size:
        partial.unlink(missing_ok=True)
        raise _Unusable(f"the server announced {size:,} bytes and then {start + length:,}")
    require_room(partial.parent, (size or 0) - start, what)
    with partial.open("r+b" if start else "wb") as file, bytes_progress(what, size, start) as advance:
        file.seek(start)
        for block in answer.iter_content(BLOCK):
            if size is not None and file.tell() + len(block) > size:
                partial.unlink()
                raise _Unusable(f"the server sent more than the {size:,} bytes it announced")
            file.write(block)
            advance(len(block))
        if size is not None and file.tell() < size:
            raise _Unusable(f"the server sent {file.tell():,} of {size:,} bytes")


def _reason(error: Exception, status: int | None, retry: RetryPolicy) -> tuple[str, str]:
    """Say why an attempt failed and what to do about it, if anything.

    In words of ours: what the libraries say can hold addresses with keys in them.
    """
    server = _server(error)
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    unreachable = (ConnectTimeoutError, NameResolutionError, NewConnectionError, ProxyError)
    advice = ""
    match error:
        case _Unusable():
            reason = str(error)
        case requests.HTTPError():
            reason = (
                f"{server} is too busy, error 429"
                if status == 429
                else f"{server} answers with error {status}"
            )
        case requests.exceptions.SSLError():
            reason = f"no secure connection to {server} can be made"
            advice = "check the clock, the proxy and REQUESTS_CA_BUNDLE, "
        case requests.ConnectionError() if isinstance(cause, unreachable):
            reason = f"cannot reach {server}"
            advice = "check the network and the proxy settings, "
        case requests.Timeout() | requests.ConnectionError(args=[ReadTimeoutError(), *_]):
            reason = f"{server} sent nothing for {_duration(retry.read)}"
        case requests.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            reason = f"{server} broke the connection"
        case _:
            reason = f"{server} gave an answer that makes no sense ({type(error).__name__})"
    return reason, advice


def _server(error: Exception) -> str:
    request = getattr(error, "request", None)
    host = urlsplit(request.url).hostname if request is not None and request.url else None
    return host or "the server"


def _status(error: Exception) -> int | None:
    """Return the status of an error that a server answered with; Kaggle writes some into the JSON only."""
    if not isinstance(error, requests.HTTPError) or error.response is None:
        return None
    status = error.response.status_code
    return status if status >= 400 else int(error.response.json()["code"])


def _demanded_wait(error: Exception) -> float | None:
    """Return how many seconds the server asks to wait, None if it does not say."""
    response = getattr(error, "response", None)
    if response is None:
        return None
    try:
        return Retry(retry_after_max=sys.maxsize).get_retry_after(response)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _duration(seconds: float) -> str:
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} hours"
    if seconds >= 120:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds:g} s"


def _length(answer: requests.Response) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and "Content-Encoding" not in answer.headers else None


def _identity(answer: requests.Response) -> str:
    """Name the file that an answer stands for, as far as the server tells: the same name, the same bytes."""
    told = [answer.headers.get(name, "") for name in ("ETag", "Last-Modified", "Content-Length")]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def _prefix(destination: Path) -> str:
    return f".partial-{destination.name}-"


def _partials(destination: Path) -> list[Path]:
    return [path for path in destination.parent.iterdir() if path.name.startswith(_prefix(destination))]


def _kept(destination: Path) -> int:
    """Return how many bytes of a download that broke off are here."""
    return sum(path.stat().st_size for path in _partials(destination)) if destination.parent.is_dir() else 0
