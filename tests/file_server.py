"""A loopback server of files that can be told to misbehave.

    with serve({"weights.h5": path}, faults=[Fault(reset_after=1000)]) as server:
        fetch(f"{server.url}/weights.h5", ...)

It runs in a thread and ends with the block.
"""

import base64
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import google_crc32c

PATIENCE = 30  # seconds after which a server gives up on a client that does not read


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with one answer. Byte counts are of its body."""

    status: int | None = None  # an error page with this status
    headers: Mapping[str, str] = field(default_factory=dict)  # set, or removed if the value is empty
    body: bytes | None = None  # this in place of the file, with the file's headers
    reset_after: int | None = None  # then the connection is reset
    stop_after: int | None = None  # then the connection is closed in an orderly way
    stall_after: int | None = None  # then nothing more comes
    no_ranges: bool = False  # the whole file, whatever part was asked for
    no_length: bool = False  # its end is where the connection is closed


FINE = Fault()


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class FileServer(ThreadingHTTPServer):
    """Serves `files`, by their path without the leading slash; the first answers have the given faults."""

    daemon_threads = True

    def __init__(
        self, handler: type["FileHandler"], files: Mapping[str, Path], faults: Iterable[Fault]
    ) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.files = files
        self.faults = iter(faults)
        self.requests: list[Request] = []
        self.ending = threading.Event()

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away."""


class FileHandler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: FileServer
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Send a file, or what a fault makes of it."""
        self.record()
        path = self.server.files.get(urlsplit(self.path).path.lstrip("/"))
        fault = next(self.server.faults, FINE)
        if path is None:
            fault = Fault(status=404)
        if fault.status:
            self.send_page(fault.status, b"<html>an error page</html>", "text/html", fault.headers)
        else:
            assert path is not None
            self.send_file(path, fault)

    def record(self) -> Request:
        """Read the request and keep it for whoever runs the server."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, dict(self.headers), body)
        self.server.requests.append(request)
        self.close_connection = True
        return request

    def send_page(self, status: int, body: bytes, kind: str, headers: Mapping[str, str]) -> None:
        """Send a short answer."""
        self.send_response(status)
        everything = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }
        for name, value in everything.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, path: Path, fault: Fault) -> None:
        """Send a file, or the part of it that was asked for, with the headers of Google's storage."""
        size = path.stat().st_size if fault.body is None else len(fault.body)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and not fault.no_ranges else 0
        if start and start >= size:
            self.send_page(416, b"", "text/plain", {"Content-Range": f"bytes */{size}"})
            return
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size - start),
            "Accept-Ranges": "bytes",
            "Last-Modified": formatdate(path.stat().st_mtime, usegmt=True),
            **checksums(path),
            "Connection": "close",
        }
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        if fault.no_length:
            del headers["Content-Length"]
        self.send_response(206 if start else 200)
        for name, value in {**headers, **fault.headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # the client has seen enough
            self.send_body(path, start, fault)

    def send_body(self, path: Path, start: int, fault: Fault) -> None:
        """Send the bytes of a file from `start` on, as far as the fault lets them through."""
        stops = (fault.reset_after, fault.stop_after, fault.stall_after)
        left = next((stop for stop in stops if stop is not None), None)
        if fault.body is not None:
            self.wfile.write(fault.body[start:][:left])
        else:
            with path.open("rb") as file:
                self.connection.sendfile(file, start, left) if left != 0 else None
        if fault.stall_after is not None:
            self.server.ending.wait()
        if fault.reset_after is not None:
            # Closing with data unsent and no time to linger makes TCP reset the connection.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.wfile.close()
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output free of access logs."""


def checksums(path: Path) -> dict[str, str]:
    """Return the headers with which Google's storage tells what a file holds."""
    return _checksums(path, path.stat().st_mtime_ns, path.stat().st_size)


@cache
def _checksums(path: Path, time: int, size: int) -> dict[str, str]:
    md5, crc32c = hashlib.md5(), google_crc32c.Checksum()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            md5.update(block)
            crc32c.update(block)
    encoded = {
        "crc32c": base64.b64encode(crc32c.digest()).decode(),
        "md5": base64.b64encode(md5.digest()).decode(),
    }
    return {
        "ETag": f'"{md5.hexdigest()}"',
        "x-goog-hash": ",".join(f"{name}={value}" for name, value in encoded.items()),
    }


Server = TypeVar("Server", bound=FileServer)


@contextmanager
def serve(files: Mapping[str, Path], faults: Iterable[Fault] = ()) -> Iterator[FileServer]:
    """Serve files on a free port of the loopback interface; the answers have `faults`, one each, in turn."""
    with running(FileServer(FileHandler, files, faults)) as server:
        yield server


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Run a server in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()
