"""The shape of each frame's spectrum: how bright, how steep, how flat, how quickly changing.

Frequencies are told in semitones above 55 Hz, as hearing orders them, and energies in dB. Under every spectrum lies
a floor (see `ravdess.sound.voice`), so silence within speech gives no wild numbers.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.sound.frames import SAMPLE_RATE
from ravdess.sound.spoken import FRAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BINS: Final = FRAME // 2 + 1
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
    magnitude = np.sqrt(power)
    total = magnitude.sum(axis=0)
    hertz = frequencies()
    # Sparse or by einsum: large products by BLAS would start its threads.
    centroid, square = (np.einsum("k,kt->t", weight, magnitude) / total for weight in (hertz, hertz * hertz))
    spread = np.sqrt(np.maximum(square - centroid * centroid, 0))
    summed = np.cumsum(magnitude, axis=0)
    rolloff = [hertz[(summed >= np.float32(share) * summed[-1]).argmax(axis=0)] for share in SHARES]
    energy, linear = _of_power() @ power, _of_decibels() @ decibels
    flat = linear[len(SLOPES) :] - np.float32(10) * np.log10(energy[: len(FLATS)])
    balance = np.float32(10) * np.log10(energy[len(FLATS) :])
    low, high = peak(decibels, 50, 2000), peak(decibels, 2000, 5000)
    relative = magnitude / total
    first = np.sqrt(before)
    flux = np.abs(np.diff(relative, axis=1, prepend=first / first.sum(axis=0))).sum(axis=0)
    return np.stack(
        [
            semitones(centroid),
            spread,
            *(semitones(one) for one in rolloff),
            *linear[: len(SLOPES)],
            *flat,
            *(balance[0::2] - balance[1::2]),
            low - high,
            flux,
        ]
    ).astype(np.float32)


def semitones(hertz: Floats) -> Floats:
    """Semitones above 55 Hz, the A of the contra octave; what is lower is taken as 55 Hz."""
    height: Floats = np.float32(12) * np.log2(np.maximum(hertz, np.float32(55)) / np.float32(55))
    return height


def peak(decibels: Floats, low: float, high: float) -> Floats:
    """The highest of the bins from `low` to `high` Hz in each frame [shape=(t,)]."""
    first, stop = np.searchsorted(frequencies(), (low, high))
    highest: Floats = decibels[first:stop].max(axis=0)
    return highest


@cache
def frequencies() -> Floats:
    """Hz of each bin [shape=(513,)]."""
    return np.linspace(0, SAMPLE_RATE / 2, BINS, dtype=np.float32)


def _within(low: float, high: float) -> Floats:
    hertz = frequencies()
    return ((hertz >= low) & (hertz < high)).astype(np.float32)


@cache
def _of_power() -> Any:
    """The mean power of the flat bands, then the summed power of the balanced ones: a CSR array [shape=(12, 513)]."""
    from scipy.sparse import csr_array

    flats = [_within(*band) for band in FLATS]
    pairs = [_within(*band) for pair in BALANCES.values() for band in pair]
    return csr_array(np.stack([*(one / one.sum() for one in flats), *pairs]))


@cache
def _of_decibels() -> Any:
    """The slope of each band by least squares in dB a kHz, then each flat band's mean: a CSR array [shape=(9, 513)]."""
    from scipy.sparse import csr_array

    rows = []
    for band in SLOPES:
        inside = _within(*band)
        away = (frequencies() / 1000 - (frequencies() / 1000) @ inside / inside.sum()) * inside
        rows.append(away / (away @ away))
    flats = (_within(*band) for band in FLATS)
    return csr_array(np.stack([*rows, *(one / one.sum() for one in flats)]).astype(np.float32))
