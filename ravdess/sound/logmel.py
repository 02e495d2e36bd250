"""`logmel`: the spoken part of a clip as a picture of sound, for networks. One frame is a column of 64 mel bands.

A band is the mean power of its bins. A byte holds it in steps of half a dB: 255 is full scale, 0 is 127.5 dB below it,
or less. The level is kept, since loudness tells much of an emotion; who wants it gone subtracts the clip's peak, which
stands in the index. Spectra and spoken part are those of `voice_stats`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.frames import FRAME_SETS, FrameSet, Pictures
from ravdess.sound import frames, spoken, timbre, voice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MELS: Final = 64
STEP: Final = 0.5
"""dB from one byte to the next."""


def decibels(bands: NDArray[np.uint8]) -> Floats:
    """Bytes of `logmel` as dB of full scale, -127.5 ... 0; any shape, float32."""
    level: Floats = (bands.astype(np.float32) - 255) * np.float32(STEP)
    return level


def _logmel(y: Floats) -> Pictures:
    speech = spoken.find(y)
    mel = np.empty((len(speech.level), MELS), np.float32)
    for start, _, power in voice.spectra(speech):
        mel[start : start + power.shape[1]] = timbre.mel_filters(MELS).of(power).T
    np.log10(mel, out=mel)
    mel *= np.float32(10)
    bytes_ = np.clip(np.rint(mel / np.float32(STEP)) + 255, 0, 255).astype(np.uint8)
    facts = (spoken.RATE, speech.first / spoken.RATE, speech.seconds, float(mel.max()))
    return Pictures(bytes_.reshape(-1, MELS, 1, 1), facts)


FRAME_SETS.register(
    FrameSet(
        name="logmel",
        shape=(MELS, 1, 1),
        modality="sound",
        columns=("frame_rate", "start", "seconds", "peak"),
        sample_rate=frames.SAMPLE_RATE,
        compute=_logmel,
        parameters={
            **{name: frames.PARAMETERS[name] for name in ("mono", "resampler", "window")},
            **spoken.PARAMETERS,
            "n_mels": MELS,
            "mel": "htk",
            "mel_norm": "mean",
            "fmin": timbre.LOWEST,
            "fmax": frames.SAMPLE_RATE / 2,
            "power": 2,
            "floor_below_peak_db": voice.FLOOR,
            "step_db": STEP,
            "level": "of full scale",
        },
        units={
            "frames": "255 + twice the dB of full scale; low bands first",
            "frame_rate": "1/s",
            "start": "s, where the spoken part begins in the clip",
            "seconds": "s, of the spoken part",
            "peak": "dB of full scale, of the loudest band",
        },
        source="mel bands, 2595 log10(1 + f / 700): Young et al. 2006, The HTK Book",
    )
)
