"""Functions for a worker's process that do what a hostile file may make a decoder do."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from ravdess.errors import BadClip


def act(data: bytes, **options: Any) -> tuple[dict[str, Any], bytes]:
    """Do what `data` says."""
    match data:
        case b"echo":
            return {"options": options, "pid": os.getpid(), "environment": dict(os.environ)}, b"raw" * 3
        case b"refuse":
            raise BadClip("no clip")
        case b"die":
            os.kill(os.getpid(), 9)
        case b"hang":
            time.sleep(60)
        case b"eat":
            return {}, bytes(bytearray(6 << 30))
        case b"write":
            with open("written-by-a-worker", "wb") as file:  # noqa: PTH123
                file.write(b"x")
        case b"read":
            with open("/etc/passwd", "rb") as file:  # noqa: PTH123
                file.read()
        case b"connect":
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        case b"flood":
            return {}, bytes(2 << 20)
        case b"print":
            print("this is no answer", flush=True)
            os.write(1, b"\xff" * 100)
        case _:
            raise ValueError("nobody thought of this")
    return {}, b""
