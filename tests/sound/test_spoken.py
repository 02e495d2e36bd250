from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ravdess.sound.spoken import DEPTH, FEWEST, FRAME, HOP, MARGIN, RATE, _hops, changes, find
from tests.sound.waves import SR, Floats, noise, sine


def between(seconds: float, y: Floats) -> Floats:
    quiet = np.zeros(round(seconds * SR), np.float32)
    return np.concatenate([quiet, y, quiet])


def test_the_part_is_where_the_tone_is() -> None:
    speech = find(between(1.0, sine(300, 2.0)))
    assert speech.first * HOP / SR == pytest.approx(1.0, abs=(MARGIN + 3) / RATE)
    assert speech.seconds == pytest.approx(2.0, abs=2 * (MARGIN + 3) / RATE)
    assert speech.level.max() == pytest.approx(10 * np.log10(0.5**2 / 2), abs=0.05)


def test_pauses_within_belong_to_it() -> None:
    y = np.concatenate([sine(300, 0.5), np.zeros(SR, np.float32), sine(200, 0.5)])
    speech = find(between(0.7, y))
    assert speech.seconds == pytest.approx(2.0, abs=0.12)
    assert speech.level.min() == speech.level.max() - DEPTH


@settings(max_examples=30, deadline=None)
@given(hops=st.integers(0, 300), gain=st.floats(0.01, 8.0), after=st.integers(0, 9_000))
def test_neither_silence_nor_gain_moves_it(hops: int, gain: float, after: int) -> None:
    y = between(0.5, sine(250, 0.8) * np.hanning(round(0.8 * SR)).astype(np.float32))
    plain = find(y)
    other = find(np.concatenate([np.zeros(hops * HOP), y * gain, np.zeros(after)]).astype(np.float32))
    assert other.first == plain.first + hops
    np.testing.assert_allclose(other.level - 20 * np.log10(gain), plain.level, atol=0.05)
    np.testing.assert_allclose(other.windows(FRAME), gain * plain.windows(FRAME), atol=1e-5 * gain)


def test_a_click_and_faint_noise_are_no_speech() -> None:
    y = between(1.0, sine(250, 1.0))
    y[2_000] = 1.0
    y += noise(len(y) / SR, amplitude=1e-3)
    speech = find(y)
    assert speech.first * HOP / SR == pytest.approx(1.0, abs=0.06)
    assert speech.seconds == pytest.approx(1.0, abs=0.12)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(8 * 512, 12_000), at=st.floats(0, 1))
def test_the_shortest_sound_has_frames_enough(n: int, at: float) -> None:
    y = np.zeros(n, np.float32)
    y[int(at * (n - 1))] = 0.5
    speech = find(y)
    assert len(speech.level) >= FEWEST
    assert 0 <= speech.first <= 1 + n // HOP - len(speech.level)
    assert speech.windows(2048).shape == (len(speech.level), 2048)
    assert speech.windows(2048, step=2).shape == ((len(speech.level) + 1) // 2, 2048)


def test_windows_are_centred_and_zeros_lie_beyond() -> None:
    y = sine(1_000, 0.5)
    speech = find(y)
    assert speech.first == 0
    windows = speech.windows(FRAME)
    assert not windows[0, : FRAME // 2].any()
    np.testing.assert_array_equal(windows[0, FRAME // 2 :], speech.y[: FRAME // 2])
    np.testing.assert_array_equal(windows[7], speech.y[7 * HOP - FRAME // 2 : 7 * HOP + FRAME // 2])


@given(arrays(np.bool_, st.integers(1, 5_000)))
def test_changes_are_counted_in_each_frame_that_holds_them(mask: NDArray[np.bool_]) -> None:
    at = 1 + np.flatnonzero(mask[1:] != mask[:-1])
    centres = HOP * np.arange(1 + len(mask) // HOP)[:, np.newaxis]
    expected = ((at >= centres - FRAME // 2) & (at < centres + FRAME // 2)).sum(axis=1)
    np.testing.assert_array_equal(changes(mask), expected)


@given(arrays(np.float32, st.integers(1, 5_000), elements=st.integers(-9, 9).map(float)))
def test_each_sample_is_summed_once_in_its_hop(y: Floats) -> None:
    sums = _hops(y)
    assert len(sums) == 1 + len(y) // HOP
    np.testing.assert_array_equal(sums, [y[start : start + HOP].sum() for start in range(0, len(y) + 1, HOP)])
