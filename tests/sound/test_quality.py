from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.sound.quality import cepstral_peak_prominence, perturbation
from ravdess.sound.voice import COLUMNS, _stats
from tests.sound.waves import SR, Floats, harmonics, noise, sine


def named(y: Floats) -> dict[str, float]:
    return dict(zip(COLUMNS, _stats(y.astype(np.float32)).tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(st.floats(70, 700))
def test_a_sine_neither_trembles_nor_flickers(hertz: float) -> None:
    centres = np.arange(2_000, 20_000, 512)
    jitter, shimmer = perturbation(sine(hertz), centres, np.full(len(centres), hertz, np.float32))
    assert jitter.max() < 2e-3
    assert shimmer.max() < 5e-3


@pytest.mark.parametrize("depth", [0.005, 0.01, 0.03])
def test_jitter_is_the_change_of_period(depth: float) -> None:
    """Pulses of one shape, alternately half of `depth` late and early: gaps are 1 - depth and 1 + depth periods."""
    mean, count = 150, 160
    places = mean * (np.arange(count) + depth / 2 * np.where(np.arange(count) % 2, -1, 1))
    t = np.arange(mean * count)[:, np.newaxis] - places
    ring = np.where((t >= 0) & (t < 800), np.exp(-np.clip(t, 0, 800) / 40) * np.sin(2 * np.pi * 700 * t / SR), 0)
    centres = mean * np.arange(10, count - 10, 7)
    jitter, _ = perturbation(
        (0.5 * ring.sum(axis=1)).astype(np.float32), centres, np.full(len(centres), SR / mean, np.float32)
    )
    assert np.median(jitter) == pytest.approx(2 * depth, rel=0.15)


@pytest.mark.parametrize("depth", [0.02, 0.1])
def test_shimmer_is_the_change_of_height(depth: float) -> None:
    mean = 100
    heights = 0.5 * (1 + depth * np.where(np.arange(200) % 2, -1, 1))
    y = (np.repeat(heights, mean) * np.sin(2 * np.pi * np.arange(200 * mean) / mean)).astype(np.float32)
    centres = mean * np.arange(10, 190, 7)
    _, shimmer = perturbation(y, centres, np.full(len(centres), SR / mean, np.float32))
    np.testing.assert_allclose(shimmer, 2 * depth, rtol=0.05)


def test_noise_under_a_voice_lowers_its_harmonics() -> None:
    y = harmonics(180, 1 / np.arange(1, 12), 1.5)
    clean, hoarse = named(y), named(y + noise(1.5, amplitude=0.05))
    assert hoarse["harmonics_to_noise_mean"] < clean["harmonics_to_noise_mean"] - 5
    assert hoarse["cepstral_peak_prominence_mean"] < clean["cepstral_peak_prominence_mean"] - 1
    assert hoarse["jitter_mean"] > clean["jitter_mean"]
    assert hoarse["shimmer_mean"] > clean["shimmer_mean"]


@pytest.mark.parametrize("ratio", [0.0, 0.1])
def test_harmonics_to_noise_is_that_of_the_mixture(ratio: float) -> None:
    """The noise that counts lies below 2.75 kHz, where pitch is listened to: a quarter of all of it."""
    tone = sine(200, 1.5, amplitude=0.5)
    hiss = noise(1.5, amplitude=1.0) * np.float32(np.sqrt(0.125 * ratio * 4))
    expected = 10 * np.log10(1 / ratio) if ratio else 25
    said = named(tone + hiss)["harmonics_to_noise_p50"]
    assert said == pytest.approx(expected, abs=1.5) if ratio else said > expected


def test_harmonics_are_told_by_their_weights() -> None:
    said = named(harmonics(250, [1, 0.5, 0.1], 1.5))
    assert said["h1_h2_p50"] == pytest.approx(20 * np.log10(2), abs=0.7)
    assert said["h1_h3_p50"] == pytest.approx(20, abs=0.7)


def test_a_ripple_of_the_spectrum_is_its_cepstral_peak() -> None:
    bins = np.arange(513)[:, np.newaxis]
    height, lag = 10.0, 100
    ripple = (height * np.cos(2 * np.pi * lag * bins / 1024)).astype(np.float32)
    # Half of it lies at the positive lag, times the scale of 20; the line fitted to all lags takes a little.
    assert cepstral_peak_prominence(ripple)[0] == pytest.approx(20 * height / 2, rel=0.02)
    assert cepstral_peak_prominence(np.zeros((513, 1), np.float32))[0] == 0
