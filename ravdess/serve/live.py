"""One visitor: a WebSocket that hears, looks and answers.

The browser sends pieces of sound and pictures as bytes (the first one says which), and wishes as JSON. It gets columns
to draw as bytes, and all else as JSON, "say" naming what: hello, listening, voice, answer, face, enrolment, error.

Sound is heard in the order in which it came, so "listening" (to a start) and columns tell a browser how far behind the
server is; it then leaves out whole stretches, which is better than an old answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from starlette.websockets import WebSocketDisconnect

from ravdess.errors import RavdessError
from ravdess.predict import Sound, Stretch
from ravdess.predict.windows import WINDOW
from ravdess.serve.doors import PROTOCOL
from ravdess.serve.endpoint import Turn
from ravdess.serve.hearing import Hearing, Utterance
from ravdess.serve.house import FIRST
from ravdess.sound.frames import SAMPLE_RATE

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from ravdess.predict import Answer, Scene
    from ravdess.serve.house import House

SOUND: Final = 0
PICTURE: Final = 1
"""First byte of a message of bytes."""
_APART: Final = 0.5
"""Seconds by which a picture may arrive earlier or later than the sound of its moment."""
_UNSENT: Final = 64
"""Messages that may wait for a slow reader; then columns are left out, and at twice as many it is let go."""


class Leave(Exception):
    """The visitor must go; the WebSocket's closing code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Visitor:
    """One live connection, from its opening to its closing."""

    def __init__(self, socket: WebSocket, house: House) -> None:
        self._socket, self._house, self._limits = socket, house, house.limits
        self._out: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hearing: Hearing | None = None
        self._began = self._asked = 0.0
        self._over = 0  # the last utterance that has ended
        self._enrolling: list[Utterance] | None = None
        self.enrolled: Any = None
        self.session = secrets.token_urlsafe(16)
        self._looking = False
        self._looked = 0.0
        self._album: deque[tuple[float, bytes]] = deque(maxlen=self._limits.album)
        self._glancing = False
        self._glanced = 0.0

    async def stay(self) -> None:
        """Serve the visitor until one of both leaves."""
        await self._socket.accept(subprotocol=PROTOCOL if PROTOCOL in self._socket.scope["subprotocols"] else None)
        if not self._house.enter(self):
            await self._socket.close(1013, f"{self._limits.clients} people are here already; try again in a while")
            return
        self._spawn(self._write())
        self._say("hello", session=self.session)
        try:
            async with asyncio.timeout(self._limits.session):
                while True:
                    await self._take(await asyncio.wait_for(self._socket.receive(), self._limits.idle))
        except (WebSocketDisconnect, RuntimeError):
            pass
        except TimeoutError:
            await self._close(1000, "nothing came for a while, or the session's time is over; start again at any time")
        except Leave as leave:
            await self._close(leave.code, leave.reason)
        finally:
            self._house.leave(self)
            for task in self._tasks:
                task.cancel()

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(RuntimeError):  # gone already
            await self._socket.close(code, reason[:120])

    # Out ------------------------------------------------------------------------------------------------------------

    def _say(self, what: str, **more: object) -> None:
        self._put(json.dumps({"say": what, **more}))

    def _put(self, message: str | bytes) -> None:
        waiting = self._out.qsize()
        if waiting < (_UNSENT if isinstance(message, bytes) else 2 * _UNSENT):
            self._out.put_nowait(message)
        elif waiting >= 2 * _UNSENT:
            self._spawn(self._close(1008, "messages are not being read"))

    async def _write(self) -> None:
        try:
            while True:
                message = await self._out.get()
                async with asyncio.timeout(20):
                    if isinstance(message, str):
                        await self._socket.send_text(message)
                    else:
                        await self._socket.send_bytes(message)
        except (WebSocketDisconnect, RuntimeError):
            pass
        except TimeoutError:
            await self._close(1008, "messages are not being read")

    # In -------------------------------------------------------------------------------------------------------------

    async def _take(self, message: Any) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1000)
        if (data := message.get("bytes")) is not None:
            if data[:1] == bytes([SOUND]):
                self._hear(data[1:])
            elif data[:1] == bytes([PICTURE]):
                self._look(data[1:])
            else:
                raise Leave(1003, "bytes begin with 0 for sound or 1 for a picture")
        else:
            self._wish(message.get("text") or "")

    def _wish(self, text: str) -> None:
        try:
            wish = json.loads(text) if len(text) <= 1000 else None
            do = wish["do"]  # type: ignore[index]  # a wish that is none is caught below
            if do == "start":
                self._hearing = Hearing(int(wish["rate"]), longest=self._limits.utterance)  # type: ignore[index]
                self._began, self._over = time.monotonic(), 0  # utterances are counted anew
                self._say("listening")
            elif do == "stop":
                self._stop()
            elif do == "look away":
                self._look_away()
            elif do == "enrol" and self._house.enrolled:
                self._enrolling = []
                self._tell_enrolment("listening")
            elif do == "enrolled" and self._enrolling is not None:
                self._spawn(self._enrol())
            elif do == "forget":
                self._enrolling = self.enrolled = None
                self._tell_enrolment("forgotten")
            elif do not in ("enrol", "enrolled"):
                raise Leave(1003, "unknown wish; expected start, stop, look away, enrol, enrolled or forget")
        except RavdessError as error:
            self._say("error", message=str(error))
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            raise Leave(1003, "a wish is a JSON object with 'do', and 'rate' in Hz for start") from None

    def _stop(self) -> None:
        """The microphone is off: what was being said is over."""
        if self._hearing is not None and (last := self._hearing.finish()):
            self._end(last)
        self._hearing = None

    # Hearing --------------------------------------------------------------------------------------------------------

    def _hear(self, pcm: bytes) -> None:
        hearing = self._hearing
        if hearing is None:
            return  # late pieces of a microphone that is off
        try:
            heard = hearing.feed(pcm)
        except RavdessError as error:
            raise Leave(1007, str(error)) from error
        if hearing.seconds > time.monotonic() - self._began + self._limits.haste:
            raise Leave(1008, "sound came faster than time passes")
        if heard.columns:
            self._put(heard.columns)
        for turn, utterance in heard.turns:
            if turn in (Turn.BEGAN, Turn.ENDED, Turn.DROPPED):
                self._say("voice", speaking=turn is Turn.BEGAN)
            if turn is Turn.BEGAN:
                self._asked = time.monotonic() - self._limits.live / 2
            elif turn is Turn.PAUSED and utterance and self._may_judge:
                self._spawn(self._judge("pause", utterance))
            elif turn is Turn.ENDED and utterance:
                self._end(utterance)
        if hearing.speaking and self._may_judge and time.monotonic() - self._asked >= self._limits.live:
            self._asked = time.monotonic()
            self._spawn(self._glance())

    def _end(self, utterance: Utterance) -> None:
        self._over = utterance.number
        if self._enrolling is not None:
            if len(self._enrolling) < self._limits.enrolment:
                self._enrolling.append(utterance)
            self._tell_enrolment("listening")
        elif self._may_judge:
            self._spawn(self._judge("final", utterance))
        else:
            self._say("error", message=FIRST)

    @property
    def _may_judge(self) -> bool:
        """An enrolled model must know the voice before it judges it, and learns it before all else."""
        return self._enrolling is None and (self.enrolled is not None or not self._house.enrolled)

    async def _judge(self, kind: str, utterance: Utterance) -> None:
        try:
            scene = None
            if self._house.sees_speakers:
                scene = await self._house.scene(self._seen(utterance.start, utterance.stop), urgent=True)
            stretch = Stretch(utterance.start, utterance.stop, Sound(utterance.y, SAMPLE_RATE), scene)
            answer = await self._house.judge(self, lambda: stretch, enrol=self.enrolled, urgent=True)
        except RavdessError as error:
            if kind == "final":
                self._say("error", message=str(error))
        else:
            if answer is not None:
                self._answer(kind, utterance, answer)

    async def _glance(self) -> None:
        """A live judgement of the present utterance, unless a newer one or the end of it comes first."""
        hearing, taken = self._hearing, []
        scene: Scene | None = None

        def take() -> Stretch | None:
            if hearing is not None and (now := hearing.now()):
                taken.append(now)
                return Stretch(now.start, now.stop, Sound(now.y, SAMPLE_RATE), scene)
            return None

        try:
            if self._house.sees_speakers:
                scene = await self._house.scene(self._lately(), urgent=False)
            answer = await self._house.judge(self, take, enrol=self.enrolled, urgent=False)
        except RavdessError:
            return  # the end of the utterance will say it
        present = hearing is not None and hearing is self._hearing and hearing.speaking
        if answer is not None and present and taken[0].number > self._over:
            self._answer("live", taken[0], answer)

    def _answer(self, kind: str, utterance: Utterance, answer: Answer) -> None:
        told = answer.to_json()
        for name in ("clip", "start", "end"):
            del told[name]
        self._say(
            "answer",
            kind=kind,
            utterance=utterance.number,
            start=round(utterance.start, 3),
            stop=round(utterance.stop, 3),
            **told,
        )

    # Enrolment ------------------------------------------------------------------------------------------------------

    def _tell_enrolment(self, state: str) -> None:
        kept = self._enrolling or []
        self._say("enrolment", state=state, utterances=len(kept), seconds=round(sum(u.stop - u.start for u in kept), 1))

    async def _enrol(self) -> None:
        kept, self._enrolling = self._enrolling or [], None
        try:
            self.enrolled = await self._house.enrol(self, [utterance.y for utterance in kept])
        except RavdessError as error:
            self._say("error", message=str(error))
            self._tell_enrolment("forgotten")
        else:
            self._say("enrolment", state="ready", utterances=len(kept))

    # Looking --------------------------------------------------------------------------------------------------------

    def _look(self, jpeg: bytes) -> None:
        if len(jpeg) > self._limits.picture_bytes:
            raise Leave(1009, f"a picture of {len(jpeg)} bytes, expected at most {self._limits.picture_bytes}")
        if self._looking or time.monotonic() - self._looked < 1 / self._limits.pictures:
            return  # skipped, never queued
        self._looking, self._looked = True, time.monotonic()
        if self._house.sees:
            self._album.append((self._looked, jpeg))
            while sum(len(one) for _, one in self._album) > self._limits.album_bytes:
                self._album.popleft()
        self._spawn(self._see(jpeg))

    def _glance_at_face(self) -> None:
        """Judge what the camera shows, where that is due.

        While someone speaks, the voice's own live judgements show the present, with the face where the model sees it.
        """
        speaks = self._hearing is not None and self._hearing.speaking
        if self._album and not (speaks or self._glancing) and time.monotonic() - self._glanced >= self._limits.live:
            self._glancing, self._glanced = True, time.monotonic()
            self._spawn(self._glance_at(self._lately(), "look"))

    def _look_away(self) -> None:
        """The camera is off: what it showed last is judged as a whole."""
        if jpegs := [jpeg for _, jpeg in self._album]:
            self._spawn(self._glance_at(jpegs, "seen"))
        self._album.clear()

    def _seen(self, start: float, stop: float) -> list[bytes]:
        """Camera pictures of about that time, in seconds since the microphone was on."""
        return [jpeg for at, jpeg in self._album if start - _APART <= at - self._began <= stop + _APART]

    def _lately(self) -> list[bytes]:
        """Camera pictures of the last seconds."""
        now = time.monotonic()
        return [jpeg for at, jpeg in self._album if now - at <= WINDOW]

    async def _glance_at(self, jpegs: Sequence[bytes], kind: str) -> None:
        """Judge pictures alone."""
        try:
            scene = await self._house.scene(jpegs, urgent=kind == "seen")
            if scene is None:
                return
            stretch = Stretch(0.0, 0.0, None, scene)
            answer = await self._house.judge(self, lambda: stretch, enrol=self.enrolled, urgent=kind == "seen")
        except RavdessError as error:
            if kind == "seen":
                self._say("error", message=str(error))
        else:
            if answer is not None:
                self._answer(kind, Utterance(0, np.empty(0, np.float32), 0.0, 0.0), answer)
        finally:
            if kind == "look":
                self._glancing = False

    async def _see(self, jpeg: bytes) -> None:
        try:
            seen = await self._house.look(jpeg)
            if seen is not None:
                self._say("face", **seen)
        except RavdessError as error:
            self._say("error", message=str(error))
        finally:
            self._looking = False
        self._glance_at_face()

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
