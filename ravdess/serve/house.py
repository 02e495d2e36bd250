"""What all visitors share: the model, the desk before it, the workers that decode, and who is here."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import numpy as np

from ravdess.errors import BadTable, RavdessError
from ravdess.predict import NOT_SURE, Answer, Decoder, Worker
from ravdess.predict import Limits as Given
from ravdess.predict.remarks import NOTHING
from ravdess.predict.windows import pieces
from ravdess.serve.desk import Desk
from ravdess.serve.hearing import DRAWN, drawn
from ravdess.serve.limits import Limits
from ravdess.sound.frames import SAMPLE_RATE
from ravdess.sound.read import resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.predict import Predictor
    from ravdess.serve.live import Visitor

    Floats = NDArray[np.float32]

T = TypeVar("T")
DECODERS: Final = 2
LOOKERS: Final = 1
"""Worker processes: a file that takes its time holds up one of several."""
FIRST: Final = "this model measures a voice against itself: give it a minute of yours first, under “Your own voice”"
MOST_COLUMNS: Final = 1200
"""Columns that are drawn of a file: the first 28 s."""
_ADDRESSES: Final = 1000
"""Addresses whose uploads are counted; the oldest are forgotten."""


class Busy(Exception):
    """Too much is asked for at once; come again in a moment."""


class House:
    """The shared state of a running page.

    Parameters
    ----------
    predictor : Predictor
        What judges. Files are decoded by workers of the house, not by its own.
    about : mapping
        What the page says of the model (`ravdess.serve.about`).
    limits : Limits
    """

    def __init__(self, predictor: Predictor, *, about: Mapping[str, object], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.about = {**about, "upload_bytes": self.limits.upload_bytes}
        self.enrolled = predictor.bundle.enrolled
        self.counts: Counter[str] = Counter()
        self._predictor = predictor
        self._visitors: dict[str, Visitor] = {}
        self._desk: Desk[Any] = Desk(max(1, os.cpu_count() or 1))
        self._uploads = 0
        self._came: dict[str, deque[float]] = {}
        given = Given(seconds=30.0, memory=3 << 30, given=self.limits.upload_bytes, answer=1 << 29)
        decoders = [Decoder(given, longest=self.limits.file_seconds) for _ in range(DECODERS)]
        self._decoders: Pool[Decoder] = Pool(decoders)
        seen = Given(seconds=5.0, memory=2 << 30, given=self.limits.picture_bytes, answer=1 << 16)
        self._lookers: Pool[Worker] = Pool([Worker("ravdess.serve.looking:look", seen) for _ in range(LOOKERS)])

    def warm(self) -> None:
        """Start every process and judge once, so that the first visitor waits no longer than the others."""
        for decoder in self._decoders.all:
            decoder.start()
        for looker in self._lookers.all:
            looker.start()
        y = np.sin(np.arange(SAMPLE_RATE) / 20).astype(np.float32) * np.linspace(0, 0.5, SAMPLE_RATE, dtype=np.float32)
        with contextlib.suppress(RavdessError):
            enrol = self._predictor.enrolment([(y, SAMPLE_RATE), (y[::-1], SAMPLE_RATE)]) if self.enrolled else None
            self._predictor.hear(y, SAMPLE_RATE, enrol=enrol)
        picture_of(y)

    def close(self) -> None:
        """Let the threads and the workers go."""
        self._desk.close()
        for decoder in self._decoders.all:
            decoder.close()
        for looker in self._lookers.all:
            looker.close()

    # Visitors -------------------------------------------------------------------------------------------------------

    def enter(self, visitor: Visitor) -> bool:
        """Whether there is room for one more."""
        if len(self._visitors) >= self.limits.clients:
            return False
        self._visitors[visitor.session] = visitor
        self.counts["visitors"] += 1
        return True

    def leave(self, visitor: Visitor) -> None:
        """The visitor has gone; what it still wanted is given up."""
        self._visitors.pop(visitor.session, None)
        self._desk.leave(visitor)

    # Judging --------------------------------------------------------------------------------------------------------

    async def judge(
        self, visitor: object, take: Callable[[], Floats | None], *, enrol: Any = None, urgent: bool
    ) -> Any:
        """What the model says of the sound that `take` gives when the turn comes; None when it is skipped."""

        def work() -> Callable[[], Any] | None:
            y = take()
            return None if y is None else lambda: self._predictor.hear(y, SAMPLE_RATE, enrol=enrol)

        answer = await self._desk.ask(visitor, work, urgent=urgent)
        if answer is not None:
            self.counts["utterances" if urgent else "live"] += 1
        return answer

    async def enrol(self, visitor: object, utterances: Sequence[Floats]) -> Any:
        """A speaker's own unlabelled utterances, made ready for `judge`. Raises BadTable when there are none."""
        if not utterances:
            raise BadTable("no voice was heard in that minute: see that the microphone is on, then begin again")
        some = [(y, SAMPLE_RATE) for y in utterances]
        return await self._desk.ask(visitor, lambda: lambda: self._predictor.enrolment(some), urgent=True)

    # Files ----------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def place(self, address: str) -> AsyncIterator[None]:
        """A place for one dropped file, while it is held. Raises Busy."""
        came = self._came.pop(address, deque())
        self._came[address] = came
        while len(self._came) > _ADDRESSES:
            self._came.pop(next(iter(self._came)))
        now = time.monotonic()
        while came and now - came[0] > 60:
            came.popleft()
        if len(came) >= self.limits.uploads_a_minute:
            raise Busy(f"{len(came)} files in a minute are enough; wait a moment and try again")
        if self._uploads >= self.limits.uploads:
            raise Busy("other files are being read just now; try again in a moment")
        came.append(now)
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    async def file(self, data: bytes, *, session: str = "") -> dict[str, object]:
        """Answers to a dropped file, and what is drawn of it.

        Parameters
        ----------
        data : bytes
            The whole file.
        session : str
            Of the visitor whose voice is known, for an enrolled model.

        Returns
        -------
        dict
            ``answers``, the same as `Predictor.timeline` gives; ``columns`` and ``seconds`` of `picture_of`.

        Raises
        ------
        BadClip
            It can't be read; the message says why.
        BadTable
            The model must know the voice first.
        """
        enrol = self._visitors[session].enrolled if session in self._visitors else None
        if self.enrolled and enrol is None:
            raise BadTable(FIRST)
        loop = asyncio.get_running_loop()
        async with self._decoders.one() as decoder:
            y, sr = await loop.run_in_executor(None, decoder.read, data)
        del data
        who = object()
        answers: list[Answer] = []
        # Piece by piece through the desk, so that a long file and those who speak take turns.
        for first, stop in await loop.run_in_executor(None, pieces, y, sr):
            part, start = y[first:stop], first / sr
            hear = partial(self._predictor.hear, part, sr, start=start, enrol=enrol)
            answer = await self._desk.ask(who, partial(_same, hear), urgent=True)
            assert answer is not None, "what is asked one after another is not skipped"
            answers.append(answer)
        answers = answers or [Answer(NOT_SURE, remarks=(NOTHING,), end=len(y) / sr)]
        self.counts["files"] += 1
        drawing = await loop.run_in_executor(None, picture_of, y, sr)
        return {"answers": [answer.to_json() for answer in answers], **drawing}

    # Faces ----------------------------------------------------------------------------------------------------------

    async def look(self, jpeg: bytes) -> dict[str, object] | None:
        """The faces in a picture: boxes as shares of its width and height; None when nobody is free to look."""
        if not self._lookers.free:
            return None
        async with self._lookers.one() as worker:
            facts, _ = await asyncio.get_running_loop().run_in_executor(None, worker.call, jpeg)
        self.counts["pictures"] += 1
        return facts


def _same(work: T) -> T:
    return work


class Pool(Generic[T]):
    """A few of the same, each lent to one at a time."""

    def __init__(self, all_: Sequence[T]) -> None:
        self.all = tuple(all_)
        self._free: asyncio.Queue[T] = asyncio.Queue()
        for one in all_:
            self._free.put_nowait(one)

    @property
    def free(self) -> int:
        """How many are not lent."""
        return self._free.qsize()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[T]:
        """One of them, once it is free."""
        lent = await self._free.get()
        try:
            yield lent
        finally:
            self._free.put_nowait(lent)


def picture_of(y: Floats, sr: int = SAMPLE_RATE) -> dict[str, object]:
    """What is drawn of a whole sound: its first columns, as base64, and its length in seconds."""
    seconds = len(y) / sr
    y = resample(y[: round(MOST_COLUMNS * DRAWN / SAMPLE_RATE * sr)], sr, SAMPLE_RATE)
    shown = np.concatenate([np.zeros(DRAWN, np.float32), y, np.zeros(DRAWN, np.float32)])
    return {"columns": base64.b64encode(drawn(shown)).decode(), "seconds": round(seconds, 3)}
