"""Functionals: what is said of a track of numbers over time, each in the track's own unit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

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
    count, size = tracks.shape
    said = np.empty((count, len(statistics)), np.float32)
    mean = np.add.reduce(tracks, axis=1) / np.float32(size)
    for at, statistic in enumerate(statistics):
        if statistic == "mean":
            said[:, at] = mean
        elif statistic == "std":
            away = tracks - mean[:, np.newaxis]
            said[:, at] = np.sqrt(np.einsum("ct,ct->c", away, away) / np.float32(size))
        elif statistic == "trend":
            said[:, at] = np.einsum("ct,t->c", tracks, _line(size))
    places = _places(tuple(statistics), size)
    if len(places.share):
        ordered = tracks.copy()
        ordered.sort(axis=1)
        centiles = ordered.take(places.below, axis=1)
        rest = ordered.take(places.above, axis=1)
        rest -= centiles
        rest *= places.share
        centiles += rest
        said[:, places.columns] = centiles
    return said.ravel()


def describe_groups(groups: Sequence[tuple[Floats, Sequence[str]]]) -> list[Floats]:
    """`describe` of each group of tracks, all of one length: in one go, since calls cost more than numbers.

    Parameters
    ----------
    groups : sequence of (np.ndarray [shape=(c, t)], statistics)

    Returns
    -------
    list of np.ndarray [shape=(c * len(statistics),), dtype=float32]
    """
    wanted = tuple(dict.fromkeys(statistic for _, statistics in groups for statistic in statistics))
    said = describe(np.concatenate([tracks for tracks, _ in groups]), wanted).reshape(-1, len(wanted))
    parted, first = [], 0
    for tracks, statistics in groups:
        columns = [wanted.index(statistic) for statistic in statistics]
        parted.append(said[first : first + len(tracks), columns].ravel())
        first += len(tracks)
    return parted


def names(tracks: Sequence[str], statistics: Sequence[str]) -> tuple[str, ...]:
    """The columns of `describe`: "pitch_mean", "pitch_std", ..."""
    return tuple(f"{track}_{statistic}" for track in tracks for statistic in statistics)


class _Places(NamedTuple):
    """Where the percentiles among `statistics` lie among the values in order."""

    columns: slice | list[int]
    below: NDArray[np.intp]
    above: NDArray[np.intp]
    share: Floats


@lru_cache(maxsize=4096)
def _places(statistics: tuple[str, ...], size: int) -> _Places:
    columns = [at for at, statistic in enumerate(statistics) if statistic[0] == "p"]
    place = np.array([int(statistics[at][1:]) / 100 * (size - 1) for at in columns])
    below = place.astype(np.intp)
    share = (place - below).astype(np.float32)
    adjacent = columns == list(range(columns[0], columns[0] + len(columns))) if columns else False
    at = slice(columns[0], columns[-1] + 1) if adjacent else columns
    return _Places(at, below, np.minimum(below + 1, size - 1), share)


@lru_cache(maxsize=256)
def _line(size: int) -> Floats:
    """Weights by which values add up to the rise of the line fitted to them; zeros for a single one."""
    time = np.linspace(-0.5, 0.5, size, dtype=np.float32) if size > 1 else np.zeros(1, np.float32)
    weights: Floats = time / np.float32(max(float(time @ time), 1e-30))
    return weights


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
    starts, sizes = _equal_parts(tracks.shape[1], count)
    means: Floats = np.add.reduceat(tracks, starts, axis=1)
    means /= sizes
    return means


@lru_cache(maxsize=1024)
def _equal_parts(size: int, count: int) -> tuple[NDArray[np.intp], Floats]:
    edges = np.arange(count + 1) * size // count
    return edges[:-1], np.diff(edges).astype(np.float32)
