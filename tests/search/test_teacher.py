"""Student and teacher: what a take's copies are, who may teach whom, and that no judge's label is learnt from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import EMOTIONS
from ravdess.errors import LeakError, UnknownName
from ravdess.scores import difference, uar
from ravdess.search import Result, search
from ravdess.search.run import InProcess
from ravdess.search.soft_labels import copies
from storage import Store
from tests.search.test_fusion import filled, searched


def student(store: Store, table: pd.DataFrame | None = None, **asked: Any) -> Result:
    options: dict[str, Any] = {"families": ["svm"], "samples": 2, "grid": 0, "teacher": "eye", **asked}
    return search(
        store.features("ear") if table is None else table,
        store,
        features="ear",
        runner=lambda data, families: InProcess(data, families, seed=0),
        **options,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = filled(tmp_path_factory.mktemp("teacher"))
    searched(store, "eye")
    return store


@pytest.fixture(scope="module")
def result(store: Store) -> Result:
    return student(store, run="student")


def test_a_takes_copies_are_the_mixture_of_hard_and_soft() -> None:
    soft = np.zeros((4, 8), dtype=np.float32)
    soft[:, [2, 3]] = 0.7, 0.3
    soft[2] = np.nan
    y = np.array([EMOTIONS[2], EMOTIONS[5], EMOTIONS[1], ""])
    where, labels, weights = copies(y, soft, weight=0.5, temperature=1.0)
    found = {(int(at), str(word)): float(weight) for at, word, weight in zip(where, labels, weights, strict=True)}
    assert found == pytest.approx(
        {
            (0, EMOTIONS[2]): 0.85,
            (0, EMOTIONS[3]): 0.15,
            (1, EMOTIONS[5]): 0.5,
            (1, EMOTIONS[2]): 0.35,
            (1, EMOTIONS[3]): 0.15,
            (2, EMOTIONS[1]): 1.0,
            (3, EMOTIONS[2]): 0.7,
            (3, EMOTIONS[3]): 0.3,
        },
        abs=1e-6,
    )
    cool = copies(y[3:], soft[3:], weight=1.0, temperature=0.5)[2]
    assert cool.tolist() == pytest.approx([0.49 / 0.58, 0.09 / 0.58], abs=1e-6)
    assert copies(np.array([""]), soft[2:3], weight=1.0, temperature=1.0)[0].size == 0


def test_the_teacher_counts_and_the_takes_that_it_lacks_are_said(result: Result) -> None:
    assert "taught" in result.summary["models"]["svm"]
    assert any("1 takes are unknown to the teacher eye/svm" in note for note in result.summary["notes"])
    params = [json.loads(one) for one in result.choices["params"]]
    assert all({"teacher_weight", "teacher_temperature"} <= set(one) for one in params)


def test_nothing_about_a_judge_reaches_its_student_by_way_of_the_teacher(result: Result, tmp_path: Path) -> None:
    def shuffle(table: pd.DataFrame) -> pd.DataFrame:
        mine = table["actor"].isin(["01", "11"])
        table.loc[mine, "emotion"] = np.random.default_rng(3).permutation(table.loc[mine, "emotion"])
        return table

    other = filled(tmp_path, shuffle)
    searched(other, "eye")
    again = student(other, run="student")
    points = np.random.default_rng(0).normal(size=(50, 6))
    said = [Bundle.load(Path(one.path, "folds/svm/emobox-1")).predict_proba(points) for one in (result, again)]
    np.testing.assert_array_equal(said[0], said[1])
    chosen = [
        one.choices.loc[one.choices["judge"] == "emobox-1", ["params", "choosers_uar"]].to_numpy().tolist()
        for one in (result, again)
    ]
    assert chosen[0] == chosen[1]
    others = [Bundle.load(Path(one.path, "folds/svm/emobox-2")).predict_proba(points) for one in (result, again)]
    assert not np.array_equal(others[0], others[1])  # they did notice
    frame = pd.read_parquet(f"{again.path}/predictions.parquet")
    mine = frame["actor"].isin(["01", "11"])
    assert uar(frame["emotion"][mine], frame["predicted"][mine]) < 0.35


def test_takes_without_any_label_are_learnt_from(store: Store) -> None:
    table = store.features("ear")
    hidden = table["repetition"].astype(int).eq(2) & table["take"].isin(store.features("eye")["take"])
    few = student(store, table.assign(emotion=table["emotion"].where(~hidden, "")), run="few")
    frame = pd.read_parquet(f"{few.path}/predictions.parquet")
    assert len(frame) == int((~hidden).sum())
    assert few.results.iloc[0]["uar"] > 0.3


def test_a_teacher_that_may_have_seen_a_judge_is_refused(store: Store) -> None:
    searched(store, "eye", run="luna-eye", protocol="luna")
    with pytest.raises(LeakError, match="judged other folds or actors than this search"):
        student(store, teacher="luna-eye", run="refused")
    with pytest.raises(UnknownName, match="unknown finished run 'nobody'"):
        student(store, teacher="nobody")


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(["sad", "calm"], 400)
    actor = np.repeat([f"{at:02d}" for at in range(20)], 20)
    one = np.where(rng.random(400) < 0.7, truth, "sad")
    found, low, high = difference(truth, one, one, actor)
    assert found == low == high == 0
    better = np.where(rng.random(400) < 0.3, truth, one)
    found, low, high = difference(truth, better, one, actor)
    assert found == pytest.approx(uar(truth, better) - uar(truth, one))
    assert 0 < low < found < high
