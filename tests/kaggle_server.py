"""A loopback server that speaks the part of Kaggle's API with which a data set is downloaded.

    with serve({"owner/name": archive}) as server:
        subprocess.run(command, env={**os.environ, **server.environment})

Kaggle's client knows one address for tests, http://localhost:7777, and no way to name another port. So the
server takes a free port and is made the client's proxy for plain HTTP: whatever address the client asks
for, on whatever host, arrives here. Tests can run side by side, no name need be resolved, and the archive
can come from another host than the API does, as Kaggle's archives do.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from file_server import FINE, Fault, FileHandler, FileServer, Request, running

USERNAME = "canary-user"
KEY = "canary-key-0123456789abcdef"
TOKEN = "KGAT_canary-token-0123456789abcdef"
REFRESH_TOKEN = "canary-refresh-token-0123456789"
SIGNATURE = "canary-signature-0123456789"  # in the address of the storage, and as good as a key to the file
STORAGE = "storage.test"


class KaggleServer(FileServer):
    """Serves `archives` by their slug. `api_faults` are of the API, `faults` of the storage behind it."""

    def __init__(
        self, archives: Mapping[str, Path], faults: Iterable[Fault], api_faults: Iterable[Fault]
    ) -> None:
        super().__init__(_Handler, archives, faults)
        self.api_faults = iter(api_faults)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead Kaggle's client here, signed in, whatever else the environment holds."""
        return {
            "KAGGLE_API_ENVIRONMENT": "TEST",
            "KAGGLE_API_TOKEN": TOKEN,
            "http_proxy": self.url,
            "no_proxy": "127.0.0.1",  # other servers of a test are asked directly
            "NO_PROXY": "127.0.0.1",
        }

    @property
    def api_requests(self) -> list[Request]:
        """The requests to the API."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def storage_requests(self) -> list[Request]:
        """The requests to the storage."""
        return [request for request in self.requests if request.method == "GET"]


class _Handler(FileHandler):
    server: KaggleServer

    def do_POST(self) -> None:
        request = self.record()
        fault = next(self.server.api_faults, FINE)
        if fault.stall_after is not None:
            self.server.ending.wait()
        elif fault.status:
            self.refuse(fault.status, fault.headers)
        elif fault.body is not None:
            self.send_page(200, fault.body, "application/json", fault.headers)
        elif self.path.endswith("/api/v1/users.AccountService/GenerateAccessToken"):
            self.renew(json.loads(request.body))
        elif self.path.endswith("/api/v1/datasets.DatasetApiService/DownloadDataset"):
            self.redirect(json.loads(request.body))
        else:
            self.refuse(404)

    def redirect(self, wanted: Mapping[str, str]) -> None:
        """Lead a user who is signed in to the archive."""
        basic = base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
        slug = f"{wanted['ownerSlug']}/{wanted['datasetSlug']}"
        if self.headers.get("Authorization") not in (f"Basic {basic}", f"Bearer {TOKEN}"):
            self.refuse(401)
        elif slug not in self.server.files:
            self.refuse(404)
        else:
            address = f"http://{STORAGE}/{slug}?X-Goog-Expires=259200&X-Goog-Signature={SIGNATURE}"
            self.send_page(302, b"", "text/html", {"Location": address})

    def renew(self, wanted: Mapping[str, str]) -> None:
        """Give a new access token for a login."""
        if wanted["refreshToken"] != REFRESH_TOKEN:
            self.refuse(401)
        else:
            answer = {"token": TOKEN, "expiresIn": 43200, "userName": USERNAME, "userId": 1}
            self.send_page(200, json.dumps(answer).encode(), "application/json", {})

    def refuse(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer with an error as Kaggle does."""
        page = json.dumps({"code": status, "message": f"error {status}"}).encode()
        self.send_page(status, page, "application/json", headers or {})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.hostname == STORAGE and f"X-Goog-Signature={SIGNATURE}" not in parts.query:
            self.record()
            self.send_page(403, b"<Error>SignatureDoesNotMatch</Error>", "application/xml", {})
        else:
            super().do_GET()


@contextmanager
def serve(
    archives: Mapping[str, Path], *, faults: Iterable[Fault] = (), api_faults: Iterable[Fault] = ()
) -> Iterator[KaggleServer]:
    """Serve archives as Kaggle's data sets; answers have the given faults, one each, in turn."""
    with running(KaggleServer(archives, faults, api_faults)) as server:
        yield server
