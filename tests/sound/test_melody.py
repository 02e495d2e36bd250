from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ravdess.sound.melody import COLUMNS, melody
from tests.sound.waves import Floats

RATE = 43.0


def named(hertz: NDArray[Any]) -> dict[str, float]:
    return dict(zip(COLUMNS, melody(np.asarray(hertz, np.float32), RATE).tolist(), strict=True))


@given(st.integers(10, 200), st.floats(115, 400), st.floats(-12, 12))
def test_a_glide_is_told_in_semitones(size: int, start: float, rise: float) -> None:
    said = named(start * 2 ** (np.linspace(0, rise, size) / 12))
    step = rise / (size - 1)
    assert said["pitch_mean"] == pytest.approx(12 * np.log2(start / 55) + rise / 2, abs=1e-2)
    assert said["pitch_trend"] == pytest.approx(rise, abs=2e-2)
    assert said["pitch_range_p05_p95"] == pytest.approx(abs(rise) * 0.9, abs=2e-2)
    assert said["pitch_change_mean"] == pytest.approx(step * RATE, abs=2e-2)
    assert said["pitch_change_size"] == pytest.approx(abs(step) * RATE, abs=2e-2)
    assert said["pitch_bend_size"] == pytest.approx(0, abs=1e-2)


def test_an_octave_is_twelve_semitones_for_every_voice() -> None:
    wave = np.sin(np.linspace(0, 9, 80))
    low, high = named(100 * 2 ** (wave / 4)), named(200 * 2 ** (wave / 4))
    for column, value in low.items():
        is_height = column in {f"pitch_{what}" for what in ("mean", "p05", "p25", "p50", "p75", "p95")}
        assert high[column] == pytest.approx(value + 12 * is_height, abs=1e-2), column


def test_gaps_and_leaps_are_no_movement() -> None:
    hertz = np.array([200] * 10 + [0] * 5 + [400] * 10 + [100] * 10)
    said = named(hertz)
    assert said["pitch_change_size"] == said["pitch_change_std"] == said["pitch_rising_share"] == 0
    assert said["pitch_p05"] == pytest.approx(12 * np.log2(100 / 55), abs=1e-3)
    assert said["pitch_highest_at"] == pytest.approx(15 / 35)
    assert said["pitch_lowest_at"] == pytest.approx(25 / 35)
    assert said["pitch_part_1"] > said["pitch_part_5"]


@pytest.mark.parametrize("voiced", [0, 2])
def test_without_voice_there_is_no_melody(voiced: int) -> None:
    hertz = np.zeros(30)
    hertz[:voiced] = 200
    assert not any(named(hertz).values())


@given(arrays(np.float32, st.integers(8, 90), elements=st.one_of(st.just(0.0), st.floats(65, 1000, width=32))))
def test_any_contour_gives_finite_numbers(hertz: Floats) -> None:
    assert np.isfinite(melody(hertz, RATE)).all()
