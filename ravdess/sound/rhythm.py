"""The rhythm of speech: how bands swell and fade (modulation), how syllables, voice and pauses follow each other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

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
    from scipy.fft import rfft

    count, size = tracks.shape
    points = max(512, 1 << (size - 1).bit_length())
    moving = tracks - tracks.mean(axis=1, keepdims=True)
    power = np.abs(rfft(moving * np.hanning(size + 2)[1:-1].astype(np.float32), n=points, axis=1)) ** 2
    hertz = np.arange(power.shape[1]) * (rate / points)
    inside = (hertz >= EDGES[0]) & (hertz < EDGES[-1])
    power, hertz = power[:, inside], hertz[inside]
    total = power.sum(axis=1, keepdims=True) + 1e-9 * size
    shares = np.add.reduceat(power, np.searchsorted(hertz, EDGES[:-1]), axis=1) / total
    said = np.empty((count, len(EDGES) + 1), np.float32)
    said[:, :-2] = 10 * np.log10(np.maximum(shares, 10 ** (LEAST / 10)))
    said[:, -2] = (power @ hertz) / total[:, 0]
    said[:, -1] = tracks.std(axis=1)
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
    smooth = _smooth(level)
    at = syllables(smooth, float(level.max()) - HUSH)
    gaps = np.diff(at) / rate if len(at) > 1 else np.array([seconds])
    stretches, others = runs(voiced) / voiced_rate, runs(~voiced) / voiced_rate
    pauses = runs(level < level.max() - HUSH) / rate
    pauses = pauses[pauses > PAUSE]
    return np.array(
        [
            seconds,
            len(at),
            len(at) / seconds,
            gaps.mean(),
            gaps.std(),
            smooth[at].std() if len(at) else 0,
            voiced.mean(),
            len(stretches) / seconds,
            *_mean_std_max(stretches),
            *_mean_std_max(others),
            len(pauses) / seconds,
            *_mean_std_max(pauses)[::2],
            pauses.sum() / seconds,
        ],
        np.float32,
    )


def syllables(level: Floats, least: float) -> list[int]:
    """Frames of the peaks of `level` above `least` dB between which it falls by `DIP` dB or more."""
    rising = np.diff(level, prepend=-np.inf, append=-np.inf) > 0
    kept: list[int] = []
    for here in np.flatnonzero(rising[:-1] & ~rising[1:]).tolist():
        if kept and min(level[here], level[kept[-1]]) - level[kept[-1] : here].min() < DIP:
            if level[here] > level[kept[-1]]:
                kept[-1] = here
        elif level[here] > least:
            kept.append(here)
    return kept


def runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The lengths of the stretches of True."""
    turns = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return turns[1::2] - turns[::2]


def _mean_std_max(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values.mean()), float(values.std()), float(values.max())) if len(values) else (0.0, 0.0, 0.0)


def _smooth(level: Floats) -> Floats:
    weights = np.hanning(SMOOTH + 2)[1:-1]
    padded = np.pad(np.maximum(level, level.max() - 30), SMOOTH // 2, mode="edge")
    return np.convolve(padded, weights / weights.sum(), "valid").astype(np.float32)
