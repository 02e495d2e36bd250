"""What holds for every feature set of sound, and for the checks before them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ravdess.errors import BadClip, UnknownName
from ravdess.features import feature_set
from ravdess.sound.read import LONGEST, check, resample
from tests.sound.waves import SR, Floats, noise, sine, voice

SETS = ["mfcc_stats", "spectral_stats", "voice_stats"]
LEAST = 8 * 512


@pytest.mark.parametrize("name", SETS)
@settings(max_examples=60, deadline=None)
@given(
    y=arrays(np.float32, st.integers(0, LEAST + 1500), elements=st.floats(width=32), fill=st.floats(width=32)),
    sr=st.sampled_from([8_000, 22_050, 48_000]),
)
def test_any_samples_give_finite_numbers_or_a_reason(name: str, y: Floats, sr: int) -> None:
    one = feature_set(name)
    try:
        numbers = one.extract(y, sr)
    except BadClip:
        return
    assert numbers.shape == (len(one.columns),)
    assert numbers.dtype == np.float32
    assert np.isfinite(numbers).all()


@pytest.mark.parametrize("name", SETS)
@settings(max_examples=60, deadline=None)
@given(
    y=arrays(np.float32, st.integers(2, 300), elements=st.floats(-1, 1, width=32)),
    before=st.integers(0, 5_000),
    times=st.integers(1, 99),
)
def test_any_loud_enough_samples_are_taken(name: str, y: Floats, before: int, times: int) -> None:
    y[:2] = 0.5, -0.5
    y = np.concatenate([np.zeros(before, np.float32), np.tile(y, times), np.zeros(LEAST, np.float32)])
    numbers = feature_set(name).extract(y, SR)
    assert np.isfinite(numbers).all()


@pytest.mark.parametrize("name", SETS)
def test_a_clip_gives_the_same_numbers_twice_and_stays_as_it_was(name: str) -> None:
    y = voice()
    before = y.copy()
    one = feature_set(name)
    np.testing.assert_array_equal(one.extract(y, 48_000), one.extract(y, 48_000))
    np.testing.assert_array_equal(one.extract(resample(y, 48_000, SR), SR), one.extract(y, 48_000))
    np.testing.assert_array_equal(y, before)
    y.flags.writeable = False
    one.extract(y, 48_000)


@pytest.mark.parametrize("name", ["mfcc_stats", "spectral_stats"])
def test_silence_around_it_is_part_of_a_clip_but_not_of_its_extremes(name: str) -> None:
    one = feature_set(name)
    y = resample(voice(), 48_000, SR)
    longer = np.concatenate([np.zeros(512 * 40, np.float32), y, np.zeros(512 * 40, np.float32)])
    plain, padded = (dict(zip(one.columns, one.extract(wave, SR), strict=True)) for wave in (y, longer))
    assert padded["rms_max"] == pytest.approx(plain["rms_max"])
    assert padded["rms_mean"] < plain["rms_mean"]


@pytest.mark.parametrize("name", SETS)
def test_columns_are_many_distinct_words(name: str) -> None:
    one = feature_set(name)
    assert len(set(one.columns)) == len(one.columns)
    assert all(column.isidentifier() and column.islower() for column in one.columns)


@pytest.mark.parametrize("name", SETS)
def test_every_column_has_a_unit_and_a_source(name: str) -> None:
    one = feature_set(name)
    for column in one.columns:
        unit, source = one.about(column)
        assert unit, column
        assert source, column
    with pytest.raises(UnknownName, match=f"unknown column of {name} 'no_such', expected one of"):
        one.about("no_such")


def test_the_older_sets_keep_their_promise() -> None:
    assert feature_set("mfcc_stats").fingerprint == "7c3a9b766587edb1"
    assert feature_set("spectral_stats").fingerprint == "bb726ead93c04b25"
    assert feature_set("mfcc_stats").about("mfcc_02_delta_mean")[0].startswith("dB")
    assert feature_set("spectral_stats").about("pitch_hz_p95")[0].startswith("Hz")


# --- check and resample ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "sr", "reason"),
    [
        (np.zeros(0), SR, r"too short: 0\.000 s, expected at least 0\.186 s"),
        (sine(440)[: LEAST - 1], SR, r"too short"),
        (sine(440, sr=48_000)[:8_000], 48_000, r"too short: 0\.167 s"),
        (np.zeros(SR), SR, r"silent"),
        (np.full(SR, 0.3), SR, r"silent"),
        (sine(440, amplitude=4e-5), SR, r"silent: its samples span 8\.0e-05"),
        (np.where(np.arange(SR) == 77, np.nan, sine(440)), SR, r"not finite"),
        (np.where(np.arange(SR) == 77, np.inf, sine(440)), SR, r"not finite"),
        (np.where(np.arange(SR) == 77, -np.inf, sine(440)), SR, r"not finite"),
        (sine(440, amplitude=32_000), SR, r"samples reach 3\.2e\+04 where full scale is 1; scale them"),
        (-np.abs(sine(440, amplitude=32_000)), SR, r"samples reach 3\.2e\+04"),
        (np.ones(int(SR * LONGEST) + 1), SR, r"too long: 600 s"),
    ],
)
def test_a_clip_that_cannot_be_used_has_its_reason(y: Floats, sr: int, reason: str) -> None:
    with pytest.raises(BadClip, match=reason):
        check(np.asarray(y, np.float32), sr)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 3e38])
def test_one_bad_sample_is_not_lost_by_resampling(name: str, wrong: float) -> None:
    y = sine(440, sr=48_000)
    y[20_000] = wrong
    with pytest.raises(BadClip, match=r"not finite|samples reach"):
        feature_set(name).extract(y, 48_000)


def test_the_shortest_clip_is_taken() -> None:
    y = sine(440)[:LEAST]
    assert check(y, SR) is y
    for name in SETS:
        feature_set(name).extract(y, SR)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 9_000), sr=st.sampled_from([1_000, 8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000])
)
def test_resamples_as_librosa_does(n: int, sr: int) -> None:
    import librosa

    y = noise(n / sr, sr=sr)
    got = resample(y, sr, SR)
    np.testing.assert_array_equal(got, librosa.resample(y, orig_sr=sr, target_sr=SR))
    assert got.dtype == np.float32
    assert got.flags.c_contiguous


def test_an_equal_rate_copies_nothing() -> None:
    y = noise()
    assert resample(y, SR, SR) is y


def test_a_tone_keeps_its_pitch_and_height_at_another_rate() -> None:
    got = resample(sine(1_000, 2, sr=48_000), 48_000, SR)
    np.testing.assert_allclose(got[500:-500], sine(1_000, 2)[500:-500], atol=1e-4)


@pytest.mark.parametrize("sr", [0, -1, 999, 192_001])
def test_a_senseless_rate_is_refused(sr: int) -> None:
    with pytest.raises(BadClip, match=rf"sample rate {sr} Hz, expected 1000 to 192000 Hz"):
        resample(noise(), sr, SR)


def test_channels_are_refused_by_their_shape() -> None:
    with pytest.raises(BadClip, match=r"samples of shape \(9, 2\), expected mono"):
        resample(np.zeros((9, 2), np.float32), SR, SR)


# --- what a worker loads ---------------------------------------------------------------------------------------------

WORKER = """
import sys, time
from ravdess.features import feature_set
names = [feature_set(name).fingerprint for name in ("mfcc_stats", "spectral_stats", "voice_stats")]
early = {"cv2", "soxr", "soundfile", "av"} & set(sys.modules)
assert not early, f"a register that only names columns imported {early}"
from ravdess.sound.read import read
from tests.sound.waves import voice, wav
clip = wav(voice(), 48_000)
others = 1.0
for again in range(6):  # the least of them: what a library starts once, or the clock's grain, is no second thread
    whole, mine = time.process_time(), time.thread_time()
    for name in ("mfcc_stats", "spectral_stats", "voice_stats"):
        feature_set(name).extract(*read(clip))
    others = min(others, (time.process_time() - whole) - (time.thread_time() - mine))
assert others < 1e-3, f"other threads worked for {others} s"
heavy = {"librosa", "numba", "scipy", "sklearn", "pandas", "tensorflow", "av", "ray", "pyarrow"} & set(sys.modules)
assert not heavy, f"a worker loaded {heavy}"
"""


def test_a_worker_loads_no_librosa_and_works_on_one_thread() -> None:
    done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
