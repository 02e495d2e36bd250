"""CPU time of the sound features, beside the script that a user would write with librosa.

    python tests/benchmarks/sound_cpu.py                 on generated clips
    python tests/benchmarks/sound_cpu.py --source DIR    on the .wav files under DIR
    python tests/benchmarks/sound_cpu.py --opensmile ENV/bin/python

The last one measures openSMILE's eGeMAPSv02 too, by a Python that has it (`python -m venv ENV` and
`ENV/bin/pip install opensmile`); it is no dependency of this project.

Both sides go from a .wav file to numbers, on one thread, in one process, in turns; the CPU time of the process is
taken, so that others on the machine disturb little. A ratio is that of a round's sums; the table holds the median
of the rounds, and their range. Both sides are warm: what importing costs is not part of it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravdess.features import feature_set
from ravdess.sound.read import read, resample

Floats = NDArray[np.float32]
SR = 22_050
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def plain(path: Path) -> Floats:
    """What a user would write: the same 120 numbers."""
    import librosa

    y, sr = librosa.load(path)
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=13)
    tracks = np.concatenate(
        [mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2), librosa.feature.rms(y=y)]
    )
    return np.stack([tracks.mean(axis=1), tracks.min(axis=1), tracks.max(axis=1)], axis=1).ravel()


def floor(path: Path) -> Floats:
    """Reading and resampling, which nothing here can avoid."""
    return resample(*read(path.read_bytes()), SR)


def mfcc_stats(path: Path) -> Floats:
    return feature_set("mfcc_stats").extract(*read(path.read_bytes()))


def both_sets(path: Path) -> Floats:
    y = floor(path)
    return np.concatenate([feature_set(name).extract(y, SR) for name in ("mfcc_stats", "spectral_stats")])


def voice_stats(path: Path) -> Floats:
    return feature_set("voice_stats").extract(*read(path.read_bytes()))


OURS: dict[str, Callable[[Path], Floats]] = {
    "`mfcc_stats`": mfcc_stats,
    "of which reading and resampling": floor,
    "`mfcc_stats` and `spectral_stats` (pitch too)": both_sets,
    "`voice_stats`": voice_stats,
}


SMILE = """
import sys, time, opensmile
smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
paths = sys.stdin.readline().rstrip().split("|")
smile.process_file(paths[0])
print(opensmile.__version__, flush=True)
for _ in sys.stdin:
    start = time.process_time()
    for path in paths:
        smile.process_file(path)
    print(time.process_time() - start, flush=True)
"""


class Smile:
    """openSMILE in a process of its own; its CPU time is that process's, all threads included."""

    def __init__(self, python: str, paths: list[Path]) -> None:
        self._child = subprocess.Popen(
            [python, "-c", SMILE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.version = self._ask("|".join(str(path) for path in paths))

    def cpu(self) -> float:
        """Seconds for all clips."""
        return float(self._ask("again"))

    def _ask(self, line: str) -> str:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            return ""
        return self._child.stdout.readline().strip()

    def close(self) -> None:
        self._child.communicate()


def cpu(function: Callable[[Path], object], paths: list[Path]) -> float:
    start = time.process_time()
    for path in paths:
        function(path)
    return time.process_time() - start


def generate(folder: Path, count: int) -> list[Path]:
    """Clips like those of the corpus: 48 kHz, 16 bit, 3 to 5 s."""
    from tests.sound.waves import voice, wav

    paths = [folder / f"{number:03d}.wav" for number in range(count)]
    lengths = np.random.default_rng(0).uniform(3, 5, count)
    for seed, (path, seconds) in enumerate(zip(paths, lengths, strict=True)):
        path.write_bytes(wav(voice(float(seconds), seed=seed), 48_000))
    return paths


def measure(paths: list[Path], rounds: int, what: str) -> None:
    furthest = max(
        float((np.abs(mfcc_stats(path) - (theirs := plain(path))) / (1e-3 + 1e-4 * np.abs(theirs))).max())
        for path in paths
    )
    if furthest > 1:
        raise SystemExit(f"the numbers differ: {furthest:.2f} of rtol 1e-4, atol 1e-3; a ratio would mean nothing")
    for function in OURS.values():
        function(paths[0])
    ratios: dict[str, list[float]] = {name: [] for name in OURS}
    for _ in range(rounds):
        whole = cpu(plain, paths)
        for name, function in OURS.items():
            ratios[name].append(cpu(function, paths) / whole)
    print(
        f"| from .wav to numbers, {what} | CPU time, plain librosa script = 1 | lowest to highest of {rounds} rounds |"
    )
    print("|---|---|---|")
    for name, values in ratios.items():
        print(f"| {name} | {np.median(values):.2f} | {min(values):.2f} to {max(values):.2f} |")
    print(f"\nLargest difference of the 120 numbers: {furthest:.2f} of what rtol 1e-4, atol 1e-3 allows.")


def measure_voice(paths: list[Path], rounds: int, what: str, python: str) -> None:
    """`voice_stats` beside reading and resampling, ours and librosa's, and beside openSMILE."""
    import librosa

    smile = Smile(python, paths)
    sides: dict[str, Callable[[Path], object]] = {
        "reading and resampling": floor,
        "`librosa.load`, which does the same": librosa.load,
        "`voice_stats`, reading included": voice_stats,
    }
    taken: dict[str, list[float]] = {name: [] for name in sides}
    named = f"openSMILE {smile.version}, eGeMAPSv02, `process_file`"
    if smile.version:
        taken[named] = []
    for _ in range(rounds):
        for name, function in sides.items():
            taken[name].append(cpu(function, paths) / len(paths) * 1000)
        if smile.version:
            taken[named].append(smile.cpu() / len(paths) * 1000)
    smile.close()
    least = taken["reading and resampling"]
    print(f"\n| from .wav to numbers, {what} | ms CPU a clip | reading and resampling = 1 | lowest to highest |")
    print("|---|---|---|---|")
    for name, values in taken.items():
        ratios = [value / base for value, base in zip(values, least, strict=True)]
        print(
            f"| {name} | {np.median(values):.2f} | {np.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |"
        )
    if not smile.version:
        print("\nopenSMILE is not measured: this Python has it not. `--opensmile PYTHON` names one that has.")


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU time of the sound features beside a plain librosa script.")
    parser.add_argument("--source", type=Path, help="folder of .wav files, at any depth (default: generated clips)")
    parser.add_argument("--clips", type=int, default=60, help="how many clips, evenly chosen (default 60)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each side has its turn (default 7)")
    parser.add_argument("--opensmile", default=sys.executable, metavar="PYTHON", help="one that has opensmile")
    arguments = parser.parse_args()
    if arguments.source:
        found = sorted(arguments.source.rglob("*.wav"))
        if not found:
            parser.error(f"no .wav file under {arguments.source}")
        paths = found[:: max(1, len(found) // arguments.clips)][: arguments.clips]
        both(paths, f"{len(paths)} real clips", arguments)
    else:
        with tempfile.TemporaryDirectory() as folder:
            both(generate(Path(folder), arguments.clips), f"{arguments.clips} generated clips", arguments)


def both(paths: list[Path], what: str, arguments: argparse.Namespace) -> None:
    measure(paths, arguments.rounds, what)
    measure_voice(paths, arguments.rounds, what, arguments.opensmile)


if __name__ == "__main__":
    if not ONE_THREAD.items() <= os.environ.items():  # must be so before NumPy is loaded: begin anew
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    main()
