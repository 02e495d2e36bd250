"""A process with limits, for work on files that nobody vouches for.

A decoder is C code that reads whatever a stranger wrote. So it runs in a process of its own, which may not open a
file or a connection, write a byte to disk, or take more memory or time than its limits say. What breaks it costs that
process and that file alone; the next call gets a new one. Both sides speak in plain bytes: nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from ravdess.errors import BadClip, WorkersFailed

_HEAD: Final = struct.Struct("<QQ")
"""Bytes of the JSON part and of the raw part that follow."""
_TOLD: Final = 1 << 20
"""Most bytes of the JSON part."""
_KEPT: Final = (
    "PATH",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "SYSTEMROOT",
    "RAVDESS_YUNET",
)
"""All that the process sees of the environment: no credentials."""


@dataclass(frozen=True)
class Limits:
    """What one call may cost.

    Attributes
    ----------
    seconds : float > 0
        From asking to the whole answer.
    memory : int > 0
        Address space of the process in bytes, where the system can limit it (Linux).
    given, answer : int > 0
        Most bytes of a question and of an answer.
    """

    seconds: float = 60.0
    memory: int = 4 << 30
    given: int = 512 << 20
    answer: int = 1 << 30


class Worker:
    """One function in a process of its own, which stays warm from call to call.

    Parameters
    ----------
    function : str
        "package.module:function", called there as ``function(data, **options) -> (facts, raw)``: bytes and JSON values
        in, JSON values and bytes out. It may raise BadClip. A function ``prepare()`` of the same module is called
        first, and must import and open all that is needed: after that, the process can open nothing.
    limits : Limits

    Notes
    -----
    Calls from several threads wait for each other. The process starts with `start` or the first call.
    """

    def __init__(self, function: str, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._function = function
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._lock = threading.Lock()

    def start(self) -> Worker:
        """Let the process start while others work. Calling it twice does nothing."""
        with self._lock:
            self._start()
        return self

    def call(self, data: bytes, **options: Any) -> tuple[dict[str, Any], bytes]:
        """Call the function in the process.

        Parameters
        ----------
        data : bytes
        **options : JSON values

        Raises
        ------
        BadClip
            The function refused the data, or the data is over the limits or broke the process.
        WorkersFailed
            The process cannot start at all, whatever it is given.
        """
        if len(data) > self.limits.given:
            raise BadClip(f"{len(data)} bytes, expected at most {self.limits.given}; cut the file first")
        with self._lock:
            process = self._start()
            late = threading.Event()
            timer = threading.Timer(self.limits.seconds, _give_up, (process, late))
            timer.daemon = True
            timer.start()
            try:
                self._wait_until_ready(process)
                assert process.stdin is not None
                assert process.stdout is not None
                send(process.stdin, options, data)
                facts, raw = receive(process.stdout, self.limits.answer)
            except (OSError, EOFError, ValueError) as error:
                death = _death(process)
                self._stop()
                if late.is_set():
                    raise BadClip(f"not read within {self.limits.seconds:.0f} s, and given up") from error
                raise BadClip(f"its content broke the process that read it ({death})") from error
            except BaseException:
                self._stop()
                raise
            finally:
                timer.cancel()
            if late.is_set():  # killed just after it had answered
                self._stop()
        if "refused" in facts:
            raise BadClip(str(facts["refused"]))
        return facts, raw

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        root = str(Path(__file__).resolve().parents[2])
        code = f"import sys; sys.path.insert(0, {root!r}); from ravdess.predict.inside import main; main(sys.argv[1:])"
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603  # this very Python, and a function that the project names
            # -P: no module is imported from the folder that the user happens to stand in
            [sys.executable, "-P", "-c", code, self._function, str(self.limits.memory), str(self.limits.given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            close_fds=True,
        )
        self._ready = False
        return self._process

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        if self._ready:
            return
        assert process.stdout is not None
        try:
            told, _ = receive(process.stdout, 0)
        except (OSError, EOFError, ValueError) as error:
            raise WorkersFailed(f"the process for {self._function} ended at its start ({_death(process)})") from error
        if "failed" in told:
            raise WorkersFailed(f"the process for {self._function} cannot start: {told['failed']}")
        self._ready = True

    def _stop(self) -> None:
        if self._process is None:
            return
        process, self._process, self._ready = self._process, None, False
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was still to be written has no reader
                    pipe.close()


def send(pipe: IO[bytes], facts: dict[str, Any], raw: bytes) -> None:
    """Write one message."""
    told = json.dumps(facts).encode()
    pipe.write(_HEAD.pack(len(told), len(raw)) + told)
    pipe.write(raw)
    pipe.flush()


def receive(pipe: IO[bytes], most: int) -> tuple[dict[str, Any], bytes]:
    """Read one message. Raises EOFError when there is none or it breaks off, ValueError when it is none of ours."""
    told, raw = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    if told > _TOLD or raw > most:
        raise ValueError(f"a message of {told} and {raw} bytes, expected at most {_TOLD} and {most}")
    facts = json.loads(_exactly(pipe, told))
    if not isinstance(facts, dict):
        raise ValueError("a message without facts")
    return facts, _exactly(pipe, raw)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError(f"{len(data)} of {count} bytes")
    return data


def _give_up(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _death(process: subprocess.Popen[bytes]) -> str:
    """How a process ended, in words."""
    import signal

    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return "it answered nonsense"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
