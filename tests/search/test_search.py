"""A whole search: files, columns, models loaded again, resuming, refusing. In one process, but for the ones marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ravdess.bundle import Bundle
from ravdess.clips import CLIP_COLUMNS, EMOTIONS
from ravdess.errors import BadName, BadTable, RunMismatch, SearchFailed, UnknownName
from ravdess.scores import uar
from ravdess.search import Result, search
from ravdess.search.run import InProcess
from storage import Store
from tests.search import toys


def run(home: Path, table: pd.DataFrame | None = None, **options: Any) -> Result:
    asked: dict[str, Any] = {"families": ["svm"], "features": "toy", "samples": 2, "grid": 2, **options}
    asked.setdefault("runner", lambda data, families: InProcess(data, families, seed=asked.get("seed", 0)))
    return search(toys.table() if table is None else table, Store(home), **asked)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def result(home: Path) -> Result:
    return run(home, families=["svm", "xgboost"], samples=2, grid=1)


def read(result: Result, name: str) -> pd.DataFrame:
    return pd.read_parquet(f"{result.path}/{name}.parquet")


def test_results_have_the_fixed_columns_and_everything_that_fixes_the_number(result: Result) -> None:
    frame = read(result, "results")
    assert set(frame["family"]) == {"svm", "xgboost"}
    assert frame["uar"].is_monotonic_decreasing
    fixed = {
        "run", "family", "features", "protocol", "enrolled", "actors", "uar", "uar_low", "uar_high", "accuracy",
        "macro_f1", "seed", "folds", "fold_uar_std", "chance", "n_takes", "corpus", "fingerprint", "table_version",
        "versions", "leaky", "made",
    }  # fmt: skip
    assert fixed <= set(frame.columns)
    row = frame.iloc[0]
    assert row["uar_low"] <= row["uar"] <= row["uar_high"]
    assert list(row["actors"]) == [f"{number:02d}" for number in range(1, 13)]
    assert len(row["folds"]) == 6
    assert row["chance"] == 1 / 8
    assert row["n_takes"] == 12 * 16
    assert not row["enrolled"]
    assert json.loads(row["versions"])["ravdess"]


def test_predictions_are_the_clip_columns_the_fold_and_one_probability_an_emotion(result: Result) -> None:
    frame = read(result, "predictions")
    assert list(frame.columns[: len(CLIP_COLUMNS)]) == list(CLIP_COLUMNS)
    assert {"family", "fold", "predicted", *(f"p_{word}" for word in EMOTIONS)} <= set(frame.columns)
    assert len(frame) == 2 * 12 * 16
    np.testing.assert_allclose(frame[[f"p_{word}" for word in EMOTIONS]].sum(axis=1), 1, atol=1e-6)
    for name, said in zip(result.results["family"], result.results["uar"], strict=True):
        mine = frame[frame["family"] == name]
        assert uar(mine["emotion"], mine["predicted"]) == pytest.approx(said)


def test_each_judge_was_judged_by_the_model_that_is_kept_for_that_judge(result: Result) -> None:
    table = toys.table().sort_values("take")
    predictions, choices = read(result, "predictions"), read(result, "choices")
    X = table[[name for name in table.columns if name.startswith("f") and name[1:].isdigit()]].to_numpy()
    judged = choices[choices["judge"] != "final"]
    assert len(judged) == 12
    for _, choice in judged.iterrows():
        mine = predictions[(predictions["family"] == choice["family"]) & (predictions["fold"] == choice["judge"])]
        where = table["take"].isin(mine["take"]).to_numpy()
        bundle = Bundle.load(Path(choice["model"]))
        expected = mine.sort_values("take")[[f"p_{word}" for word in EMOTIONS]].to_numpy()
        np.testing.assert_array_equal(bundle.predict_proba(X[where]), expected)
        assert uar(mine["emotion"], mine["predicted"]) == pytest.approx(choice["judged_uar"])


def test_per_actor_and_trial_tables(result: Result) -> None:
    actors = read(result, "actors")
    assert len(actors) == 24
    assert set(actors["gender"]) == {"male", "female"}
    assert actors["takes"].eq(16).all()
    trials = read(result, "trials")
    random = trials[(trials["family"] == "svm") & (trials["round"] == "random")]
    assert random.groupby("candidate")["excluded"].nunique().eq(15).all()
    assert result.summary["effort"]["fits_a_candidate"] == 15


def test_the_kept_model_is_in_the_store_with_its_scores(home: Path, result: Result) -> None:
    assert Store(home).models() == ["svm-toy", "xgboost-toy"]
    assert set(result.summary["models"]) == {"svm", "xgboost"}
    about = json.loads(Store(home).model("svm-toy").read("bundle.json"))
    assert about["scores"]["uar"] == pytest.approx(result.results.set_index("family").loc["svm", "uar"])


def test_a_finished_run_is_only_read(home: Path, result: Result) -> None:
    def never(data: object, families: object) -> InProcess:
        raise AssertionError("a finished run computes nothing")

    again = run(home, families=["svm", "xgboost"], samples=2, grid=1, runner=never)
    assert again.found
    assert again.summary == result.summary
    pd.testing.assert_frame_equal(again.results, read(result, "results"))
    assert Store(home).model("svm-toy").name == "models/svm-toy/1"


def test_another_table_seed_or_family_is_another_run_and_refused_under_an_old_name(home: Path, tmp_path: Path) -> None:
    first = run(tmp_path, run="mine")
    changed = toys.table()
    changed["f0"] = changed["f0"] + np.where(changed.index == 0, np.float32(1), np.float32(0))
    with pytest.raises(RunMismatch, match=r"rows\.content: \"[0-9a-f]{16}\" → \"[0-9a-f]{16}\""):
        run(tmp_path, changed, run="mine")
    with pytest.raises(RunMismatch, match="seed: 0 → 1"):
        run(tmp_path, run="mine", seed=1)
    with pytest.raises(RunMismatch, match=r"families\.random_forest: absent"):
        run(tmp_path, run="mine", families=["svm", "random_forest"])
    with pytest.raises(RunMismatch, match='normalise: null → "actor"'):
        run(tmp_path, run="mine", normalise="actor")
    assert run(tmp_path, run="mine").found
    assert run(tmp_path, changed).run != run(tmp_path).run != first.run


def test_the_same_seed_gives_the_same_numbers_and_another_store_no_others(tmp_path: Path) -> None:
    one, two = run(tmp_path / "one"), run(tmp_path / "two")
    pd.testing.assert_frame_equal(read(one, "predictions"), read(two, "predictions"))
    assert one.run == two.run


def test_models_of_an_interrupted_run_are_not_fitted_again(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    broken = tmp_path / "broken"
    fitted: list[str] = []

    class Interrupted(InProcess):
        def fit_models(self, jobs: Any, recipe: Any, done: Any) -> None:
            def count(job: Any, model: Any) -> None:
                done(job, model)
                fitted.append(job.name)
                if len(fitted) == 3:
                    raise KeyboardInterrupt

            super().fit_models(jobs, recipe, count)

    with pytest.raises(KeyboardInterrupt):
        run(broken, runner=lambda data, families: Interrupted(data, families, seed=0))
    again = run(broken, runner=lambda data, families: Interrupted(data, families, seed=0))
    assert sorted(fitted) == sorted([f"emobox-{number}" for number in range(1, 7)] + ["final"])
    pd.testing.assert_frame_equal(read(again, "predictions"), read(whole, "predictions"))
    assert Store(broken).model("svm-toy").name == "models/svm-toy/1"


def test_nothing_about_a_judge_reaches_the_model_that_judges_it(tmp_path: Path) -> None:
    table = toys.table()
    changed = table.copy()
    mine = changed["actor"].isin(["01", "11"]).to_numpy()
    changed.loc[mine, "f0"] = np.float32(77)
    changed.loc[mine, "emotion"] = np.roll(changed.loc[mine, "emotion"], 3)
    one, two = run(tmp_path / "one", table), run(tmp_path / "two", changed)
    said = [said_by(r, "svm/emobox-1") for r in (one, two)]
    np.testing.assert_array_equal(said[0], said[1])
    assert not np.array_equal(said_by(one, "svm/emobox-2"), said_by(two, "svm/emobox-2"))  # the others did notice


def said_by(result: Result, model: str) -> NDArray[np.float64]:
    """What a judge's model says of fixed points."""
    points = np.random.default_rng(0).normal(size=(50, 6))
    return Bundle.load(Path(result.path, "folds", model)).predict_proba(points)


def test_enrolment_and_made_corpora_are_said_wherever_numbers_stand(tmp_path: Path) -> None:
    made = run(tmp_path, toys.table(corpus="sample"), normalise="actor", protocol="loao", samples=1, grid=0)
    row = made.results.iloc[0]
    assert row["enrolled"]
    assert row["made"]
    assert (
        row["label"] == "made sample corpus, not people; enrolled: each actor normalised by their own unlabelled clips"
    )
    assert "sample" in made.run
    assert "actor-normalised" in made.run
    assert Store(tmp_path).models() == ["made-enrolled-svm-toy"]


def test_the_leaky_protocol_says_leaky_and_keeps_no_model(tmp_path: Path) -> None:
    leaky = run(tmp_path, protocol="leaky_random")
    assert leaky.run.startswith("leaky_random-")
    row = leaky.results.iloc[0]
    assert row["leaky"]
    assert row["protocol"] == "leaky_random"
    assert row["label"].startswith("LEAKY")
    assert Store(tmp_path).models() == []
    with pytest.raises(BadName, match="leaky"):
        run(tmp_path, protocol="leaky_random", run="fine")


def test_holdout_judges_the_test_actors_once_and_never_trains_them(tmp_path: Path) -> None:
    some = run(tmp_path, protocol="holdout", test_actors=["02", "05"])
    assert list(some.results.iloc[0]["actors"]) == ["02", "05"]
    assert set(read(some, "predictions")["actor"]) == {"02", "05"}
    final, judged = (read(some, "choices").set_index("judge")["params"][name] for name in ("final", "holdout"))
    assert final == judged
    trials = read(some, "trials")
    assert trials["excluded"].str.contains("ravdess/02").all()
    assert not trials["choosers"].str.contains("ravdess/02|ravdess/05").any()
    points = np.random.default_rng(0).normal(size=(50, 6))
    kept = Bundle.load(Path(some.summary["models"]["svm"]))
    np.testing.assert_array_equal(kept.predict_proba(points), said_by(some, "svm/holdout"))


def test_absent_actors_are_said(result: Result) -> None:
    assert any("absent" in note and "24" in note for note in result.summary["notes"])


def test_wrong_questions_are_answered(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown family 'smv', expected one of"):
        run(tmp_path, families=["smv"])
    with pytest.raises(UnknownName, match=r"unknown protocol 'kfold', expected one of .*'leaky_random'"):
        run(tmp_path, protocol="kfold")
    with pytest.raises(UnknownName, match="unknown search 'grid'"):
        run(tmp_path, search="grid")
    with pytest.raises(UnknownName, match="unknown normalisation"):
        run(tmp_path, normalise="gender")
    with pytest.raises(BadTable, match="needs 3"):
        run(tmp_path, toys.table([1, 11, 20]))
    with pytest.raises(SearchFailed, match="at least two emotions"):
        run(tmp_path, toys.table().assign(emotion="sad"))


def test_without_optuna_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from ravdess.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"pip install 'ravdess\[optuna\]'"):
        run(tmp_path, search="optuna")


@pytest.mark.ray
def test_ray_gives_what_one_process_gives_with_one_worker_or_two(tmp_path: Path, ray_started: int) -> None:
    alone = run(tmp_path / "alone")
    for threads in (1, ray_started):  # a trial of as many threads as CPUs runs alone
        result = run(tmp_path / str(threads), runner=None, threads=threads)
        assert result.summary["effort"]["workers"] == ray_started // threads
        pd.testing.assert_frame_equal(read(result, "predictions"), read(alone, "predictions"))
        order = ["family", "candidate", "round", "excluded", "choosers", "stage"]
        tried = [read(one, "trials").drop(columns="seconds").sort_values(order) for one in (result, alone)]
        pd.testing.assert_frame_equal(tried[0].reset_index(drop=True), tried[1].reset_index(drop=True))


@pytest.mark.ray
def test_hunts_on_ray_give_what_one_process_gives(tmp_path: Path, ray_started: int) -> None:
    how: dict[str, Any] = {"search": "optuna", "asha": True, "samples": 4}
    alone, result = run(tmp_path / "alone", **how), run(tmp_path / "ray", runner=None, **how)
    pd.testing.assert_frame_equal(read(result, "predictions"), read(alone, "predictions"))
    counts = [read(one, "trials").groupby(["question", "candidate"]).size() for one in (alone, result)]
    pd.testing.assert_series_equal(counts[0], counts[1])
    assert counts[0].min() < counts[0].max()  # some were stopped
