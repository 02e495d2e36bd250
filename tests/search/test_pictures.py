"""The whole road of pictures in miniature: made films → shards → a search of a network → a model that reads faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ravdess.bundle import Bundle
from ravdess.corpora import catalogue
from ravdess.families.separable_cnn import COURSE
from ravdess.families.views import refuse_sound
from ravdess.pipeline.shards import featurize_frames
from ravdess.search import search
from ravdess.search.run import InProcess
from storage import Store

EMOTIONS = ["happy", "sad", "surprised"]
SHORT = replace(COURSE, defaults={**COURSE.defaults, "depth": 1, "least_steps": 16}, stages=(10,)).family(
    refuse_sound(16)
)
"""A quarter of the usual training, of half the depth."""


@pytest.mark.ray
def test_from_made_films_to_a_network_that_knows_unseen_actors(tmp_path: Path, ray_started: int) -> None:
    found = catalogue("sample:actors=5,takes=16,modalities=video-only,height=96")
    few = replace(found, clips=found.clips.filter(pc.is_in(found.clips["emotion"], value_set=pa.array(EMOTIONS))))
    store = Store(tmp_path)
    made = featurize_frames(few, store, ["face_48"]).frames["face_48"]
    assert (made.rows, made.rejects) == (30, 0)

    table = store.table("frames/face_48")
    result = search(
        table.read_sorted().to_pandas(),
        store,
        families=[SHORT],
        features="face_48",
        protocol="holdout",
        test_actors=["04", "05"],
        samples=1,
        grid=0,
        fingerprint=table.fingerprint() or "",
        takes=store.frames("face_48").only,
        runner=lambda data, families: InProcess(data, families, seed=0),
    )
    row = result.results.iloc[0]
    assert (row["n_takes"], sorted(row["actors"]), row["chance"]) == (12, ["04", "05"], pytest.approx(1 / 3))
    assert row["accuracy"] >= 9 / 12, "by chance once in 260"

    kept = Bundle.load(Path(result.summary["models"]["separable_cnn"]))
    index = table.read_sorted().to_pandas()
    said = kept.predict_proba(store.frames("face_48").only(index["take"].tolist()))
    assert said.shape == (30, 8)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
    assert kept.facts["made"]
