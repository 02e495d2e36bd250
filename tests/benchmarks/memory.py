"""Peak memory of the featurize pipeline at 1,000, 10,000 and 100,000 clips, and with short and long films.

    python tests/benchmarks/memory.py --clips 1000 10000 100000
    python tests/benchmarks/memory.py --pictures                    frame sets of films of 3 s, 1 and 10 minutes

Catalogue, driver, commits, Ray Data and workers are the real ones. The clips are files of a fifth of a second, each
of its own content, and what is extracted is one number, so that a hundred thousand take minutes; what is watched is
what grows with their number, not with their length. Counted: resident memory but for the pages that Ray's object store
shares (RssAnon and RssFile of /proc), five times a second, the driver's and the fattest worker's. Libraries count in
each process that maps them, so that no other program on the machine changes the figures.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
SETS = (["face_96"], ["frames_640x360"], ["frames_640x360", "frames_256", "face_96", "face_48"])
"""Frame sets that are made at once."""


def watched(*what: str) -> tuple[float, float]:
    """Peak MiB of the driver and of its fattest worker."""
    folder = Path(tempfile.mkdtemp(prefix="memory"))
    try:
        job = subprocess.Popen([sys.executable, __file__, *what, "--folder", str(folder)], cwd=ROOT)
        driver = worker = 0.0
        while job.poll() is None:
            time.sleep(0.2)
            try:
                process = psutil.Process(job.pid)
                driver = max(driver, resident(process.pid))
                for child in process.children(recursive=True):
                    if child.name().startswith("ray::"):
                        worker = max(worker, resident(child.pid))
            except (psutil.Error, OSError):
                continue
        if job.returncode:
            raise SystemExit(job.returncode)
        return driver, worker
    finally:
        shutil.rmtree(folder)


def resident(process: int) -> float:
    """MiB in memory but for what it shares on purpose."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(("RssAnon", "RssFile"))) / 1024


def one(clips: int, folder: Path) -> None:
    """In a process of its own: make the names, run the pipeline, check the table."""
    from ravdess.corpora import catalogue
    from ravdess.corpora.sample import Options, wav
    from ravdess.features import FEATURE_SETS, FeatureSet
    from ravdess.pipeline import featurize
    from storage import Store

    def compute(y):  # type: ignore[no-untyped-def]  # travels to the workers by value
        import numpy as np

        return np.full(120, np.abs(y).max(), np.float32)

    FEATURE_SETS.register(FeatureSet("simulated", tuple(f"x{at}" for at in range(120)), 22050, compute))
    source = folder / "clips"
    source.mkdir()
    for at, clip in enumerate(islice(Options(actors=99, takes=-(-clips // 99)).clips(), clips)):
        (source / f"{clip.name}.wav").write_bytes(wav((at + 2**20).to_bytes(4, "little") * 800, 8000))
    store = Store(folder / "store")
    featurize(catalogue(source, corpus="sample"), store, ["simulated"])
    if store.table("features/simulated").count() != clips:
        raise SystemExit("rows are missing")


def films(seconds: float, folder: Path, names: list[str]) -> None:
    """In a process of its own: two takes of so many seconds, their frames through the pipeline.

    A set may refuse both for what a take of it may have: of 640x360, none holds ten minutes.
    """
    from ravdess.corpora import catalogue
    from ravdess.pipeline.shards import featurize_frames
    from storage import Store
    from tests.benchmarks.picture_cpu import long

    source = folder / "clips"
    source.mkdir()
    film = long(folder, seconds)
    for repetition in (1, 2):
        (source / f"01-01-03-01-01-{repetition:02d}-05.mp4").symlink_to(film)
    made = featurize_frames(catalogue(source, corpus="ravdess"), Store(folder / "store"), names, time_limit=1200)
    others = [reason for reason in made.rejects["reason"].to_pylist() if "cut the clip first" not in reason]
    if others or any(one.rows not in (0, 2) for one in made.frames.values()):
        raise SystemExit(f"takes are missing: {others}")


def main() -> None:
    """Print Markdown tables of peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--pictures", action="store_true", help="films instead of clips by their number")
    parser.add_argument("--seconds", type=float, nargs="+", default=[3.0, 60.0, 600.0], help="lengths of the films")
    parser.add_argument("--film", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--sets", nargs="+", help="of the films, at once")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one, args.folder)
        return
    if args.film:
        films(args.film, args.folder, args.sets)
        return
    if args.pictures:
        print("| two films of | sets | driver, peak MiB | fattest worker of Ray, peak MiB |")
        print("|---|---|---|---|")
        for names in [args.sets] if args.sets else SETS:
            for seconds in args.seconds:
                driver, worker = watched("--film", str(seconds), "--sets", *names)
                print(f"| {seconds:g} s | `{'`, `'.join(names)}` | {driver:.0f} | {worker:.0f} |", flush=True)
        return
    print("| clips | driver, peak MiB | fattest worker, peak MiB |")
    print("|---|---|---|")
    for clips in args.clips:
        driver, worker = watched("--one", str(clips))
        print(f"| {clips:,} | {driver:.0f} | {worker:.0f} |", flush=True)


if __name__ == "__main__":
    main()
