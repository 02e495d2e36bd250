"""What one would do otherwise: librosa's own functions over joblib. Run as: python plain.py FOLDER TABLE.parquet."""

from __future__ import annotations

import sys
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
from joblib import Parallel, delayed


def features(path: Path) -> np.ndarray:
    """Mean, least and largest of 13 MFCC, their deltas and delta-deltas, and RMS."""
    y, sr = librosa.load(path)
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=13)
    delta, delta2 = librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)
    tracks = np.concatenate([mfcc, delta, delta2, librosa.feature.rms(y=y)])
    return np.concatenate([tracks.mean(axis=1), tracks.min(axis=1), tracks.max(axis=1)])


if __name__ == "__main__":
    paths = sorted(Path(sys.argv[1]).rglob("*.wav"))
    rows = Parallel(n_jobs=-1)(delayed(features)(path) for path in paths)
    table = pd.DataFrame(np.stack(rows), columns=[f"x{at}" for at in range(120)])
    table.insert(0, "clip", [path.stem for path in paths])
    table.to_parquet(sys.argv[2])
