"""Plain processes on this machine that extract clips while Ray wakes up, or instead of it.

One is ready in a second, where Ray takes many; it can be killed and takes nothing along, but it knows no other machine
and tries nothing twice. What none of them delivered is `stream`'s.
"""

from __future__ import annotations

import os
import pickle  # between a process and the children that it started itself
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final

from ravdess.pipeline.outcomes import Outcome, outcomes

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.features import FeatureSet

    Outcomes = list[Outcome]

JUDGED: Final = 1.0
"""Seconds of work before its rate says anything."""
MOST: Final = 32
"""Clips of a portion."""
AHEAD: Final = 2
"""Portions that a process has at a time, so that it need not wait for the next one."""


class Hands:
    """Processes that work through clips as long as nobody stops them; a context manager, which ends them.

    Parameters
    ----------
    work : pyarrow.Table
        As for `stream`.
    sets : sequence of FeatureSet
        Those that cannot be pickled, or not be found by a new process, get no hands: they end at once.
    count : int > 0
        How many processes.
    time_limit : float > 0
        Seconds a clip may take. One that takes longer ends its process.
    """

    def __init__(self, work: pa.Table, sets: Sequence[FeatureSet], *, count: int, time_limit: float) -> None:
        self._work, self._next, self._lock = work, 0, threading.Lock()
        self._done: queue.Queue[Outcomes | None] = queue.Queue()
        self._stopped = False
        self._begun = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._arrived = 0
        try:
            told = pickle.dumps((list(sets), time_limit))
        except (pickle.PicklingError, AttributeError, TypeError):
            count = 0
        count = min(count, -(-work.num_rows // MOST))
        self._children = [_child() for _ in range(count)]
        self._at_work = count
        for child in self._children:
            threading.Thread(target=self._serve, args=(child, told), daemon=True).start()

    def __enter__(self) -> Hands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stopped = True
        for child in self._children:
            child.kill()
            child.wait()

    def results(self, wait: float) -> Iterator[Outcomes]:
        """Outcomes as they arrive; ends after `wait` seconds without any, or when all processes have ended."""
        while self._at_work or not self._done.empty():
            try:
                some = self._done.get(timeout=wait)
            except queue.Empty:
                return
            if some is None:
                self._at_work -= 1
                continue
            self._arrived += len(some)
            if self._first is None:
                self._first = time.monotonic(), self._arrived
            yield some

    def rest(self) -> Iterator[Outcomes]:
        """Outcomes of what the processes have in hand; they get nothing more."""
        self._stopped = True
        while self._at_work:
            yield from self.results(wait=1.0)

    @property
    def idle(self) -> bool:
        """Whether all processes have ended: they are through, or dead."""
        return not self._at_work

    @property
    def seconds_left(self) -> float:
        """How long the rest will take at the rate seen so far; as long as nothing can be said, as long as it took."""
        now = time.monotonic()
        if self._first is None:
            return now - self._begun
        since, before = self._first
        if now - since < JUDGED or self._arrived == before:
            return now - since
        left: int = self._work.num_rows - self._arrived
        return left * (now - since) / (self._arrived - before)

    def _serve(self, child: subprocess.Popen[bytes], told: bytes) -> None:
        """In a thread: hand portions to one process and take its outcomes, until all is handed out or it ends."""
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(told)
            asked = sum(self._hand(child.stdin) for _ in range(AHEAD))
            while asked:
                while (some := pickle.load(child.stdout)) is not None:  # noqa: S301  # our own child
                    self._done.put(some)
                asked += self._hand(child.stdin) - 1
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            pass  # it died, or was ended; what it had in hand is missing from what arrived
        finally:
            self._done.put(None)

    def _hand(self, pipe: IO[bytes]) -> int:
        """Give a process its next portion. Returns the number of portions given, 0 or 1."""
        with self._lock:
            start = self._work.num_rows if self._stopped else self._next
            self._next = start + MOST
        items = self._work.slice(start, MOST).to_pylist()
        if items:
            pickle.dump(items, pipe)
            pipe.flush()
        return bool(items)


def _child() -> subprocess.Popen[bytes]:
    """A new Python with this one's import path, at `main`; it ends when its input does."""
    begin = f"import sys; sys.path[:] = {sys.path!r}; from ravdess.pipeline.hands import main; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # one process a CPU
    return subprocess.Popen(  # noqa: S603  # this very Python
        [sys.executable, "-c", begin],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the driver, which ends its children itself
    )


def main() -> None:
    """The child: portions of clips in by stdin, lists of outcomes out by stdout, None after each portion."""
    told: Any = pickle.load(sys.stdin.buffer)  # noqa: S301  # from our own parent
    sets, time_limit = told
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # a library that prints must not speak in between
        while True:
            try:
                items = pickle.load(sys.stdin.buffer)  # noqa: S301
            except EOFError:
                return
            for some in outcomes(items, sets, time_limit):
                pickle.dump(some, out)
            pickle.dump(None, out)
            out.flush()
