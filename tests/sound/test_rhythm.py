from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ravdess.sound.rhythm import DIP, EDGES, LEAST, TEMPO, modulation, modulation_columns, runs, syllables, tempo
from ravdess.sound.spoken import RATE
from ravdess.sound.voice import COLUMNS, _stats
from tests.sound.waves import SR, Floats, sine


def named(y: Floats) -> dict[str, float]:
    return dict(zip(COLUMNS, _stats(y.astype(np.float32)).tolist(), strict=True))


def of(track: Floats) -> dict[str, float]:
    return dict(zip(modulation_columns("it"), modulation(track[np.newaxis], RATE).tolist(), strict=True))


@pytest.mark.parametrize("hertz", [1.5, 2.5, 4, 6.5, 10, 16, 26])
@pytest.mark.parametrize("seconds", [2.0, 9.0])
def test_a_swelling_track_has_its_own_band(hertz: float, seconds: float) -> None:
    t = np.arange(round(seconds * RATE)) / RATE
    said = of((-30 + 5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32))
    low = max(edge for edge in EDGES if edge <= hertz)
    high = min(edge for edge in EDGES if edge > hertz)
    assert said[f"modulation_{low}_{high}hz_of_it"] > -1.5
    assert said["modulation_centroid_of_it"] == pytest.approx(hertz, rel=0.1)
    assert said["modulation_depth_of_it"] == pytest.approx(5 / np.sqrt(2), rel=0.02)


def test_a_steady_track_does_not_swell() -> None:
    said = of(np.full(170, -20, np.float32))
    assert said["modulation_depth_of_it"] == 0
    assert said["modulation_3_5hz_of_it"] == pytest.approx(LEAST)


@settings(max_examples=10, deadline=None)
@given(hertz=st.sampled_from([4.0, 6.0, 10.0]))
def test_an_amplitude_modulated_tone_peaks_at_its_modulation(hertz: float) -> None:
    t = np.arange(2 * SR) / SR
    said = named(sine(440, 2.0) * (1 + 0.6 * np.sin(2 * np.pi * hertz * t)).astype(np.float32))
    shares = {column: value for column, value in said.items() if column.endswith("hz_of_level")}
    low, high = next(pair for pair in pairwise(EDGES) if pair[0] <= hertz < pair[1])
    assert max(shares, key=shares.__getitem__) == f"modulation_{low}_{high}hz_of_level"


@pytest.mark.parametrize("rate", [2, 3, 5])
def test_bursts_are_counted(rate: int) -> None:
    burst = np.concatenate([sine(220, 0.5 / rate) * np.hanning(int(0.5 / rate * SR)), np.zeros(int(0.5 / rate * SR))])
    said = named(np.concatenate([np.zeros(SR), *[burst] * (3 * rate), np.zeros(SR)]))
    assert said["syllable_count"] == 3 * rate
    assert said["syllable_gap_mean"] == pytest.approx(1 / rate, rel=0.03)
    assert said["syllable_gap_std"] < 0.02
    assert said["syllable_rate"] == pytest.approx(rate, rel=0.25)
    assert said["syllable_level_std"] < 0.2


def test_voice_and_pauses_have_their_lengths() -> None:
    tone, gap = sine(220, 0.6), np.zeros(round(0.3 * SR), np.float32)
    said = named(np.concatenate([tone, gap, tone, gap, tone]))
    assert said["pause_rate"] * said["spoken_seconds"] == pytest.approx(2, abs=0.01)
    assert said["pause_seconds_mean"] == pytest.approx(0.3, abs=0.06)
    assert said["pause_share"] == pytest.approx(0.6 / 2.4, abs=0.05)
    assert said["voiced_seconds_mean"] == pytest.approx(0.6, abs=0.08)
    assert said["voiced_rate"] * said["spoken_seconds"] == pytest.approx(3, abs=0.01)
    assert said["voiced_share"] == pytest.approx(0.75, abs=0.08)


def test_a_shallow_dip_parts_no_syllables() -> None:
    shallow = np.array([-60, -10, -10 - DIP / 2, -8, -60], np.float32)
    deep = np.array([-60, -10, -10 - 2 * DIP, -8, -60], np.float32)
    assert syllables(shallow, -40) == [3]
    assert syllables(deep, -40) == [1, 3]
    assert syllables(deep, -9) == [3]


@given(arrays(np.bool_, st.integers(1, 80)))
def test_runs_are_what_is_true_and_apart(mask: np.ndarray) -> None:
    lengths = runs(mask)
    assert lengths.sum() == mask.sum()
    assert [len(stretch) for stretch in "".join("x" if one else " " for one in mask).split()] == lengths.tolist()


@settings(max_examples=60, deadline=None)
@given(
    level=arrays(np.float32, st.integers(16, 200), elements=st.floats(-60, 0, width=32)),
    voiced=arrays(np.bool_, st.integers(8, 100)),
)
def test_tempo_is_finite_and_in_range(level: Floats, voiced: np.ndarray) -> None:
    said = dict(zip(TEMPO, tempo(level, RATE, voiced, RATE / 2).tolist(), strict=True))
    assert np.isfinite(list(said.values())).all()
    assert 0 <= said["voiced_share"] <= 1
    assert 0 <= said["pause_share"] <= 1
    assert said["voiced_seconds_max"] >= said["voiced_seconds_mean"] >= 0
