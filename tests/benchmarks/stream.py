"""The training stream of frames: beside raw gathering from memory maps, beside opening mp4 files, and beyond memory.

    python tests/benchmarks/stream.py                 on made frames and a made clip; about five minutes
    python tests/benchmarks/stream.py --source DIR    opens the first .mp4 under DIR
    python tests/benchmarks/stream.py --beyond 40     a set of 40 GB on the disk, too: give it more than the memory

Raw gathering is the quickest of the plain ways that were tried: one thread copies the same number of shuffled frames,
one by one, from `np.load` maps of the same shards into a fresh array a batch. The stream is taken as `fit` takes it,
by a loop in a graph, and by a plain Python loop, which costs TensorFlow more a batch than small frames do. Both sides
go through all frames five times, in turns, their files in the system's cache; a ratio of speeds is the median of the
pairs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ravdess.batches import steps, stream
from storage import Store, Takes

ACTORS, FRAMES = 24, 20
EACH, FRAME = 3_600, 256 * 256
"""Frames of a shard, and bytes of a frame, of the sets that exceed the memory."""
EPOCHS = 5
TAKES = {48: 100, 96: 50, 256: 10}
"""Takes an actor, by the side of a frame; as in the corpus, an actor is a shard."""
INDEX = pa.schema(
    [("take", pa.string()), *((name, pa.int64()) for name in ("first", "count", "crc32")), ("shard", pa.string())]
)


def store_of(folder: Path, side: int) -> Takes:
    """Random frames."""
    rng, store = np.random.default_rng(0), Store(folder)
    rows: list[dict[str, Any]] = []
    with store.table("frames/bench").open(INDEX, key=["take"], fingerprint="") as writer:
        for actor in range(1, ACTORS + 1):
            parts = [rng.integers(0, 256, (FRAMES, side, side, 1), np.uint8) for _ in range(TAKES[side])]
            slices = store.shards("frames/bench").write(f"{actor:02d}", parts)
            rows += [{"take": f"{actor:02d}-{at:03d}", **slot} for at, slot in enumerate(slices)]
        writer.append(pa.Table.from_pylist(rows, INDEX))
    return store.frames("bench").only([row["take"] for row in rows])


def raw(folder: Path, batch: int, epochs: int) -> float:
    """Seconds of plain gathering."""
    maps = [np.asarray(np.load(path, mmap_mode="r")) for path in sorted((folder / "frames/bench/_shards").iterdir())]
    each = len(maps[0])
    began = time.perf_counter()
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(each * len(maps))
        for at in range(0, len(order), batch):
            places = order[at : at + batch]
            out = np.empty((len(places), *maps[0].shape[1:]), np.uint8)
            for place, (shard, row) in enumerate(zip((places // each).tolist(), (places % each).tolist(), strict=True)):
                out[place] = maps[shard][row]
    return time.perf_counter() - began


def in_graph() -> Callable[[Any], int]:
    """A loop as `fit` has it; traced once, not in the measured time."""
    import tensorflow as tf

    def drain(dataset: Any) -> Any:
        return dataset.reduce(np.int64(0), lambda count, batch: count + 1)

    run = tf.function(drain, reduce_retracing=True)
    return lambda dataset: int(run(dataset))


def in_python(dataset: Any) -> int:
    return sum(1 for _ in dataset)


def streamed(takes: Takes, batch: int, epochs: int, loop: Callable[[Any], int]) -> float:
    """Seconds of the stream."""
    dataset = stream(takes, np.zeros(len(takes), np.int64), batch=batch, epochs=epochs)
    began = time.perf_counter()
    count = loop(dataset)
    took = time.perf_counter() - began
    assert count == epochs * steps(takes, batch=batch)
    return took


def opening(clip: Path, batches: int = 4) -> float:
    """Frames a second of a Sequence that opens an mp4 for each batch, reads it through and resizes what it wants."""
    import cv2
    import keras

    class Opening(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
        def __len__(self) -> int:
            return batches

        def __getitem__(self, at: int) -> tuple[Any, Any]:
            capture, kept, number = cv2.VideoCapture(str(clip)), [], 0
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


def large_set(folder: Path, size: float, content: bytes | None) -> Takes:
    """Frames of 256x256 in as many shards as make up so many bytes; of sparse files where there is no content."""
    store, head = Store(folder), folder / "frames/bench/_shards"
    head.mkdir(parents=True)
    rows = []
    for number in range(round(size / (EACH * FRAME))):
        name = f"01-{number:016x}.npy"
        with (head / name).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (EACH, 256, 256, 1)}
            np.lib.format.write_array_header_1_0(file, header)
            if content is None:
                file.truncate(file.tell() + EACH * FRAME)
            else:
                file.write(content)
        rows.append({"take": f"{number:05d}", "shard": name, "first": 0, "count": EACH, "crc32": 0})
    with store.table("frames/bench").open(INDEX, key=["take"], fingerprint="") as writer:
        writer.append(pa.Table.from_pylist(rows, INDEX))
    return store.frames("bench").only([str(row["take"]) for row in rows])


def huge(folder: Path, size: float = 100e9) -> tuple[float, float]:
    """GB of a set in sparse files that was streamed to its end, and peak GB of memory meanwhile."""
    takes = large_set(folder, size, None)
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            peak[0] = max(peak[0], pages * os.sysconf("SC_PAGESIZE") / 1e9)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        read = sum(len(frames) for frames, _ in stream(takes, np.zeros(len(takes), np.int64), batch=256))
    finally:
        stop.set()
        watcher.join()
    return read * FRAME / 1e9, peak[0]


def beyond(folder: Path, size: float, seconds: float = 20, rounds: int = 3) -> tuple[list[float], list[float]]:
    """Frames a second from a disk, by plain gathering and by the stream, in turns; the set exceeds the memory."""
    takes = large_set(folder, size, np.random.default_rng(0).bytes(EACH * FRAME))
    paths = sorted((folder / "frames/bench/_shards").iterdir())

    def plain(number: int) -> Iterator[int]:
        maps = [np.asarray(np.load(path, mmap_mode="r")) for path in paths]
        for places in np.random.default_rng(number).integers(0, EACH * len(maps), (1 << 18, 64)):
            frames = np.empty((64, 256, 256, 1), np.uint8)
            for place, (shard, row) in enumerate(zip((places // EACH).tolist(), (places % EACH).tolist(), strict=True)):
                frames[place] = maps[shard][row]
            yield len(frames)

    def ours(number: int) -> Iterator[int]:
        return (len(frames) for frames in stream(takes[:], batch=64, seed=number))

    speeds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for side, taken in zip((plain, ours), speeds, strict=True):
            for path in paths:  # whose maps are gone with the side that had them: what is mapped cannot be forgotten
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            began, frames = time.perf_counter(), 0
            for count in side(number):
                frames += count
                if (took := time.perf_counter() - began) > seconds:
                    break
            taken.append(frames / took)
    return speeds


def beside_raw(sides: list[int], batches: list[int], rounds: int, clip: Path) -> None:
    graph = in_graph()
    print("| stream beside raw gathering, speed | batch | as `fit` takes it | Python loop | raw, frames a second |")
    print("|---|---|---|---|---|")
    speeds = []
    for side in sides:
        with tempfile.TemporaryDirectory() as top:
            takes = store_of(Path(top), side)
            frames = int(takes.counts.sum())
            for batch in batches:
                ours: dict[str, list[float]] = {"graph": [], "python": []}
                raw(Path(top), batch, 1)
                streamed(takes, batch, 1, graph)
                for _ in range(rounds):
                    for name, loop in (("graph", graph), ("python", in_python)):
                        plain = raw(Path(top), batch, EPOCHS)
                        took = streamed(takes, batch, EPOCHS, loop)
                        ours[name].append(plain / took)
                        if (name, side, batch) == ("graph", 256, batches[0]):
                            speeds.append(frames * EPOCHS / took)
                told = [f"{statistics.median(one):.2f} ({min(one):.2f} to {max(one):.2f})" for one in ours.values()]
                print(
                    f"| {side}x{side} | {batch} | {told[0]} | {told[1]} | {frames * EPOCHS / plain:,.0f} |", flush=True
                )
    if speeds:
        ours_256, theirs = statistics.median(speeds), opening(clip)
        print(f"\nA Sequence that opens an mp4 for each batch: {theirs:.0f} frames of 256x256 a second, ", end="")
        print(f"the stream {ours_256:,.0f}: {ours_256 / theirs:.0f} times.")


def main() -> None:
    """Print a Markdown table and two sentences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="a folder of .mp4 files")
    parser.add_argument("--sides", type=int, nargs="+", default=[48, 96, 256], choices=TAKES)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--beyond", type=float, metavar="GB", help="also read a set that exceeds the memory from a disk"
    )
    parser.add_argument("--folder", type=Path, help="a folder of that disk (default: the system's for temporary files)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        if args.source:
            clip = next(iter(sorted(args.source.expanduser().rglob("*.mp4"))), None)
            if clip is None:
                raise SystemExit(f"no .mp4 under {args.source}")
        else:
            from ravdess.clips import Clip
            from ravdess.corpora.film import film

            clip = Path(top) / "made.mp4"
            clip.write_bytes(film(Clip.parse("01-01-03-01-01-01-05"), height=720))
        beside_raw(args.sides, args.batches, args.rounds, clip)
    with tempfile.TemporaryDirectory() as top:
        read, peak = huge(Path(top))
    print(
        f"\nA set of {read:.0f} GB (sparse files) was streamed to its end in at most {peak:.2f} GB of memory.",
        flush=True,
    )
    if args.beyond:
        with tempfile.TemporaryDirectory(dir=args.folder) as top:
            plain, ours = beyond(Path(top), args.beyond * 1e9)
        ratios = [one / other for one, other in zip(ours, plain, strict=True)]
        print(
            f"\nFrom a set of {args.beyond:g} GB on the disk, {statistics.median(ours):,.0f} frames a second, ", end=""
        )
        print(f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) times plain gathering.")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
