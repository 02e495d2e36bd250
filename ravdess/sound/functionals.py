"""Functionals: what is said of a track of numbers over time, each in the track's own unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def describe(tracks: Floats, statistics: Sequence[str]) -> Floats:
    """Say the same of every track.

    Parameters
    ----------
    tracks : np.ndarray [shape=(c, t)], t >= 1
    statistics : sequence of str
        "mean"; "std", the standard deviation; "trend", the rise from the first to the last frame of the line fitted by
        least squares; "pNN", a percentile, read off between the two nearest values as numpy.percentile does.

    Returns
    -------
    np.ndarray [shape=(c * len(statistics),), dtype=float32]
        Track by track, in the order of `names`.
    """
    ordered = np.sort(tracks, axis=1) if any(one[0] == "p" for one in statistics) else tracks
    columns = [_one(tracks, ordered, statistic) for statistic in statistics]
    return np.stack(columns, axis=1).ravel().astype(np.float32)


def names(tracks: Sequence[str], statistics: Sequence[str]) -> tuple[str, ...]:
    """The columns of `describe`: "pitch_mean", "pitch_std", ..."""
    return tuple(f"{track}_{statistic}" for track in tracks for statistic in statistics)


def _one(tracks: Floats, ordered: Floats, statistic: str) -> Floats:
    size = tracks.shape[1]
    if statistic == "mean":
        mean: Floats = tracks.mean(axis=1)
        return mean
    if statistic == "std":
        std: Floats = tracks.std(axis=1)
        return std
    if statistic == "trend":
        if size < 2:
            return np.zeros(len(tracks), np.float32)
        time = np.linspace(-0.5, 0.5, size, dtype=np.float32)
        trend: Floats = tracks @ (time / (time @ time))
        return trend
    place = int(statistic[1:]) / 100 * (size - 1)
    below = int(place)
    above, share = min(below + 1, size - 1), np.float32(place - below)
    centile: Floats = ordered[:, below] + share * (ordered[:, above] - ordered[:, below])
    return centile


def change(tracks: Floats, rate: float) -> Floats:
    """Slope of the line fitted to five frames around each frame.

    Parameters
    ----------
    tracks : np.ndarray [shape=(c, t)], t >= 5
    rate : float > 0
        Frames a second.

    Returns
    -------
    np.ndarray [shape=(c, t - 4)]
        The tracks' unit a second.

    Notes
    -----
    Furui (1986), doi 10.1109/TASSP.1986.1164788.
    """
    far, near = tracks[:, 4:] - tracks[:, :-4], tracks[:, 3:-1] - tracks[:, 1:-3]
    slope: Floats = (2 * far + near) * np.float32(rate / 10)
    return slope


def parts(tracks: Floats, count: int) -> Floats:
    """The mean of each track over each of `count` equal parts of its time [shape=(c, count)]; t >= count."""
    edges = np.arange(count) * tracks.shape[1] // count
    sizes = np.diff(edges, append=tracks.shape[1])
    means: Floats = np.add.reduceat(tracks, edges, axis=1) / sizes.astype(np.float32)
    return means
