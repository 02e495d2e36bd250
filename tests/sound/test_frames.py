from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.sound import frames
from tests.sound.waves import SR, Floats, noise, sine


def power(y: Floats) -> Floats:
    return np.concatenate([block for _, block in frames.power_blocks(y)], axis=1)


def test_a_tone_on_a_bin_has_the_spectrum_of_the_window() -> None:
    y = sine(100 * SR / 2048, amplitude=1.0)
    middle = power(y)[:, 10]
    assert middle.argmax() == 100
    # A Hann window sums to 1024 and spreads a tone over three bins as 1/4, 1, 1/4 of its power.
    np.testing.assert_allclose(middle[99:102], np.array([0.25, 1, 0.25]) * 512**2, rtol=1e-4)
    assert middle[103:].max() < 1e-6 * 512**2


def test_parseval() -> None:
    y = noise()
    spectrum = power(y)[:, 10].astype(float)
    windowed = y[10 * 512 - 1024 : 10 * 512 + 1024] * frames.hann()
    total = (spectrum[0] + 2 * spectrum[1:-1].sum() + spectrum[-1]) / 2048
    assert total == pytest.approx(float((windowed.astype(float) ** 2).sum()), rel=1e-5)


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")
@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 40_000))
def test_equal_to_librosa_at_every_length(n: int) -> None:
    import librosa

    y = noise(n / SR)
    assert frames.count(y) == 1 + n // 512
    expected = np.abs(librosa.stft(y)) ** 2
    np.testing.assert_allclose(power(y), expected, rtol=1e-3, atol=1e-5 * expected.max())
    np.testing.assert_allclose(frames.rms(y), librosa.feature.rms(y=y)[0], rtol=1e-5)
    np.testing.assert_array_equal(
        frames.zero_crossing_rate(y), librosa.feature.zero_crossing_rate(y)[0].astype(np.float32)
    )


def test_blocks_follow_each_other() -> None:
    y = noise(3.0)
    places = [at for at, _ in frames.power_blocks(y)]
    assert [at.start for at in places] == [0, *(at.stop for at in places[:-1])]
    assert places[-1].stop == frames.count(y)


@pytest.mark.parametrize("hertz", [50, 440, 5_000])
def test_a_sine_has_known_rms_and_crossings(hertz: float) -> None:
    y = sine(hertz, 3, amplitude=0.5)
    inner = slice(4, -4)
    np.testing.assert_allclose(frames.rms(y)[inner], 0.5 / np.sqrt(2), rtol=0.02)
    assert frames.zero_crossing_rate(y)[inner].mean() == pytest.approx(2 * hertz / SR, rel=0.01)


def test_tiny_values_are_zero_to_the_crossings() -> None:
    y = np.tile(np.array([1e-11, -1e-11], np.float32), 4_000)
    assert frames.zero_crossing_rate(y).max() == 0
    assert frames.zero_crossing_rate(y * 100).max() == pytest.approx(2047 / 2048)
