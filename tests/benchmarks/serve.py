"""The live page under load: 20 voices at once, and how long after speech its bars come.

Each client speaks a made voice in real time, again and again. Told are the least, the median and the 95th
percentile of the seconds from the last loud piece to the bars of the pause, how many answers of each kind came, errors,
and the memory of the server's processes soon after the beginning and at the end.

    python tests/benchmarks/serve.py svm-voice_stats --store store --clients 20 --seconds 120
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from ravdess.clips import Clip
from ravdess.corpora import sample
from ravdess.serve.hearing import Hearing
from ravdess.sound.read import read
from tests.serve.serving import JOB, running
from tests.serve.visits import PIECE, pieces


async def client(address: str, seconds: float, number: int, late: list[float], counts: dict[str, int]) -> None:
    """Speak for so long; note how late the bars of each pause come."""
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    y, sr = read(sample.make(Clip.parse(f"03-01-0{1 + number % 8}-01-01-01-{1 + number % 20:02d}")))
    rest = np.zeros(sr, np.float32)
    messages = list(pieces(np.concatenate([rest, y, rest])))
    stop_of = _ends(messages, sr)
    url = address.replace("http", "ws") + "live"
    async with connect(url, subprotocols=[Subprotocol("ravdess")]) as socket:
        await socket.send(json.dumps({"do": "start", "rate": sr}))
        spoke = [0.0]

        async def listen() -> None:
            async for message in socket:
                if isinstance(message, str):
                    said = json.loads(message)
                    if said["say"] == "answer":
                        counts[said["kind"]] = counts.get(said["kind"], 0) + 1
                        if said["kind"] == "pause" and spoke[0]:
                            late.append(time.monotonic() - spoke[0])
                            spoke[0] = 0.0
                    elif said["say"] == "error":
                        counts["error"] = counts.get("error", 0) + 1

        listening = asyncio.create_task(listen())
        await asyncio.sleep(number * 0.17)
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            for at, piece in enumerate(messages):
                await socket.send(piece)
                sent += 1
                if at == stop_of:
                    spoke[0] = time.monotonic()
                await asyncio.sleep(max(0.0, began + sent * PIECE / sr - time.monotonic()))
        listening.cancel()


def _ends(messages: list[bytes], sr: int) -> int:
    """The piece in which the voice is last loud, as the page's own ear hears it."""
    hearing, last = Hearing(sr), 0.0
    for piece in messages:
        for turn, utterance in hearing.feed(piece[1:]).turns:
            if turn.value == "paused" and utterance is not None:
                last = hearing._ends.stop * 256 / 22_050
    return int(last * sr / PIECE)


def memory(pid: int) -> float:
    """MiB of a process and its children."""
    import psutil

    one = psutil.Process(pid)
    return float(sum(each.memory_info().rss for each in [one, *one.children(recursive=True)])) / 2**20


async def load(address: str, pid: int, clients: int, seconds: float) -> dict[str, Any]:
    """Let so many speak at once."""
    late: list[float] = []
    counts: dict[str, int] = {}
    talking = [asyncio.create_task(client(address, seconds, number, late, counts)) for number in range(clients)]
    await asyncio.sleep(min(15.0, seconds / 3))
    first = memory(pid)
    await asyncio.gather(*talking)
    low, middle, high = np.quantile(late, [0.0, 0.5, 0.95]) if late else (np.nan,) * 3
    return {
        "clients": clients,
        "seconds": seconds,
        **counts,
        "end of speech to bars, s": [round(float(one), 3) for one in (low, middle, high)],
        "memory, MiB": [round(first), round(memory(pid))],
    }


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--store", default="store")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    args = parser.parse_args()
    with running(JOB, "--store", Path(args.store).resolve(), "--model", args.model, "--port", "0") as (
        address,
        process,
    ):
        print(json.dumps(asyncio.run(load(address, process.pid, args.clients, args.seconds)), indent=1))


if __name__ == "__main__":
    main()
