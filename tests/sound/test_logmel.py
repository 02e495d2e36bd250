"""`logmel`: a picture of sound in steps of half a dB of full scale."""

from __future__ import annotations

import numpy as np
import pytest

from ravdess.frames import frame_set
from ravdess.sound import spoken, timbre
from ravdess.sound.logmel import MELS, decibels

SET = frame_set("logmel")
SR = 22050


def tone(hertz: float, seconds: float = 1.0, gain: float = 0.3) -> np.ndarray:
    """A tone between two stretches of silence of half a second."""
    t = np.arange(int(seconds * SR)) / SR
    silence = np.zeros(SR // 2)
    return np.concatenate([silence, gain * np.sin(2 * np.pi * hertz * t), silence]).astype(np.float32)


@pytest.mark.parametrize("hertz", [150.0, 500.0, 2000.0, 8000.0])
def test_a_tone_stands_in_its_band(hertz: float) -> None:
    made = SET.extract(tone(hertz), SR)
    assert made.frames.shape[1:] == (64, 1, 1)
    points = timbre._mel_points(MELS)
    loudest = made.frames[10:-10, :, 0, 0].argmax(axis=1)
    assert set(loudest) == {int(np.abs(points[1:-1] - hertz).argmin())}
    assert made.frames.max() == round(2 * made.facts[3]) + 255


def test_the_part_is_the_spoken_one() -> None:
    rate, start, seconds, _ = SET.extract(tone(440.0), SR).facts
    assert rate == SR / 256
    assert start == pytest.approx(0.5, abs=0.06)
    assert start + seconds == pytest.approx(1.5, abs=0.06)
    frames = SET.extract(tone(440.0), SR).frames
    assert len(frames) == len(spoken.find(tone(440.0)).level) == round(seconds * rate)


def test_a_gain_moves_all_bands_alike() -> None:
    loud, soft = (SET.extract(tone(440.0, gain=gain), SR) for gain in (0.5, 0.05))
    assert np.abs(loud.frames.astype(int) - soft.frames - 40).max() <= 1
    assert loud.facts[:3] == soft.facts[:3]
    assert loud.facts[3] - soft.facts[3] == pytest.approx(20, abs=0.01)


def test_two_tones_differ_by_as_many_decibels() -> None:
    y = tone(500.0, gain=0.5) + tone(2000.0, gain=0.05)
    mean = decibels(SET.extract(y, SR).frames[20:60, :, 0, 0]).mean(axis=0)
    centres = timbre._mel_points(MELS)[1:-1]
    low, high = (mean[np.abs(centres - hertz).argmin()] for hertz in (500, 2000))
    # A band is the mean over its bins: the wider one spreads the same tone's power over as many more of them.
    shares = [timbre.triangles(MELS)[np.abs(centres - hertz).argmin()].max() for hertz in (500, 2000)]
    assert low - high == pytest.approx(20 + 10 * np.log10(shares[0] / shares[1]), abs=2.5)
    assert decibels(np.array([0, 251, 255], np.uint8)).tolist() == [-127.5, -2.0, 0.0]
