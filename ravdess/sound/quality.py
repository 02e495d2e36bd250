"""The quality of a voice, in its voiced frames: clear or hoarse, breathy or pressed, steady or trembling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.sound import pitch, shape
from ravdess.sound.frames import SAMPLE_RATE

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
    first, *others = (_harmonic(decibels, hertz, number) for number in (1, 2, 3))
    peaks = [shape.peak(decibels, low, high) for low, high in FORMANTS]
    return np.stack(
        [
            harmonics_to_noise(repeats, hertz),
            cepstral_peak_prominence(decibels),
            *(first - other for other in others),
            *(first - peak for peak in peaks),
            *perturbation(y, centres, hertz),
        ]
    ).astype(np.float32)


def harmonics_to_noise(repeats: Floats, hertz: Floats) -> Floats:
    """``10 log10 r / (1 - r)`` for the autocorrelation r after one period, between -20 and 40 dB [shape=(t,)]."""
    at = np.clip(np.rint(SAMPLE_RATE / hertz).astype(int) - int(SAMPLE_RATE / pitch.HIGH) + 1, 1, len(repeats) - 2)
    frame = np.arange(len(hertz))
    before, here, after = (repeats[at + shift, frame] for shift in (-1, 0, 1))
    bend = np.maximum(2 * here - before - after, np.float32(1e-6))
    r = np.clip(here + (before - after) ** 2 / (8 * bend), np.float32(0.0099), np.float32(0.9999))
    ratio: Floats = np.float32(10) * np.log10(r / (1 - r))
    return ratio


def cepstral_peak_prominence(decibels: Floats) -> Floats:
    """How far the cepstrum's peak stands above the line fitted to it, among the periods of a voice [shape=(t,)]."""
    from scipy.fft import irfft

    low, high = (int(SAMPLE_RATE / hertz) for hertz in CEPSTRUM[::-1])
    cepstrum = np.abs(irfft(decibels, axis=0)[low : high + 1])
    cepstrum *= 20
    away = np.arange(len(cepstrum), dtype=np.float32) - np.float32(len(cepstrum) - 1) / 2
    slope = away @ cepstrum / (away @ away)
    at = cepstrum.argmax(axis=0)
    prominence: Floats = cepstrum.max(axis=0) - cepstrum.mean(axis=0) - slope * away[at]
    return prominence


def perturbation(y: Floats, centres: NDArray[np.int64], hertz: Floats) -> tuple[Floats, Floats]:
    """Jitter and shimmer of the four periods around each centre.

    A period's length is the lag at which what follows it resembles it most (between `STRETCH` of the frame's own
    period, refined by a parabola); its height is its range. Both are the mean change from one to the next over the
    mean.

    Returns
    -------
    jitter, shimmer : np.ndarray [shape=(t,), dtype=float32]
    """
    period = (SAMPLE_RATE / hertz).astype(np.float32)[:, np.newaxis, np.newaxis]
    within = np.arange(POINTS, dtype=np.float32) / POINTS
    number = np.arange(-2, 2, dtype=np.float32)[:, np.newaxis]
    cycles = _around(y, centres, period * (number + within))
    height = cycles.max(axis=2) - cycles.min(axis=2)
    shimmer = np.abs(np.diff(height, axis=1)).mean(axis=1) / np.maximum(height.mean(axis=1), np.float32(1e-9))
    later = number[:3, :, np.newaxis] + STRETCH[:, np.newaxis] + within
    following = _around(y, centres, period[..., np.newaxis] * later)
    like = np.einsum("tcp,tcsp->tcs", cycles[:, :3], following)
    like /= np.sqrt(np.einsum("tcsp,tcsp->tcs", following, following) + np.float32(1e-12))
    best = np.clip(like.argmax(axis=2), 1, len(STRETCH) - 2)[:, :, np.newaxis]
    before, here, after = (np.take_along_axis(like, best + shift, axis=2)[:, :, 0] for shift in (-1, 0, 1))
    bend = np.maximum(2 * here - before - after, np.float32(1e-9))
    length = STRETCH[best[:, :, 0]] + (STRETCH[1] - STRETCH[0]) * np.clip((after - before) / (2 * bend), -1, 1)
    jitter = np.abs(np.diff(length, axis=1)).mean(axis=1) / length.mean(axis=1)
    return jitter.astype(np.float32), shimmer.astype(np.float32)


def _around(y: Floats, centres: NDArray[np.int64], away: NDArray[np.floating[Any]]) -> Floats:
    """`y` at places `away` [shape=(t, ...)] from each centre, on the line between two samples; zeros lie beyond."""
    reach = int(np.abs(away).max(initial=0)) + 2
    left = np.floor(away)
    share = away - left
    at = left.astype(np.int64)
    at += centres.reshape(-1, *(1,) * (away.ndim - 1)) + reach
    padded = np.pad(y, reach)
    here = padded.take(at)
    at += 1
    value: Floats = here + share.astype(np.float32, copy=False) * (padded.take(at) - here)
    return value


def _harmonic(decibels: Floats, hertz: Floats, number: int) -> Floats:
    """The highest bin within 15 % of the pitch around one of its multiples [shape=(t,)]."""
    bin_width = SAMPLE_RATE / 2 / (shape.BINS - 1)
    places = (number + np.array([-0.15, -0.075, 0, 0.075, 0.15])[:, np.newaxis]) * hertz / bin_width
    at = np.clip(np.rint(places).astype(int), 0, shape.BINS - 1)
    highest: Floats = decibels[at, np.arange(len(hertz))].max(axis=0)
    return highest
