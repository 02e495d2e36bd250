"""`voice_stats` as a whole, on sounds whose truth is known."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.features import feature_set
from ravdess.sound import shape, spoken, timbre, voice
from ravdess.sound.read import resample
from ravdess.testing import check_feature_set
from tests.sound.waves import SR, Floats, harmonics, noise, sine
from tests.sound.waves import voice as speech

SET = feature_set("voice_stats")
SAW = 1 / np.arange(1, 12)


def named(y: Floats) -> dict[str, float]:
    return dict(zip(SET.columns, SET.extract(y.astype(np.float32), SR).tolist(), strict=True))


def test_it_keeps_the_contract() -> None:
    check_feature_set(SET)


def test_its_columns_are_a_few_hundred_that_explain_themselves() -> None:
    assert 300 <= len(SET.columns) <= 1000
    assert SET.columns == tuple(voice.COLUMNS)
    assert all(re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", column) for column in SET.columns)
    assert SET.about("jitter_mean") == voice.COLUMNS["jitter_mean"]
    assert set(SET.columns) > voice.OF_LEVEL


def test_a_steady_tone_is_known() -> None:
    said = named(sine(440, 2.0))
    assert said["pitch_mean"] == pytest.approx(36, abs=0.02)  # three octaves above 55 Hz
    assert said["pitch_std"] < 0.05
    assert said["voiced_share"] > 0.95
    assert said["jitter_p50"] < 1e-3
    assert said["shimmer_p50"] < 1e-3
    assert said["harmonics_to_noise_p50"] > 25
    assert said["level"] == pytest.approx(10 * np.log10(0.125), abs=0.1)
    assert said["zero_crossing_rate_p50"] == pytest.approx(880, rel=0.02)
    assert said["rolloff50_p50"] == pytest.approx(36, abs=0.5)
    assert said["syllable_count"] == 1
    assert said["pause_rate"] == 0
    assert said["spoken_seconds"] == pytest.approx(2.0, abs=0.05)
    loudest = max((column for column in SET.columns if re.fullmatch("mel_.*_p50", column)), key=said.__getitem__)
    assert abs(int(loudest.split("_")[1].removesuffix("hz")) - 440) < 40


def test_noise_is_flat_and_has_no_melody() -> None:
    said = named(noise(2.0))
    assert said["voiced_share"] == 0
    assert said["pitch_mean"] == said["jitter_mean"] == said["h1_h2_mean"] == 0
    # The logarithm of an exponentially distributed power falls short of that of its mean by Euler's constant.
    assert said["flatness_2000_4000hz_mean"] == pytest.approx(-10 * np.euler_gamma / np.log(10), abs=0.2)
    assert said["slope_1500_5000hz_mean"] == pytest.approx(0, abs=0.2)
    assert said["alpha_ratio_mean"] == pytest.approx(10 * np.log10(4000 / 950), abs=0.3)
    assert said["flatness_2000_4000hz_voiced_mean"] == said["flatness_2000_4000hz_mean"]


@settings(max_examples=15, deadline=None)
@given(gain=st.floats(0.01, 8.0), seed=st.integers(0, 3))
def test_a_gain_moves_level_alone(gain: float, seed: int) -> None:
    y = resample(speech(seed=seed), 48_000, SR)
    before, after = named(y), named(y * np.float32(gain))
    moved = 20 * np.log10(gain)
    for column, value in before.items():
        step = moved * (np.sqrt(timbre.MELS) if column.startswith("mfcc") else 1) if column in voice.OF_LEVEL else 0
        assert after[column] == pytest.approx(value + step, rel=5e-3, abs=2e-2), column


@settings(max_examples=15, deadline=None)
@given(before=st.integers(0, 200), after=st.integers(0, 60_000), seed=st.integers(0, 3))
def test_silence_around_it_says_nothing(before: int, after: int, seed: int) -> None:
    y = resample(speech(seed=seed), 48_000, SR)
    y = np.concatenate([np.zeros(4096, np.float32), y, np.zeros(4096, np.float32)])
    longer = np.concatenate([np.zeros(before * spoken.HOP, np.float32), y, np.zeros(after, np.float32)])
    plain, padded = named(y), named(longer)
    for column, value in plain.items():
        assert padded[column] == pytest.approx(value, rel=5e-3, abs=2e-2), column


def test_silence_that_shifts_the_frames_changes_little() -> None:
    """Beside what differs between voices, frames cut elsewhere change next to nothing."""
    clips = [resample(speech(seed=seed), 48_000, SR) for seed in range(12)]
    plain = np.stack([SET.extract(y, SR) for y in clips])
    moved = np.stack([SET.extract(np.concatenate([np.zeros(5_101, np.float32), y]), SR) for y in clips])
    spread = plain.std(axis=0)
    assert np.median(np.abs(moved - plain) / (spread + 1e-6)) < 0.05


def test_hiss_far_below_the_voice_is_not_measured() -> None:
    y = np.concatenate([np.zeros(SR), harmonics(200, SAW, 1.5) * np.hanning(round(1.5 * SR)), np.zeros(SR)])
    clean, hissing = named(y), named(y + noise(len(y) / SR, amplitude=1e-5))
    assert hissing["spoken_seconds"] == clean["spoken_seconds"]
    for column in ("mel_150hz_mean", "hammarberg_mean", "pitch_mean", "spread_mean", "rolloff85_mean"):
        if column in clean:
            assert hissing[column] == pytest.approx(clean[column], rel=0.02, abs=0.2), column


def test_hum_and_offset_are_not_measured() -> None:
    y = harmonics(220, SAW, 1.5)
    clean, humming = named(y), named(y + np.float32(0.2))
    for column in SET.columns:
        assert humming[column] == pytest.approx(clean[column], rel=0.02, abs=0.25), column


def test_long_clips_are_the_same_block_by_block() -> None:
    y = np.concatenate([resample(speech(seed=seed), 48_000, SR) for seed in range(4)])
    whole = spoken.find(y)
    assert len(whole.level) > 2 * voice._BLOCK
    starts, befores, powers = zip(*voice.spectra(whole), strict=True)
    power = np.concatenate(powers, axis=1)
    assert starts[:2] == (0, voice._BLOCK)
    np.testing.assert_array_equal(befores[1][:, 0], power[:, voice._BLOCK - 1])
    np.testing.assert_array_equal(befores[0][:, 0], power[:, 0])
    np.testing.assert_allclose(power.sum(axis=0).max(), 10 ** (whole.level.max() / 10), rtol=0.5)
    assert np.isfinite(SET.extract(y, SR)).all()


def test_a_flat_spectrum_is_flat_in_its_mel_bands() -> None:
    np.testing.assert_allclose(timbre.mel_filters().of(np.ones((shape.BINS, 2), np.float32)), 1, rtol=1e-5)
    centres = np.array(timbre.CENTRES)
    assert centres[0] > timbre.LOWEST
    assert centres[-1] < SR / 2
    assert (np.diff(centres) > 0).all()


@pytest.mark.parametrize("at", [20, 100, 400])
def test_a_line_lies_where_it_is(at: int) -> None:
    power = np.full((shape.BINS, 2), 1e-12, np.float32)
    power[at] = 1
    tracks = shape.shape(power, 10 * np.log10(power), power[:, :1])
    said = dict(zip(shape.TRACKS, tracks[:, 0], strict=True))
    hertz = at * SR / spoken.FRAME
    assert said["rolloff50"] == pytest.approx(12 * np.log2(hertz / 55), abs=0.01)
    assert said["centroid"] == pytest.approx(12 * np.log2(hertz / 55), abs=0.5)
    assert said["flux"] < 1e-4


def test_a_straight_spectrum_has_its_slope() -> None:
    hertz = shape.frequencies()[:, np.newaxis]
    decibels = np.repeat(-12 * hertz / 1000, 2, axis=1).astype(np.float32)
    power = (10 ** (decibels / 10)).astype(np.float32)
    said = dict(zip(shape.TRACKS, shape.shape(power, decibels, power[:, :1])[:, 0], strict=True))
    for low, high in shape.SLOPES:
        assert said[f"slope_{low}_{high}hz"] == pytest.approx(-12, rel=1e-3)
    assert said["hammarberg"] == pytest.approx(12 * 1.95, abs=0.6)
