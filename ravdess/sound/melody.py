"""The melody of speech: height, range, course and movement of the pitch.

Everything is in semitones above 55 Hz, so that the same movement of a low and of a high voice has the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.sound import functionals
from ravdess.sound.shape import semitones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

STATISTICS: Final = ("mean", "std", "p05", "p25", "p50", "p75", "p95", "trend")
PARTS: Final = 5
LEAP: Final = 4.0
"""Semitones from frame to frame, above which a step is taken for a mistake of the tracker and left out."""
FEWEST: Final = 3
"""Voiced frames without which a clip has no melody."""

_HEIGHT, _SPEED = "semitones above 55 Hz, over voiced frames", "semitones a second, within voiced stretches"
_WITHOUT = "; 0 when hardly a frame is voiced"
_SOURCE: Final = "statistics of prosody: Banse & Scherer 1996, doi 10.1037/0022-3514.70.3.614; pitch: Boersma 1993"
COLUMNS: Final = {
    name: (unit + _WITHOUT, _SOURCE)
    for unit, names in {
        _HEIGHT: functionals.names(("pitch",), STATISTICS),
        "semitones": ("pitch_range_p05_p95", "pitch_range_p25_p75"),
        "semitones beside the clip's mean": tuple(f"pitch_part_{part}" for part in range(1, PARTS + 1)),
        _SPEED: (*functionals.names(("pitch_change",), ("mean", "std", "p10", "p90")), "pitch_change_size"),
        "share of steps, 0 to 1": ("pitch_rising_share",),
        "semitones from frame to frame (23 ms), change of": ("pitch_bend_size",),
        "share of the part's time, 0 to 1": ("pitch_highest_at", "pitch_lowest_at"),
    }.items()
    for name in names
}
"""Column -> unit and source, in the order of `melody`."""


def melody(hertz: Floats, rate: float) -> Floats:
    """All columns of this file.

    Parameters
    ----------
    hertz : np.ndarray [shape=(t,)]
        Pitch of each frame of the spoken part; 0 where no voice is.
    rate : float > 0
        Frames a second.

    Returns
    -------
    np.ndarray [shape=(len(COLUMNS),), dtype=float32]
        The parts, and where the highest and the lowest tone lie, are those of the contour drawn straight through gaps.
    """
    at = np.flatnonzero(hertz)
    if len(at) < FEWEST:
        return np.zeros(len(COLUMNS), np.float32)
    voiced = semitones(hertz[at])
    contour = np.interp(np.arange(len(hertz)), at, voiced).astype(np.float32)
    step = voiced[1:] - voiced[:-1]
    step = step[(at[1:] - at[:-1] == 1) & (np.abs(step) < LEAP)]
    if not len(step):
        step = np.zeros(1, np.float32)
    said = functionals.describe(voiced[np.newaxis], STATISTICS)
    p05, p25, p75, p95 = (said[STATISTICS.index(name)] for name in ("p05", "p25", "p75", "p95"))
    speed = step * np.float32(rate)
    slope = contour[1:] - contour[:-1]
    others = (
        np.abs(speed).sum() / len(speed),
        np.count_nonzero(step > 0) / len(step),
        np.abs(slope[1:] - slope[:-1]).sum() / (len(contour) - 2),
        contour.argmax() / len(contour),
        contour.argmin() / len(contour),
    )
    return np.concatenate(
        [
            said,
            np.array([p95 - p05, p75 - p25], np.float32),
            functionals.parts(contour[np.newaxis], PARTS)[0] - said[0],
            functionals.describe(speed[np.newaxis], ("mean", "std", "p10", "p90")),
            np.array(others, np.float32),
        ]
    )
