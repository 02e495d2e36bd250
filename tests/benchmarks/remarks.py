"""How often a remark is made of speech (a false alarm), and of sounds that are none (a hit).

The speech is each actor's in turn, measured by what was learnt from the other actors: for "far" the spread of their
features, and the distance that is usual among them; and for "like music", beside the threshold as it is, one chosen on
them (the share of soft frames that 1 % of their clips lie below).

    python tests/benchmarks/remarks.py --store store
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravdess.corpora import read_bytes
from ravdess.features import feature_set
from ravdess.novelty import distances, usual
from ravdess.predict import remarks
from ravdess.scaling import Standardiser
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
        return np.asarray(np.sum(parts, axis=0))

    def notes(length: float, decay: float) -> NDArray[np.float64]:
        at = t % length
        roots = rng.choice([110, 131, 147, 165, 196, 220], size=int(SECONDS / length) + 1)
        tune = np.array([chord(root, t) for root in np.unique(roots)])
        which = np.searchsorted(np.unique(roots), roots)[(t / length).astype(int)]
        swell = np.minimum(at / 0.02, 1) * np.exp(-at * decay)
        return np.asarray(tune[which, np.arange(len(t))] * swell)

    def loud(y: NDArray[Any], db: float = -20.0) -> Wave:
        return np.asarray(y / np.sqrt(np.mean(np.square(y))) * 10 ** (db / 20), dtype=np.float32)

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
    parser.add_argument("--features", default="voice_stats", help="by which distances are measured")
    args = parser.parse_args()
    one = feature_set(args.features)
    table = Store(args.store).features(one.name)
    table = table[table["channel"] == "speech"]
    X, actors = table[list(one.columns)].to_numpy(np.float32), table["actor"].to_numpy()
    # As `jobs/predict.py` asks: whole files.
    waves = [read(read_bytes(source), name=source) for source in table["source"]]
    soft = np.array([remarks.soft(y, sr) for y, sr in waves])
    silent = np.array([bool(remarks.silence(y, sr)) for y, sr in waves])
    chosen, far, limits = np.empty(len(soft), bool), np.empty(len(soft), bool), []
    for actor in sorted(set(actors)):
        mine = actors == actor
        limits.append(float(np.quantile(soft[~mine], 0.01)))
        chosen[mine] = soft[mine] < limits[-1]
        scale, limit = Standardiser.fit(X[~mine]), usual(X[~mine], actors[~mine])
        far[mine] = [bool(remarks.far(apart / limit)) for apart in distances(scale.transform(X[mine]))]
    print(f"{len(soft)} clips of speech of {len(set(actors))} actors\n")
    print("| remark | false alarms | actor with most |\n|---|---|---|")
    for name, alarm in (
        ("silence", silent),
        ("like music", soft < remarks.EVEN),
        (f"like music, threshold of other actors ({min(limits):.3f} to {max(limits):.3f})", chosen),
        ("far", far),
    ):
        worst = max(sorted(set(actors)), key=lambda actor: alarm[actors == actor].mean())
        print(f"| {name} | {alarm.mean():.2%} ({alarm.sum()}) | {worst}: {alarm[actors == worst].mean():.1%} |")
    print(f'\n{EACH} of each made sound, {SECONDS:.0f} s; "far" from all actors\n')
    print("| sound | silence | like music | far | any |\n|---|---|---|---|---|")
    heard: dict[str, list[list[bool]]] = {}
    scale, limit = Standardiser.fit(X), usual(X, actors)
    for seed in range(EACH):
        for name, y in sounds(np.random.default_rng(seed)):
            nothing = bool(remarks.silence(y, RATE))
            told = [nothing, not nothing and bool(remarks.music(y, RATE))]
            apart = 0.0 if nothing else float(distances(scale.transform(one.extract(y, RATE)[None]))[0]) / limit
            told.append(bool(remarks.far(apart)))
            heard.setdefault(name, []).append([*told, any(told)])
    for name, all_ in heard.items():
        print(f"| {name} | " + " | ".join(f"{share:.0%}" for share in np.mean(all_, axis=0)) + " |")


if __name__ == "__main__":
    main()
