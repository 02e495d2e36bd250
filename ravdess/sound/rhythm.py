"""The rhythm of speech: how bands swell and fade (modulation), how syllables, voice and pauses follow each other."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.sound import transform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

EDGES: Final = (1, 2, 3, 5, 8, 12, 20, 32)
"""Hz of the modulation bands; syllables come four or five a second."""
LEAST: Final = -30.0
"""dB; a modulation band of less than this share is taken as this."""
DIP: Final = 2.0
"""dB by which level must fall between two syllables."""
HUSH: Final = 25.0
"""dB below the loudest frame: what is quieter is no syllable, and a pause when it lasts ..."""
PAUSE: Final = 0.05
"""... seconds."""
SMOOTH: Final = 9
"""Frames (0.1 s) over which level is smoothed for counting syllables."""

PARAMETERS: Final = {
    "modulation_edges_hz": list(EDGES),
    "modulation_least_db": LEAST,
    "syllable_dip_db": DIP,
    "hush_db": HUSH,
    "pause_s": PAUSE,
    "syllable_smooth": SMOOTH,
}
"""What fixes the numbers."""

_MODULATION = "modulation spectrum: Houtgast & Steeneken 1985, doi 10.1121/1.392224"
_RUNS = "durations as in eGeMAPS: Eyben et al. 2016, doi 10.1109/TAFFC.2015.2457417"
_PEAKS = "syllables as peaks of level: de Jong & Wempe 2009, doi 10.3758/BRM.41.2.385"
TEMPO: Final = {
    "spoken_seconds": ("s", "the part of `ravdess.sound.spoken`"),
    "syllable_count": ("peaks of level", _PEAKS),
    "syllable_rate": ("a second", _PEAKS),
    "syllable_gap_mean": ("s", _PEAKS),
    "syllable_gap_std": ("s", _PEAKS),
    "syllable_level_std": ("dB", _PEAKS),
    "voiced_share": ("share of frames, 0 to 1", _RUNS),
    "voiced_rate": ("stretches a second", _RUNS),
    "voiced_seconds_mean": ("s a stretch", _RUNS),
    "voiced_seconds_std": ("s a stretch", _RUNS),
    "voiced_seconds_max": ("s a stretch", _RUNS),
    "unvoiced_seconds_mean": ("s a stretch", _RUNS),
    "unvoiced_seconds_std": ("s a stretch", _RUNS),
    "unvoiced_seconds_max": ("s a stretch", _RUNS),
    "pause_rate": ("a second", _RUNS),
    "pause_seconds_mean": ("s a pause; 0 when there is none", _RUNS),
    "pause_seconds_max": ("s a pause; 0 when there is none", _RUNS),
    "pause_share": ("share of the part's time, 0 to 1", _RUNS),
}
"""Column -> unit and source, in the order of `tempo`."""


def modulation_columns(track: str) -> dict[str, tuple[str, str]]:
    """Column -> unit and source of one track of `modulation`, in its order."""
    shares = {
        f"modulation_{low}_{high}hz_of_{track}": ("dB, share of the power from 1 to 32 Hz", _MODULATION)
        for low, high in pairwise(EDGES)
    }
    return {
        **shares,
        f"modulation_centroid_of_{track}": ("Hz", _MODULATION),
        f"modulation_depth_of_{track}": ("dB", _MODULATION),
    }


def modulation(tracks: Floats, rate: float) -> Floats:
    """How quickly and how deeply tracks swell and fade.

    Parameters
    ----------
    tracks : np.ndarray [shape=(c, t)]
        Levels of bands in dB.
    rate : float > 64
        Frames a second.

    Returns
    -------
    np.ndarray [shape=(c * 9,), dtype=float32]
        Track by track: the share in dB of each band of `EDGES` in the power of the Hann-windowed track from 1 to
        32 Hz; the mean frequency of that power in Hz; the track's standard deviation in dB. A track that never
        changes has shares of `LEAST`, and 0 twice.
    """
    count, size = tracks.shape
    moving = tracks - np.add.reduce(tracks, axis=1, keepdims=True) / np.float32(size)
    points, bins, starts, hertz = _bins(size, rate)
    longer = np.zeros((count, points), np.float32)
    np.multiply(moving, _hann(size), out=longer[:, :size])
    power = transform.power(longer, bins.stop)[:, bins]
    bands = np.add.reduceat(power, starts, axis=1)
    total = bands.sum(axis=1) + 1e-9 * size
    said = np.empty((count, len(EDGES) + 1), np.float32)
    said[:, :-2] = 10 * np.log10(np.maximum(bands / total[:, np.newaxis], 10 ** (LEAST / 10)))
    said[:, -2] = np.einsum("ck,k->c", power, hertz) / total
    said[:, -1] = np.sqrt(np.einsum("ct,ct->c", moving, moving) / np.float32(size))
    return said.ravel()


def tempo(level: Floats, rate: float, voiced: NDArray[np.bool_], voiced_rate: float) -> Floats:
    """How syllables, voiced stretches and pauses follow each other.

    Parameters
    ----------
    level : np.ndarray [shape=(t,)]
        dB of each frame.
    rate : float > 0
        Frames of `level` a second.
    voiced : np.ndarray of bool [shape=(u,)]
    voiced_rate : float > 0
        Frames of `voiced` a second.

    Returns
    -------
    np.ndarray [shape=(len(TEMPO),), dtype=float32]
    """
    seconds = len(level) / rate
    highest = level.max()
    smooth = _smooth(level, highest)
    at = syllables(smooth, float(highest) - HUSH)
    gaps = [(later - earlier) / rate for earlier, later in pairwise(at)] or [seconds]
    stretches, others = ((runs(mask) / voiced_rate).tolist() for mask in (voiced, ~voiced))
    pauses = [pause for pause in (runs(level < highest - HUSH) / rate).tolist() if pause > PAUSE]
    return np.array(
        [
            seconds,
            len(at),
            len(at) / seconds,
            *_mean_std_max(gaps)[:2],
            _mean_std_max(smooth[at].tolist())[1],
            np.count_nonzero(voiced) / len(voiced),
            len(stretches) / seconds,
            *_mean_std_max(stretches),
            *_mean_std_max(others),
            len(pauses) / seconds,
            *_mean_std_max(pauses)[::2],
            sum(pauses) / seconds,
        ],
        np.float32,
    )


def syllables(level: Floats, least: float) -> list[int]:
    """Frames of the peaks of `level` above `least` dB between which it falls by `DIP` dB or more."""
    rising = np.empty(len(level) + 1, np.bool_)
    rising[0], rising[-1] = True, False
    np.greater(level[1:], level[:-1], out=rising[1:-1])
    height: list[float] = level.tolist()  # since a few numbers at a time are looked at
    kept: list[int] = []
    for here in np.flatnonzero(rising[:-1] > rising[1:]).tolist():
        if kept and min(height[here], height[kept[-1]]) - min(height[kept[-1] : here]) < DIP:
            if height[here] > height[kept[-1]]:
                kept[-1] = here
        elif height[here] > least:
            kept.append(here)
    return kept


def runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The lengths of the stretches of True."""
    padded = np.zeros(len(mask) + 2, np.bool_)
    padded[1:-1] = mask
    turns = np.flatnonzero(padded[1:] != padded[:-1])
    return turns[1::2] - turns[::2]


def _mean_std_max(values: list[float]) -> tuple[float, float, float]:
    """Of a handful of numbers, for which NumPy would take longer; zeros for none."""
    if not values:
        return 0.0, 0.0, 0.0
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)), max(values)


def _smooth(level: Floats, highest: np.float32) -> Floats:
    clipped = np.maximum(level, highest - 30)
    ends = np.ones(SMOOTH // 2, np.float32)
    padded = np.concatenate([clipped[0] * ends, clipped, clipped[-1] * ends])
    weights = _hann(SMOOTH).astype(np.float64)
    return np.convolve(padded, weights / weights.sum(), "valid").astype(np.float32)


@lru_cache(maxsize=1024)
def _bins(size: int, rate: float) -> tuple[int, slice, NDArray[np.intp], NDArray[np.float64]]:
    """How long the transform of so many frames is, which of its bins are told of, where bands begin among them; Hz."""
    points = max(512, 1 << (size - 1).bit_length())
    edges = np.ceil(np.array(EDGES) * points / rate).astype(np.intp)
    return points, slice(edges[0], edges[-1]), edges[:-1] - edges[0], np.arange(edges[0], edges[-1]) * (rate / points)


@lru_cache(maxsize=1024)
def _hann(size: int) -> Floats:
    """The symmetric Hann window without its zeros at both ends."""
    return np.hanning(size + 2)[1:-1].astype(np.float32)
