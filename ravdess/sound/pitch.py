"""Pitch of a voice, frame by frame, from the power spectra that the other features use too.

A frame's autocorrelation is the inverse transform of its power spectrum. Divided by the autocorrelation of the
window it peaks near 1 at the lags after which the voice repeats itself, whatever the window faded out:
Boersma (1993), "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound", Proceedings of the Institute of Phonetic Sciences 17, 97-110. Of the peaks, the best of each frame
is taken; then once more, leaning to the median of its neighbours, which mends what leaps by an octave and returns.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.sound.frames import FRAME, SAMPLE_RATE
from ravdess.sound.products import product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

LOW, HIGH = 65.0, 1000.0
"""Hz; from a low male voice to a scream or a high song."""
VOICED: Final = 0.5
"""A frame is voiced when it repeats itself at least this well (0 noise, 1 exactly periodic) ..."""
LOUD: Final = 0.03
"""... and its RMS is at least this share of the clip's loudest frame's (-30 dB)."""
OCTAVE_COST: Final = 0.01
"""What a candidate loses for each octave below `HIGH`: twice a period is a period too, and the shortest is meant."""
NEIGHBOURS: Final = 9
"""Voiced frames (0.2 s) whose median is taken for a frame's likely pitch."""
MEDIAN_COST: Final = 0.1
"""What a candidate loses, at second sight, for each octave away from it."""
BAND: Final = range(4, 257)
"""Bins of the spectrum that are listened to: 43 Hz, above hum and rumble, to 2.75 kHz, below the hiss.

An eighth of the sample rate and less: the parabola through three lags is true to peaks that blunt, no sharper.
"""

_LAGS: Final = range(int(SAMPLE_RATE / HIGH), int(SAMPLE_RATE / LOW) + 2)

PARAMETERS: Final = {
    "pitch": "Boersma 1993, second sight",
    "pitch_hz": [LOW, HIGH],
    "pitch_band": [BAND.start, BAND.stop - 1],
    "voiced": VOICED,
    "loud": LOUD,
    "octave_cost": OCTAVE_COST,
    "neighbours": NEIGHBOURS,
    "median_cost": MEDIAN_COST,
}
"""What fixes the numbers."""


def heard(level: Floats) -> NDArray[np.bool_]:
    """Which frames are loud enough to be listened to, by their RMS [shape=(t,)] beside the clip's loudest."""
    loud: NDArray[np.bool_] = level > LOUD * level.max()
    return loud


def periodicity(power: Floats) -> Floats:
    """How well each frame repeats itself after each lag.

    Parameters
    ----------
    power : np.ndarray [shape=(257 or more, t)]
        Power spectra of Hann-windowed frames, see `ravdess.sound.frames.power_blocks`; no bin above `BAND` is used.

    Returns
    -------
    np.ndarray [shape=(lags, t), dtype=float32]
        About -1 ... 1, at the lags from one sample below that of `HIGH` to one beyond that of `LOW`.
    """
    band = power[BAND.start : BAND.stop].T
    share = band * (1 / np.maximum(band.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny))
    # A product, since the transform would tell far more lags of far more bins.
    repeats: Floats = product(share, _cosines()).T
    return repeats


def track(repeats: Floats) -> Floats:
    """The pitch of each frame.

    Parameters
    ----------
    repeats : np.ndarray [shape=(lags, t)]
        The `periodicity` of all frames of a clip that are `heard`, in order.

    Returns
    -------
    np.ndarray [shape=(t,), dtype=float32]
        Hz, `LOW` ... `HIGH`; 0 where no voice is.
    """
    hertz = np.zeros(repeats.shape[1], np.float32)
    frame, frequency, strength = _candidates(repeats)
    if not len(frame):
        return hertz
    first, cell, scores = _table(frame)
    height = np.log2(frequency / np.float32(HIGH))
    score = strength + np.float32(OCTAVE_COST) * height
    scores.ravel()[cell] = score
    at = first + scores.argmax(axis=1)
    at = at[strength[at] > VOICED]
    if len(at):
        likely = _likely(height[at], frame[at], frame)
        scores.ravel()[cell] = score - np.float32(MEDIAN_COST) * np.abs(height - likely)
        at = first + scores.argmax(axis=1)
        at = at[strength[at] > VOICED]
    hertz[frame[at]] = frequency[at]
    return hertz


def _candidates(repeats: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Frame, frequency and strength of each peak, by the parabola through it; frame by frame, the highest first."""
    values = repeats.T.ravel()
    rising = values[1:] > values[:-1]
    # At a frame's first and last lag its neighbour is another frame's; those two lie beyond `HIGH` and `LOW`.
    flat = np.flatnonzero(rising[:-1] > rising[1:])
    before, peak, after = (values.take(flat + step) for step in range(3))
    slope, bend = before - after, before + after - 2 * peak
    shift = slope / (2 * bend)
    strength = np.minimum(peak - slope * shift / 4, 1)
    frame, lag = np.divmod(flat + 1, len(repeats))
    frequency = np.float32(SAMPLE_RATE) / ((lag + (_LAGS.start - 1)).astype(np.float32) + shift)
    kept = (frequency >= LOW) & (frequency <= HIGH)
    return frame[kept], frequency[kept], strength[kept]


def _table(frame: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Of candidates in the order of their frames: each frame's first, the cell of each, and cells [shape=(f, most)].

    A row of cells holds the candidates of one frame; those that no candidate fills are least of all.
    """
    first = np.concatenate([[0], np.flatnonzero(frame[1:] != frame[:-1]) + 1])
    count = np.concatenate([first[1:], [len(frame)]]) - first
    cells = np.full((len(first), int(count.max())), -np.inf, np.float32)
    cell = np.arange(len(frame)) + np.repeat(np.arange(len(first)) * cells.shape[1] - first, count)
    return first, cell, cells


def _likely(height: Floats, voiced: NDArray[np.intp], frame: NDArray[np.intp]) -> Floats:
    """The median of `height` over the voiced frames around each frame; in gaps, a line from one side to the other."""
    last, half = max(len(height) - 1, 1), NEIGHBOURS // 2
    place = (np.arange(len(height))[:, np.newaxis] + np.arange(-half, half + 1)) % (2 * last)
    beside = height.take(np.minimum(place, 2 * last - place), mode="clip")  # mirrored at both ends
    beside.partition(half, axis=1)
    likely: Floats = np.interp(frame, voiced, beside[:, half]).astype(np.float32)
    return likely


@cache
def _cosines() -> Floats:
    """By which a power spectrum becomes `periodicity` [shape=(253, lags)]."""
    lags = np.arange(_LAGS.start - 1, _LAGS.stop + 1)
    cosines = np.cos(2 * np.pi / FRAME * np.outer(BAND, lags)) / _window_correlation().T
    single: Floats = cosines.astype(np.float32)
    return single


@cache
def _window_correlation() -> Floats:
    """Autocorrelation of the Hann window at the lags of `periodicity`, 1 at lag 0 [shape=(lags, 1)]."""
    x = np.arange(_LAGS.start - 1, _LAGS.stop + 1) / FRAME
    # In closed form; Boersma (1993), equation 8.
    correlation = (1 - x) * (2 / 3 + np.cos(2 * np.pi * x) / 3) + np.sin(2 * np.pi * x) / (2 * np.pi)
    return correlation.astype(np.float32)[:, np.newaxis]
