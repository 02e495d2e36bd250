"""The training stream of frames: beside raw gathering from memory maps, beside opening mp4 files, and beyond memory.

python -m tests.benchmarks.stream ~/RAVDESS            figures as JSON; needs one .mp4 and about 300 MB in /tmp
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ravdess.batches import stream
from storage import Store, Takes

BATCH = 64
ROUNDS = 5
INDEX = pa.schema(
    [("take", pa.string()), *((name, pa.int64()) for name in ("first", "count", "crc32")), ("shard", pa.string())]
)


def store_of(folder: Path, shape: tuple[int, int, int], takes: int, frames: int) -> Takes:
    """Random frames, in shards of 16 takes."""
    rng, store = np.random.default_rng(0), Store(folder)
    rows: list[dict[str, Any]] = []
    with store.table("frames/bench").open(INDEX, key=["take"], fingerprint="") as writer:
        for first in range(0, takes, 16):
            parts = [rng.integers(0, 256, (frames, *shape), np.uint8) for _ in range(16)]
            slices = store.shards("frames/bench").write("01", parts)
            rows += [{"take": f"{first + at:05d}", **slot} for at, slot in enumerate(slices)]
        writer.append(pa.Table.from_pylist(rows, INDEX))
    return store.frames("bench").only([row["take"] for row in rows])


def raw(takes: Takes, folder: Path, batches: int) -> float:
    """Frames a second of plain gathering: np.load maps, one sorted fancy index a shard and batch."""
    maps = [np.load(path, mmap_mode="r") for path in sorted((folder / "frames/bench/_shards").iterdir())]
    ends = np.cumsum([len(one) for one in maps])
    order = np.random.default_rng(1).permutation(int(ends[-1]))
    began = time.perf_counter()
    for at in range(batches):
        places = np.sort(order[at * BATCH : (at + 1) * BATCH])
        shard = np.searchsorted(ends, places, side="right")
        out = np.empty((BATCH, *takes.shape), np.uint8)
        for one in np.unique(shard):
            out[shard == one] = maps[one][places[shard == one] - (ends[one] - len(maps[one]))]
    return batches * BATCH / (time.perf_counter() - began)


def streamed(takes: Takes, batches: int) -> float:
    """Frames a second of the stream, its start not counted."""
    labels = np.zeros(len(takes), np.int64)
    iterator = iter(stream(takes, labels, batch=BATCH, epochs=2))
    next(iterator)
    began = time.perf_counter()
    for _ in range(batches):
        next(iterator)
    return batches * BATCH / (time.perf_counter() - began)


def opening(film: Path, batches: int) -> float:
    """Frames a second of a Sequence that opens an mp4 for each batch, reads it through and resizes what it wants."""
    import cv2
    import keras

    class Opening(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
        def __len__(self) -> int:
            return batches

        def __getitem__(self, at: int) -> tuple[Any, Any]:
            capture, kept, number = cv2.VideoCapture(str(film)), [], 0
            while True:
                there, picture = capture.read()
                if not there:
                    break
                if number % 5 == 0:
                    kept.append(cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (256, 256)))
                number += 1
            return np.stack(kept)[..., np.newaxis], np.zeros(len(kept))

    began = time.perf_counter()
    frames = sum(len(Opening()[at][0]) for at in range(batches))
    return frames / (time.perf_counter() - began)


def huge(folder: Path, size: float = 100e9, batches: int = 400) -> dict[str, float]:
    """Peak memory in MB while a set of `size` bytes, sparse files, streams."""
    store, each = Store(folder), 3_600
    shape = (256, 256, 1)
    head = folder / "frames/bench/_shards"
    head.mkdir(parents=True)
    count = round(size / (each * 65536))
    for number in range(count):
        with (head / f"01-{number:016x}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|u1", "fortran_order": False, "shape": (each, *shape)}
            )
            file.truncate(file.tell() + each * 65536)
    rows = [
        {"take": f"{number:05d}", "shard": f"01-{number:016x}.npy", "first": 0, "count": each, "crc32": 0}
        for number in range(count)
    ]
    with store.table("frames/bench").open(INDEX, key=["take"], fingerprint="") as writer:
        writer.append(pa.Table.from_pylist(rows, INDEX))
    takes = store.frames("bench").only([str(row["take"]) for row in rows])
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            peak[0] = max(peak[0], pages * os.sysconf("SC_PAGESIZE") / 1e6)

    watcher = threading.Thread(target=watch)
    watcher.start()
    iterator = iter(stream(takes, np.zeros(len(takes), np.int64), batch=256))
    for _ in range(batches):
        next(iterator)
    stop.set()
    watcher.join()
    return {"set_gb": count * each * 65536 / 1e9, "read_gb": batches * 256 * 65536 / 1e9, "peak_mb": peak[0]}


def ratios(one: Callable[[], float], other: Callable[[], float]) -> list[float]:
    """`one` over `other`, in turn."""
    return sorted(one() / other() for _ in range(ROUNDS))


def main(arguments: Sequence[str]) -> None:
    """Print the figures."""
    film = next(iter(sorted(Path(arguments[0]).expanduser().rglob("*.mp4"))))
    figures: dict[str, Any] = {}
    for name, shape, takes, frames, batches in (
        ("frames_256", (256, 256, 1), 96, 24, 30),
        ("face_96", (96, 96, 1), 512, 24, 150),
        ("face_48", (48, 48, 1), 1024, 24, 300),
    ):
        with tempfile.TemporaryDirectory() as top:
            made = store_of(Path(top), shape, takes, frames)
            streamed(made, batches)
            beside = ratios(lambda: streamed(made, batches), lambda: raw(made, Path(top), batches))  # noqa: B023
            figures[name] = {"beside_raw": statistics.median(beside), "rounds": beside}
            if name == "frames_256":
                speed = streamed(made, batches)
                figures[name]["beside_opening"] = speed / opening(film, 6)
    with tempfile.TemporaryDirectory() as top:
        figures["huge"] = huge(Path(top))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
