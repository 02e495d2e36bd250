"""The addresses of the page: its own few files, what it says of the model, a dropped file, and the WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final

from fastapi import FastAPI, Request, WebSocket
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from ravdess.errors import RavdessError
from ravdess.serve.doors import Doors
from ravdess.serve.house import Busy, House
from ravdess.serve.live import Visitor

PAGES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("app", "camera", "draw", "enrolment", "flow", "link", "microphone", "view", "worklet")
    },
}
"""Every file that is given out, by its address. Nothing else is looked up on disk."""


def app(house: House, *, hosts: Iterable[str] = (), token: str = "") -> Doors:
    """The page as an ASGI application.

    Parameters
    ----------
    house : House
    hosts, token
        As of `Doors`.
    """

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        house.close()

    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    static = files("ravdess.serve") / "static"
    for address, (name, kind) in PAGES.items():
        made.add_api_route(address, _page((static / name).read_bytes(), kind), methods=["GET", "HEAD"])

    @made.get("/api/about")
    async def about() -> JSONResponse:
        return JSONResponse(house.about)

    @made.post("/api/file")
    async def file(request: Request) -> JSONResponse:
        try:
            async with house.place(request.client.host if request.client else ""):
                data = await _body(request, house.limits.upload_bytes, house.limits.upload_seconds)
                return JSONResponse(await house.file(data, session=request.headers.get("x-session", "")))
        except Busy as error:
            return _error(429, str(error))
        except _TooLarge as error:
            return _error(413, str(error))
        except TimeoutError:
            return _error(408, "the file took too long to arrive")
        except ClientDisconnect:
            return _error(400, "the sender has gone")
        except RavdessError as error:  # an answer like another: that this file is not judged, and why
            return JSONResponse({"refused": str(error)})

    @made.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await Visitor(socket, house).stay()

    return Doors(made, hosts=hosts, token=token)


class _TooLarge(Exception):
    """More bytes than a dropped file may have."""


async def _body(request: Request, most: int, seconds: float) -> bytes:
    """The bytes of a call, never more than `most` of them held."""
    told = request.headers.get("content-length", "")
    wrong = f"the file is larger than {most // 1024**2} MB; cut it first, a few seconds are enough"
    if told.isdecimal() and int(told) > most:
        raise _TooLarge(wrong)
    data = bytearray()
    async with asyncio.timeout(seconds):
        async for piece in request.stream():
            data += piece
            if len(data) > most:
                raise _TooLarge(wrong)
    return bytes(data)


def _page(content: bytes, kind: str):  # type: ignore[no-untyped-def]  # FastAPI reads the handler's own annotations
    async def page() -> Response:
        return Response(content, media_type=kind)

    return page


def _error(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status)
