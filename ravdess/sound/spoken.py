"""The spoken part of a clip: from its first loud moment to its last, cut in short frames.

Clips of acted speech begin and end with about a second of silence, which says nothing of the voice but how the clip
was cut, and whose depth is the microphone's. Here the threshold hangs on the clip's loudest moment alone, so neither
a gain nor more silence moves it. Frame t of the part is centred at sample ``(first + t) * 256``; zeros lie beyond
the ends of the clip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

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
        return sliding_window_view(inside, size)[:: step * HOP]


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
    level = _level(y - y.mean(dtype=np.float64).astype(np.float32))
    smooth = np.median(sliding_window_view(np.pad(level, CLICK // 2, mode="edge"), CLICK), axis=1)
    loud = np.flatnonzero(smooth > smooth.max() - np.float32(QUIET))
    first, stop = max(int(loud[0]) - MARGIN, 0), min(int(loud[-1]) + MARGIN + 1, len(level))
    if stop - first < FEWEST:
        first = min(max((first + stop - FEWEST) // 2, 0), len(level) - FEWEST)
        stop = first + FEWEST
    part = level[first:stop]
    offset = y[first * HOP : stop * HOP].mean(dtype=np.float64).astype(np.float32)
    return Speech(y - offset, first, np.maximum(part, part.max() - np.float32(DEPTH)))


def _level(y: Floats) -> Floats:
    """Mean power of all frames in dB of full scale [shape=(1 + n // 256,)], not windowed, not below -150."""
    energy = over_frames(y * y)
    level: Floats = np.float32(10) * np.log10(energy / np.float32(FRAME) + np.float32(1e-15))
    return level


def over_frames(values: NDArray[np.float32]) -> Floats:
    """Sums of one value a sample over the frames of a whole clip [shape=(n,)] -> [shape=(1 + n // 256,)]."""
    count, around = 1 + len(values) // HOP, FRAME // HOP
    hops = np.zeros(count + around - 1, np.float32)
    lead = FRAME // 2 // HOP
    hops[lead : lead + count - 1] = values[: (count - 1) * HOP].reshape(-1, HOP).sum(axis=1)
    hops[lead + count - 1] = values[(count - 1) * HOP :].sum()
    sums: Floats = hops[:-3] + hops[1:-2] + hops[2:-1] + hops[3:]
    return sums
