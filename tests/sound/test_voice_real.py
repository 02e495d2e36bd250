"""`voice_stats` on a sample of the real clips: what is known of them without measuring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess.features import feature_set
from ravdess.sound.read import read

pytestmark = pytest.mark.data


def test_louder_and_longer_as_told(real_data: Path) -> None:
    """All clips say one of two sentences of seven words. Strong anger is louder than calm, and higher in pitch."""
    one = feature_set("voice_stats")
    told: dict[str, list[dict[str, float]]] = {"angry": [], "calm": []}
    for path in sorted((real_data / "ravdess" / "speech").glob("Actor_*/03-01-0[25]-02-01-01-*.flac")):
        said = dict(zip(one.columns, one.extract(*read(path)).tolist(), strict=True))
        assert np.isfinite(list(said.values())).all()
        assert 0.7 < said["spoken_seconds"] < 4.5, path.name
        assert 2 <= said["syllable_count"] <= 14, path.name
        told["angry" if path.stem[6:8] == "05" else "calm"].append(said)
    assert len(told["angry"]) == len(told["calm"]) > 10
    pairs = list(zip(told["angry"], told["calm"], strict=True))
    for column in ("level", "pitch_p50", "alpha_ratio_mean"):
        assert np.mean([angry[column] > calm[column] for angry, calm in pairs]) > 0.9, column
