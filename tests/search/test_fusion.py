"""Fusion: what one judge's labels can reach, what is there at prediction time, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ravdess.bundle_files import INDEX
from ravdess.clips import CLIP_COLUMNS, EMOTIONS
from ravdess.combiner import Combiner
from ravdess.errors import BadBundle, BadTable, RunMismatch, UnknownName
from ravdess.features import feature_set
from ravdess.fused import FusedBundle
from ravdess.pipeline.todo import row_schema
from ravdess.scores import uar
from ravdess.search import Result, search
from ravdess.search.fusion import fuse, stored
from ravdess.search.growth import draw, growth
from ravdess.search.headline import headline
from ravdess.search.run import InProcess
from storage import Store
from tests.search import toys
from tests.test_bundle import made

SETS = ("ear", "eye")


def filled(home: Path, change: Any = None) -> Store:
    """A store with two sets of the same takes; the eye lacks one of them."""
    store = Store(home)
    for seed, name in enumerate(SETS):
        table = toys.table(noise=1.2, seed=seed)
        table = table if change is None else change(table)
        table = table if name == "ear" else table.iloc[1:]
        columns = [column for column in table.columns if column not in CLIP_COLUMNS]
        rows = pa.Table.from_pandas(table, schema=row_schema(columns), preserve_index=False)
        with store.table(f"features/{name}").open(rows.schema, key=("corpus", "take"), fingerprint=name) as writer:
            writer.append(rows)
    return store


def searched(store: Store, features: str, **asked: Any) -> Result:
    table = stored(store, features)
    assert table is not None
    options: dict[str, Any] = {"families": ["svm"], "samples": 2, "grid": 0, "run": features, **asked}
    return search(
        table.frame,
        store,
        features=features,
        fingerprint=table.fingerprint,
        notes=table.notes,
        runner=lambda data, families: InProcess(data, families, seed=0),
        **options,
    )


def fused(store: Store, *members: str, **asked: Any) -> Result:
    return fuse(
        store,
        members or SETS,
        say=lambda line: None,
        runner=lambda data, families: InProcess(data, families, seed=0),
        **asked,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fusion")


@pytest.fixture(scope="module")
def store(home: Path) -> Store:
    store = filled(home)
    for name in SETS:
        searched(store, name)
    return store


@pytest.fixture(scope="module")
def result(store: Store) -> Result:
    return fused(store, run="both")


def read(result: Result, name: str) -> pd.DataFrame:
    return pd.read_parquet(f"{result.path}/{name}.parquet")


def rows(store: Store, name: str, takes: Any) -> Any:
    table = store.features(name).set_index("take").loc[takes]
    return table[[column for column in table.columns if column not in CLIP_COLUMNS]].to_numpy(dtype=np.float64)


def test_two_say_more_than_one_and_what_is_missing_is_said(store: Store, result: Result) -> None:
    row = result.results.iloc[0]
    assert (row["family"], row["features"]) == ("fusion", "ear+eye")
    alone = [pd.read_parquet(store.folder(f"runs/{name}").path("results.parquet"))["uar"][0] for name in SETS]
    assert row["uar"] > max(alone) + 0.02
    assert row["n_takes"] == 12 * 16 - 1
    assert any("1 takes are not in the tables of all members" in note for note in result.summary["notes"])
    assert set(read(result, "choices")["judge"]) == {*(f"emobox-{at}" for at in range(1, 7)), "final"}


def test_each_judge_was_judged_by_the_bundle_that_is_kept(store: Store, result: Result) -> None:
    predictions = read(result, "predictions")
    for fold in ("emobox-1", "emobox-5"):
        mine = predictions[predictions["fold"] == fold]
        bundle = FusedBundle.load(Path(result.path, "folds", "fusion", fold))
        said = bundle.predict_proba({name: rows(store, name, mine["take"]) for name in SETS})
        np.testing.assert_allclose(said, mine[[f"p_{word}" for word in EMOTIONS]], atol=1e-12)


def test_nothing_about_a_judge_reaches_its_model_and_with_its_labels_shuffled_it_scores_chance(
    store: Store, result: Result, tmp_path: Path
) -> None:
    """Weights, temperatures and members are the same to the bit, whatever the judged actors' labels are."""
    judges = ["01", "11"]

    def shuffle(table: pd.DataFrame) -> pd.DataFrame:
        mine = table["actor"].isin(judges)
        rng = np.random.default_rng(3)
        table.loc[mine, "emotion"] = rng.permutation(table.loc[mine, "emotion"])
        return table

    other = filled(tmp_path, shuffle)
    for name in SETS:
        searched(other, name)
    again = fused(other, run="both")
    files = [FusedBundle.load(Path(r.path, "folds", "fusion", "emobox-1")).to_files() for r in (result, again)]
    told = [json.loads(one[INDEX]) for one in files]
    assert told[0]["combiners"] == told[1]["combiners"]
    assert told[0]["params"] == told[1]["params"]
    models = [{name: data for name, data in one.items() if "model" in name} for one in files]
    assert models[0] == models[1]
    assert any(name.startswith("1.") for name in models[0])
    before, after = (read(one, "predictions") for one in (result, again))
    mine = after["actor"].isin(judges)
    assert before["predicted"][mine].tolist() == after["predicted"][mine].tolist()
    assert uar(before["emotion"][mine], before["predicted"][mine]) > 0.6
    assert uar(after["emotion"][mine], after["predicted"][mine]) < 0.35
    assert before["predicted"][~mine].tolist() != after["predicted"][~mine].tolist()  # the others did notice


def test_sound_alone_picture_alone_and_both_are_answered(store: Store, result: Result) -> None:
    bundle = FusedBundle.load(Path(result.summary["models"]["fusion"]))
    takes = store.features("eye")["take"]
    ear, eye = (rows(store, name, takes) for name in SETS)
    both, hears, sees = (
        bundle.predict_proba(X) for X in ({"ear": ear, "eye": eye}, {"ear": ear}, {"eye": eye, "ear": None})
    )
    for said in (both, hears, sees):
        np.testing.assert_allclose(said.sum(axis=1), 1)
    assert not np.allclose(hears, sees)
    holes = ear.copy()
    holes[::2] = np.nan
    mixed = bundle.predict_proba({"ear": holes, "eye": eye})
    np.testing.assert_allclose(mixed[::2], sees[::2])
    np.testing.assert_allclose(mixed[1::2], both[1::2])
    expected = bundle.combiners["ear"].apply([bundle.members[0].predict_proba(ear)])
    np.testing.assert_allclose(hears, expected)
    with pytest.raises(BadTable, match="give rows of some of"):
        bundle.predict_proba({"nose": ear})
    holes[:] = np.nan
    with pytest.raises(BadTable, match="come with nothing"):
        bundle.predict_proba({"ear": holes})


def test_a_changed_byte_of_any_member_is_not_loaded(result: Result) -> None:
    files = FusedBundle.load(Path(result.summary["models"]["fusion"])).to_files()
    for name in files:
        broken = bytearray(files[name])
        broken[len(broken) // 2] ^= 1
        with pytest.raises(BadBundle):
            FusedBundle.from_files({**files, name: bytes(broken)})
        with pytest.raises(BadBundle):
            FusedBundle.from_files({other: data for other, data in files.items() if other != name})


def test_a_rerun_is_only_read_and_members_must_answer_the_same_question(store: Store, result: Result) -> None:
    assert fused(store, run="both").found
    searched(store, "ear", run="other", protocol="luna")
    searched(store, "ear", run="enrolled", normalise="actor")
    for other in ("other", "enrolled"):
        with pytest.raises(RunMismatch, match="cannot be fused: they differ in"):
            fused(store, "ear", other)
    with pytest.raises(UnknownName, match="unknown finished run 'nose'"):
        fused(store, "ear", "nose")
    with pytest.raises(UnknownName, match="unknown family of ear 'mlp'"):
        fused(store, "ear/mlp", "eye")


def test_joined_columns_are_one_model_and_may_be_a_member(store: Store) -> None:
    early = searched(store, "ear+eye")
    assert any("1 takes of ear are not in all of" in note for note in early.summary["notes"])
    three = fused(store, "ear", "eye", "ear+eye")
    assert three.results.iloc[0]["features"] == "ear+eye"
    bundle = FusedBundle.load(Path(three.path, "folds", "fusion", "emobox-2"))
    takes = store.features("eye")["take"]
    said = bundle.predict_proba({"ear": rows(store, "ear", takes)})
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert sorted(bundle.combiners) == ["ear", "ear+eye", "eye"]


def test_enrolled_members_enrol_by_each_actors_own_rows(store: Store) -> None:
    for name in SETS:
        searched(store, name, run=f"enrolled-{name}", normalise="actor")
    enrolled = fused(store, "enrolled-ear", "enrolled-eye")
    assert enrolled.results.iloc[0]["enrolled"]
    assert "actor-normalised" in enrolled.run
    bundle = FusedBundle.load(Path(enrolled.summary["models"]["fusion"]))
    mine = store.features("eye").query("actor == '02'")["take"]
    X = {name: rows(store, name, mine) for name in SETS}
    whole = bundle.predict_proba(X, np.full(len(mine), "ravdess/02"))
    np.testing.assert_allclose(bundle.predict_proba(X, enrol=X), whole)
    assert not np.allclose(bundle.predict_proba(X, enrol={name: X[name][:1] for name in SETS}), whole)


def test_the_gain_of_enrolment_grows_and_ends_at_the_runs_own_number(store: Store) -> None:
    if "grown" not in store.runs():
        searched(store, "ear", run="grown", normalise="actor")
    frame = growth(store, "grown", family="svm", counts=(0, 1, 16), draws=2)
    result = pd.read_parquet(store.folder("runs/grown").path("results.parquet"))
    whole = frame[(frame["clips"] == 16) & frame["shrunken"]]
    assert whole["uar"].tolist() == pytest.approx([result["uar"][0]] * 2)
    by = frame.set_index(["clips", "drawn", "shrunken"])["uar"]
    assert by[1, "random", True] > by[1, "random", False], "one clip tells little, and the usual speaker more"
    assert store.folder("runs/grown").read_table("enrolment.parquet").num_rows == 3 * 2 * 2
    with pytest.raises(BadTable, match="no enrolled run"):
        growth(store, "ear", family="svm")


def test_unbalanced_draws_take_one_emotion_before_the_next() -> None:
    emotions = np.repeat(np.array(EMOTIONS), 4)
    rng = np.random.default_rng(0)
    few = draw(emotions, 6, "unbalanced", rng)
    assert sorted(np.unique(emotions[few], return_counts=True)[1]) == [2, 4]
    assert len(set(few.tolist())) == 6
    assert len(draw(emotions, 99, "random", rng)) == len(emotions)


def test_the_headline_is_chosen_for_each_judge_by_choosers_that_are_not_it(
    store: Store, result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ravdess.search.headline.modality_of", {"ear": "sound", "eye": "face"}.get)
    searched(store, "ear", run="ear-forest", families=["random_forest"], samples=1)
    rows = {(one.modality, one.enrolled): one for one in headline(store)}
    sound = rows["sound", False]
    runs = ["ear", "ear-forest"]
    choices = {
        run: pd.read_parquet(store.folder(f"runs/{run}").path("choices.parquet")).set_index("judge") for run in runs
    }
    said = {run: pd.read_parquet(store.folder(f"runs/{run}").path("predictions.parquet")) for run in runs}
    assert len(sound.choices) == 6
    for _, row in sound.choices.iterrows():
        best = max(runs, key=lambda run: float(choices[run]["choosers_uar"][row["judge"]]))
        assert (row["run"], row["chosen_from"]) == (best, 2)
        mine = sound.predictions[sound.predictions["fold"] == row["judge"]]
        theirs = said[best][said[best]["fold"] == row["judge"]]
        assert mine["predicted"].tolist() == theirs["predicted"].tolist()
    assert sound.scores["rows"] == 12 * 16
    assert sound.scores["uar"] == pytest.approx(uar(sound.predictions["emotion"], sound.predictions["predicted"]))


def test_members_of_one_registered_set_are_loaded_by_its_fingerprint() -> None:
    name = "spectral_stats"
    one = made(features=name, fingerprint=feature_set(name).fingerprint)
    both = FusedBundle((one, one), {name: Combiner(np.ones(2), np.zeros((16, 8)))}, "late")
    assert FusedBundle.from_files(both.to_files()).features == name
