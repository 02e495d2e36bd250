"""Augmentation: rows to train on, by which nobody is judged, and what is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from ravdess.bundle import Bundle
from ravdess.clips import CLIP_COLUMNS
from ravdess.errors import BadTable, RunMismatch
from ravdess.families import family
from ravdess.features import FEATURE_SETS, FeatureSet
from ravdess.pipeline.todo import row_schema
from ravdess.report.again import command
from ravdess.report.board import board
from ravdess.report.read import read_run
from ravdess.search import Result, search
from ravdess.search.asked import deal
from ravdess.search.fusion import fuse
from ravdess.search.rows import choose_rows
from ravdess.search.run import InProcess
from ravdess.search.trial import balanced_weights, fit_candidate
from storage import Store
from tests.search import toys

COLUMNS = 40
TWINS = FeatureSet("ear_twin", tuple(f"f{at}" for at in range(COLUMNS)), 22_050, lambda y: y[:COLUMNS], augments="ear")


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    list(FEATURE_SETS)  # all that there are, before one is added
    monkeypatch.setitem(FEATURE_SETS._items, TWINS.name, TWINS)


def ear() -> pd.DataFrame:
    return toys.table(columns=COLUMNS, noise=5)


def twins() -> pd.DataFrame:
    """Of the same takes, with less noise: whoever trains on them knows more."""
    return toys.table(columns=COLUMNS, noise=0.2).sample(frac=1, random_state=0)


def put(store: Store, name: str, table: pd.DataFrame, fingerprint: str) -> None:
    columns = [column for column in table.columns if column not in CLIP_COLUMNS]
    rows = pa.Table.from_pandas(table, schema=row_schema(columns), preserve_index=False)
    with store.table(f"features/{name}").open(rows.schema, key=("corpus", "take"), fingerprint=fingerprint) as writer:
        writer.append(rows)


def filled(home: Path, others: pd.DataFrame | None = None, fingerprint: str | None = None) -> Store:
    store = Store(home)
    put(store, "ear", ear(), "")
    put(store, TWINS.name, twins() if others is None else others, fingerprint or TWINS.fingerprint)
    return store


def run(store: Store, **asked: Any) -> Result:
    options: dict[str, Any] = {"families": ["lda"], "samples": 1, "grid": 0, "augment": True, **asked}
    table = store.features("ear")
    return search(table, store, features="ear", runner=lambda data, zoo: InProcess(data, zoo, seed=0), **options)


def test_who_trains_on_more_knows_more_and_the_same_takes_judge(tmp_path: Path) -> None:
    store = filled(tmp_path)
    plain, more = run(store, augment=False), run(store)
    assert more.results["uar"][0] > plain.results["uar"][0] + 0.03
    said = [pd.read_parquet(f"{one.path}/predictions.parquet") for one in (plain, more)]
    assert said[0]["take"].tolist() == said[1]["take"].tolist()
    assert "augmented" in more.run
    assert store.models() == ["augmented-lda-ear", "lda-ear"]
    cards = [store.model(name).read("card.md").decode() for name in store.models()]
    assert ["made otherwise, too, by which nobody was judged: ear_twin" in card for card in cards] == [True, False]


@pytest.mark.parametrize("enrolled", [False, True])
def test_a_fit_is_one_on_the_rows_below_each_other(enrolled: bool) -> None:
    rows = choose_rows(ear(), features="ear")
    others = choose_rows(twins(), features=TWINS.name)
    _, data = deal(rows, protocol="emobox", test_actors=None, normalise="actor" if enrolled else None, seed=0)
    train, _ = data.split(["ravdess/01"])
    with_others = replace(data, others=(others.X,))
    lda, params = family("lda"), {**family("lda").defaults}
    ready, model = fit_candidate(lda, params, stage=None, data=with_others, train=train, seed=0, threads=1)
    plain, _ = fit_candidate(lda, params, stage=None, data=data, train=train, seed=0, threads=1)
    X = np.concatenate([ready.rows(data, train), ready.rows(replace(data, raw=others.X, X=others.X), train)])
    y = np.tile(data.y[train], 2)
    expected = lda.build(params).fit(X, y, sample_weight=balanced_weights(y))
    points = np.random.default_rng(0).normal(size=(50, COLUMNS)).astype(np.float32)
    np.testing.assert_allclose(model.predict_proba(points), expected.predict_proba(points), atol=1e-12)
    # What rows go through is what a clip goes through when the model is asked: fitted on recorded clips alone.
    np.testing.assert_array_equal(ready.rows(data, train), plain.rows(data, train))


def test_nothing_that_was_made_of_a_judge_reaches_the_model_that_judges_it(tmp_path: Path) -> None:
    changed = twins()
    changed.loc[changed["actor"].isin(["01", "11"]), "f0"] = np.float32(77)
    one, two = run(filled(tmp_path / "one")), run(filled(tmp_path / "two", changed))
    np.testing.assert_array_equal(said_by(one, "lda/emobox-1"), said_by(two, "lda/emobox-1"))
    assert not np.array_equal(said_by(one, "lda/emobox-2"), said_by(two, "lda/emobox-2"))  # the others did notice


def said_by(result: Result, model: str) -> NDArray[np.float64]:
    """What a judge's model says of fixed points."""
    points = np.random.default_rng(0).normal(size=(50, COLUMNS))
    return Bundle.load(Path(result.path, "folds", model)).predict_proba(points)


def test_a_report_says_so_and_how_to_do_it_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    found = read_run(store, run(store).run)
    assert "--augment" in command(found, "store").split()
    plain = read_run(store, run(store, augment=False).run)
    assert "--augment" not in command(plain, "store").split()
    systems = {row.system for row in board([found, plain]).rows if row.kind == "ours"}
    assert systems == {"ear, lda", "ear, augmented, lda"}


def test_a_fusion_fits_its_members_as_they_were_fitted(tmp_path: Path) -> None:
    store = filled(tmp_path)
    members = [run(store).run, run(store, augment=False).run]
    plainly = lambda data, zoo: InProcess(data, zoo, seed=0)  # noqa: E731
    fused = fuse(store, members, say=lambda line: None, runner=plainly)
    alone = [pd.read_parquet(store.folder(f"runs/{name}").path("results.parquet"))["uar"][0] for name in members]
    assert fused.results["uar"][0] > alone[1]
    changed = twins()
    changed["f0"] = np.float32(1)
    other = filled(tmp_path / "other")
    member = run(other, run="member").run
    shutil.rmtree(tmp_path / "other" / "features" / TWINS.name)
    put(other, TWINS.name, changed, TWINS.fingerprint)
    with pytest.raises(RunMismatch, match=r"the tables \['ear_twin'\] have changed since member"):
        fuse(other, [member, member], say=lambda line: None, runner=plainly)


def test_another_augmentation_is_another_run(tmp_path: Path) -> None:
    store = filled(tmp_path)
    run(store, run="mine")
    with pytest.raises(RunMismatch):
        run(store, run="mine", augment=False)


def test_what_cannot_be_used_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    put(store, "ear", ear(), "")
    with pytest.raises(BadTable, match=r"no table of ear_twin; make it with: .*--features ear_twin"):
        run(store)
    with pytest.raises(BadTable, match="1 takes of ear are not in the table of ear_twin, such as 01-"):
        run(filled(tmp_path / "fewer", twins().sort_values("take").iloc[1:]))
    with pytest.raises(BadTable, match="holds other numbers than would be made here"):
        run(filled(tmp_path / "stale", fingerprint="0" * 16))
    table = filled(tmp_path / "eye").features("ear")
    with pytest.raises(BadTable, match=r"eye has no augmentation, only \['ear', 'voice_stats'\]"):
        search(table, store, families=["lda"], features="eye", augment=True)
