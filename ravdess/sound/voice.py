"""`voice_stats`: what a phonetician would measure of the spoken part of a clip.

Timbre (log-mel bands, MFCC and their movement), loudness, melody, the shape of the spectrum, the quality of the voice,
and rhythm, each as statistics over time. The part is that of `ravdess.sound.spoken`: silence around it says nothing.

One short-time spectrum serves all but the pitch, which needs longer frames to hear low voices. Under each spectrum
lies a floor in every bin, 75 dB below the power of the loudest frame, so that neither digital silence nor the noise
of a microphone is measured. A gain therefore moves, in dB, only what is told in dB of full scale (`OF_LEVEL`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.features import FEATURE_SETS, FeatureSet
from ravdess.sound import (
    frames,
    functionals,
    loudness,
    melody,
    pitch,
    quality,
    rhythm,
    shape,
    spoken,
    timbre,
    transform,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FLOOR: Final = 75.0
"""dB below the mean power of the loudest frame."""
HUSH: Final = 60.0
"""dB below the loudest frame, of a sample that does not cross zero: silence has no sign."""
WIDE: Final = 5
"""Neighbouring mel bands whose mean makes a band of which modulation is told."""
_STEP: Final = 2
"""Pitch and the quality of the voice are told of every second frame."""
_BLOCK: Final = 512
"""Frames whose spectra are held at a time."""

_SHAPES: Final = {
    **shape.TRACKS,
    "zero_crossing_rate": ("a second", "Kedem 1986, doi 10.1109/PROC.1986.13663"),
}
_BANDS: Final = (
    *(f"{low}_{high}hz" for low, high in zip(timbre.CENTRES[::WIDE], timbre.CENTRES[WIDE - 1 :: WIDE], strict=True)),
    "level",
)
_KINDS: Final = {"": timbre.FIVE, "_voiced": ("mean", "std"), "_unvoiced": ("mean",)}
COLUMNS: Final = {
    **timbre.COLUMNS,
    **loudness.COLUMNS,
    **melody.COLUMNS,
    **{
        f"{track}{kind}_{statistic}": about
        for kind, statistics in _KINDS.items()
        for track, about in _SHAPES.items()
        for statistic in statistics
    },
    **{
        f"{track}_{statistic}": (f"{unit}; 0 when hardly a frame is voiced", source)
        for track, (unit, source) in quality.TRACKS.items()
        for statistic in timbre.FIVE
    },
    **{name: about for band in _BANDS for name, about in rhythm.modulation_columns(band).items()},
    **rhythm.TEMPO,
}
"""Column -> unit and source, in the order of the set."""

OF_LEVEL: Final = timbre.OF_LEVEL | loudness.OF_LEVEL
"""The columns that a gain moves."""


def _stats(y: Floats) -> Floats:
    """The numbers of `voice_stats`, in the order of `COLUMNS`."""
    speech = spoken.find(y)
    hertz, repeats = _pitch(speech)
    mel, shapes, qualities = _tracks(speech, hertz, repeats)
    voiced = np.repeat(hertz > 0, _STEP)[: len(speech.level)]
    wide = np.add.reduce(mel.reshape(-1, WIDE, len(speech.level)), axis=1) / np.float32(WIDE)
    return np.concatenate(
        [
            timbre.timbre(mel, spoken.RATE),
            loudness.loudness(speech.level, spoken.RATE),
            melody.melody(hertz, spoken.RATE / _STEP),
            functionals.describe(shapes, _KINDS[""]),
            functionals.describe(_chosen(shapes, voiced), _KINDS["_voiced"]),
            functionals.describe(_chosen(shapes, ~voiced), _KINDS["_unvoiced"]),
            functionals.describe(qualities, timbre.FIVE),
            rhythm.modulation(np.concatenate([wide, speech.level[np.newaxis]]), spoken.RATE),
            rhythm.tempo(speech.level, spoken.RATE, hertz > 0, spoken.RATE / _STEP),
        ]
    )


def _pitch(speech: spoken.Speech) -> tuple[Floats, Floats]:
    """Hertz of every second frame, 0 where no voice is, and the periodicity of the voiced ones."""
    rms = (10 ** (speech.level[::_STEP] / 20)).astype(np.float32)
    heard = np.flatnonzero(pitch.heard(rms))
    windows = speech.windows(frames.FRAME, step=_STEP)
    repeats = []
    for start in range(0, len(heard), _BLOCK):
        block = windows[heard[start : start + _BLOCK]]
        block *= frames.hann()
        repeats.append(pitch.periodicity(transform.power(block, pitch.BAND.stop).T))
    together = np.concatenate(repeats, axis=1) if len(repeats) > 1 else repeats[0]
    found = pitch.track(together)
    hertz = np.zeros(len(windows), np.float32)
    hertz[heard] = found
    return hertz, together.T[found > 0].T


def _tracks(speech: spoken.Speech, hertz: Floats, repeats: Floats) -> tuple[Floats, Floats, Floats]:
    """Mel bands in dB, shapes, and the voice's qualities: [shape=(c, t)] each, the last of voiced frames alone."""
    size = len(speech.level)
    mel, shapes = np.empty((timbre.MELS, size), np.float32), np.empty((len(_SHAPES), size), np.float32)
    shapes[-1] = _zero_crossings(speech)
    qualities = [np.zeros((len(quality.TRACKS), 0), np.float32)]
    told = 0
    for start, before, power in spectra(speech):
        here = slice(start, start + power.shape[1])
        decibels = transform.decibels(power)
        mel[:, here] = transform.decibels(timbre.mel_filters().of(power))
        shapes[:-1, here] = shape.shape(power, decibels, before)
        pitched = hertz[start // _STEP : (start + _BLOCK) // _STEP]
        at = np.flatnonzero(pitched)
        centres = (speech.first + start + _STEP * at) * spoken.HOP
        repeated = repeats[:, told : told + len(at)]
        told += len(at)
        qualities.append(quality.quality(decibels.T[_STEP * at].T, repeated, pitched[at], speech.y, centres))
    if told < melody.FEWEST:
        qualities = [np.zeros((len(quality.TRACKS), 1), np.float32)]
    return mel, shapes, np.concatenate(qualities, axis=1)


def spectra(speech: spoken.Speech) -> Iterator[tuple[int, Floats, Floats]]:
    """Power spectra in blocks: the first one's frame, the spectrum before it [shape=(513, 1)], they [shape=(513, t)].

    Bins sum to the mean power of the windowed frame, and none is less than `FLOOR` dB below that of the loudest one.
    Before the first frame of all comes itself.
    """
    windows = speech.windows(spoken.FRAME)
    floor = np.float32(10 ** ((float(speech.level.max()) - FLOOR) / 10))
    before: Floats | None = None
    for start in range(0, len(windows), _BLOCK):
        power = transform.power(windows[start : start + _BLOCK] * _window())
        power[:, : int(np.searchsorted(shape.frequencies(), timbre.LOWEST))] = 0
        power += floor
        power = power.T
        yield start, power[:, :1] if before is None else before, power
        before = power[:, -1:].copy()


@cache
def _window() -> Floats:
    """The periodic Hann window [shape=(1024,)], scaled to a mean square of 1 / 512 over its own sum of squares."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spoken.FRAME) / spoken.FRAME)
    scaled: Floats = (hann / np.sqrt((hann**2).sum() * spoken.FRAME / 2)).astype(np.float32)
    return scaled


def _zero_crossings(speech: spoken.Speech) -> Floats:
    """Changes of sign a second in each frame [shape=(t,)]; what is weaker than `HUSH` counts as positive."""
    begin = max(speech.first - spoken.FRAME // spoken.HOP, 0)
    end = speech.first + len(speech.level) + spoken.FRAME // spoken.HOP
    below = speech.y[begin * spoken.HOP : end * spoken.HOP] < -_amplitude(float(speech.level.max()) - HUSH)
    count = spoken.changes(below)[speech.first - begin :][: len(speech.level)]
    return count * np.float32(frames.SAMPLE_RATE / spoken.FRAME)


def _amplitude(level: float) -> np.float32:
    return np.float32(10 ** (level / 20))


def _chosen(tracks: Floats, which: NDArray[np.bool_]) -> Floats:
    """The frames that are chosen; all of them where fewer than three are."""
    return tracks[:, which] if which.sum() >= 3 else tracks


SET: Final = FEATURE_SETS.register(
    FeatureSet(
        name="voice_stats",
        columns=tuple(COLUMNS),
        sample_rate=frames.SAMPLE_RATE,
        compute=_stats,
        parameters={
            **{name: frames.PARAMETERS[name] for name in ("mono", "resampler", "window")},
            **spoken.PARAMETERS,
            **pitch.PARAMETERS,
            **rhythm.PARAMETERS,
            "pitch_frame": frames.FRAME,
            "pitch_step": _STEP,
            "floor_db": FLOOR,
            "crossing_hush_db": HUSH,
            "lowest_hz": timbre.LOWEST,
            "n_mels": timbre.MELS,
            "mel": "htk, unit sum",
            "n_mfcc": timbre.CEPSTRA,
            "dct": "II, ortho",
            "wide": WIDE,
            "change_width": 5,
            "cepstrum_hz": list(quality.CEPSTRUM),
            "cycle_points": quality.POINTS,
            "cycle_stretch": [float(quality.STRETCH[0]), float(quality.STRETCH[-1]), len(quality.STRETCH)],
            "pitch_leap": melody.LEAP,
            "fewest_voiced": melody.FEWEST,
        },
        units={column: unit for column, (unit, _) in COLUMNS.items()},
        source="definitions of its columns: see `FeatureSet.about`",
        sources={column: source for column, (_, source) in COLUMNS.items()},
    )
)
