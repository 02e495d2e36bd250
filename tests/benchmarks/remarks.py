"""How often a remark is made of speech (a false alarm), and of sounds that are none (a hit).

The speech is that of a run's judged actors, each asked about with the model that never heard that actor; "far" is the
distance by that model. For "like music" it is also told what a threshold chosen on the other folds' actors (the share
of soft frames that 1 % of their clips lie below) would have done to the judged ones.

    python tests/benchmarks/remarks.py --store store --run RUN --family svm
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravdess.features import feature_set
from ravdess.novelty import distances
from ravdess.predict import remarks
from ravdess.search.shelf import load_model
from ravdess.sound.read import read
from storage import Store

RATE = 22_050
SECONDS = 4.0
EACH = 20
Wave = NDArray[np.float32]


def sounds(rng: np.random.Generator) -> Iterator[tuple[str, Wave]]:
    """One sound of each kind that is no speech, drawn anew."""
    t = np.arange(round(SECONDS * RATE)) / RATE

    def coloured(slope: float) -> NDArray[np.float64]:
        spectrum = np.fft.rfft(rng.normal(size=len(t)))
        spectrum[1:] *= np.arange(1, len(spectrum)) ** slope
        return np.fft.irfft(spectrum, len(t))

    def chord(root: float, instant: NDArray[np.float64]) -> NDArray[np.float64]:
        pitches = root * 2 ** (np.array([0, rng.choice([3, 4]), 7, 12]) / 12)
        parts = [np.sin(2 * np.pi * pitch * h * instant) / h**1.5 for pitch in pitches for h in range(1, 7)]
        return np.sum(parts, axis=0)

    def notes(length: float, decay: float) -> NDArray[np.float64]:
        at = t % length
        roots = rng.choice([110, 131, 147, 165, 196, 220], size=int(SECONDS / length) + 1)
        tune = np.array([chord(root, t) for root in np.unique(roots)])
        which = np.searchsorted(np.unique(roots), roots)[(t / length).astype(int)]
        swell = np.minimum(at / 0.02, 1) * np.exp(-at * decay)
        return np.asarray(tune[which, np.arange(len(t))] * swell)

    def loud(y: NDArray[Any], db: float = -20.0) -> Wave:
        return (y / np.sqrt(np.mean(np.square(y))) * 10 ** (db / 20)).astype(np.float32)

    yield "white noise", loud(coloured(0.0))
    yield "pink noise", loud(coloured(-0.5))
    yield "brown noise", loud(coloured(-1.0))
    yield "tone", loud(np.sin(2 * np.pi * rng.uniform(80, 2000) * t))
    yield "mains hum", loud(np.sum([np.sin(2 * np.pi * 50 * h * t) / h for h in (1, 2, 3, 5)], axis=0))
    yield "held chord", loud(chord(rng.uniform(90, 250), t))
    yield "organ, 2 chords a second", loud(notes(0.5, 0.0))
    yield "piano, 2 chords a second", loud(notes(0.5, rng.uniform(2, 5)))
    yield (
        "plucked, 4 notes a second, and drums",
        loud(notes(0.25, 10.0)) + loud(coloured(0.0) * np.exp(-30 * (t % 0.5))),
    )
    yield "faint noise of a room, -70 dB", loud(coloured(-0.5), -70)
    yield "digital silence", np.zeros(len(t), np.float32)


def main() -> None:
    """Measure, and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="store")
    parser.add_argument("--run", required=True, help="a finished, plain run on a feature set of sound")
    parser.add_argument("--family", default="svm")
    args = parser.parse_args()
    store = Store(args.store)
    said = store.folder(f"runs/{args.run}").read_table("predictions.parquet").to_pandas()
    said = said[said["family"] == args.family]
    models = {fold: load_model(store, f"{args.run}/{args.family}/{fold}") for fold in sorted(set(said["fold"]))}
    one = feature_set(next(iter(models.values())).features)
    table = store.features(one.name).set_index("take").loc[said["take"]]
    X, fold = table[list(one.columns)].to_numpy(np.float32), said["fold"].to_numpy()
    # As `jobs/predict.py` asks: whole files.
    waves = [read(Path(source)) for source in table["source"]]
    soft = np.array([remarks.soft(y, sr) for y, sr in waves])
    silent = np.array([bool(remarks.silence(y, sr)) for y, sr in waves])
    far = np.array([_far(models[where], row) for where, row in zip(fold, X, strict=True)])
    chosen, limits = np.empty(len(soft), bool), []
    for where in models:
        limits.append(float(np.quantile(soft[fold != where], 0.01)))
        chosen[fold == where] = soft[fold == where] < limits[-1]
    actors = said["actor"].to_numpy()
    print(f"{len(soft)} clips of {len(set(actors))} actors whom the model asked never heard\n")
    print("| remark | false alarms | actor with most |\n|---|---|---|")
    for name, alarm in (
        ("silence", silent),
        ("like music", soft < remarks.EVEN),
        (f"like music, threshold of other actors ({min(limits):.3f} to {max(limits):.3f})", chosen),
        ("far", far),
    ):
        worst = max(sorted(set(actors)), key=lambda actor: alarm[actors == actor].mean())
        print(f"| {name} | {alarm.mean():.2%} ({alarm.sum()}) | {worst}: {alarm[actors == worst].mean():.1%} |")
    print(f"\n{EACH} of each made sound, {SECONDS:.0f} s; the model of {next(iter(models))}\n")
    print("| sound | silence | like music | far | any |\n|---|---|---|---|---|")
    heard: dict[str, list[list[bool]]] = {}
    bundle = next(iter(models.values()))
    for seed in range(EACH):
        for name, y in sounds(np.random.default_rng(seed)):
            nothing = bool(remarks.silence(y, RATE))
            told = [nothing, not nothing and bool(remarks.music(y, RATE))]
            told.append(not nothing and _far(bundle, one.extract(y, RATE)))
            heard.setdefault(name, []).append([*told, any(told)])
    for name, all_ in heard.items():
        print(f"| {name} | " + " | ".join(f"{share:.0%}" for share in np.mean(all_, axis=0)) + " |")


def _far(bundle: Any, row: NDArray[np.float32]) -> bool:
    standardised = bundle.standardise(np.asarray(row)[None], enrolment=None)
    return bool(remarks.far(float(distances(standardised)[0]) / bundle.usual))


if __name__ == "__main__":
    main()
