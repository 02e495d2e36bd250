"""CPU time and memory of decoding, beside bare decoding and beside the loop that a user would write with OpenCV.

    python tests/benchmarks/picture_cpu.py                 on made clips of 1280x720
    python tests/benchmarks/picture_cpu.py --source DIR    on the .mp4 files under DIR

Ours goes from the file to a set on disk. Bare decoding is FFmpeg's on one thread, every picture, and nothing done with
it. The plain loop reads every picture, turns it to the set's colours and size, keeps every fifth and saves them. The
floor is decoding those pictures alone that the wanted ones are made from, and nothing done with them: clips in which
each picture is a reference have next to none to leave out, so they stand in rows of their own. All sides run in
turns in one process; its CPU time is taken, on all threads, and of each clip the least of the rounds, for others on
the machine only ever add. Memory is the peak of a process of its own for each length of clip; `memory.py --pictures`
measures it in workers of Ray.
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
from ravdess.corpora import film as films
from ravdess.errors import Reject
from ravdess.frames import frame_set
from ravdess.picture import h264, pictures
from ravdess.picture.decode import picked
from ravdess.picture.film import Film, film

ROOT = Path(__file__).parents[2]
SECONDS = (3, 600)


def bare(path: Path) -> None:
    """Every picture, decoded on one thread and thrown away."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        stream.codec_context.thread_count = 1
        for _ in file.decode(stream):
            pass


def needed(one: Film) -> bytearray:
    """Which packets every fifth picture needs."""
    return h264.needed(one.roles, one.numbers, picked(one.count, 5))


def floor(path: Path) -> None:
    """The pictures that every fifth one needs, decoded on one thread and thrown away."""
    with film(path) as one:
        keep = iter(needed(one))
        one.container.seek(one.first or 0, stream=one.stream)
        for packet in one.container.demux(one.stream):
            if not packet.size or next(keep):
                one.stream.codec_context.decode(packet if packet.size else None)


def thinned(path: Path) -> bool:
    """Whether it holds pictures that no other is made from. Without, little but what precedes an IDR picture can go."""
    with film(path) as one:
        return 0 in one.roles


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
    "floor": floor,
    **{name: ours(name) for name in (*WHOLE, "face_96")},
    "all": ours(*WHOLE, "face_96", "face_48"),
    **{f"plain {name}": plain(name) for name in WHOLE},
}


def least(paths: list[Path], rounds: int) -> dict[str, dict[Path, float]]:
    """CPU seconds of each side and clip, the least of the rounds."""
    times: dict[str, dict[Path, list[float]]] = {side: {path: [] for path in paths} for side in SIDES}
    for _ in range(rounds):
        for path in paths:
            for side, run in SIDES.items():
                start = time.process_time()
                run(path)
                times[side][path].append(time.process_time() - start)
    return {side: {path: min(took) for path, took in of_side.items()} for side, of_side in times.items()}


def table(cpu: dict[str, float], kind: str, clips: int) -> None:
    """Print the rows of one kind of clips."""
    both = sum(cpu[f"plain {name}"] for name in WHOLE)
    for name, label, plainly in (
        *((name, f"`{name}`", cpu[f"plain {name}"]) for name in WHOLE),
        ("face_96", "`face_96`", 0.0),
        ("all", "these and `face_48`, one decoding", both),
        ("floor", "floor: decoding what they need (beside the loop for `frames_640x360`)", cpu[f"plain {WHOLE[0]}"]),
    ):
        beside = f"{cpu[name] / plainly:.2f}" if plainly else ""
        print(f"| {label}; {kind} | {clips} | {cpu[name] / cpu['bare']:.2f} | {beside} |", flush=True)


def made(folder: Path, count: int) -> list[Path]:
    """Clips like the publisher's, in size and rate."""
    paths = []
    for number in range(1, count + 1):
        path = folder / f"{number}.mp4"
        path.write_bytes(films.film(Clip.parse(f"01-01-{number % 8 + 1:02d}-01-01-01-{number:02d}"), height=720))
        paths.append(path)
    return paths


def long(folder: Path, seconds: float) -> Path:
    """One made clip over and over, at least once, its packets copied: at most so long."""
    content = films.film(Clip.parse("01-01-03-01-01-01-05"), height=720)
    path = folder / f"{seconds:g}.mp4"
    step = 0
    with av.open(str(path), "w") as out:
        target: Any = None
        count = written = 0
        while not written or written + count <= seconds * 30000 / 1001:
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
        what = "the publisher's clips" if args.source else "made clips"
        print(f"| CPU time from .mp4 to disk, {what} | clips | beside bare decoding | beside the plain loop |")
        print("|---|---|---|---|")
        times = least(paths, args.rounds)
        kinds = {path: thinned(path) for path in paths}
        for chosen, kind in ((True, "some pictures no reference"), (False, "all are references"), (None, "all")):
            some = [path for path in paths if chosen is None or kinds[path] is chosen]
            if some and (chosen is not None or len(set(kinds.values())) > 1):
                table({side: sum(of_clip[path] for path in some) for side, of_clip in times.items()}, kind, len(some))
        print()
        print("| peak memory, MiB | " + " | ".join(f"{seconds} s" for seconds in SECONDS) + " |")
        print("|---|" + "---|" * len(SECONDS))
        clips = [long(folder, seconds) for seconds in SECONDS]
        for name in ("face_96", "frames_256"):
            print(f"| `{name}` | " + " | ".join(f"{peak(path, name):.0f}" for path in clips) + " |", flush=True)


if __name__ == "__main__":
    main()
