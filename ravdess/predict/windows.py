"""Which pieces of a recording are judged: a short one whole, a long one by a window that slides over what is heard."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHOLE: Final = 8.0
"""Seconds up to which a recording is judged whole: one utterance. The longest clip of RAVDESS has 6.4 s."""
WINDOW: Final = 3.0
"""Seconds of a window: an utterance of RAVDESS has 3.7 s, two of them silent."""
STEP: Final = 1.0
"""Seconds from one window to the next."""
QUIET: Final = 30.0
"""dB below the recording's loud parts, at which a window holds no voice worth judging."""
_FRAME: Final = 0.05


class Piece(NamedTuple):
    """A stretch of a recording: samples ``first`` to ``stop``."""

    first: int
    stop: int


def pieces(y: NDArray[np.float32], sr: int) -> list[Piece]:
    """The stretches of `y` that are judged, in order.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono samples.
    sr : int > 0
        Rate in Hz.

    Returns
    -------
    list of Piece
        The whole of up to `WHOLE` seconds. Of more, windows of `WINDOW` seconds every `STEP` seconds, those whose
        loudest moment lies more than `QUIET` dB below the recording's loud moments left out; none for digital silence.
    """
    if len(y) <= WHOLE * sr:
        return [Piece(0, len(y))]
    size, step = round(WINDOW * sr), round(STEP * sr)
    starts = list(range(0, len(y) - size, step))
    starts.append(len(y) - size)  # the end is heard, too
    every = [Piece(first, first + size) for first in starts]
    return [piece for piece, loud in zip(every, heard(y, sr, every), strict=True) if loud]


def spans(seconds: float) -> list[tuple[float, float]]:
    """Start and end of every stretch of a film of so many seconds: the whole of up to `WHOLE`; else all windows."""
    if seconds <= WHOLE:
        return [(0.0, seconds)]
    starts = [at * STEP for at in range(math.ceil((seconds - WINDOW) / STEP))]
    return [(start, start + WINDOW) for start in [*starts, seconds - WINDOW]]


def heard(y: NDArray[np.float32], sr: int, some: Sequence[Piece]) -> list[bool]:
    """Whether something is heard in each stretch, by how loud the recording's loud moments are."""
    frame = max(round(_FRAME * sr), 1)
    power = np.array([np.mean(np.square(y[at : at + frame], dtype=np.float64)) for at in range(0, len(y), frame)])
    floor = np.quantile(power, 0.95) * 10 ** (-QUIET / 10)  # a single bang does not silence the rest
    peaks = [power[first // frame : stop // frame + 1].max(initial=0.0) for first, stop in some]
    return [bool(peak > max(floor, 1e-12)) for peak in peaks]
