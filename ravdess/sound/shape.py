"""The shape of each frame's spectrum: how bright, how steep, how flat, how quickly changing.

Frequencies are told in semitones above 55 Hz, as hearing orders them, and energies in dB. Under every spectrum lies
a floor (see `ravdess.sound.voice`), so silence within speech gives no wild numbers.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.sound import transform
from ravdess.sound.frames import SAMPLE_RATE
from ravdess.sound.products import product
from ravdess.sound.spoken import FRAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BINS: Final = FRAME // 2 + 1
_GROUP: Final = 32
"""Bins of a group: where a sum of bins reaches a share of all is first sought among groups."""
SHARES: Final = (0.25, 0.5, 0.85, 0.95)
"""Of the summed magnitude, below the roll-off frequencies."""
SLOPES: Final = ((50, 500), (500, 1500), (1500, 5000))
FLATS: Final = ((50, 500), (500, 1000), (1000, 2000), (2000, 4000), (4000, 8000), (8000, 11025))
BALANCES: Final = {
    "alpha_ratio": ((1000, 5000), (50, 1000)),
    "high_ratio": ((5000, 11025), (50, 5000)),
    "low_ratio": ((50, 500), (500, 2000)),
}
"""Name -> the band whose energy is set against that of the other band."""
_EDGES: Final = (50, 500, 1000, 1500, 2000, 4000, 5000, 8000, 11025)

EYBEN: Final = "Eyben et al. 2016, eGeMAPS, doi 10.1109/TAFFC.2015.2457417"
TRACKS: Final = {
    "centroid": ("semitones above 55 Hz", "Klapuri & Davy 2007, Signal Processing Methods for Music Transcription"),
    "spread": ("Hz", "Klapuri & Davy 2007, Signal Processing Methods for Music Transcription"),
    **{
        f"rolloff{share * 100:.0f}": ("semitones above 55 Hz", "Scheirer & Slaney 1997, doi 10.1109/ICASSP.1997.596192")
        for share in SHARES
    },
    **{f"slope_{low}_{high}hz": ("dB a kHz", EYBEN) for low, high in SLOPES},
    **{
        f"flatness_{low}_{high}hz": ("dB, 0 is flat", "spectral flatness, ISO/IEC 15938-4 (MPEG-7)")
        for low, high in FLATS
    },
    **dict.fromkeys(BALANCES, ("dB", EYBEN)),
    "hammarberg": ("dB", "Hammarberg et al. 1980, doi 10.3109/00016488009131746, as in " + EYBEN),
    "flux": ("share of the magnitude, 0 to 2", "Scheirer & Slaney 1997, doi 10.1109/ICASSP.1997.596192"),
}
"""Track -> unit and source, in the order of `shape`."""


def shape(power: Floats, decibels: Floats, before: Floats) -> Floats:
    """All tracks of this file.

    Parameters
    ----------
    power : np.ndarray [shape=(513, t), positive]
        Power spectra.
    decibels : np.ndarray [shape=(513, t)]
        The same in dB.
    before : np.ndarray [shape=(513, 1)]
        The power spectrum of the frame before the first one.

    Returns
    -------
    np.ndarray [shape=(len(TRACKS), t), dtype=float32]
        In the order of `TRACKS`:
        centroid ``sum f |X| / sum |X|`` and the spread around it; the lowest frequencies below which 25, 50, 85 and
        95 % of the magnitude lie; the slope of the line fitted to the dB spectrum of a band; the mean dB of a band
        less the dB of its mean; energy of one band beside another (the alpha ratio is the first); the highest peak up
        to 2 kHz over that from 2 to 5 kHz; the summed change of the spectrum, scaled to a sum of 1, since the frame
        before.
    """
    # In memory one spectrum follows the other, as the transform leaves them.
    magnitude = np.sqrt(power.T)
    sums = product(magnitude, _of_magnitude()).T
    total = sums[-1]
    centroid, square = sums[-3:-1] / total
    energy = transform.decibels(_sums() @ product(power.T, _bands()).T)
    linear = product(decibels.T, _of_decibels()).T
    low, high = peak(power, 50, 2000), peak(power, 2000, 5000)
    said = np.empty((len(TRACKS), len(magnitude)), np.float32)
    said[0] = semitones(centroid)
    said[1] = np.sqrt(np.maximum(square - centroid * centroid, 0))
    said[2:6] = _rolloff(magnitude, sums[:-3], total)
    said[6:9] = linear[: len(SLOPES)]
    np.subtract(linear[len(SLOPES) :], energy[: len(FLATS)], out=said[9:15])
    np.subtract(energy[len(FLATS) :: 2], energy[len(FLATS) + 1 :: 2], out=said[15:18])
    said[18] = transform.decibels(low / high)
    said[19] = _flux(magnitude, total, np.sqrt(before[:, 0]))
    return said


def _rolloff(magnitude: Floats, summed: Floats, total: Floats) -> Floats:
    """The roll-off frequencies in semitones [shape=(4, t)]: first the group of bins is sought, then the bin in it."""
    wanted = np.array(SHARES, np.float32)[:, np.newaxis] * total
    group = np.add.reduce(summed[1:, np.newaxis] < wanted, axis=0, dtype=np.int8)
    frame = np.arange(len(total))
    wanted -= summed[group, frame]
    first = group * np.intp(_GROUP)
    inside = magnitude.ravel().take((first + frame * BINS).ravel() + np.arange(_GROUP)[:, np.newaxis], mode="clip")
    reached = product(_until(), inside) < wanted.ravel()
    first += np.add.reduce(reached, axis=0, dtype=np.int8).reshape(first.shape)
    heights: Floats = _heights().take(first, mode="clip")
    return heights


def _flux(magnitude: Floats, total: Floats, before: Floats) -> Floats:
    """Summed change of the spectrum, scaled to a sum of 1, since the frame before [shape=(t,)]. Spoils `magnitude`."""
    magnitude *= (1 / total)[:, np.newaxis]
    flux = np.empty(len(total), np.float32)
    flux[0] = np.abs(magnitude[0] - before / before.sum()).sum()
    change = magnitude[1:] - magnitude[:-1]
    np.einsum("tk->t", np.abs(change, out=change), out=flux[1:])
    return flux


def semitones(hertz: Floats) -> Floats:
    """Semitones above 55 Hz, the A of the contra octave; what is lower is taken as 55 Hz."""
    height: Floats = np.float32(12) * np.log2(np.maximum(hertz, np.float32(55)) / np.float32(55))
    return height


def peak(spectra: Floats, low: float, high: float) -> Floats:
    """The highest of the bins from `low` to `high` Hz in each frame [shape=(t,)]."""
    first, stop = _range(low, high)
    highest: Floats = spectra[first:stop].max(axis=0)
    return highest


@cache
def frequencies() -> Floats:
    """Hz of each bin [shape=(513,)]."""
    return np.linspace(0, SAMPLE_RATE / 2, BINS, dtype=np.float32)


@cache
def _until() -> Floats:
    """Sums within a group up to each bin [shape=(32, 32)]."""
    return np.tri(_GROUP, dtype=np.float32)


@cache
def _heights() -> Floats:
    return semitones(frequencies())


@cache
def _range(low: float, high: float) -> tuple[int, int]:
    first, stop = np.searchsorted(frequencies(), (low, high)).tolist()
    return first, stop


def _within(low: float, high: float) -> Floats:
    hertz = frequencies()
    return ((hertz >= low) & (hertz < high)).astype(np.float32)


@cache
def _of_magnitude() -> Floats:
    """Sums of the bins before each group, then of all, weighted by Hz, its square and one [shape=(513, 20)]."""
    hertz = frequencies()
    groups = [np.arange(BINS) < first for first in range(0, BINS, _GROUP)]
    return np.stack([*groups, hertz, hertz * hertz, np.ones(BINS)], axis=1).astype(np.float32)


@cache
def _bands() -> Floats:
    """Sums over the bands from each edge to the next one among those of `FLATS` and `BALANCES` [shape=(513, 8)]."""
    return np.stack([_within(*band) for band in pairwise(_EDGES)], axis=1)


@cache
def _sums() -> Floats:
    """The mean power of the flat bands, then the summed power of the balanced ones, of `_bands` [shape=(12, 8)]."""
    counts = {band: _within(*band).sum() for band in FLATS}
    whole = [*FLATS, *(band for pair in BALANCES.values() for band in pair)]
    parts = [[low <= here and there <= high for here, there in pairwise(_EDGES)] for low, high in whole]
    weights = np.array(parts, np.float32)
    weights[: len(FLATS)] /= np.array(list(counts.values()), np.float32)[:, np.newaxis]
    return weights


@cache
def _of_decibels() -> Floats:
    """The slope of each band by least squares in dB a kHz, then each flat band's mean [shape=(513, 9)]."""
    rows = []
    for band in SLOPES:
        inside = _within(*band)
        away = (frequencies() / 1000 - (frequencies() / 1000) @ inside / inside.sum()) * inside
        rows.append(away / (away @ away))
    flats = (_within(*band) for band in FLATS)
    return np.stack([*rows, *(one / one.sum() for one in flats)], axis=1).astype(np.float32)
