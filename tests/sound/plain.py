"""The same numbers by librosa's own functions: what every feature here is held against."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from tests.sound.waves import SR, Floats


def load(source: str | PathLike[str]) -> Floats:
    import librosa

    y, _ = librosa.load(source)
    return np.asarray(y)


def mfcc_stats(y: Floats) -> Floats:
    from librosa import feature

    mfcc = feature.mfcc(y=y, sr=SR, n_mfcc=13)
    tracks = np.concatenate([mfcc, feature.delta(mfcc), feature.delta(mfcc, order=2), feature.rms(y=y)])
    return _rows(tracks.mean(axis=1), tracks.min(axis=1), tracks.max(axis=1))


def spectral_stats(y: Floats) -> Floats:
    """All but pitch, which librosa tracks in another way."""
    from librosa import feature

    functions: list[Any] = [
        feature.zero_crossing_rate,
        feature.spectral_centroid,
        feature.spectral_rolloff,
        feature.rms,
    ]
    tracks = np.concatenate([function(y=y) for function in functions])
    return _rows(tracks.mean(axis=1), tracks.std(axis=1), tracks.min(axis=1), tracks.max(axis=1))


def _rows(*statistics: Floats) -> Floats:
    return np.stack(statistics, axis=1).ravel()
