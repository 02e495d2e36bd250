"""The process that serves the page, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Final

from ravdess.errors import BadAddress, MissingExtra
from ravdess.serve.house import House

LOCAL: Final = ("localhost", "127.0.0.1", "::1")
"""Hosts that only this machine reaches."""


def needs_extra() -> None:
    """Raises MissingExtra when a library of the extra `serve` is not installed."""
    import importlib.util

    for library in ("fastapi", "uvicorn", "websockets"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtra(library, "serve")


def serve(
    house: House, *, host: str = "127.0.0.1", port: int = 8000, token: str = "", ready: Callable[[str], None]
) -> None:
    """Serve the page until SIGINT or SIGTERM.

    Parameters
    ----------
    house : House
    host : str
    port : int
        0 for any that is free.
    token : str
        As of `ravdess.serve.doors.Doors`; empty on `LOCAL` hosts only.
    ready : callable
        Called with the page's address, token included, once it answers.

    Raises
    ------
    BadAddress
        The address is taken, or none of this machine.
    """
    bound = _bind(host, port)
    asyncio.run(_serve(house, bound, host, token, ready))


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, OverflowError) as error:
        raise BadAddress(
            f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}; "
            "choose another with --port (0: any that is free) or --host"
        ) from error
    return bound


async def _serve(house: House, bound: socket.socket, host: str, token: str, ready: Callable[[str], None]) -> None:
    import uvicorn

    from ravdess.serve.app import app

    names = {host, socket.gethostname()} if host not in LOCAL else set()
    config = uvicorn.Config(
        app(house, hosts=names, token=token),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=house.limits.message_bytes,
        ws_per_message_deflate=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=2,
        limit_concurrency=4 * house.limits.clients + 32,
    )

    class Server(uvicorn.Server):
        """Without uvicorn's own handling of signals, which would raise them again after a quiet end."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    server = Server(config)

    def stop() -> None:
        server.force_exit = server.should_exit  # a second Ctrl-C waits for nobody
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    if server.started:
        shown = "localhost" if host in LOCAL else socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104
        shown = f"[{shown}]" if ":" in shown else shown
        ready(f"http://{shown}:{bound.getsockname()[1]}/" + (f"#token={token}" if token else ""))
    await serving
