"""A job killed again and again, beside one that nobody disturbed; and five damaged files among whole ones.

    python tests/benchmarks/kills.py --source DIR                                     ten kills, `mfcc_stats`
    python tests/benchmarks/kills.py --source DIR --features face_48,frames_256       mp4 files

The first run is left alone and its time is taken (of later ones that end, the shortest). Then the same job runs on
another store and is killed (SIGKILL, with all its processes) at random moments of that time, so that some kills hit its
start, some its middle and some its end; the table is read in between, as plain pandas reads it. Where it was quicker
than its killer the store is compared and a new one begun. At last the job runs to its end beside five damaged files.
All stores must hold the same rows and the same shards.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

JOB = Path(__file__).parents[2] / "jobs" / "featurize.py"


def command(source: Path, store: Path, features: str) -> list[str]:
    """The job."""
    return [sys.executable, str(JOB), "--source", str(source), "--store", str(store), "--features", features, "--json"]


def table(store: Path, name: str) -> pd.DataFrame:
    """A set's rows, or its index of frames, by take; empty where there is none yet."""
    for kind in ("features", "frames"):
        if any((store / kind / name).glob("*.parquet")):
            rows = pd.read_parquet(store / kind / name)
            return rows.sort_values("take", ignore_index=True).drop(columns="source", errors="ignore")
    return pd.DataFrame({"take": []})


def checksums(store: Path, name: str) -> dict[str, int]:
    """CRC-32 of every shard that the index of frames names."""
    index = table(store, name)
    names = sorted(set(index["shard"])) if "shard" in index else []
    return {one: zlib.crc32((store / "frames" / name / "_shards" / one).read_bytes()) for one in names}


def same(one: Path, other: Path, names: list[str]) -> bool:
    """Whether two stores hold the same rows and shards of those sets."""
    return all(
        table(one, name).equals(table(other, name)) and checksums(one, name) == checksums(other, name) for name in names
    )


def killed(job: list[str], after: float) -> bool:
    """Start the job and kill it and its processes after so many seconds; False where it had ended by then."""
    process = subprocess.Popen(job, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def damage(source: Path) -> set[str]:
    """Put five damaged files into a folder of clips; their names."""
    whole = sorted(path for path in source.rglob("*-*.*") if path.is_file())[0]
    suffix, data = whole.suffix, whole.read_bytes()
    first = "01" if suffix == ".mp4" else "03"
    files = {
        f"{first}-01-02-01-01-01-24{suffix}": data[: len(data) // 3],
        f"{first}-01-02-01-01-02-24{suffix}": b"",
        f"{first}-01-02-01-02-01-24{suffix}": b"Some text, neither sound nor picture.\n" * 40,
        f"my favourite{suffix}": data,
    }
    for name, content in files.items():
        (source / name).write_bytes(content)
    (source / (folder := f"{first}-01-02-01-02-02-24{suffix}")).mkdir()
    return {*files, folder}


def main() -> int:
    """Print what came of it; 1 where the two stores differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="a folder of clips; it is copied, not changed")
    parser.add_argument("--features", default="mfcc_stats")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    names, chance = args.features.split(","), random.Random(args.seed)
    with tempfile.TemporaryDirectory() as top:
        source, quiet, broken = (Path(top) / name for name in ("clips", "quiet", "broken"))
        shutil.copytree(args.source.expanduser(), source)
        began = time.monotonic()
        subprocess.run(
            command(source, quiet, args.features), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        took = time.monotonic() - began
        job, hits, equal = command(source, broken, args.features), 0, True
        print("| after, of an undisturbed run | rows by then | |\n|---|---|---|")
        while hits < args.kills:
            after = chance.uniform(0.02, 0.98)
            began = time.monotonic()
            hit = killed(job, after * took)
            takes = {name: table(broken, name)["take"] for name in names}
            assert all(one.is_unique for one in takes.values()), "a take stands twice"
            rows = ", ".join(str(len(one)) for one in takes.values())
            print(f"| {after:.0%} | {rows} | {'killed' if hit else 'had ended: a new store'} |", flush=True)
            hits += hit
            if not hit:
                took = min(took, time.monotonic() - began)
                equal &= same(quiet, broken, names)
                shutil.rmtree(broken)
        bad = damage(source)
        ended = subprocess.run(job, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        summary: dict[str, Any] = json.loads(ended.stdout)
        named = {Path(reject["source"]).name for reject in summary["rejects"] if reject["reason"]}
        equal &= same(quiet, broken, names)
        rows = ", ".join(f"{len(table(broken, name))} rows of {name}" for name in names)
        print(
            f"\nAfter {hits} kills: {rows}, {sum(len(checksums(broken, name)) for name in names)} shards, "
            f"{'the same as' if equal else 'NOT the same as'} of an undisturbed run. Of {len(bad)} damaged files "
            f"{len(bad & named)} are named with a reason, exit status {ended.returncode}."
        )
    return 0 if equal and bad <= named and ended.returncode == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
