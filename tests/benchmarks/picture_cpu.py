"""CPU time and memory of decoding, beside bare decoding and beside the loop that a user would write with OpenCV.

    python tests/benchmarks/picture_cpu.py                 on made clips of 1280x720
    python tests/benchmarks/picture_cpu.py --source DIR    on the .mp4 files under DIR

Ours goes from the file to a set on disk. Bare decoding is FFmpeg's on one thread, every picture, and nothing done with
it. The plain loop reads every picture, turns it to the set's colours and size, keeps every fifth and saves them. All
sides run in turns in one process; its CPU time is taken, on all threads, and of each clip the least of the rounds,
for others on the machine only ever add. Memory is the peak of a process of its own for each length of clip.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from ravdess.clips import Clip
from ravdess.corpora.film import film
from ravdess.extract import Reject
from ravdess.frames import frame_set
from ravdess.picture import pictures

ROOT = Path(__file__).parents[2]
SECONDS = (3, 600)


def bare(path: Path) -> None:
    """Every picture, decoded on one thread and thrown away."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        stream.codec_context.thread_count = 1
        for _ in file.decode(stream):
            pass


def ours(*names: str) -> Callable[[Path], None]:
    sets = [frame_set(name) for name in names]

    def run(path: Path) -> None:
        for made in pictures(path, sets):
            assert not isinstance(made, Reject)
            save(made.frames)

    return run


def plain(name: str) -> Callable[[Path], None]:
    """What a user would write."""
    height, width, channels = frame_set(name).shape
    colours = cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB

    def run(path: Path) -> None:
        capture, kept, number = cv2.VideoCapture(str(path)), [], 0
        while True:
            more, image = capture.read()
            if not more:
                break
            image = cv2.resize(cv2.cvtColor(image, colours), (width, height), interpolation=cv2.INTER_AREA)
            if number % 5 == 0:
                kept.append(image)
            number += 1
        save(np.stack(kept))

    return run


def save(frames: Any) -> None:
    with tempfile.TemporaryFile() as file:
        np.save(file, frames)


WHOLE = ("frames_640x360", "frames_256")
SIDES: dict[str, Callable[[Path], None]] = {
    "bare": bare,
    **{name: ours(name) for name in (*WHOLE, "face_96")},
    "all": ours(*WHOLE, "face_96", "face_48"),
    **{f"plain {name}": plain(name) for name in WHOLE},
}


def least(paths: list[Path], rounds: int) -> dict[str, float]:
    """CPU seconds of each side: over the clips, the sum of the least of the rounds."""
    times: dict[str, dict[Path, list[float]]] = {side: {path: [] for path in paths} for side in SIDES}
    for _ in range(rounds):
        for path in paths:
            for side, run in SIDES.items():
                start = time.process_time()
                run(path)
                times[side][path].append(time.process_time() - start)
    return {side: sum(min(of_clip) for of_clip in of_side.values()) for side, of_side in times.items()}


def made(folder: Path, count: int) -> list[Path]:
    """Clips like the publisher's, in size and rate."""
    paths = []
    for number in range(1, count + 1):
        path = folder / f"{number}.mp4"
        path.write_bytes(film(Clip.parse(f"01-01-{number % 8 + 1:02d}-01-01-01-{number:02d}"), height=720))
        paths.append(path)
    return paths


def long(folder: Path, seconds: float) -> Path:
    """One made clip over and over, its packets copied."""
    content = film(Clip.parse("01-01-03-01-01-01-05"), height=720)
    path = folder / f"{seconds:g}.mp4"
    step = 0
    with av.open(str(path), "w") as out:
        target: Any = None
        count = written = 0
        while written < seconds * 30000 / 1001:
            with av.open(io.BytesIO(content), "r") as file:
                stream = file.streams.video[0]
                if target is None:
                    target = out.add_stream_from_template(stream)
                    count, step = stream.frames, int(1 / ((stream.average_rate or 30) * (stream.time_base or 1)))
                for packet in file.demux(stream):
                    if packet.size:
                        packet.pts = (packet.pts or 0) + written * step
                        packet.dts = (packet.dts or 0) + written * step
                        packet.stream = target
                        out.mux(packet)
            written += count
    return path


def peak(path: Path, name: str) -> float:
    """Peak MiB of a process that makes one set of one clip and keeps it on disk."""
    script = (
        "import resource, sys; from ravdess.frames import frame_set; from ravdess.picture import stream\n"
        "with open('/dev/null', 'wb') as file:\n"
        "    facts = stream(sys.argv[1], [frame_set(sys.argv[2])], lambda place, frame: file.write(frame.tobytes()))\n"
        "assert isinstance(facts[0][0], float), facts\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, path, name], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return float(ran.stdout)


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="a folder of .mp4 files")
    parser.add_argument("--clips", type=int, default=4, help="made clips, without --source")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        paths = sorted(args.source.rglob("*.mp4")) if args.source else made(folder, args.clips)
        if not paths:
            raise SystemExit(f"no .mp4 under {args.source}")
        cpu = least(paths, args.rounds)
        what = "the publisher's clips" if args.source else "made clips"
        print(f"| CPU time from .mp4 to disk, {len(paths)} of {what} | beside bare decoding | beside the plain loop |")
        print("|---|---|---|")
        for name in (*WHOLE, "face_96"):
            beside = f"{cpu[name] / cpu[f'plain {name}']:.2f}" if name in WHOLE else ""
            print(f"| `{name}` | {cpu[name] / cpu['bare']:.2f} | {beside} |")
        both = sum(cpu[f"plain {name}"] for name in WHOLE)
        print(f"| these and `face_48`, one decoding | {cpu['all'] / cpu['bare']:.2f} | {cpu['all'] / both:.2f} |\n")
        print("| peak memory, MiB | " + " | ".join(f"{seconds} s" for seconds in SECONDS) + " |")
        print("|---|" + "---|" * len(SECONDS))
        clips = [long(folder, seconds) for seconds in SECONDS]
        for name in ("face_96", "frames_256"):
            print(f"| `{name}` | " + " | ".join(f"{peak(path, name):.0f}" for path in clips) + " |", flush=True)


if __name__ == "__main__":
    main()
