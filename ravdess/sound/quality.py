"""The quality of a voice, in its voiced frames: clear or hoarse, breathy or pressed, steady or trembling."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.sound import pitch, shape, transform
from ravdess.sound.frames import SAMPLE_RATE
from ravdess.sound.spoken import FRAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

CEPSTRUM: Final = (70, 600)
"""Hz, among whose periods the cepstral peak is sought."""
FORMANTS: Final = ((300, 1000), (1000, 2500), (2500, 4000))
"""Hz, about where the first three resonances of a mouth lie; the highest peak there stands for A1, A2 and A3."""
POINTS: Final = 24
"""At which each period is looked at."""
STRETCH: Final = np.linspace(0.92, 1.08, 9, dtype=np.float32)
"""Lengths tried for each period, in periods of the frame's pitch."""

_HILLENBRAND = "Hillenbrand, Cleveland & Erickson 1994, doi 10.1044/jshr.3704.769"
_CYCLES = "jitter and shimmer (local), Boersma & Weenink, Praat manual, 'Voice'; periods by cross-correlation"
TRACKS: Final = {
    "harmonics_to_noise": ("dB", "Boersma 1993, equation 4"),
    "cepstral_peak_prominence": ("dB", _HILLENBRAND),
    "h1_h2": ("dB, first over second harmonic", shape.EYBEN),
    "h1_h3": ("dB, first over third harmonic", "after H1-H2 of " + shape.EYBEN),
    "h1_a1": ("dB, first harmonic over the highest peak of 300 to 1000 Hz", "after H1-A3 of " + shape.EYBEN),
    "h1_a2": ("dB, first harmonic over the highest peak of 1 to 2.5 kHz", "after H1-A3 of " + shape.EYBEN),
    "h1_a3": ("dB, first harmonic over the highest peak of 2.5 to 4 kHz", shape.EYBEN),
    "jitter": ("share of a period by which the next one differs", _CYCLES),
    "shimmer": ("share of a period's height by which the next one's differs", _CYCLES),
}
"""Track -> unit and source, in the order of `quality`."""


def quality(decibels: Floats, repeats: Floats, hertz: Floats, y: Floats, centres: NDArray[np.int64]) -> Floats:
    """All tracks of this file.

    Parameters
    ----------
    decibels : np.ndarray [shape=(513, t)]
        Power spectra of voiced frames in dB.
    repeats : np.ndarray [shape=(lags, t)]
        Their `ravdess.sound.pitch.periodicity`.
    hertz : np.ndarray [shape=(t,), positive]
        Their pitch.
    y : np.ndarray [shape=(n,)]
        The clip.
    centres : np.ndarray [shape=(t,)]
        The sample at the middle of each frame.

    Returns
    -------
    np.ndarray [shape=(len(TRACKS), t), dtype=float32]
    """
    said = np.empty((len(TRACKS), len(hertz)), np.float32)
    said[0] = harmonics_to_noise(repeats, hertz)
    said[1] = cepstral_peak_prominence(decibels)
    first, said[2], said[3] = _harmonics(decibels, hertz)
    for track, (low, high) in zip(said[4:7], FORMANTS, strict=True):
        track[:] = shape.peak(decibels, low, high)
    np.subtract(first, said[2:7], out=said[2:7])
    said[7], said[8] = perturbation(y, centres, hertz)
    return said


def harmonics_to_noise(repeats: Floats, hertz: Floats) -> Floats:
    """``10 log10 r / (1 - r)`` for the autocorrelation r after one period, between -20 and 40 dB [shape=(t,)]."""
    at = np.rint(SAMPLE_RATE / hertz).astype(int) - int(SAMPLE_RATE / pitch.HIGH)
    at = np.minimum(np.maximum(at, 0), len(repeats) - 3)
    before, here, after = repeats[at + np.arange(3)[:, np.newaxis], np.arange(len(hertz))]
    bend = np.maximum(2 * here - before - after, np.float32(1e-6))
    r = here + (before - after) ** 2 / (8 * bend)
    r = np.minimum(np.maximum(r, np.float32(0.0099)), np.float32(0.9999))
    ratio: Floats = np.float32(10) * np.log10(r / (1 - r))
    return ratio


def cepstral_peak_prominence(decibels: Floats) -> Floats:
    """How far the cepstrum's peak stands above the line fitted to it, among the periods of a voice [shape=(t,)]."""
    low, high = (int(SAMPLE_RATE / hertz) for hertz in CEPSTRUM[::-1])
    # The inverse transform of a spectrum of real numbers.
    cepstrum = np.abs(transform.cosines(decibels.T, low, high))
    away, line = _line(high + 1 - low)
    mean, slope = (cepstrum @ line).T
    at = cepstrum.argmax(axis=1)
    highest = cepstrum[np.arange(len(at)), at]
    prominence: Floats = (highest - mean - slope * away[at]) * np.float32(20 / FRAME)
    return prominence


@cache
def _line(size: int) -> tuple[Floats, Floats]:
    """Places around the middle [shape=(size,)], and weights for mean and slope of numbers there [shape=(size, 2)]."""
    away = np.arange(size, dtype=np.float32) - np.float32(size - 1) / 2
    return away, np.stack([np.full(size, 1 / size, np.float32), away / (away @ away)], axis=1)


def perturbation(y: Floats, centres: NDArray[np.int64], hertz: Floats) -> tuple[Floats, Floats]:
    """Jitter and shimmer of the four periods around each centre.

    A period's length is the lag at which what follows it resembles it most (between `STRETCH` of the frame's own
    period, refined by a parabola); its height is its range. Both are the mean change from one to the next over the
    mean.

    Returns
    -------
    jitter, shimmer : np.ndarray [shape=(t,), dtype=float32]
    """
    period = (SAMPLE_RATE / hertz).astype(np.float32)[:, np.newaxis]
    looked_at = _between(y, centres, period * _places())
    cycles = looked_at[:, : 4 * POINTS].reshape(-1, 4, POINTS)
    following = looked_at[:, 4 * POINTS :].reshape(-1, 3, len(STRETCH), POINTS)
    by_point = np.ascontiguousarray(cycles.transpose(2, 0, 1))  # many numbers at a time, not few
    height = by_point.max(axis=0) - by_point.min(axis=0)
    like = np.einsum("tcp,tcsp->tcs", cycles[:, :3], following)
    like /= np.sqrt(np.einsum("tcsp,tcsp->tcs", following, following) + np.float32(1e-12))
    like = like.reshape(-1, len(STRETCH))
    best = np.minimum(np.maximum(like.argmax(axis=1), 1), len(STRETCH) - 2)
    before, here, after = like[np.arange(len(like)), best + np.arange(-1, 2)[:, np.newaxis]]
    shift = (after - before) / (2 * np.maximum(2 * here - before - after, np.float32(1e-9)))
    shift = np.minimum(np.maximum(shift, -1), 1)
    length = (STRETCH[best] + (STRETCH[1] - STRETCH[0]) * shift).reshape(-1, 3)
    return _unsteadiness(length, np.float32(0)), _unsteadiness(height, np.float32(1e-9))


def _unsteadiness(values: Floats, least: np.float32) -> Floats:
    """Mean change from one of a few values to the next, over their mean: [shape=(t, few)] -> [shape=(t,)]."""
    changes = np.abs(values[:, 1:] - values[:, :-1])
    mean = np.maximum(values.sum(axis=1) / np.float32(values.shape[1]), least)
    unsteadiness: Floats = changes.sum(axis=1) / (np.float32(changes.shape[1]) * mean)
    return unsteadiness


@cache
def _places() -> Floats:
    """Where four periods around a frame's centre are looked at, then what may follow the first three, in periods."""
    within = np.arange(POINTS, dtype=np.float32) / POINTS
    number = np.arange(-2, 2, dtype=np.float32)[:, np.newaxis]
    later = number[:3, :, np.newaxis] + STRETCH[:, np.newaxis] + within
    return np.concatenate([(number + within).ravel(), later.ravel()])


def _between(y: Floats, centres: NDArray[np.int64], away: Floats) -> Floats:
    """`y` at places `away` [shape=(t, n)] from each centre, on the line between two samples; zeros lie beyond."""
    left = np.floor(away)
    away -= left
    at = left.astype(np.int32).astype(np.int64)  # in two steps, which take a third of the time of one
    at += centres[:, np.newaxis]
    reach = int(np.abs(left).max(initial=0)) + 2
    low, high = int(centres.min(initial=reach)) - reach, int(centres.max(initial=0)) + reach
    if low < 0 or high > len(y):
        y = np.concatenate([np.zeros(max(-low, 0), y.dtype), y, np.zeros(max(high - len(y), 0), y.dtype)])
        at += max(-low, 0)
    value: Floats = y.take(at)
    at += 1
    rise = y.take(at)
    rise -= value
    rise *= away
    value += rise
    return value


def _harmonics(decibels: Floats, hertz: Floats) -> Floats:
    """The highest bin within 15 % of the pitch around each of its first three multiples [shape=(3, t)]."""
    near = np.array([1, 2, 3])[:, np.newaxis, np.newaxis] + np.array([-0.15, -0.075, 0, 0.075, 0.15])[:, np.newaxis]
    places = near * hertz / (SAMPLE_RATE / 2 / (shape.BINS - 1))
    at = np.minimum(np.rint(places).astype(int), shape.BINS - 1)
    highest: Floats = decibels[at, np.arange(len(hertz))].max(axis=1)
    return highest
