"""The spoken part of a clip: from its first loud moment to its last, cut in short frames.

Clips of acted speech begin and end with about a second of silence, which says nothing of the voice but how the clip
was cut, and whose depth is the microphone's. Here the threshold hangs on the clip's loudest moment alone, so neither
a gain nor more silence moves it. Frame t of the part is centred at sample ``(first + t) * 256``; zeros lie beyond
the ends of the clip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ravdess.sound.frames import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FRAME: Final = 1024
"""Samples a frame (46 ms): three periods of a low voice, short beside a syllable."""
HOP: Final = 256
"""Samples from one frame to the next (12 ms)."""
RATE: Final = SAMPLE_RATE / HOP
"""Frames a second."""
QUIET: Final = 30.0
"""dB below the clip's loudest frame, at which speech begins and ends ..."""
CLICK: Final = 9
"""... in the running median over this many frames (0.1 s): a click lies in four frames and does not move it."""
MARGIN: Final = 2
"""Frames kept before and after, for soft onsets and endings."""
FEWEST: Final = 16
"""Frames of the shortest part (0.19 s), fewer than any clip that `ravdess.sound.read.check` lets pass."""
DEPTH: Final = 60.0
"""dB; no frame's level is taken to be further below the loudest."""

PARAMETERS: Final = {
    "frame": FRAME,
    "hop": HOP,
    "offset": "mean removed",
    "spoken_below_peak_db": QUIET,
    "spoken_median": CLICK,
    "spoken_margin": MARGIN,
    "spoken_fewest": FEWEST,
    "level_depth_db": DEPTH,
}
"""What fixes the part and its frames."""


class Speech(NamedTuple):
    """The spoken part of a clip.

    Attributes
    ----------
    y : np.ndarray [shape=(n,)]
        The whole clip at 22,050 Hz, less the mean of the part.
    first : int
        The frame of the clip that is frame 0 of the part.
    level : np.ndarray [shape=(t,), dtype=float32]
        Mean power of each frame of the part in dB of full scale, at most `DEPTH` below its highest.
    """

    y: Floats
    first: int
    level: Floats

    @property
    def seconds(self) -> float:
        """How long the part lasts."""
        return len(self.level) / RATE

    def windows(self, size: int, *, step: int = 1) -> Floats:
        """The samples of every `step`-th frame, `size` of them around its centre: a view [shape=(~t / step, size)]."""
        start = self.first * HOP - size // 2
        stop = start + (len(self.level) - 1) * HOP + size
        inside = self.y[max(start, 0) : stop]
        if len(inside) < stop - start:
            padded = np.zeros(stop - start, np.float32)
            padded[max(-start, 0) : max(-start, 0) + len(inside)] = inside
            inside = padded
        # As `sliding_window_view` has it, at a tenth of the time.
        count, item = 1 + (len(self.level) - 1) // step, inside.itemsize
        return np.ndarray((count, size), inside.dtype, inside, strides=(step * HOP * item, item))


def find(y: Floats) -> Speech:
    """The part of `y` in which someone speaks.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], n >= 4064
        Mono samples at 22,050 Hz that `ravdess.sound.read.check` let pass.

    Returns
    -------
    Speech
        From the first to the last frame whose running median of level is within `QUIET` dB of the highest one, and
        `MARGIN` more; at least `FEWEST` frames, pauses within included.
    """
    sums = _hops(y)
    centred = y - np.float32(sums.sum(dtype=np.float64) / len(y))
    # Not windowed, not below -150 dB.
    power = _around(_hops(centred * centred)) / np.float32(FRAME)
    level = np.float32(10) * np.log10(power + np.float32(1e-15))
    beside = np.concatenate([level[:1].repeat(CLICK // 2), level, level[-1:].repeat(CLICK // 2)])
    around = beside.take(np.arange(len(level))[:, np.newaxis] + np.arange(CLICK))
    around.partition(CLICK // 2, axis=1)
    smooth = around[:, CLICK // 2]
    loud = np.flatnonzero(smooth > smooth.max() - np.float32(QUIET))
    first, stop = max(int(loud[0]) - MARGIN, 0), min(int(loud[-1]) + MARGIN + 1, len(level))
    if stop - first < FEWEST:
        first = min(max((first + stop - FEWEST) // 2, 0), len(level) - FEWEST)
        stop = first + FEWEST
    part = level[first:stop]
    offset = np.float32(sums[first:stop].sum(dtype=np.float64) / (min(stop * HOP, len(y)) - first * HOP))
    return Speech(np.subtract(y, offset, out=centred), first, np.maximum(part, part.max() - np.float32(DEPTH)))


def changes(mask: NDArray[np.bool_]) -> Floats:
    """How often neighbours differ within the frames of a whole clip [shape=(n,)] -> [shape=(1 + n // 256,)]."""
    change = np.zeros((1 + len(mask) // HOP) * HOP, np.bool_)
    np.not_equal(mask[1:], mask[:-1], out=change[1 : len(mask)])
    words = np.bitwise_count(np.packbits(change).view(np.uint64))
    return _around(words.reshape(-1, HOP // 64).sum(axis=1, dtype=np.float32))


def _hops(values: Floats) -> Floats:
    """Sums over each hop, the incomplete last one too [shape=(n,)] -> [shape=(1 + n // 256,)]."""
    count = len(values) // HOP
    sums = np.empty(count + 1, np.float32)
    np.einsum("ij->i", values[: count * HOP].reshape(-1, HOP), out=sums[:count])
    sums[count] = values[count * HOP :].sum()
    return sums


def _around(hops: Floats) -> Floats:
    """Sums over the four hops of the frame around the beginning of each hop [shape=(t,)]."""
    padded = np.zeros(len(hops) + FRAME // HOP - 1, np.float32)
    padded[FRAME // HOP // 2 : FRAME // HOP // 2 + len(hops)] = hops
    sums: Floats = padded[:-3] + padded[1:-2] + padded[2:-1] + padded[3:]
    return sums
