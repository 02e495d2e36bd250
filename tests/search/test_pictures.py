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
from ravdess.networks.separable_cnn import SMALLEST
from ravdess.pipeline.shards import featurize_frames
from ravdess.search import search
from ravdess.search.run import InProcess
from storage import Store

EMOTIONS = ["happy", "sad", "surprised"]
JUDGES = ["05", "06", "07", "08"]
EASY = {"epochs": 10, "least_steps": 12, "dropout": 0.0, "label_smoothing": 0.0}
SHORT = replace(COURSE, defaults={**COURSE.defaults, **EASY}, stages=(10,)).family(refuse_sound(SMALLEST))
"""A fifth of the usual training."""


@pytest.mark.ray
def test_from_made_films_to_a_network_that_knows_unseen_actors(tmp_path: Path, ray_started: int) -> None:
    found = catalogue("sample:actors=8,takes=16,modalities=video-only,height=96")
    few = replace(found, clips=found.clips.filter(pc.is_in(found.clips["emotion"], value_set=pa.array(EMOTIONS))))
    store = Store(tmp_path)
    made = featurize_frames(few, store, ["face_48"]).frames["face_48"]
    assert (made.rows, made.rejects) == (48, 0)

    table = store.table("frames/face_48")
    result = search(
        table.read_sorted().to_pandas(),
        store,
        families=[SHORT],
        features="face_48",
        protocol="holdout",
        test_actors=JUDGES,
        samples=1,
        grid=0,
        fingerprint=table.fingerprint() or "",
        takes=store.frames("face_48").only,
        runner=lambda data, families: InProcess(data, families, seed=0),
    )
    row = result.results.iloc[0]
    assert (row["n_takes"], sorted(row["actors"]), row["chance"]) == (24, JUDGES, pytest.approx(1 / 3))
    assert row["accuracy"] >= 15 / 24, "by chance once in 300"

    kept = Bundle.load(Path(result.summary["models"]["separable_cnn"]))
    index = table.read_sorted().to_pandas()
    said = kept.predict_proba(store.frames("face_48").only(index["take"].tolist()))
    assert said.shape == (48, 8)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
    assert kept.facts["made"]
