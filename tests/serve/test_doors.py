"""Who may enter."""

from __future__ import annotations

from typing import Any

import pytest

from ravdess.serve.doors import HEADERS, Doors

TOKEN = "correct-horse"


async def _app(*_: Any) -> None:
    raise AssertionError("not called")


def scope(kind: str = "http", path: str = "/", **headers: str) -> dict[str, Any]:
    given = {"host": "localhost:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {"type": kind, "path": path, "headers": [(n.encode(), v.encode()) for n, v in given.items() if v]}


OPEN = Doors(_app)
GUARDED = Doors(_app, hosts=["studio"], token=TOKEN)


@pytest.mark.parametrize("host", ["localhost:8000", "LOCALHOST", "127.0.0.1:8000", "[::1]:8000", "192.168.1.20"])
def test_own_names_and_addresses_of_digits_are_let_in(host: str) -> None:
    assert OPEN.refuses(scope(host=host)) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "studio", "[::1", "user@evil", ""]
)
def test_rebound_names_are_not(host: str) -> None:
    assert OPEN.refuses(scope(host=host))[0] == 421  # type: ignore[index]
    assert OPEN.refuses(scope("websocket", "/live", host=host))[0] == 421  # type: ignore[index]


def test_two_hosts_are_none() -> None:
    asked = scope()
    asked["headers"].append((b"host", b"evil.example"))
    assert OPEN.refuses(asked)[0] == 421  # type: ignore[index]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:9000", "http://localhost", "https://127.0.0.1:8000"]
)
@pytest.mark.parametrize(("kind", "path"), [("websocket", "/live"), ("http", "/api/file"), ("http", "/")])
def test_other_origins_are_refused(kind: str, path: str, origin: str) -> None:
    assert OPEN.refuses(scope(kind, path, origin=origin))[0] == 403  # type: ignore[index]
    assert OPEN.refuses(scope(kind, path, origin="http://localhost:8000")) is None


def test_a_link_elsewhere_may_open_the_page_and_nothing_else() -> None:
    assert OPEN.refuses(scope(sec_fetch_site="cross-site", sec_fetch_mode="navigate")) is None
    assert OPEN.refuses(scope(sec_fetch_site="cross-site", sec_fetch_mode="no-cors"))[0] == 403  # type: ignore[index]
    for path in ("/api/about", "/api/file", "/app.js"):
        assert OPEN.refuses(scope(path=path, sec_fetch_site="cross-site", sec_fetch_mode="navigate"))


@pytest.mark.parametrize(
    "carried", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"]
)
def test_a_wrong_token_opens_no_door(carried: str) -> None:
    assert GUARDED.refuses(scope(path="/api/about", authorization=carried))[0] == 401  # type: ignore[index]
    offered = "ravdess, token." + carried.removeprefix("Bearer ")
    assert GUARDED.refuses(scope("websocket", "/live", sec_websocket_protocol=offered))[0] == 401  # type: ignore[index]


def test_the_right_token_opens_all_and_the_page_itself_needs_none() -> None:
    assert GUARDED.refuses(scope(path="/api/file", authorization=f"Bearer {TOKEN}")) is None
    assert GUARDED.refuses(scope("websocket", "/live", sec_websocket_protocol=f"ravdess, token.{TOKEN}")) is None
    assert GUARDED.refuses(scope(path="/", host="studio:8000")) is None
    assert GUARDED.refuses(scope("websocket", "/live"))[0] == 401  # type: ignore[index]


def test_the_browser_is_told_to_refuse_whatever_is_from_elsewhere() -> None:
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    allowed = {word for words in policy.values() for word in words.split()}
    assert allowed <= {"'none'", "'self'", "blob:"}, "no host, no inline script or style, no eval"
