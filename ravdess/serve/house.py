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

from ravdess.errors import BadClip, BadTable, RavdessError
from ravdess.frames import frame_set
from ravdess.predict import Answer, Decoder, Scene, Sound, Stretch, Worker
from ravdess.predict import Limits as Given
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
"""Worker processes: a file that takes its time holds up one of several. Where faces are judged, one more looks."""
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
        What judges whatever it has a sense for. Files are decoded by workers of the house, not by its own.
    other : Predictor, optional
        What judges what the first has no sense for: pictures, or sound.
    about : mapping
        What the page says of the model (`ravdess.serve.about`).
    limits : Limits
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        other: Predictor | None = None,
        about: Mapping[str, object],
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.about = {**about, "upload_bytes": self.limits.upload_bytes}
        self.enrolled = predictor.bundle.enrolled
        self.counts: Counter[str] = Counter()
        self._predictors = (predictor, *([other] if other else []))
        self.about = {"hears": any(one.hears for one in self._predictors), **self.about}
        self._visitors: dict[str, Visitor] = {}
        self._desk: Desk[Any] = Desk(max(1, os.cpu_count() or 1))
        self._uploads = 0
        self._came: dict[str, deque[float]] = {}
        given = Given(seconds=30.0, memory=3 << 30, given=self.limits.upload_bytes, answer=1 << 29)
        decoders = [Decoder(given, longest=self.limits.file_seconds) for _ in range(DECODERS)]
        self._decoders: Pool[Decoder] = Pool(decoders)
        most = self.limits.album_bytes + self.limits.picture_bytes
        seen = Given(seconds=5.0, memory=2 << 30, given=most, answer=1 << 28)
        self._lookers: Pool[Worker] = Pool(
            [Worker("ravdess.serve.looking:look", seen) for _ in range(LOOKERS + self.sees)]
        )

    def warm(self) -> None:
        """Start every process and judge once, so that the first visitor waits no longer than the others."""
        for decoder in self._decoders.all:
            decoder.start(sees=self.sees)
        for looker in self._lookers.all:
            looker.start()
        y = np.sin(np.arange(SAMPLE_RATE) / 20).astype(np.float32) * np.linspace(0, 0.5, SAMPLE_RATE, dtype=np.float32)
        for one in self._predictors:
            enrol = None
            with contextlib.suppress(RavdessError):
                if one.bundle.enrolled:
                    enrol = one.enrolment([(y, SAMPLE_RATE), (y[::-1], SAMPLE_RATE)])
                if one.hears:
                    one.hear(y, SAMPLE_RATE, enrol=enrol)
            with contextlib.suppress(RavdessError):
                if one.sees:
                    blank = {name: np.zeros((8, *frame_set(name).shape), np.uint8) for name in one.sights}
                    one.judge(Stretch(0.0, 1.0, None, Scene(0.0, 1.0, True, False, blank)), enrol=enrol)
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

    @property
    def sees(self) -> bool:
        """Whether a model has a use for the camera."""
        return any(one.sees for one in self._predictors)

    @property
    def sees_speakers(self) -> bool:
        """Whether the model that judges a voice has a use for the camera, too."""
        one = self._for(sound=True, picture=True)
        return one is not None and one.sees

    def _for(self, *, sound: bool, picture: bool) -> Predictor | None:
        """The first model that has a sense for what is there."""
        able = (one for one in self._predictors if (sound and one.hears) or (picture and one.sees))
        return next(able, None)

    async def judge(
        self, visitor: object, take: Callable[[], Stretch | None], *, enrol: Any = None, urgent: bool
    ) -> Any:
        """What a model says of what `take` gives when the turn comes; None when it is skipped."""

        def work() -> Callable[[], Any] | None:
            stretch = take()
            if stretch is None:
                return None
            one = self._for(sound=stretch.sound is not None, picture=stretch.scene is not None)
            if one is None or (one.bundle.enrolled and enrol is None):
                return None
            return partial(one.judge, stretch, enrol=enrol if one.bundle.enrolled else None)

        answer = await self._desk.ask(visitor, work, urgent=urgent)
        if answer is not None:
            self.counts["utterances" if urgent else "live"] += 1
        return answer

    async def enrol(self, visitor: object, utterances: Sequence[Floats]) -> Any:
        """A speaker's own unlabelled utterances, made ready for `judge`. Raises BadTable when there are none."""
        if not utterances:
            raise BadTable("no voice was heard in that minute: see that the microphone is on, then begin again")
        some = [(y, SAMPLE_RATE) for y in utterances]
        return await self._desk.ask(visitor, lambda: lambda: self._predictors[0].enrolment(some), urgent=True)

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
            ``answers``, the same as `Predictor.file` gives; ``columns`` and ``seconds`` of `picture_of`.

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
            one, sound, stretches = await loop.run_in_executor(None, self._gather, data, decoder)
        del data
        who = object()
        answers: list[Answer] = []
        # Piece by piece through the desk, so that a long file and those who speak take turns.
        for stretch in stretches:
            judge = partial(one.judge, stretch, enrol=enrol if one.bundle.enrolled else None)
            answer = await self._desk.ask(who, partial(_same, judge), urgent=True)
            assert answer is not None, "what is asked one after another is not skipped"
            answers.append(answer)
        self.counts["files"] += 1
        seconds = answers[-1].end
        silent = {"columns": "", "seconds": round(seconds, 3)}
        drawing = silent if sound is None else await loop.run_in_executor(None, picture_of, *sound)
        return {"answers": [answer.to_json() for answer in answers], **drawing}

    def _gather(self, data: bytes, decoder: Decoder) -> tuple[Predictor, Sound | None, list[Stretch]]:
        """What a file gives, by the first model that it gives anything."""
        refused: BadClip | None = None
        for one in self._predictors:
            try:
                return (one, *one.gather(data, decoder=decoder, listen=True))
            except BadClip as error:
                refused = refused or error
        assert refused is not None
        raise refused

    # Faces ----------------------------------------------------------------------------------------------------------

    async def look(self, jpeg: bytes) -> dict[str, object] | None:
        """The faces in a picture: boxes as shares of its width and height; None when nobody is free to look."""
        if not self._lookers.free:
            return None
        async with self._lookers.one() as worker:
            facts, _ = await asyncio.get_running_loop().run_in_executor(None, worker.call, jpeg)
        self.counts["pictures"] += 1
        return facts

    async def scene(self, jpegs: Sequence[bytes], *, urgent: bool) -> Scene | None:
        """Camera pictures as a model takes them; None where there are none, or, if not `urgent`, nobody is free."""
        if not jpegs or not self.sees or not (urgent or self._lookers.free):
            return None
        sights = next(one.sights for one in self._predictors if one.sees)
        jpegs = [
            jpegs[at * len(jpegs) // min(len(jpegs), self.limits.looked_at)]
            for at in range(min(len(jpegs), self.limits.looked_at))
        ]
        ask = partial(self._ask_looker, b"".join(jpegs), [len(one) for one in jpegs], list(sights))
        async with self._lookers.one() as worker:
            return await asyncio.get_running_loop().run_in_executor(None, ask, worker)

    @staticmethod
    def _ask_looker(data: bytes, sizes: list[int], sets: list[str], worker: Worker) -> Scene:
        facts, raw = worker.call(data, sizes=sizes, sets=sets)
        takes, at = {}, 0
        for name, shape in facts["shapes"].items():
            size = int(np.prod(shape))
            takes[name] = np.frombuffer(raw, np.uint8, size, at).reshape(shape)
            at += size
        return Scene(0.0, 0.0, facts["face"], facts["several"], takes)


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
