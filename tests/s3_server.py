"""S3 on this computer, which can be told to fail.

with serve_s3() as server:
    server.faults["bucket/key"] = [503, CUT]  # what reading it is answered, twice
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import fsspec
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

CUT = "cut"
"""A fault: the answer breaks off in the middle of its body."""


@dataclass
class S3Server:
    """A server of S3.

    Attributes:
        url: of it.
        faults: by path, what its next answers to reading it are in the place of the object: a status, or CUT.
    """

    url: str
    faults: dict[str, list[int | str]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "FSSPEC_S3_ENDPOINT_URL": self.url,
        }


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        pass


@contextmanager
def serve_s3() -> Iterator[S3Server]:
    """Serve an S3 that is empty, on a free port of this computer."""
    application = DomainDispatcherApplication(create_backend_app)
    found = S3Server("")

    def answer(environ: dict[str, Any], start: Any) -> Any:
        path = environ["PATH_INFO"].lstrip("/")
        faults = found.faults.get(path)
        if environ["REQUEST_METHOD"] != "GET" or not faults:
            return application(environ, start)
        fault = faults.pop(0)
        if fault == CUT:
            body = b"".join(application(environ, start))
            return [body[: len(body) // 2]]
        start(f"{fault} Fault", [("Content-Length", "0")])
        return [b""]

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=_Quiet)
    found.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].reset()
        fsspec.filesystem("s3").clear_instance_cache()
