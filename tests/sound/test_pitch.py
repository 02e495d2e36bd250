from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.sound import frames
from ravdess.sound.pitch import HIGH, LOW, _window_correlation, heard, periodicity, track
from tests.sound.waves import SR, Floats, harmonics, noise, sine


def pitch(y: Floats) -> Floats:
    loud = heard(frames.rms(y))
    repeats = np.concatenate([periodicity(power[:, loud[at]]) for at, power in frames.power_blocks(y)], axis=1)
    hertz = np.zeros(len(loud), np.float32)
    hertz[loud] = track(repeats)
    return hertz


@settings(max_examples=60, deadline=None)
@given(st.floats(LOW + 1, HIGH - 5))
def test_a_sine_is_found_to_a_thousandth(hertz: float) -> None:
    found = pitch(sine(hertz))[3:-3]
    np.testing.assert_allclose(found, hertz, rtol=1e-3)


@settings(max_examples=60, deadline=None)
@given(hertz=st.floats(75, 900), decay=st.floats(0, 2), count=st.integers(3, 30), level=st.floats(0, 0.05))
def test_no_octave_is_lost_on_harmonics(hertz: float, decay: float, count: int, level: float) -> None:
    weights = [number**-decay * (number * hertz < SR / 2) for number in range(1, count + 1)]
    found = pitch(harmonics(hertz, weights) + level * noise(amplitude=0.3))[4:-4]
    np.testing.assert_allclose(found, hertz, rtol=0.01)


@pytest.mark.parametrize("hertz", [90, 150, 250, 400])
@pytest.mark.parametrize(
    "weights",
    [[0, 1, 1, 1, 1], [0.2, 1, 0.3, 0.3], [1, 0.1, 1, 0.1, 1], [0.3, 0.3, 1, 0.3], [1, 1, 0, 0, 0, 1]],
    ids=["fundamental missing", "second strongest", "odd ones", "third strongest", "gap"],
)
def test_no_octave_is_lost_on_odd_timbres(hertz: float, weights: list[float]) -> None:
    np.testing.assert_allclose(pitch(harmonics(hertz, weights))[4:-4], hertz, rtol=0.01)


@pytest.mark.parametrize(("start", "stop"), [(100, 300), (500, 150), (300, 900)])
def test_follows_a_glide(start: float, stop: float) -> None:
    hertz = np.geomspace(start, stop, 2 * SR)
    found = pitch(harmonics(hertz, 1 / np.arange(1, 12), 2.0))
    truth = hertz[np.minimum(np.arange(len(found)) * 512, len(hertz) - 1)]
    np.testing.assert_allclose(found[4:-4], truth[4:-4], rtol=0.02)


def test_a_leap_of_more_than_an_octave_is_believed() -> None:
    low, high = harmonics(120, 1 / np.arange(1, 12)), harmonics(420, 1 / np.arange(1, 12))
    found = pitch(np.concatenate([low, high]))
    np.testing.assert_allclose(found[4:38], 120, rtol=0.01)
    np.testing.assert_allclose(found[-38:-4], 420, rtol=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_silence_have_no_pitch(seed: int) -> None:
    y = noise(2.0, seed=seed)
    assert pitch(y).max() == 0
    y[SR:] = 0
    assert pitch(y).max() == 0


def test_what_lies_30_db_below_the_loudest_is_not_listened_to() -> None:
    y = np.concatenate([harmonics(200, [1, 1, 1]), 0.02 * harmonics(200, [1, 1, 1]), 0.05 * harmonics(200, [1, 1, 1])])
    found = pitch(y)
    second = SR // 512
    assert found[4 : second - 4].min() > 0
    assert found[second + 4 : 2 * second - 4].max() == 0
    assert found[2 * second + 4 : -4].min() > 0


def test_hum_and_offset_are_not_the_voice() -> None:
    y = harmonics(220, [1, 0.5, 0.3])
    np.testing.assert_allclose(pitch(y + 0.3 * sine(25) + np.float32(0.2))[4:-4], 220, rtol=0.01)


def test_the_window_correlation_is_that_of_the_window() -> None:
    window = frames.hann().astype(float)
    lags = range(21, 342)
    direct = np.array([window[lag:] @ window[: 2048 - lag] for lag in lags]) / (window @ window)
    assert _window_correlation().shape == (len(lags), 1)
    np.testing.assert_allclose(_window_correlation()[:, 0], direct, atol=2e-4)
