"""What runs inside a worker's process: answer questions one after another, and open nothing."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from ravdess.errors import BadClip
from ravdess.predict.worker import receive, send


def main(arguments: list[str]) -> None:
    """Serve ``module:function`` on stdin and stdout until stdin ends."""
    name, memory, given = arguments[0], int(arguments[1]), int(arguments[2])
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    try:
        module = importlib.import_module(name.partition(":")[0])
        function = getattr(module, name.partition(":")[2])
        getattr(module, "prepare", lambda: None)()
        lock(memory)
    except Exception as error:
        send(answers, {"failed": f"{type(error).__name__}: {error}"}, b"")
        return
    send(answers, {}, b"")
    while True:
        try:
            options, data = receive(questions, given)
        except EOFError:
            return
        facts: dict[str, Any]
        try:
            facts, raw = function(data, **options)
        except BadClip as error:
            facts, raw = {"refused": str(error)[:2000]}, b""
        except MemoryError:
            facts, raw = {"refused": f"it needs more memory than the {memory >> 20} MiB allowed"}, b""
        except Exception as error:  # a file nobody thought of costs one file
            facts, raw = {"refused": f"not readable ({type(error).__name__}: {error})"[:2000]}, b""
        send(answers, facts, raw)
        del data, raw


def lock(memory: int) -> None:
    """Take from this process what decoding needs not: new files and connections, writing, more memory."""
    if sys.platform == "win32":
        return
    import resource

    first_free = os.dup(0)
    os.close(first_free)
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NOFILE, first_free),
    ):
        try:
            resource.setrlimit(limit, (most, most))
        except (ValueError, OSError):  # a system that cannot limit this; macOS has no RLIMIT_AS
            continue
