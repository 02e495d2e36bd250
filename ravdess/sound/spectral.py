"""`spectral_stats`: what a listener would name. Noisiness, brightness, energy and pitch, over the frames of a clip.

Zero crossing rate, spectral centroid, roll-off and RMS are those of librosa's functions at default settings, each as
mean, standard deviation, min and max. Pitch is told over voiced frames alone, with their share of all frames;
its min and max would be the tracker's worst moments, so their place is taken by the 5th and 95th percentile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.features import FEATURE_SETS, FeatureSet
from ravdess.sound import frames, pitch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

ROLL_PERCENT: Final = 0.85

TRACKS: Final = ("zero_crossing_rate", "spectral_centroid_hz", "spectral_rolloff_hz", "rms")
STATISTICS: Final = ("mean", "std", "min", "max")
PITCH: Final = ("pitch_hz_mean", "pitch_hz_std", "pitch_hz_p05", "pitch_hz_p50", "pitch_hz_p95", "voiced_share")


def centroid(magnitude: Floats) -> Floats:
    """The mean frequency of each spectrum, weighted by magnitude: ``sum_k f[k] S[k, t] / sum_k S[k, t]``.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(1025, t), non-negative]

    Returns
    -------
    np.ndarray [shape=(t,)]
        Hz; 0 where the spectrum is all zeros.

    Notes
    -----
    Klapuri and Davy (2007), Signal Processing Methods for Music Transcription, chapter 5, as
    librosa.feature.spectral_centroid has it.
    """
    total = magnitude.sum(axis=0)
    weighted = np.einsum("k,kt->t", _frequencies(), magnitude)
    hertz: Floats = np.divide(weighted, total, out=np.zeros_like(total), where=total > 0)
    return hertz


def rolloff(magnitude: Floats) -> Floats:
    """The frequency of the first bin up to which 85 % of each spectrum's summed magnitude lies.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(1025, t), non-negative]

    Returns
    -------
    np.ndarray [shape=(t,)]
        Hz; 0 where the spectrum is all zeros. As librosa.feature.spectral_rolloff has it.
    """
    reached = np.cumsum(magnitude, axis=0)
    hertz: Floats = _frequencies()[(reached >= np.float32(ROLL_PERCENT) * reached[-1]).argmax(axis=0)]
    return hertz


def _frequencies() -> Floats:
    """Hz of each bin [shape=(1025,)]."""
    return np.linspace(0, frames.SAMPLE_RATE / 2, frames.BINS, dtype=np.float32)


def _stats(y: Floats) -> Floats:
    """The 22 numbers of `spectral_stats`: each track's statistics, then pitch."""
    tracks = np.empty((len(TRACKS), frames.count(y)), np.float32)
    tracks[0], tracks[3] = frames.zero_crossing_rate(y), frames.rms(y)
    heard, repeats = pitch.heard(tracks[3]), []
    for at, power in frames.power_blocks(y):
        repeats.append(pitch.periodicity(power[: pitch.BAND.stop, heard[at]]))
        magnitude = np.sqrt(power, out=power)
        tracks[1, at], tracks[2, at] = centroid(magnitude), rolloff(magnitude)
    hertz = pitch.track(np.concatenate(repeats, axis=1))
    ends = (tracks.mean(axis=1), tracks.std(axis=1), tracks.min(axis=1), tracks.max(axis=1))
    return np.concatenate([np.stack(ends, axis=1).ravel(), _pitch_stats(hertz, len(heard))])


def _pitch_stats(hertz: Floats, total: int) -> Floats:
    """Mean, deviation and percentiles of the voiced frames, all 0 when there is none, and their share of `total`."""
    voiced = hertz[hertz > 0]
    if not len(voiced):
        return np.zeros(len(PITCH), np.float32)
    centiles = np.percentile(voiced, [5, 50, 95])
    return np.array([voiced.mean(), voiced.std(), *centiles, len(voiced) / total], np.float32)


FEATURE_SETS.register(
    FeatureSet(
        name="spectral_stats",
        columns=(*(f"{track}_{statistic}" for track in TRACKS for statistic in STATISTICS), *PITCH),
        sample_rate=frames.SAMPLE_RATE,
        compute=_stats,
        parameters={**frames.PARAMETERS, "roll_percent": ROLL_PERCENT, "crossing_threshold": 1e-10, **pitch.PARAMETERS},
        units={
            "zero_crossing_rate": "share of samples, 0 to 1",
            "spectral_centroid_hz": "Hz",
            "spectral_rolloff_hz": "Hz",
            "rms": "full scale = 1",
            "pitch_hz": "Hz, over voiced frames; 0 when no frame is voiced",
            "voiced_share": "share of frames, 0 to 1",
        },
        source="librosa 0.11: feature.{zero_crossing_rate,spectral_centroid,spectral_rolloff,rms}; Boersma 1993",
    )
)
