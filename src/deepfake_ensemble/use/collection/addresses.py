"""Files at addresses: local paths, and s3://, gs://, hf:// and whatever else fsspec has a client for.

Whatever such a client stumbles over, but for a file that is not there, is a fault of storage.
"""

import errno
import fcntl
import glob
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_file
from deepfake_ensemble.use.inputs import StorageFault

# What storages call what changes with a file's content, the surest first.
_VERSIONS = (
    *("ETag", "etag", "md5Hash", "content_md5", "sha256", "oid", "generation", "version_id"),
    *("mtime", "updated", "last_modified", "LastModified", "modified"),
)


class Missing(Exception):
    """There is nothing at an address. The message is one line."""


@dataclass(frozen=True)
class ListedFile:
    """A file as a storage lists it.

    Attributes:
        address: of it.
        size: in bytes; None if that is not known.
        version: what changes with its content, a check sum or a time; empty if nothing is known.
    """

    address: str
    size: int | None
    version: str


def storage(address: str) -> tuple[AbstractFileSystem, str]:
    """Return the client of an address, and the path there.

    Raises:
        UserError: if none is known or installed.
        StorageFault: if it cannot reach what it is of.
    """
    if "://" not in address:  # a name here may have "::", which fsspec takes for a chain of addresses
        here = LocalFileSystem()
        return here, here._strip_protocol(address)
    with faults_told(address):  # some clients go there at once
        try:
            client, path = url_to_fs(address, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise UserError(f"{address}: {one_line(error)}") from None
    return client, path


def local_path(address: str) -> str | None:
    """Return the absolute path of a file of this computer; None for what lies elsewhere."""
    client, path = storage(address)
    return path if isinstance(client, LocalFileSystem) else None


def absolute(address: str) -> str:
    """Return the address as a listing has it, which means the same in whatever working folder."""
    client, path = storage(address)
    if isinstance(client, LocalFileSystem):
        return str(Path.cwd() / path)  # a name that begins with ~ and is no user's home is left as it is
    return client.unstrip_protocol(path)


def shown(name: str) -> str:
    """Return an address or a name as it can be written: bytes that are no UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def joined(folder: str, *names: str) -> str:
    """Return the address of what lies in a folder."""
    return "/".join([folder.rstrip("/"), *names])


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def faults_told(address: str) -> Iterator[None]:
    """Raise `Missing` where a file is not there, and `StorageFault` for all else that a client raises."""
    try:
        yield
    except (UserError, Missing, StorageFault, MemoryError):
        raise
    except OSError as error:
        if error.errno == errno.ENOENT or isinstance(error, FileNotFoundError):
            raise Missing(f"{address}: there is no such file") from None
        raise StorageFault(f"{address}: {(error.strerror or one_line(error)).lower()}") from error
    except Exception as error:  # each client has errors of its own
        raise StorageFault(f"{address}: {type(error).__name__}: {one_line(error)}") from error


def listing(address: str) -> Iterator[tuple[ListedFile, tuple[str, ...]]]:
    """Yield the files at an address or below it, in one order, each with the parts of its path there.

    One folder's files are held at a time. Links to folders are not followed.

    Args:
        address: of a file, a folder, or a pattern (`*`, `?`, `[...]`).

    Raises:
        Missing: if there is nothing.
        StorageFault: if it cannot be listed.
    """
    client, path = storage(address)
    with faults_told(address):
        if glob.has_magic(path) and not client.exists(path):
            matching = client.glob(path, detail=True)
            if not matching:
                raise Missing(f"{address}: nothing matches this pattern")
            found = _outermost(matching)
        else:
            found = [client.info(path)]
        for info in found:
            name = PurePosixPath(info["name"])
            root = name if info["type"] == "directory" else name.parent
            for file in _files_below(client, info):
                parts = PurePosixPath(file["name"]).relative_to(root).parts
                yield _listed(client, file), parts


def _outermost(matching: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what matches a pattern, in order, but for what lies in a folder that matches, too (`**`)."""
    folders = {PurePosixPath(name) for name, info in matching.items() if info["type"] == "directory"}
    return [matching[name] for name in sorted(matching) if folders.isdisjoint(PurePosixPath(name).parents)]


def _files_below(client: AbstractFileSystem, info: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if info["type"] != "directory":
        yield info
        return
    for each in sorted(client.ls(info["name"], detail=True), key=lambda each: each["name"]):
        itself = each["name"].rstrip("/") == info["name"].rstrip("/")  # an object store's mark of a folder
        if not itself and not (each["type"] == "directory" and each.get("islink")):
            yield from _files_below(client, each)


def _listed(client: AbstractFileSystem, info: dict[str, Any]) -> ListedFile:
    name = info["name"]
    address = name if isinstance(client, LocalFileSystem) else client.unstrip_protocol(name)
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    return ListedFile(address, info.get("size"), version)


@contextmanager
def here(address: str, size: int | None) -> Iterator[Path]:
    """Yield a file of this computer with what is at an address: a copy, unless it lies here.

    Args:
        address: of a file.
        size: it must have; None if that is not known.

    Raises:
        Missing: if it is not there.
        StorageFault: if it cannot be copied, or not all of it.
    """
    client, path = storage(address)
    if isinstance(client, LocalFileSystem):
        with faults_told(address):
            found = Path(path).stat().st_size
        if size not in (None, found):
            raise StorageFault(f"{address}: has {found:,} bytes, and {size:,} when it was listed")
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="deepfake-ensemble-") as folder:
        copy = Path(folder) / PurePosixPath(path).name
        with faults_told(address):
            client.get_file(path, str(copy))
        if size not in (None, copy.stat().st_size):
            raise StorageFault(f"{address}: {copy.stat().st_size:,} of {size:,} bytes came")
        yield copy


@contextmanager
def replacing(address: str) -> Iterator[Path]:
    """Yield a file of this computer to write; it takes the place of what is at an address if the block
    succeeds.

    Raises:
        StorageFault: if it cannot be written there.
    """
    client, path = storage(address)
    try:
        if isinstance(client, LocalFileSystem):
            with replacing_file(Path(path), durable=True) as partial:
                yield partial
            return
        with tempfile.TemporaryDirectory(prefix="deepfake-ensemble-") as folder:
            file = Path(folder) / "file"
            yield file
            aside = str(PurePosixPath(path).with_name(f".partial-{PurePosixPath(path).name}"))
            with faults_told(address):
                client.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
                client.put_file(str(file), aside)
                client.mv(aside, path)
    except OSError as error:
        raise StorageFault(f"{address}: {(error.strerror or one_line(error)).lower()}") from error
    except Missing as error:
        raise StorageFault(str(error)) from error


@contextmanager
def alone(folder: str) -> Iterator[None]:
    """Let no other process have a folder as long as the block lasts, where what it lies on has locks.

    Raises:
        UserError: if one has it.
    """
    if (path := local_path(folder)) is None:
        yield
        return
    Path(path).mkdir(parents=True, exist_ok=True)
    with Path(path, ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another command is writing there; wait for its end, or take another --output"
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
        yield


def read(address: str) -> bytes:
    """Return what is in a file.

    Raises:
        Missing: if it is not there.
        StorageFault: if it cannot be read.
    """
    client, path = storage(address)
    with faults_told(address):
        return client.cat_file(path)


def beginning(address: str, most: int) -> bytes:
    """Return what is in a file, or its first bytes; no more of it is held.

    Args:
        address: of it.
        most: bytes that are returned.

    Raises:
        As `read`.
    """
    found = bytearray()
    with reading(address) as file:
        while len(found) < most and (part := file.read(most - len(found))):
            found += part
    return bytes(found)


@contextmanager
def reading(address: str) -> Iterator[IO[bytes]]:
    """Yield a file that is read in parts; what fails in the block is told as in `faults_told`."""
    client, path = storage(address)
    with faults_told(address), client.open(path) as file:
        yield file
