"""Frames and their spectra at 22,050 Hz, cut as librosa cuts them at default settings.

Frame t is centred at sample t * 512 and 2048 samples long; beyond the ends lie zeros. What is made frame by frame
is an array with time last, [shape=(..., t)].
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ravdess.sound import transform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SAMPLE_RATE: Final = 22_050
"""Hz."""
FRAME: Final = 2048
"""Samples a frame (93 ms), and points of its transform."""
HOP: Final = 512
"""Samples from one frame to the next (23 ms). A frame is a whole number of hops."""
_Number = TypeVar("_Number", np.float32, np.int64)
BINS: Final = FRAME // 2 + 1
"""Frequencies of a spectrum, 0 to 11,025 Hz."""
PARAMETERS: Final = {
    "n_fft": FRAME,
    "hop_length": HOP,
    "window": "hann",
    "center": True,
    "pad_mode": "constant",
    "mono": "mean",
    "resampler": "soxr_hq",
}
"""What fixes the numbers made from frames, in librosa's words."""

_BLOCK: Final = 32


def count(y: Floats) -> int:
    """Frames of `y` [shape=(n,)]: ``1 + n // 512``."""
    return 1 + len(y) // HOP


def power_blocks(y: Floats) -> Iterator[tuple[slice, Floats]]:
    """Power spectra, a block of frames at a time.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono samples at 22,050 Hz.

    Yields
    ------
    at : slice
        Which frames these are.
    power : np.ndarray [shape=(1025, at.stop - at.start), dtype=float32]
        ``|X|²`` of the Hann-windowed frames, at ``k * 22050 / 2048`` Hz.
    """
    frames = sliding_window_view(_padded(y), FRAME)[::HOP]
    windowed = np.empty((_BLOCK, FRAME), np.float32)
    for first in range(0, len(frames), _BLOCK):
        block = frames[first : first + _BLOCK]
        np.multiply(block, hann(), out=windowed[: len(block)])
        yield slice(first, first + len(block)), transform.power(windowed[: len(block)]).T


def rms(y: Floats) -> Floats:
    """Root mean square of each frame [shape=(t,)]; librosa.feature.rms at defaults."""
    hops = _padded(y)[: (count(y) + FRAME // HOP - 1) * HOP].reshape(-1, HOP)
    return np.sqrt(_over_frames(np.einsum("ij,ij->i", hops, hops)) / np.float32(FRAME))


def zero_crossing_rate(y: Floats) -> Floats:
    """Share of the samples of each frame whose sign is not that of the sample before [shape=(t,)].

    Equal to librosa.feature.zero_crossing_rate at defaults: magnitudes up to 1e-10 count as zero and zero as
    positive, a frame's first sample counts as no crossing, and beyond the ends the last sample is held.
    """
    below = y < -1e-10
    crossing = np.zeros((count(y) + FRAME // HOP - 1) * HOP, dtype=bool)
    crossing[FRAME // 2 + 1 : FRAME // 2 + len(y)] = (below[1:] != below[:-1])[: len(crossing) - FRAME // 2 - 1]
    hops = crossing.reshape(-1, HOP)
    within = _over_frames(hops.sum(axis=1)) - hops[: count(y), 0]
    return (within / FRAME).astype(np.float32)


@cache
def hann() -> Floats:
    """The periodic Hann window [shape=(2048,)]."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)


def _keep_memory() -> None:
    """Let glibc keep the memory of arrays for the next clip.

    At first it hands large blocks back at once, and the system clears every page of them anew: a third of the time of
    `voice_stats`. Once it has freed a block that was mapped alone, it takes smaller ones from the heap, and keeps that.
    """
    np.empty(16 << 20, np.uint8)


_keep_memory()


def _padded(y: Floats) -> Floats:
    """`y` with half a frame of zeros before and after."""
    padded = np.zeros(len(y) + FRAME, np.float32)
    padded[FRAME // 2 : FRAME // 2 + len(y)] = y
    return padded


def _over_frames(hops: NDArray[_Number]) -> NDArray[_Number]:
    """Sums over the four hops of each frame, from sums over each hop."""
    return hops[:-3] + hops[1:-2] + hops[2:-1] + hops[3:]
