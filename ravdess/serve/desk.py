"""Who is judged next: ends of utterances first, then whoever has waited longest; nobody waits twice.

A live judgement that has not begun when the next one is asked for is skipped, never queued, and takes its sound when
its turn comes, not when it was asked for. So however many speak, the bars show the present.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
WAITING: Final = 3
"""Ends of utterances that one visitor may have waiting; the oldest is given up for a fourth."""


@dataclass
class _Request(Generic[T]):
    work: Callable[[], Callable[[], T] | None]
    urgent: bool
    answer: asyncio.Future[T | None]
    since: float = field(default_factory=time.monotonic)


class Desk(Generic[T]):
    """A few threads that judge, and the line before them.

    Parameters
    ----------
    threads : int
        Judgements at once.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="judge")
        self._free = threads
        self._live: dict[Hashable, _Request[T]] = {}
        self._urgent: dict[Hashable, list[_Request[T]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.skipped = 0

    async def ask(self, who: Hashable, work: Callable[[], Callable[[], T] | None], *, urgent: bool) -> T | None:
        """Have `work` done when its turn comes.

        Parameters
        ----------
        who : hashable
            The visitor.
        work : callable
            Called on the event loop when the turn comes; returns what a thread is to do, or None when there is
            nothing to do any more.
        urgent : bool
            Whether it goes before those that aren't, and is not skipped.

        Returns
        -------
        What the thread returned, or None when it was skipped. What it raised is raised.
        """
        request = _Request(work, urgent, asyncio.get_running_loop().create_future())
        if urgent:
            waiting = self._urgent.setdefault(who, [])
            waiting.append(request)
            if len(waiting) > WAITING:
                self._skip(waiting.pop(0))
        else:
            if before := self._live.pop(who, None):
                request.since = before.since  # who is skipped keeps the place
                self._skip(before)
            self._live[who] = request
        self._turn()
        return await request.answer

    def leave(self, who: Hashable) -> None:
        """Give up what a visitor who has left still wanted."""
        for request in (*self._urgent.pop(who, ()), *filter(None, [self._live.pop(who, None)])):
            self._skip(request)

    def close(self) -> None:
        """Take no more work, and wait for none."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _skip(self, request: _Request[T]) -> None:
        self.skipped += 1
        if not request.answer.done():
            request.answer.set_result(None)

    def _turn(self) -> None:
        while self._free and (request := self._next()):
            work = request.work()
            if request.answer.done():
                continue
            if work is None:
                request.answer.set_result(None)
                continue
            self._free -= 1
            task = asyncio.ensure_future(self._do(request, work))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _next(self) -> _Request[T] | None:
        if self._urgent:
            who = min(self._urgent, key=lambda one: self._urgent[one][0].since)
            waiting = self._urgent[who]
            request = waiting.pop(0)
            if not waiting:
                del self._urgent[who]
            return request
        if self._live:
            return self._live.pop(min(self._live, key=lambda one: self._live[one].since))
        return None

    async def _do(self, request: _Request[T], work: Callable[[], T]) -> None:
        loop: Any = asyncio.get_running_loop()
        try:
            said = await loop.run_in_executor(self._pool, work)
        except Exception as error:
            if not request.answer.done():
                request.answer.set_exception(error)
        else:
            if not request.answer.done():
                request.answer.set_result(said)
        finally:
            self._free += 1
            self._turn()
