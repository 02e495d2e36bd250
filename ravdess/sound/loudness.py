"""Loudness: how strong the speech is, and how its level moves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.sound import functionals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

STATISTICS: Final = ("std", "p05", "p25", "p50", "p75", "p95", "trend")
MOVES: Final = ("std", "p10", "p50", "p90")
PARTS: Final = 5

_SOURCE = "energy contour and its slopes: Eyben et al. 2016, eGeMAPS, doi 10.1109/TAFFC.2015.2457417"
COLUMNS: Final = {
    name: (unit, _SOURCE)
    for unit, names in {
        "dB of full scale": ("level", "level_peak"),
        "dB beside the column level": functionals.names(("level_relative",), STATISTICS),
        "dB a second": (*functionals.names(("level_change",), MOVES), "level_rise", "level_fall"),
        "dB beside the column level, mean of a fifth of the time": tuple(
            f"level_part_{part}" for part in range(1, PARTS + 1)
        ),
    }.items()
    for name in names
}
"""Column -> unit and source, in the order of `loudness`."""

OF_LEVEL: Final = frozenset({"level", "level_peak"})
"""Columns that a gain moves, by as many dB."""


def loudness(level: Floats, rate: float) -> Floats:
    """All columns of this file.

    Parameters
    ----------
    level : np.ndarray [shape=(t,)], t >= 5
        dB of full scale of each frame.
    rate : float > 0
        Frames a second.

    Returns
    -------
    np.ndarray [shape=(len(COLUMNS),), dtype=float32]
        ``level`` is the dB of the mean power. ``level_rise`` and ``level_fall`` are the mean change of the frames in
        which level rises, and of those in which it falls.
    """
    overall = np.float32(10 * math.log10(np.add.reduce(10 ** (level / 10)) / len(level)))
    relative = (level - overall)[np.newaxis]
    moves = functionals.change(relative, rate)
    rises, falls = np.maximum(moves, 0), np.minimum(moves, 0)
    means = [one.sum() / max(np.count_nonzero(one), 1) for one in (rises, falls)]
    return np.concatenate(
        [
            np.array([overall, level.max()]),
            functionals.describe(relative, STATISTICS),
            functionals.describe(moves, MOVES),
            np.array(means, np.float32),
            functionals.parts(relative, PARTS)[0],
        ]
    )
