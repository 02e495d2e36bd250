"""The whole road of pictures in miniature: made films → shards → a search of a network → a model that reads faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ravdess.bundle import Bundle
from ravdess.corpora import catalogue, read_bytes
from ravdess.families import FAMILIES, Family, cnn, separable_cnn, temporal, transfer_cnn
from ravdess.families.space import Params
from ravdess.families.training import Course
from ravdess.families.views import refuse_sound
from ravdess.networks import base as bases
from ravdess.networks.separable_cnn import SMALLEST
from ravdess.pipeline.shards import featurize_frames
from ravdess.predict import Decoder, Limits, Predictor
from ravdess.search import Result, search
from ravdess.search.run import InProcess
from ravdess.search.shelf import load_model
from storage import Store
from tests.pipeline.in_process import make_frames

KNOWN = ["happy", "sad", "surprised"]
JUDGES = ["05", "06", "07", "08"]
EASY = {"epochs": 10, "least_steps": 12, "dropout": 0.0, "label_smoothing": 0.0}
SHORT = replace(separable_cnn.COURSE, defaults={**separable_cnn.COURSE.defaults, **EASY}, stages=(10,)).family(
    refuse_sound(SMALLEST)
)
"""A fifth of the usual training."""


def searched(store: Store, one: Family, judges: list[str]) -> Result:
    table = store.table("frames/face_48")
    return search(
        table.read_sorted().to_pandas(),
        store,
        families=[one],
        features="face_48",
        protocol="holdout",
        test_actors=judges,
        samples=1,
        grid=0,
        fingerprint=table.fingerprint() or "",
        takes=store.frames("face_48").only,
        runner=lambda data, families: InProcess(data, families, seed=0),
    )


@pytest.mark.ray
def test_from_made_films_to_a_network_that_knows_unseen_actors(tmp_path: Path, ray_started: int) -> None:
    found = catalogue("sample:actors=8,takes=16,modalities=video-only,height=96")
    few = replace(found, clips=found.clips.filter(pc.is_in(found.clips["emotion"], value_set=pa.array(KNOWN))))
    store = Store(tmp_path)
    made = featurize_frames(few, store, ["face_48"]).frames["face_48"]
    assert (made.rows, made.rejects) == (48, 0)

    row = (result := searched(store, SHORT, JUDGES)).results.iloc[0]
    assert (row["n_takes"], sorted(row["actors"]), row["chance"]) == (24, JUDGES, pytest.approx(1 / 3))
    assert row["accuracy"] >= 15 / 24, "by chance once in 300"

    kept = Bundle.load(Path(result.summary["models"]["separable_cnn"]))
    index = store.table("frames/face_48").read_sorted().to_pandas()
    said = kept.predict_proba(store.frames("face_48").only(index["take"].tolist()))
    assert said.shape == (48, 8)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
    assert kept.facts["made"]


ROADS = [(temporal, "local"), (transfer_cnn, "local"), pytest.param(cnn, "s3", marks=pytest.mark.s3)]
"""One of sequences, one that borrows, one over S3; `deep_cnn` goes as `cnn` does."""
FILMS = "sample:actors=3,takes=3,modalities=video-only,height=96"


def lend(store: Store) -> None:
    """Put an untrained face base into the store."""
    from ravdess.families.backend import tensorflow
    from ravdess.pretraining import base

    _, keras = tensorflow(1)
    lender = bases.build(keras, bases.SHAPE, 7, {}, 0, network="plain")
    counts = dict.fromkeys(("trained_on", "two_usages", "conflicting", "repeated", "constant", "damaged"), 0)
    facts = {"judged": "Nothing judged it.", "left_out": counts, "epoch": 0, "epochs": 0, "recipe": {}}
    home = store.new_model(base.NAMES["plain"])
    for name, data in base.to_files(lender, "plain", scores={}, facts=facts).items():
        home.write(name, data)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """`face_48` of a few made films, and an untrained face base."""
    store = Store(tmp_path_factory.mktemp("pictures"))
    make_frames(catalogue(FILMS), store, "face_48")
    lend(store)
    return store


@pytest.fixture
def s3(local: Store, s3_endpoint: str) -> Store:
    """The same frames in a bucket."""
    home, store = Path(local.url), Store("s3://bucket/pictures")
    for path in sorted(home.glob("frames/**/*")):
        if path.is_file():
            store._files.put(str(path.relative_to(home)), path.read_bytes())
    return store


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(Limits(seconds=30)).start(sees=True) as one:
        yield one


def briefly(course: Course) -> Family:
    """The family after one epoch of a few small steps."""
    few: Params = {"epochs": 1, "least_steps": 1, "batch_size": 4, "views": 1}
    if "frames" in course.defaults:
        few = {**few, "frames": 2, "reader": "attention", "width": 8}
    registered = FAMILIES[course.name]
    return replace(course, defaults={**course.defaults, **few}, stages=(1,)).family(
        registered.unfit, needs=registered.needs
    )


@pytest.mark.parametrize(("module", "where"), ROADS, ids=lambda one: getattr(one, "__name__", one).rpartition(".")[2])
def test_networks_go_from_made_films_to_an_answer_about_one(
    module: ModuleType, where: str, decoder: Decoder, request: pytest.FixtureRequest
) -> None:
    store: Store = request.getfixturevalue(where)
    result = searched(store, briefly(module.COURSE), ["03"])
    row = result.results.iloc[0]
    assert (row["n_takes"], list(row["actors"])) == (3, ["03"])
    assert row["uar_low"] <= row["uar"] <= row["uar_high"]
    predictor = Predictor(load_model(store, f"made-{row['family']}-face_48"), decoder)
    (answer,) = predictor.file(read_bytes(catalogue(FILMS).clips["source"][0].as_py()))
    assert answer.by == ("picture",)
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert searched(store, briefly(module.COURSE), ["03"]).found
