"""Timbre and its movement: log-mel bands and the cepstrum made of them, with statistics over the spoken part.

Unlike those of `mfcc_stats`, these bands average power (a flat spectrum is flat in them) and begin above hum.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.sound import functionals, shape, transform
from ravdess.sound.frames import SAMPLE_RATE
from ravdess.sound.products import Banded, banded, product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MELS: Final = 40
CEPSTRA: Final = 20
LOWEST: Final = 50.0
"""Hz; what lies below is hum and rumble."""
THIRDS: Final = ("start", "middle", "end")
FIVE: Final = ("mean", "std", "p10", "p50", "p90")
MOVES: Final = ("std", "p10", "p90")


def _mel_points(bands: int = MELS) -> NDArray[np.float64]:
    """Two more frequencies than `bands`, from `LOWEST` to half the rate, evenly spaced in 2595 log10(1 + f / 700)."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST, SAMPLE_RATE / 2))
    hertz: NDArray[np.float64] = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    return hertz


CENTRES: Final = tuple(round(hertz) for hertz in _mel_points()[1:-1].tolist())
"""Hz of each band's centre."""

_NUMBERS = tuple(f"{number:02d}" for number in range(1, CEPSTRA + 1))
_MEL = "power of mel bands, 2595 log10(1 + f / 700): Young et al. 2006, The HTK Book"
_MFCC = "Davis & Mermelstein 1980, doi 10.1109/TASSP.1980.1163420"
_FURUI = "slope over five frames: Furui 1986, doi 10.1109/TASSP.1986.1164788"
_DCT = "dB (DCT-II, orthonormal)"
COLUMNS: Final = {
    name: about
    for about, names in {
        ("dB of full scale, mean of the band's bins", _MEL): functionals.names(
            [f"mel_{centre}hz" for centre in CENTRES], FIVE
        ),
        (_DCT, _MFCC): (
            *functionals.names([f"mfcc_{number}" for number in _NUMBERS], (*FIVE, "trend")),
            *(f"mfcc_{number}_{third}" for number in _NUMBERS for third in THIRDS),
        ),
        (f"{_DCT} a second", f"{_MFCC}; {_FURUI}"): functionals.names(
            [f"mfcc_change_{number}" for number in _NUMBERS], ("mean", *MOVES)
        ),
        (f"{_DCT} a second squared", f"{_MFCC}; {_FURUI}, twice"): functionals.names(
            [f"mfcc_bend_{number}" for number in _NUMBERS], MOVES
        ),
    }.items()
    for name in names
}
"""Column -> unit and source, in the order of `timbre`."""

OF_LEVEL: Final = frozenset(
    column
    for column in COLUMNS
    if (column.startswith("mel_") and not column.endswith("_std"))
    or column in {f"mfcc_01_{what}" for what in ("mean", "p10", "p50", "p90", *THIRDS)}
)
"""Columns that a gain moves: by as many dB, mfcc_01 by sqrt(40) times as much."""


def timbre(mel: Floats, rate: float) -> Floats:
    """All columns of this file.

    Parameters
    ----------
    mel : np.ndarray [shape=(40, t)], t >= 9
        Bands in dB.
    rate : float > 0
        Frames a second.

    Returns
    -------
    np.ndarray [shape=(len(COLUMNS),), dtype=float32]
        Of the bands and the cepstrum, statistics; of the cepstrum also the means of its thirds, and statistics of its
        change (whose mean sets the end against the beginning) and of the change of that.
    """
    cepstra = product(transform.dct_rows(CEPSTRA, MELS), mel)
    moves = functionals.change(cepstra, rate)
    return np.concatenate(
        [
            *functionals.describe_groups([(mel, FIVE), (cepstra, (*FIVE, "trend"))]),
            functionals.parts(cepstra, len(THIRDS)).ravel(),
            functionals.describe(moves, ("mean", *MOVES)),
            functionals.describe(functionals.change(moves, rate), MOVES),
        ]
    )


@cache
def mel_filters(bands: int = MELS) -> Banded:
    """The `triangles`, ready for use."""
    return banded(triangles(bands))


def triangles(bands: int = MELS) -> NDArray[np.float64]:
    """Triangles between the mel points, each of sum 1, so that a band is a mean [shape=(bands, 513)]."""
    points = _mel_points(bands)[:, np.newaxis]
    low, centre, high = points[:-2], points[1:-1], points[2:]
    hertz = shape.frequencies()
    heights = np.maximum(0, np.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre)))
    weights: NDArray[np.float64] = heights / heights.sum(axis=1, keepdims=True)
    return weights
