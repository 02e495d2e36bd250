"""Wall time of the featurize job, Ray's start included, beside a plain joblib script over librosa.

    python tests/benchmarks/wall.py --clips 1200 7200 --repeat 3

Both are whole processes, run in turn on the same files of the made corpus; the ratio is taken pair by pair.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from ravdess.corpora import sample

HERE = Path(__file__).parent
JOB = HERE.parents[1] / "jobs" / "featurize.py"


def seconds(*command: str | Path) -> float:
    """Wall time of a whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True)
    return time.perf_counter() - began


def compare(clips: int, repeat: int, folder: Path) -> list[float]:
    """Ratio ours / plain, pair by pair."""
    source = folder / f"clips-{clips}"
    sample.write(source, actors=24, takes=clips // 24)
    ratios = []
    for run in range(repeat):
        store, plain = folder / f"store-{clips}-{run}", folder / f"plain-{clips}.parquet"
        ours = seconds(JOB, "--source", source, "--store", store)
        theirs = seconds(HERE / "plain.py", source, plain)
        rows = len(pd.read_parquet(store / "features" / "mfcc_stats")), len(pd.read_parquet(plain))
        if rows != (clips, clips):
            raise SystemExit(f"expected {clips} rows from both, got {rows}")
        ratios.append(ours / theirs)
        print(f"{clips} clips, pair {run + 1}: {ours:.1f} s / {theirs:.1f} s = {ours / theirs:.2f}", file=sys.stderr)
    return ratios


def main() -> None:
    """Print a Markdown table of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1200, 7200])
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wall"))
    try:
        print("| featurize beside joblib + librosa | wall time, median (least to most) |")
        print("|---|---|")
        for clips in args.clips:
            ratios = compare(clips, args.repeat, folder)
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"| {clips:,} clips, {os.cpu_count()} cores | {spread} |")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
