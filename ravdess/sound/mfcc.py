"""`mfcc_stats`: timbre. 13 MFCC, their deltas and delta-deltas, and RMS, each as its mean, min and max over frames.

The numbers are those of librosa's own functions at default settings, on `librosa.load(path)`::

    m = librosa.feature.mfcc(y=y, sr=22050, n_mfcc=13)
    librosa.feature.delta(m), librosa.feature.delta(m, order=2), librosa.feature.rms(y=y)

They are made without librosa, whose import costs every worker seconds, and for a fraction of its time: a mel filter
is mostly zeros, so neighbours are made from the few bins that they weigh, and a delta is nine fixed weights.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.features import FEATURE_SETS, FeatureSet
from ravdess.sound import frames, transform
from ravdess.sound.products import Banded, banded, product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

COEFFICIENTS: Final = 13
MELS: Final = 128
AMIN: Final = 1e-10
"""Power below which a band is taken as this."""
TOP_DB: Final = 80.0
"""A band is never more than this many dB below the clip's loudest one."""

WIDTH: Final = 9
"""Frames that a delta looks at."""
_DELTA: Final = np.arange(-4, 5) / 60
_DELTA2: Final = np.array([28, 7, -8, -17, -20, -17, -8, 7, 28]) / 462
"""First derivative of the line, and second of the parabola, fitted to nine frames by least squares."""


def mfcc(y: Floats) -> Floats:
    """Mel-frequency cepstral coefficients.

    ::

        L[m, t] = 10 log10 max(1e-10, sum_k mel[m, k] |X[k, t]|²), not below max(L) - 80
        C[c, t] = orthonormal DCT-II of L[:, t], c = 0 ... 12

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono samples at 22,050 Hz, -1 ... 1.

    Returns
    -------
    np.ndarray [shape=(13, t), dtype=float32]
        The first row is loudness; all rows in dB times the DCT's scale.

    Notes
    -----
    Davis and Mermelstein (1980), doi 10.1109/TASSP.1980.1163420, as librosa.feature.mfcc has it.
    """
    bands = np.empty((MELS, frames.count(y)), np.float32)
    for at, power in frames.power_blocks(y):
        bands[:, at] = mel_filters().of(power)
    decibels = transform.decibels(np.maximum(bands, np.float32(AMIN), out=bands))
    np.maximum(decibels, decibels.max() - np.float32(TOP_DB), out=decibels)
    return product(transform.dct_rows(COEFFICIENTS, MELS), decibels)


def deltas(tracks: Floats) -> Floats:
    """First and second derivative of each track where all nine frames are there.

    `librosa.feature.delta` fits the nine first and nine last frames once and reads its derivative at each of the
    four outer ones. The derivative of a line, like the second one of a parabola, is the same everywhere: the outer
    four repeat the value next to them, and need not be stored.

    Parameters
    ----------
    tracks : np.ndarray [shape=(c, t)], t >= 9

    Returns
    -------
    np.ndarray [shape=(2, c, t - 8), dtype=float32]
        Change a frame, and change of that a frame; centred on frames 4 ... t - 5.

    Notes
    -----
    Savitzky and Golay (1964), doi 10.1021/ac60214a047.
    """
    size = tracks.shape[1] - WIDTH + 1
    _, *after = (tracks[:, 4 + k : 4 + k + size] for k in range(5))
    here, *before = (tracks[:, 4 - k : 4 - k + size] for k in range(5))
    both = [earlier + later for earlier, later in zip(before, after, strict=True)]
    slope = sum(k * (later - earlier) for k, earlier, later in zip((1, 2, 3, 4), before, after, strict=True)) / 60
    curve = (28 * both[3] + 7 * both[2] - 8 * both[1] - 17 * both[0] - 20 * here) / 462
    return np.stack([slope, curve])


@cache
def mel_filters() -> Banded:
    """The `triangles`, ready for use."""
    return banded(triangles())


def triangles() -> NDArray[np.float64]:
    """The mel filter bank [shape=(128, 1025)], 2018 of its numbers not zero.

    Triangles between 130 points evenly spaced in mel from 0 to 11,025 Hz, each of unit area over frequency;
    equal to ``librosa.filters.mel(sr=22050, n_fft=2048)``.

    Notes
    -----
    Slaney (1998), Auditory Toolbox, Interval Research technical report 1998-010: linear below 1 kHz
    (3 mel in 200 Hz), logarithmic above (27 mel a factor of 6.4).
    """
    straight, step = 1000.0, np.log(6.4) / 27
    top = 3 * straight / 200 + np.log(frames.SAMPLE_RATE / 2 / straight) / step
    mels = np.linspace(0, top, MELS + 2)
    points = np.where(mels < 15, mels * 200 / 3, straight * np.exp(step * (mels - 15)))
    bins = np.linspace(0, frames.SAMPLE_RATE / 2, frames.BINS)
    low, centre, high = (points[i : MELS + i, np.newaxis] for i in range(3))
    heights = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    areas: NDArray[np.float64] = heights * 2 / (high - low)
    return areas


def _stats(y: Floats) -> Floats:
    """The 120 numbers of `mfcc_stats`: each track's mean, min and max."""
    cepstra, energy = mfcc(y), frames.rms(y)
    derivatives = deltas(cepstra).reshape(2 * COEFFICIENTS, -1)
    numbers = np.empty((3 * COEFFICIENTS + 1, 3), np.float32)
    rows = (slice(0, COEFFICIENTS), slice(COEFFICIENTS, -1), slice(-1, None))
    for row, track in zip(rows, (cepstra, derivatives, energy[np.newaxis]), strict=True):
        track.mean(axis=1, out=numbers[row, 0])
        track.min(axis=1, out=numbers[row, 1])
        track.max(axis=1, out=numbers[row, 2])
    outer = (WIDTH // 2) * (derivatives[:, 0] + derivatives[:, -1])
    numbers[rows[1], 0] = (derivatives.sum(axis=1) + outer) / np.float32(cepstra.shape[1])
    return numbers.ravel()


_TRACKS: Final = (
    *(f"mfcc_{number:02d}{order}" for order in ("", "_delta", "_delta2") for number in range(1, COEFFICIENTS + 1)),
    "rms",
)

FEATURE_SETS.register(
    FeatureSet(
        name="mfcc_stats",
        columns=tuple(f"{track}_{statistic}" for track in _TRACKS for statistic in ("mean", "min", "max")),
        sample_rate=frames.SAMPLE_RATE,
        compute=_stats,
        parameters={
            **frames.PARAMETERS,
            "n_mfcc": COEFFICIENTS,
            "dct": "II, ortho",
            "n_mels": MELS,
            "mel": "slaney",
            "mel_norm": "slaney",
            "fmin": 0,
            "fmax": frames.SAMPLE_RATE / 2,
            "power": 2,
            "amin": AMIN,
            "top_db": TOP_DB,
            "delta_width": WIDTH,
            "delta_edges": "interp",
        },
        units={"mfcc": "dB (DCT-II, orthonormal); _delta a frame, _delta2 a frame squared", "rms": "full scale = 1"},
        source="librosa 0.11: feature.mfcc, feature.delta, feature.rms",
    )
)
