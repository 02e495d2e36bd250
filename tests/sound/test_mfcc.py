from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.features import feature_set
from ravdess.sound import frames
from ravdess.sound.mfcc import deltas, mel_filters, mfcc, triangles
from ravdess.sound.read import resample
from tests.sound import plain
from tests.sound.waves import SR, Floats, harmonics, noise, sine, voice

SET = feature_set("mfcc_stats")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sr", [22_050, 44_100, 48_000])
def test_equal_to_librosa_on_voices(sr: int, seed: int) -> None:
    y = resample(voice(sr=sr, seed=seed), sr, SR)
    np.testing.assert_allclose(SET.extract(y, SR), plain.mfcc_stats(y), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "y",
    [
        noise(),
        noise(amplitude=2.0),
        noise(0.2),
        noise(9.0),
        sine(440),
        sine(10_900),
        harmonics(200, np.ones(30)),
        np.where(np.arange(SR) == 5_000, 1, 0).astype(np.float32),
        np.concatenate([np.zeros(SR, np.float32), noise(0.5), np.zeros(SR, np.float32)]),
    ],
    ids=["noise", "overdriven", "shortest", "long", "sine", "high sine", "pulses", "click", "digital silence around"],
)
def test_equal_to_librosa_on_extremes(y: Floats) -> None:
    np.testing.assert_allclose(SET.extract(y, SR), plain.mfcc_stats(y), rtol=1e-4, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(4_096, 30_000), seed=st.integers(0, 99))
def test_equal_to_librosa_at_every_length(n: int, seed: int) -> None:
    y = noise(n / SR, seed=seed)
    np.testing.assert_allclose(SET.extract(y, SR), plain.mfcc_stats(y), rtol=1e-4, atol=1e-3)


def test_the_filter_bank_is_librosas_and_mostly_zeros() -> None:
    import librosa

    bank = triangles()
    np.testing.assert_allclose(bank, librosa.filters.mel(sr=SR, n_fft=2048), rtol=1e-5, atol=1e-9)
    assert np.count_nonzero(bank) < 0.02 * 128 * 1025
    np.testing.assert_allclose(mel_filters().of(np.eye(1025, dtype=np.float32)), bank, rtol=1e-6)


def test_each_filter_has_unit_area_in_hertz() -> None:
    areas = triangles().sum(axis=1) * SR / 2048
    np.testing.assert_allclose(areas[20:], 1, rtol=0.08)  # the lowest are but two bins wide


@given(a=st.floats(-50, 50), b=st.floats(-50, 50), c=st.floats(-1, 1), t=st.integers(9, 40))
def test_deltas_of_a_parabola_are_its_derivatives(a: float, b: float, c: float, t: int) -> None:
    x = np.arange(t)
    slope, curve = deltas((a + b * x + c * x**2).astype(np.float32)[np.newaxis])[:, 0]
    np.testing.assert_allclose(slope, (b + 2 * c * x)[4:-4], atol=2e-3)
    np.testing.assert_allclose(curve, 2 * c, atol=2e-3)


def test_deltas_repeat_at_the_ends_in_librosa() -> None:
    """Why `deltas` leaves the four outer frames out, and may."""
    from librosa.feature import delta

    tracks = np.random.default_rng(0).standard_normal((3, 30)).astype(np.float32)
    for order, ours in zip((1, 2), deltas(tracks), strict=True):
        theirs = delta(tracks, order=order)
        np.testing.assert_allclose(theirs[:, 4:-4], ours, atol=1e-5)
        np.testing.assert_allclose(theirs[:, :4], np.repeat(ours[:, :1], 4, axis=1), atol=1e-5)
        np.testing.assert_allclose(theirs[:, -4:], np.repeat(ours[:, -1:], 4, axis=1), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.01, 8.0))
def test_a_gain_moves_loudness_alone(gain: float) -> None:
    y = noise(amplitude=0.2)
    before, after = SET.extract(y, SR), SET.extract((y * np.float32(gain)).astype(np.float32), SR)
    expected = before.copy()
    # A gain adds the same dB to all 128 bands, which is the DCT's first coefficient alone: dB * sqrt(128).
    expected[:3] += 20 * np.log10(gain) * np.sqrt(128)
    expected[-3:] *= gain
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=4e-3)


def test_time_reversal_turns_the_deltas_alone() -> None:
    y = resample(voice(), 48_000, SR)
    y = y[: len(y) // 512 * 512 + 1]  # so that the frames of the reversed clip are those of the clip, reversed
    numbers = dict(zip(SET.columns, SET.extract(y, SR), strict=True))
    turned = dict(zip(SET.columns, SET.extract(y[::-1].copy(), SR), strict=True))
    for column, value in numbers.items():
        if column.endswith("_delta_mean"):
            assert turned[column] == pytest.approx(-value, abs=2e-3)
        elif column.endswith("_delta_min"):
            assert turned[column.replace("min", "max")] == pytest.approx(-value, abs=2e-2, rel=2e-3)
        elif not column.endswith("_delta_max"):
            assert turned[column] == pytest.approx(value, abs=2e-2, rel=2e-3)


def test_the_cut_into_blocks_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    y = noise(2.0)
    expected = mfcc(y)
    for block in (1, 7, 500):
        monkeypatch.setattr(frames, "_BLOCK", block)
        np.testing.assert_allclose(mfcc(y), expected, atol=1e-4)


def test_the_columns() -> None:
    assert len(SET.columns) == 120
    assert SET.columns[:3] == ("mfcc_01_mean", "mfcc_01_min", "mfcc_01_max")
    assert SET.columns[39:42] == ("mfcc_01_delta_mean", "mfcc_01_delta_min", "mfcc_01_delta_max")
    assert SET.columns[78] == "mfcc_01_delta2_mean"
    assert SET.columns[-3:] == ("rms_mean", "rms_min", "rms_max")
    assert SET.sample_rate == SR
