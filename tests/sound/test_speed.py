from __future__ import annotations

import numpy as np
import pytest

from ravdess.features import feature_set
from ravdess.sound.speed import SHORTEST, SPEEDS, played
from tests.sound.waves import SR, harmonics, noise

BASE = feature_set("voice_stats")


@pytest.mark.parametrize("name", SPEEDS)
def test_a_voice_is_as_much_higher_as_it_is_faster(name: str) -> None:
    y = harmonics(200, np.ones(20))
    other = feature_set(f"voice_stats_{name}")
    at = BASE.columns.index("pitch_p50")
    semitones = other.extract(y, SR)[at] - BASE.extract(y, SR)[at]
    assert semitones == pytest.approx(12 * np.log2(SPEEDS[name]), abs=0.05)
    seconds = BASE.columns.index("spoken_seconds")
    assert other.extract(y, SR)[seconds] == pytest.approx(BASE.extract(y, SR)[seconds] / SPEEDS[name], rel=0.05)


def test_the_numbers_are_told_apart_by_their_fingerprint() -> None:
    prints = {BASE.fingerprint, *(feature_set(f"voice_stats_{name}").fingerprint for name in SPEEDS)}
    assert len(prints) == 1 + len(SPEEDS)
    assert all(feature_set(f"voice_stats_{name}").augments == BASE.name for name in SPEEDS)


def test_the_shortest_clip_is_not_too_short_when_it_is_faster() -> None:
    y = noise(SHORTEST / SR)
    assert len(played(y, SPEEDS["faster"])) >= SHORTEST
    assert np.isfinite(feature_set("voice_stats_faster").extract(y, SR)).all()
