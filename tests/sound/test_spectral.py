from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.features import feature_set
from ravdess.sound.read import resample
from ravdess.sound.spectral import PITCH, centroid, rolloff
from tests.sound import plain
from tests.sound.waves import SR, Floats, harmonics, noise, sine, voice

SET = feature_set("spectral_stats")
KNOWN = slice(0, -len(PITCH))
"""The columns that librosa makes too."""


def named(y: Floats) -> dict[str, float]:
    return dict(zip(SET.columns, SET.extract(y, SR).tolist(), strict=True))


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_librosa_on_voices(seed: int) -> None:
    y = resample(voice(seed=seed), 48_000, SR)
    np.testing.assert_allclose(SET.extract(y, SR)[KNOWN], plain.spectral_stats(y), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "y",
    [noise(), noise(0.2), noise(9.0), np.concatenate([np.zeros(SR, np.float32), noise(0.5), np.zeros(SR, np.float32)])],
    ids=["noise", "shortest", "long", "digital silence around"],
)
def test_equal_to_librosa_on_extremes(y: Floats) -> None:
    np.testing.assert_allclose(SET.extract(y, SR)[KNOWN], plain.spectral_stats(y), rtol=1e-4, atol=1e-3)


@given(st.integers(0, 1024), st.floats(1e-6, 1e3))
def test_one_line_is_its_own_centroid_and_rolloff(at: int, height: float) -> None:
    spectrum = np.zeros((1025, 1), np.float32)
    spectrum[at] = height
    assert centroid(spectrum) == pytest.approx(at * SR / 2048, rel=1e-5)
    assert rolloff(spectrum) == pytest.approx(at * SR / 2048, rel=1e-5)


def test_a_flat_spectrum_is_centred_and_rolls_off_at_85_percent() -> None:
    flat = np.ones((1025, 3), np.float32)
    np.testing.assert_allclose(centroid(flat), SR / 4, rtol=1e-5)
    np.testing.assert_allclose(rolloff(flat), 0.85 * SR / 2, atol=SR / 2048)


def test_no_spectrum_has_centroid_and_rolloff_0() -> None:
    assert centroid(np.zeros((1025, 1), np.float32)) == 0
    assert rolloff(np.zeros((1025, 1), np.float32)) == 0


def test_a_sine_is_known_in_full() -> None:
    numbers = named(sine(440, 4, amplitude=0.5))
    assert numbers["pitch_hz_p50"] == pytest.approx(440, rel=1e-3)
    assert numbers["pitch_hz_std"] < 2
    assert numbers["voiced_share"] > 0.98
    assert numbers["zero_crossing_rate_mean"] == pytest.approx(2 * 440 / SR, rel=0.02)
    assert numbers["spectral_centroid_hz_min"] == pytest.approx(440, rel=0.02)
    assert numbers["rms_max"] == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.01, 8.0))
def test_a_gain_moves_energy_alone(gain: float) -> None:
    y = resample(voice(), 48_000, SR)
    before, after = named(y), named((y * np.float32(gain)).astype(np.float32))
    for column, value in before.items():
        expected = value * gain if column.startswith("rms") else value
        assert after[column] == pytest.approx(expected, rel=2e-3, abs=1e-6), column


def test_noise_is_unvoiced_and_its_pitch_a_documented_0() -> None:
    numbers = named(noise(3.0))
    assert [numbers[column] for column in PITCH] == [0] * len(PITCH)
    assert SET.units["pitch_hz"].endswith("0 when no frame is voiced")


def test_pitch_is_told_over_voiced_frames_and_their_share_over_all() -> None:
    quiet = np.zeros(2 * SR, np.float32)
    numbers = named(np.concatenate([quiet, harmonics(200, 1 / np.arange(1, 9), 2.0), quiet]))
    assert numbers["pitch_hz_p05"] == pytest.approx(200, rel=0.01)
    assert numbers["pitch_hz_p95"] == pytest.approx(200, rel=0.01)
    assert numbers["voiced_share"] == pytest.approx(1 / 3, abs=0.02)
