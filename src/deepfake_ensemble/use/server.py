"""The page that images are dropped on, and the endpoints under it.

An image comes as the body of a request of its own: nothing is parsed but the image, and nothing is written to
disk. What can pile up has a bound: bytes of an image, images in memory, requests that wait, images a minute.
"""

import asyncio
import io
import math
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, get_args

import anyio
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.pages.titles import title
from deepfake_ensemble.portable.classifier import Classifier, Device
from deepfake_ensemble.portable.metadata import DEFAULT, as_plain
from deepfake_ensemble.reading.images import BadImage
from deepfake_ensemble.use import heatmaps, wording
from deepfake_ensemble.use.classifying import NO_FACE, FacesMode, classified_parts, decode, one_result
from deepfake_ensemble.use.formats import record
from deepfake_ensemble.use.guards import LOOPBACK, RateLimit, TrustedHosts, host_name, require_same_origin
from deepfake_ensemble.use.openapi import description
from deepfake_ensemble.use.opening import open_classifier
from deepfake_ensemble.use.photographs import open_photograph
from deepfake_ensemble.use.recognising import RULES
from deepfake_ensemble.use.verdicts import DecisionRule, decision_rule, told

LARGEST = 32 * 2**20  # bytes of an image
_IN_MEMORY = 8  # images that are decoded at once
_HELD = 16 * LARGEST  # bytes of images that are held at once
_WAITING = 256  # requests; further ones are sent away
_PATIENCE = 30.0  # seconds in which an image has to come
_PAGE = Path(__file__).parent / "page"
_FILES = {
    "/": "index.html",
    "/docs": "docs.html",
    **{f"/{name}": name for name in ("page.css", "page.js", "zip.js", "docs.js", "icon.svg")},
    **{f"/examples/{file.name}": f"examples/{file.name}" for file in (_PAGE / "examples").glob("*.jpg")},
}
_PREVIEW = 512  # pixels of its longer side
# What curl says of a body that it was not told the kind of.
_FORM = "application/x-www-form-urlencoded"
_LEFT_OUT = frozenset(b"\r\n\0")  # of a file, by `curl -d`

T = TypeVar("T")


class Service:
    """The endpoints, and what they share."""

    def __init__(
        self, classifier: Classifier, models: Path, a_minute: int, also_called: Collection[str]
    ) -> None:
        """Serve one model file.

        Args:
            classifier: the open model file.
            models: where the members' `.keras` files may lie, which Grad-CAM needs.
            a_minute: images that one address may send.
            also_called: names of this computer in addresses, besides its own.
        """
        self._classifier = classifier
        self._also_called = also_called
        self._metadata = classifier.metadata
        self.heatmaps = heatmaps.Heatmaps(self._metadata, models)
        self._rate_limit = RateLimit(a_minute)
        self._waiting = 0
        self._held = 0  # bytes of images that have come, or are coming
        self._in_memory = asyncio.Semaphore(_IN_MEMORY)
        self._workers = anyio.CapacityLimiter(len(os.sched_getaffinity(0)) + 1)  # one may be explaining
        # What explains is slow and has a queue of its own, so that what classifies need not wait for it.
        self._explained = asyncio.Semaphore(1)
        self._model = JSONResponse(
            as_plain(self._metadata)
            | {
                "detectors": told(self._metadata),
                "titles": {name: title(name) for name in told(self._metadata)},
                "demonstration_note": wording.DEMONSTRATION if self._metadata.demonstration else None,
                "changed_note": wording.CHANGED if classifier.changed else None,
                "unlike_notes": list(wording.unlike(self._metadata)),
                "statements_note": wording.STATEMENTS,
                "several_note": wording.SEVERAL,
                "no_face": NO_FACE,
                "explains": self.heatmaps.missing is None,
                "explains_not_because": self.heatmaps.missing,
                "largest": LARGEST,
                "passing_over": RULES,
            }
        )

    async def model(self, request: Request) -> Response:
        return self._model

    async def rule(self, request: Request) -> Response:
        by = self._rule(request)
        return JSONResponse(
            {"model": by.detector, "threshold": by.threshold, "sentences": list(wording.errors(by))}
        )

    async def classify(self, request: Request) -> Response:
        by, faces, name = self._rule(request), _faces(request), request.query_params.get("name", "")
        if len(name) > 255:
            raise HTTPException(400, "name: longer than 255 characters")

        def work(data: bytes) -> dict[str, Any]:
            parts = classified_parts(self._classifier, decode(name, data, self._metadata, faces))
            return record(one_result(parts), self._metadata, by)

        return JSONResponse(await self._with_image(request, work, self._in_memory))

    async def explain(self, request: Request) -> Response:
        by, faces = self._rule(request), _faces(request)
        if reason := self.heatmaps.missing:
            raise HTTPException(501, reason)

        def work(data: bytes) -> bytes:
            photograph = open_photograph(data).image
            shown = decode("", photograph, self._metadata, faces)
            result = one_result(classified_parts(self._classifier, shown, [by.detector]))
            return self.heatmaps.pictures(result, photograph, by, [by.detector])[by.detector]

        return Response(await self._with_image(request, work, self._explained), media_type="image/png")

    async def picture(self, request: Request) -> Response:
        """Answer with what a browser can show of an image that it cannot read itself."""

        def work(data: bytes) -> bytes:
            image = open_photograph(data).image
            image.thumbnail((_PREVIEW, _PREVIEW))
            out = io.BytesIO()
            image.save(out, "JPEG", quality=90)
            return out.getvalue()

        return Response(await self._with_image(request, work, self._in_memory), media_type="image/jpeg")

    def _rule(self, request: Request) -> DecisionRule:
        query = request.query_params
        try:
            return decision_rule(
                self._metadata, query.get("model", ENSEMBLE), query.get("threshold", DEFAULT)
            )
        except UserError as error:
            raise HTTPException(400, str(error).removeprefix("--")) from None

    async def _with_image(self, request: Request, work: Callable[[bytes], T], turns: asyncio.Semaphore) -> T:
        """Let `work` have the image that a request brings, when its turn comes."""
        require_same_origin(request, self._also_called)
        kind = (
            request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
        )
        # What a browser or curl sends of its own accord where it knows no better is let pass.
        if not kind.startswith("image/") and kind not in ("application/octet-stream", _FORM, ""):
            what = "a form" if kind.startswith("multipart/") else kind[:80]
            raise HTTPException(415, f"the image itself is wanted, not {what}: {_right_call(request)}")
        address = request.client.host if request.client else ""
        if wait := self._rate_limit.retry_after(address):
            raise _later(429, "too many images from this address", wait)
        if self._waiting >= _WAITING:
            raise _later(503, "too many images at once", 1)
        self._waiting += 1
        try:
            # It takes its turn when it is whole: one that comes slowly keeps nobody waiting.
            async with self._received(request) as data, turns:
                try:
                    return await to_thread.run_sync(work, data, limiter=self._workers)
                except BadImage as error:
                    changed = kind == _FORM and not _LEFT_OUT.intersection(data)
                    hint = f"; send it as it is: {_right_call(request)}" if changed else ""
                    raise HTTPException(422, f"{error}{hint}") from None
        except UserError as error:  # the model file is at fault
            raise HTTPException(500, str(error)) from None
        except MemoryError:
            raise HTTPException(422, "takes more memory than there is") from None
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _received(self, request: Request) -> AsyncIterator[bytes]:
        """Receive an image and hold it for the block; what all requests hold has a bound."""
        declared, data = request.headers.get("content-length", ""), bytearray()
        too_large = HTTPException(413, f"larger than {LARGEST // 2**20} MiB")
        if declared.isdecimal() and int(declared[:20]) > LARGEST:
            raise too_large  # it is not waited for
        try:
            await self._receive(request, data, too_large)
            yield bytes(data)
        finally:
            self._held -= len(data)

    async def _receive(self, request: Request, data: bytearray, too_large: HTTPException) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                async for chunk in request.stream():
                    data += chunk
                    self._held += len(chunk)
                    if len(data) > LARGEST:
                        raise too_large
                    if self._held > _HELD:
                        raise _later(503, "too many images at once", 1)
        except TimeoutError:
            raise HTTPException(408, f"the image did not come within {_PATIENCE:.0f} s") from None
        except ClientDisconnect:
            raise HTTPException(400, "the image broke off") from None  # nobody is there to read it


def _faces(request: Request) -> FacesMode:
    asked = request.query_params.get("faces", "auto")
    for known in get_args(FacesMode):
        if asked == known:
            return known
    raise HTTPException(400, f"faces: one of {', '.join(get_args(FacesMode))} is wanted")


def _right_call(request: Request) -> str:
    return f"curl --data-binary @photo.jpg '{request.base_url}{request.url.path.strip('/')}'"


def _later(code: int, reason: str, wait: float) -> HTTPException:
    return HTTPException(code, reason, headers={"Retry-After": str(math.ceil(wait))})


async def _as_json(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 405 and request.url.path.startswith("/api/"):
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"asked by {request.method} instead of {allowed}"
        if "POST" in allowed:
            detail += f": {_right_call(request)}"
    return JSONResponse({"detail": detail}, error.status_code, headers=error.headers)


async def _file(request: Request) -> Response:
    return FileResponse(_PAGE / _FILES[request.url.path])


def application(
    classifier: Classifier,
    models: Path,
    host: str = "127.0.0.1",
    a_minute: int = 600,
    also_called: Collection[str] = (),
) -> ASGIApp:
    """Return the server's application.

    Args:
        classifier: the open model file.
        models: where the members' `.keras` files may lie, which Grad-CAM needs.
        host: the address it will listen on.
        a_minute: images that one address may send.
        also_called: names of this computer, or of a proxy before it, in addresses.
    """
    service = Service(classifier, models, a_minute, also_called)
    described = JSONResponse(description(classifier.metadata, LARGEST))

    async def openapi(request: Request) -> Response:
        return described

    routes = [
        *(Route(path, _file) for path in _FILES),
        Route("/openapi.json", openapi),
        Route("/api/model", service.model),
        Route("/api/rule", service.rule),
        Route("/api/classify", service.classify, methods=["POST"]),
        Route("/api/explain", service.explain, methods=["POST"]),
        Route("/api/picture", service.picture, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _as_json})
    return TrustedHosts(app, host, also_called)


def serve(
    file: Path,
    host: str,
    port: int,
    a_minute: int,
    *,
    device: Device = "auto",
    also_called: Sequence[str] = (),
) -> int:
    """Serve the page until interrupted; return the exit code.

    Args:
        file: the model file.
        host: the address to listen on.
        port: at which; 0 takes a free one.
        a_minute: images that one address may send.
        device: what computes.
        also_called: names of this computer, or of a proxy before it, in addresses.

    Raises:
        UserError: if the model file cannot be used, a name is none, or the address is taken.
    """
    names = []
    for given in also_called:
        if (name := host_name(given)) is None:
            raise UserError(f"--allow-host {given}: not a computer's name, like study.local")
        names.append(name)
    app = application(open_classifier(file, device), file.parent, host, a_minute, names)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{host}, port {port}: {reason}; --host and --port choose others") from None
    shown = f"[{host}]" if ":" in host else host
    print(f"http://{shown}:{listening.getsockname()[1]} is the page; Ctrl-C ends it", flush=True)
    if host not in LOOPBACK:
        print(
            "Others in the network can open it too, and it asks for no password.", file=sys.stderr, flush=True
        )
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    # That is how it is ended; uvicorn has let the requests under way finish, and hands the signal on.
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run(sockets=[listening])
    return 0
