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
from numpy.lib.stride_tricks import sliding_window_view

from ravdess.sound.frames import FRAME, SAMPLE_RATE

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
    from scipy.fft import irfft

    band = power[: BAND.stop].astype(np.complex64)
    band[: BAND.start] = 0
    correlation = irfft(band, n=FRAME, axis=0)
    energy = np.maximum(correlation[0], np.finfo(np.float32).tiny)
    repeats: Floats = correlation[_LAGS.start - 1 : _LAGS.stop + 1] / (energy * _window_correlation())
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
    frequency, strength = _candidates(repeats)
    height = np.log2(frequency / np.float32(HIGH))
    score = strength + np.float32(OCTAVE_COST) * height
    found, voiced = _best(score, frequency, strength)
    if voiced.any():
        likely = _likely(np.log2(found / np.float32(HIGH)), voiced)
        found, voiced = _best(score - np.float32(MEDIAN_COST) * np.abs(height - likely), frequency, strength)
    return np.where(voiced, found, np.float32(0))


def _candidates(repeats: Floats) -> tuple[Floats, Floats]:
    """Frequency and strength [shape=(lags - 2, t)] of each peak, by the parabola through it; -1 is no peak."""
    before, here, after = repeats[:-2], repeats[1:-1], repeats[2:]
    peak = (here > before) & (here >= after)
    slope, bend = before - after, before + after - 2 * here
    shift = np.divide(slope, 2 * bend, out=np.zeros_like(here), where=peak)
    strength = here - slope * shift / 4
    frequency = np.float32(SAMPLE_RATE) / (np.asarray(_LAGS, np.float32)[:, np.newaxis] + shift)
    peak &= (frequency >= LOW) & (frequency <= HIGH)
    return frequency, np.where(peak, np.minimum(strength, 1), np.float32(-1))


def _best(score: Floats, frequency: Floats, strength: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Each frame's candidate of the best score, and whether it is strong enough for a voice."""
    at = score.argmax(axis=0)[np.newaxis]
    found = np.take_along_axis(frequency, at, axis=0)[0]
    return found, np.take_along_axis(strength, at, axis=0)[0] > VOICED


def _likely(height: Floats, voiced: NDArray[np.bool_]) -> Floats:
    """The median over the voiced frames around each frame; in gaps, a line from one side to the other."""
    beside = np.pad(height[voiced], NEIGHBOURS // 2, mode="reflect")
    medians = np.median(sliding_window_view(beside, NEIGHBOURS), axis=1)
    return np.interp(np.arange(len(voiced)), np.flatnonzero(voiced), medians).astype(np.float32)


@cache
def _window_correlation() -> Floats:
    """Autocorrelation of the Hann window at the lags of `periodicity`, 1 at lag 0 [shape=(lags, 1)]."""
    x = np.arange(_LAGS.start - 1, _LAGS.stop + 1) / FRAME
    # In closed form; Boersma (1993), equation 8.
    correlation = (1 - x) * (2 / 3 + np.cos(2 * np.pi * x) / 3) + np.sin(2 * np.pi * x) / (2 * np.pi)
    return correlation.astype(np.float32)[:, np.newaxis]
