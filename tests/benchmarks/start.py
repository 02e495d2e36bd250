"""From the start of `jobs/predict.py` to the answer to one clip, by each table family, each time in a fresh process.

Told are the median and the least and most of some rounds, in which the families take turns, and which large libraries
the process had loaded; Ray or TensorFlow among them is an error. Of a store's models, the newest of each family that
hears clips is asked; without --store, models of made voices are (small ones, so what is measured is mostly imports).

    python tests/benchmarks/start.py --store store --clip speech.wav
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
LARGE = ("ray", "tensorflow", "keras", "sklearn", "scipy", "pandas", "pyarrow", "xgboost", "lightgbm", "librosa", "cv2")
NEVER = {"ray", "tensorflow"}
CHILD = f"""
import runpy, sys
sys.argv = ["predict.py", *sys.argv[1:]]
try:
    runpy.run_path({str(ROOT / "jobs" / "predict.py")!r}, run_name="__main__")
finally:
    loaded = {{name.partition(".")[0] for name in sys.modules}}
    print("\\nloaded:", *(name for name in {LARGE!r} if name in loaded), file=sys.stderr)
"""


def made(folder: Path) -> dict[str, Path]:
    """Bundles of made voices, one of each table family; family -> its folder."""
    from ravdess.bundle import Bundle
    from ravdess.clips import EMOTIONS
    from ravdess.corpora import catalogue
    from ravdess.extract import extract
    from ravdess.families import FAMILIES
    from ravdess.features import feature_set
    from ravdess.scaling import Standardiser

    one, clips = feature_set("voice_stats"), catalogue("sample:actors=6,takes=16").clips
    X = np.array([extract(source, [one]).values[0] for source in clips["source"].to_pylist()])
    y = np.array([EMOTIONS[int(name[6:8]) - 1] for name in clips["clip"].to_pylist()])
    scale = Standardiser.fit(X)
    bundles = {}
    for name in [name for name in FAMILIES if FAMILIES[name].input == "table"]:
        bundles[name] = folder / name
        Bundle(
            FAMILIES[name].build({}).fit(scale.transform(X), y), name, {}, one.name, one.fingerprint, one.columns,
            standardiser=scale, corpora=("sample",),
        ).save(bundles[name])  # fmt: skip
    return bundles


def kept(url: str) -> dict[str, str]:
    """The newest plain model of each table family that hears clips; family -> its title."""
    from ravdess.features import FEATURE_SETS
    from ravdess.search.shelf import kept_models
    from storage import Store

    found: dict[str, str] = {}
    for one in kept_models(Store(url)):
        if one.senses.whole and one.features in FEATURE_SETS and not one.enrolled:
            found.setdefault(one.family, one.title)
    return found


def ask(model: Path | str, store: str, clip: Path) -> tuple[float, list[str]]:
    """Seconds until the process has answered and ended, and what it had loaded."""
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(clip), "--model", str(model), "--store", store, "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    seconds = time.perf_counter() - began
    assert json.loads(ran.stdout)["predictions"][0]["probabilities"]
    loaded = ran.stderr.rpartition("loaded:")[2].split()
    return seconds, loaded


def main() -> None:
    """Measure, and print a Markdown table."""
    from ravdess.clips import Clip
    from ravdess.corpora import sample

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", help="whose models to ask (default: models of made voices)")
    parser.add_argument("--clip", type=Path, help="what they are asked about (default: a made voice)")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = args.clip
        if clip is None:
            clip = Path(folder, "clip.wav")
            clip.write_bytes(sample.make(Clip.parse("03-01-05-01-01-01-01")))
        models = kept(args.store) if args.store else made(Path(folder))
        told: dict[str, list[tuple[float, list[str]]]] = {family: [] for family in models}
        for _ in range(args.rounds):
            for family, model in models.items():
                told[family].append(ask(model, args.store or folder, clip))
    print(f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}\n")
    print("| family | start to first answer, s | loaded |\n|---|---|---|")
    for family, rounds in told.items():
        seconds = [one for one, _ in rounds]
        spread = f"{np.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
        print(f"| `{family}` | {spread} | {', '.join(rounds[-1][1])} |")
    if wrong := [family for family, rounds in told.items() if NEVER & set(rounds[-1][1])]:
        sys.exit(f"Ray or TensorFlow is loaded by {wrong} (an mlp that an earlier version kept needs TensorFlow)")


if __name__ == "__main__":
    main()
