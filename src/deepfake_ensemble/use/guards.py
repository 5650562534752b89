"""What keeps the page to its user: host names, origins, headers, and a rate limit."""

import ipaddress
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
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


def require_same_origin(request: Request, also_called: Collection[str]) -> None:
    """Refuse what another site's page sends: a browser lets it send, though not read the answer.

    Args:
        request: of an image.
        also_called: names of this computer, or of a proxy that passes requests on under another.
    """
    origin = request.headers.get("origin")
    if origin is None or origin.partition("://")[2] == request.headers.get("host"):
        return
    name = host_name(origin)
    if name not in also_called:
        raise HTTPException(
            403, f"another site's page may not ask; {_allowing(name)} if that site is this computer's own"
        )


def host_name(address: str) -> str | None:
    """Return the name of the computer in an address, with or without what stands before and after it."""
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname
    except ValueError:
        return None


def _allowing(name: str | None) -> str:
    plain = name if name and re.fullmatch(r"[a-z0-9.:-]{1,253}", name) else "NAME"
    return f"serve it with --allow-host {plain}"


class TrustedHosts:
    """Answers only to this computer's own names, and sends the headers that keep the page to itself.

    Without the first, a site could have its own name point here and read what the endpoints say.
    """

    def __init__(self, app: ASGIApp, host: str, also_called: Collection[str] = ()) -> None:
        self._app = app
        self._everywhere = host in _EVERYWHERE
        own = socket.gethostname().lower() if self._everywhere else host.lower()
        self._names = {*LOOPBACK, own, *also_called}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        name = host_name(Headers(scope=scope).get("host", ""))
        # A name can be pointed here by whoever owns it, an address cannot.
        if name in self._names or (self._everywhere and _is_address(name)):
            await self._app(scope, receive, send_guarded)
        else:
            detail = f"asked by a name that is not this computer's; {_allowing(name)} if it is"
            answer = JSONResponse({"detail": detail}, 403)
            await answer(scope, receive, send_guarded)


def _is_address(name: str | None) -> bool:
    try:
        ipaddress.ip_address(name or "")
    except ValueError:
        return False
    return True
