"""The live page under load: many voices at once, how old what they see is, and what the server costs meanwhile.

Each client speaks a made voice in real time, again and again, sends six camera pictures a second, and drops its own
voice as a file once in a while. Told are, as least, median, 95th percentile and most: seconds from the last loud piece
to the bars of its pause, and how old the sound of a live verdict is when it comes; how many answers of each kind came;
how often a file was told to come later ("busy"), and sound was left out since the server was too far behind; every
error; and the cores and the memory that the server and its workers used.

    python tests/benchmarks/serve.py svm-voice_stats --store store --clients 20 --seconds 120
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ravdess.clips import Clip
from ravdess.corpora import sample
from ravdess.serve.hearing import COLUMN, DRAWN, Hearing
from ravdess.sound.frames import SAMPLE_RATE
from ravdess.sound.read import read
from ravdess.sound.spoken import HOP
from tests.serve.serving import JOB, running
from tests.serve.visits import PIECE, face, picture, pieces

PICTURES = 6.0
"""A second and client."""
FILE = 45.0
"""Seconds from one dropped file of a client to its next."""
BEHIND = 2.0
"""Seconds of sound that the page lets wait before it leaves some out."""
SAMPLED = 1.0
"""Seconds from one look at the memory to the next."""


@dataclass
class Notes:
    """What the clients saw.

    Attributes
    ----------
    late : list of float
        Seconds from the last loud piece to the bars of its pause.
    old : list of float
        Seconds of sound that a live verdict had not heard when it came.
    answers, errors : Counter
    """

    late: list[float] = field(default_factory=list)
    old: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


class Client:
    """One who speaks, shows a face and drops a file now and then, as the page would send it."""

    def __init__(self, address: str, number: int, notes: Notes) -> None:
        self._address, self._number, self._notes = address, number, notes
        self._file = sample.make(Clip.parse(f"03-01-0{1 + number % 8}-01-01-01-{1 + number % 20:02d}"))
        y, self._rate = read(self._file)
        rest = np.zeros(self._rate, np.float32)
        self._messages = list(pieces(np.concatenate([rest, y, rest])))
        self._stop_of = _ends(self._messages, self._rate)
        self._face = picture(face()[0])
        self._began = self._spoke = 0.0
        self._ahead, self._waits, self._first = 0.0, False, True  # as flow.js does it

    async def stay(self, seconds: float) -> None:
        """For so long."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed
        from websockets.typing import Subprotocol

        await asyncio.sleep(self._number * 0.17)
        url = self._address.replace("http", "ws") + "live"
        try:
            async with connect(url, subprotocols=[Subprotocol("ravdess")]) as socket:
                await self._start(socket)
                beside = [asyncio.create_task(one) for one in (self._listen(socket), self._show(socket), self._drop())]
                await self._speak(socket, seconds)
                for one in beside:
                    one.cancel()
                for told in await asyncio.gather(*beside, return_exceptions=True):
                    if isinstance(told, Exception):
                        self._notes.errors[repr(told)] += 1
        except (ConnectionClosed, OSError) as error:
            self._notes.errors[repr(error)] += 1

    async def _start(self, socket: Any) -> None:
        await socket.send(json.dumps({"do": "start", "rate": self._rate}))
        self._ahead = 0.0

    async def _speak(self, socket: Any, seconds: float) -> None:
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            for at, piece in enumerate(self._messages):
                sent += 1
                await asyncio.sleep(max(0.0, began + sent * PIECE / self._rate - time.monotonic()))
                if self._waits:
                    continue
                if self._first:
                    self._began, self._first = time.monotonic() - PIECE / self._rate, False
                await socket.send(piece)
                self._ahead += PIECE / self._rate
                if at == self._stop_of:
                    self._spoke = time.monotonic()
                if self._ahead > BEHIND:
                    self._notes.answers["left out"] += 1
                    self._waits, self._spoke = True, 0.0
                    await socket.send(json.dumps({"do": "stop"}))
                    await self._start(socket)

    async def _listen(self, socket: Any) -> None:
        async for message in socket:
            if isinstance(message, bytes):
                self._ahead -= len(message) / COLUMN * DRAWN / SAMPLE_RATE
                continue
            said = json.loads(message)
            if said["say"] == "answer" and not (self._waits and said["kind"] == "live"):  # the page shows none then
                self._notes.answers[said["kind"]] += 1
                if said["kind"] == "live":
                    self._notes.old.append(time.monotonic() - self._began - said["stop"])
                elif said["kind"] == "pause" and self._spoke:
                    self._notes.late.append(time.monotonic() - self._spoke)
                    self._spoke = 0.0
            elif said["say"] == "error":
                self._notes.errors[said["message"]] += 1
            elif said["say"] == "face":
                self._notes.answers["face"] += 1
            elif said["say"] == "listening" and self._waits:
                self._waits, self._first, self._ahead = False, True, 0.0

    async def _show(self, socket: Any) -> None:
        while True:
            await socket.send(self._face)
            await asyncio.sleep(1 / PICTURES)

    async def _drop(self) -> None:
        import httpx

        async with httpx.AsyncClient(base_url=self._address, timeout=60) as http:
            await asyncio.sleep(FILE * (self._number % 20) / 20)
            while True:
                told = await http.post("/api/file", content=self._file)
                if told.status_code == 200 and "answers" in told.json():
                    self._notes.answers["file"] += 1
                elif told.status_code == 429:
                    self._notes.answers["busy"] += 1
                else:
                    self._notes.errors[f"{told.status_code} {told.text[:200]}"] += 1
                await asyncio.sleep(FILE)


def _ends(messages: list[bytes], sr: int) -> int:
    """The piece in which the voice is last loud, as the page's own ear hears it."""
    hearing, last = Hearing(sr), 0.0
    for piece in messages:
        for turn, utterance in hearing.feed(piece[1:]).turns:
            if turn.value == "paused" and utterance is not None:
                last = hearing._ends.stop * HOP / SAMPLE_RATE
    return int(last * sr / PIECE)


class Watch:
    """Memory in MiB and CPU seconds of a process and its workers, over time."""

    def __init__(self, pid: int) -> None:
        import psutil

        one = psutil.Process(pid)
        self._family = [one, *one.children(recursive=True)]
        self._began = time.monotonic()
        self._used = self.used()
        self.memory: list[list[float]] = []

    def used(self) -> float:
        """CPU seconds so far."""
        return float(sum(sum(one.cpu_times()[:2]) for one in self._family))

    async def look(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(SAMPLED)
            self.memory.append([one.memory_info().rss / 2**20 for one in self._family])

    def told(self) -> dict[str, Any]:
        """The mean of each quarter of the time, each process's at the end, and cores in use."""
        total = np.sum(self.memory, axis=1)
        quarters = [round(float(part.mean())) for part in np.array_split(total, 4)]
        return {
            "memory by quarters, MiB": quarters,
            "most, MiB": round(float(total.max())),
            "server and workers at the end, MiB": [round(one) for one in self.memory[-1]],
            "cores in use": round((self.used() - self._used) / (time.monotonic() - self._began), 2),
        }


async def load(address: str, pid: int, clients: int, seconds: float) -> dict[str, Any]:
    """Let so many come at once."""
    notes, watch = Notes(), Watch(pid)
    looking = asyncio.create_task(watch.look())
    await asyncio.gather(*(Client(address, number, notes).stay(seconds) for number in range(clients)))
    looking.cancel()
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": dict(notes.answers),
        "errors": dict(notes.errors),
        "end of speech to bars, s": _spread(notes.late),
        "age of live verdicts, s": _spread(notes.old),
        "live verdicts a client and second": round(len(notes.old) / clients / seconds, 2),
        **watch.told(),
    }


def _spread(some: list[float]) -> list[float]:
    return [round(float(one), 3) for one in np.quantile(some, [0.0, 0.5, 0.95, 1.0])] if some else []


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--store", default="store")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    args = parser.parse_args()
    command = (JOB, "--store", Path(args.store).resolve(), "--model", args.model, "--port", "0")
    with running(*command) as (address, process):
        print(json.dumps(asyncio.run(load(address, process.pid, args.clients, args.seconds)), indent=1))


if __name__ == "__main__":
    main()
