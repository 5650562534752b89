"""What keeps the page to its user: host names, origins, headers, and a rate limit."""

import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("0.0.0.0", "::")
_ADDRESSES = 1_024  # that are remembered; the one that asked longest ago is forgotten first
_HEADERS = {
    # Everything the page is made of comes from here; pictures are also those that were dropped on it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RateLimit:
    """So many requests a minute from each address, in a burst or evenly (a token bucket)."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_minute = a_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, and when that was so

    def retry_after(self, address: str) -> float:
        """Count a request; return 0 if it may go ahead, else in how many seconds it may be repeated."""
        now = self._clock()
        left, since = self._left.pop(address, (float(self._a_minute), now))
        left = min(left + (now - since) * self._a_minute / 60, self._a_minute)
        granted = left >= 1
        self._left[address] = (left - granted, now)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if granted else (1 - left) * 60 / self._a_minute


def require_same_origin(request: Request) -> None:
    """Refuse what another site's page sends: a browser lets it send, though not read the answer."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise HTTPException(403, "another site's page may not ask")


class TrustedHosts:
    """Answers only to this computer's own names, and sends the headers that keep the page to itself.

    Without the first, a site could have its own name point here and read what the endpoints say.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._everywhere = host in _EVERYWHERE
        self._names = {*LOOPBACK, socket.gethostname().lower() if self._everywhere else host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        name = _name(Headers(scope=scope).get("host", ""))
        # A name can be pointed here by whoever owns it, an address cannot.
        if name in self._names or (self._everywhere and _is_address(name)):
            await self._app(scope, receive, send_guarded)
        else:
            answer = JSONResponse({"detail": "asked by a name that is not this computer's"}, 403)
            await answer(scope, receive, send_guarded)


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(name: str | None) -> bool:
    try:
        ipaddress.ip_address(name or "")
    except ValueError:
        return False
    return True
