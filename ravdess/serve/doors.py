"""Who may enter: the right host name, the right origin, the right token; and what the browser is told to refuse.

A page on another site can make a browser call this one, under a name of its own that it points here (DNS rebinding)
or as a WebSocket from elsewhere. Such a call names another host, or another origin. An address made of digits can't
be pointed anywhere else, so those are let in.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROTOCOL: Final = "ravdess"
"""The WebSocket subprotocol. A second one, "token.…", carries the token: an address would be written to logs."""

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "permissions-policy": "microphone=(self), camera=(self), geolocation=(), display-capture=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Doors:
    """ASGI middleware before everything.

    Parameters
    ----------
    app : ASGI application
    hosts : iterable of str
        Names under which the page may be called, beside localhost and addresses made of digits.
    token : str
        What every call but the page's own files must carry; empty for none.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = (), token: str = "") -> None:
        self._app, self._token = app, token
        self._hosts = {"localhost", *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refused = self.refuses(scope)
        if not refused:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1]})
        else:
            await _refuse(_with_headers(send), *refused)

    def refuses(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason for which a call is refused, or None."""
        headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        given = {name.decode("latin-1"): value for name, value in headers}
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._known(hosts[0]):
            return 421, "this page is not called by that name; open the address that the terminal shows"
        origin = given.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            return 403, "this call comes from another page"
        if given.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            # A link from elsewhere may open the page, but nothing else.
            page = scope["type"] == "http" and scope["path"] == "/" and given.get("sec-fetch-mode") == "navigate"
            if not page:
                return 403, "this call comes from another page"
        if self._guarded(scope) and not self._carried(scope, given):
            return 401, "the token is missing or wrong; open the whole address that the terminal shows"
        return None

    def _known(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _guarded(self, scope: Scope) -> bool:
        return bool(self._token) and (scope["type"] == "websocket" or scope["path"].startswith("/api/"))

    def _carried(self, scope: Scope, given: dict[str, str]) -> bool:
        if scope["type"] == "websocket":
            offered = [part.strip() for part in given.get("sec-websocket-protocol", "").split(",")]
            tokens = [part.removeprefix("token.") for part in offered if part.startswith("token.")]
            carried = tokens[0] if tokens else ""
        else:
            carried = given.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(carried.encode(), self._token.encode())


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {name.lower() for name, _ in message.get("headers", ())}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in known]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sent


async def _refuse(send: Any, status: int, reason: str) -> None:
    import json

    body = json.dumps({"error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
