"""Random, grid, choice, in one process: what is fitted, how often, and who can influence whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ravdess.clips import EMOTIONS
from ravdess.errors import LeakError
from ravdess.families import Family, family
from ravdess.search.asked import LEAKY, deal, make_request
from ravdess.search.explore import Explored, Explorer
from ravdess.search.ledger import Ledger
from ravdess.search.plan import Candidate, Choice, Fits, Scores, Trial, random_candidates, random_round
from ravdess.search.rows import choose_rows
from ravdess.search.run import InProcess, OnRay, Rounds, Runner, slow_first
from ravdess.search.standing import Step
from ravdess.search.trial import Preparation
from storage import Store
from tests.search import toys


def explore(
    table: pd.DataFrame,
    home: Path,
    one: Family | None = None,
    *,
    protocol: str = "emobox",
    normalise: str | None = None,
    how: str = "random",
    stop: bool = False,
    cpus: int = 0,
    **options: Any,
) -> tuple[Explored, Ledger]:
    one = one or toys.centroids()
    rows = choose_rows(table, features="toy")
    dealt, data = deal(rows, protocol=protocol, test_actors=None, normalise=normalise, seed=0)
    shown = {name: options.pop(name) for name in ("guess", "workers", "progress") if name in options}
    options = {"samples": 4, "grid": 4, "seed": 0, **options}
    families = {one.name: one}
    request = make_request(families, rows, dealt, features="toy", fingerprint="", how=how, **options)
    ledger = Ledger(Store(home), "run", request)
    runner: Runner = OnRay(data, families, seed=0, cpus=cpus) if cpus else InProcess(data, families, seed=0)
    explorer = Explorer(families, dealt, runner, ledger, **{"progress": _quiet, **shown}, **options)
    if how == "random" and not stop:
        return explorer.random_then_grid(), ledger
    return explorer.hunt(sampler=how, stop=stop), ledger


def _quiet(step: Step) -> None:
    assert step.done <= step.total


def chosen(found: Explored) -> dict[str, Choice]:
    (choices,) = found.choices.values()
    return choices


def test_every_fit_is_made_once_and_the_count_is_as_promised(tmp_path: Path) -> None:
    toys.Centroids.fitted.clear()
    found, ledger = explore(toys.table(), tmp_path)
    made = Counter((record["candidate"], tuple(fit["excluded"])) for record in ledger.records for fit in record["fits"])
    assert set(made.values()) == {1}
    assert len(made) == len(toys.Centroids.fitted) == found.effort.fits
    random = [record for record in ledger.records if record["round"] == "random"]
    assert len(random) == 4
    assert {len(record["fits"]) for record in random} == {found.fits_a_candidate} == {6 * 5 // 2}
    assert any(record["round"] == "grid" for record in ledger.records)


def test_each_fit_trains_on_all_but_the_excluded_and_standardises_by_them_alone(tmp_path: Path) -> None:
    table = toys.table(noise=5)
    toys.Centroids.fitted.clear()
    _, ledger = explore(table, tmp_path, samples=1, grid=0)
    rows = choose_rows(table, features="toy")
    people = rows.clips["corpus"] + "/" + rows.clips["actor"]
    (record,) = ledger.records
    for fit, (_, seen) in zip(record["fits"], toys.Centroids.fitted, strict=True):
        train = np.asarray(rows.X)[~people.isin(fit["excluded"]).to_numpy()].astype(np.float64)
        np.testing.assert_allclose(seen, (train - train.mean(0)) / train.std(0), atol=1e-4)


def swapped(table: pd.DataFrame, actors: set[str]) -> pd.DataFrame:
    """The table with other numbers and other labels for these actors: takes keep their names only."""
    rng = np.random.default_rng(1)
    changed = table.copy()
    mine = changed["actor"].isin(actors).to_numpy()
    for name in [column for column in table.columns if column.startswith("f") and column[1:].isdigit()]:
        changed.loc[mine, name] = rng.normal(3, 20, mine.sum()).astype(np.float32)
    changed.loc[mine, "emotion"] = rng.permutation([EMOTIONS[at % 8] for at in range(mine.sum())])
    return changed


@pytest.mark.parametrize("protocol", ["emobox", "holdout"])
@pytest.mark.parametrize("how", ["random", "asha", "optuna"])
def test_nothing_about_a_judge_moves_what_is_chosen_for_that_judge(tmp_path: Path, how: str, protocol: str) -> None:
    table = toys.table(noise=2.5)
    ways: dict[str, Any] = {"how": "optuna" if how == "optuna" else "random", "stop": how == "asha", "grid": None}
    before, _ = explore(table, tmp_path / "before", protocol=protocol, **ways)
    dealt, _ = deal(choose_rows(table, features="toy"), protocol=protocol, test_actors=None, normalise=None, seed=0)
    moved = 0
    for question in dealt.questions:
        other = swapped(table, {group.split("/")[1] for group in question.judges})
        after, _ = explore(other, tmp_path / question.name, protocol=protocol, **ways)
        assert chosen(after)[question.name] == chosen(before)[question.name]
        moved += sum(chosen(after)[name] != choice for name, choice in chosen(before).items())
    if protocol == "emobox":
        assert moved > len(dealt.questions)  # the others did notice
        assert {choice.round for choice in chosen(before).values()} >= ({"grid"} if how != "optuna" else {"optuna"})


def test_enrolment_uses_each_actors_own_rows_and_no_label() -> None:
    def prepared(table: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = choose_rows(table, features="toy")
        _, data = deal(rows, protocol="emobox", test_actors=None, normalise="actor", seed=0)
        train, judged = data.split(["ravdess/03", "ravdess/05"])
        ready = Preparation.fit(data, train)
        return ready.rows(data, train), ready.rows(data, judged)

    table = toys.table().sort_values("take", ignore_index=True)
    judge = table["actor"].isin(["03", "05"]).to_numpy()
    shuffled = table.assign(emotion=np.roll(table["emotion"], 7))
    moved = table.assign(f0=np.where(judge, 1e4 * table["f0"], table["f0"]).astype(np.float32))
    (train, judged), (same, alike), (kept, other) = prepared(table), prepared(shuffled), prepared(moved)
    np.testing.assert_array_equal(train, same)
    np.testing.assert_array_equal(judged, alike)
    np.testing.assert_array_equal(train, kept)
    assert not np.array_equal(judged, other)


def test_a_rerun_makes_no_fit_that_was_made(tmp_path: Path) -> None:
    first, _ = explore(toys.table(), tmp_path)
    toys.Centroids.fitted.clear()
    again, _ = explore(toys.table(), tmp_path)
    assert toys.Centroids.fitted == []
    assert again.choices == first.choices


@pytest.mark.parametrize("how", ["random", "asha", "optuna"])
def test_going_on_after_losing_any_trials_gives_the_same_choices(tmp_path: Path, how: str) -> None:
    ways: dict[str, Any] = {"how": "optuna" if how == "optuna" else "random", "stop": how == "asha", "samples": 5}
    whole, ledger = explore(toys.table(noise=2.5), tmp_path, **ways)
    files = sorted(tmp_path.glob("runs/run/trials/*.json"))
    assert len(files) == len(ledger.records)
    for lost in files[::3]:
        lost.unlink()
    toys.Centroids.fitted.clear()
    again, rest = explore(toys.table(noise=2.5), tmp_path, **ways)
    assert again.choices == whole.choices
    assert 0 < len(toys.Centroids.fitted) < whole.effort.fits
    assert [record["candidate"] for record in rest.records] == [record["candidate"] for record in ledger.records]


def test_asha_stops_some_and_chooses_among_those_it_did_not_stop(tmp_path: Path) -> None:
    found, ledger = explore(toys.table(noise=2.5), tmp_path, stop=True, samples=8, grid=0)
    lengths = Counter(len(record["fits"]) for record in ledger.records if record["question"] == "emobox-1")
    assert lengths[5] < 8
    assert sum(lengths.values()) == 8
    assert chosen(found)["emobox-1"].seen == lengths[5]


def test_a_candidate_that_cannot_be_fitted_is_passed_over_and_a_family_without_any_is_named(tmp_path: Path) -> None:
    found, ledger = explore(toys.table(), tmp_path / "some", toys.centroids(broken=True), samples=6)
    assert any("error" in fit for record in ledger.records for fit in record["fits"])
    assert all(choice.candidate.params["metric"] != "broken" for choice in chosen(found).values())
    none = replace(toys.centroids(broken=True), defaults={"metric": "broken", "sharp": 0.5})
    found, _ = explore(toys.table(), tmp_path / "none", none, samples=1)
    assert found.choices == {}
    assert "ValueError: this candidate cannot be fitted" in found.failed["centroids"]


def test_leaky_folds_share_actors_and_say_so(tmp_path: Path) -> None:
    rows = choose_rows(toys.table(), features="toy")
    dealt, data = deal(rows, protocol=LEAKY, test_actors=None, normalise=None, seed=0)
    assert data.leaky
    assert "leaky" in " ".join(dealt.notes)
    train, test = data.split(dealt.questions[0].judges)
    assert set(data.actor[train]) == set(data.actor[test])
    found, _ = explore(toys.table(), tmp_path, protocol=LEAKY)
    assert found.fits_a_candidate == 10
    assert set(chosen(found)) == {"leaky-1", "leaky-2", "leaky-3", "leaky-4", "leaky-5", "final"}


def test_long_trials_come_first() -> None:
    families = {name: family(name) for name in ("svm", "xgboost", "random_forest")}
    fits: Fits = {("a", "b"): [("a",)]}
    trials = [Trial(Candidate(name, {}), "random", fits) for name in families]
    assert [t.candidate.family for t in slow_first(trials, families)] == ["xgboost", "random_forest", "svm"]
    measured = {"svm": 1.0, "random_forest": 9.0, "xgboost": 3.0}
    assert [t.candidate.family for t in slow_first(trials, families, measured)] == ["random_forest", "xgboost", "svm"]


@pytest.mark.ray
@pytest.mark.parametrize("how", ["random", "asha"])
def test_a_candidate_that_kills_its_worker_costs_that_candidate_alone(
    tmp_path: Path, ray_started: int, how: str
) -> None:
    deadly = toys.centroids(deadly=True)
    few: dict[str, Any] = {"samples": 4, "grid": 0, "protocol": "holdout"}
    found, ledger = explore(toys.table(), tmp_path, deadly, cpus=ray_started, stop=how == "asha", **few)
    tried = {record["params"]["metric"]: record for record in ledger.records}
    assert "deadly" in tried
    assert all("error" in fit for fit in tried["deadly"]["fits"])
    assert all("error" not in fit for fit in tried["square"]["fits"])
    assert all(choice.candidate.params["metric"] != "deadly" for choice in chosen(found).values())


@pytest.mark.ray
def test_a_leak_ends_a_search_on_ray(tmp_path: Path, ray_started: int) -> None:
    table = toys.table()
    rows = choose_rows(table, features="toy")
    dealt, data = deal(rows, protocol="emobox", test_actors=None, normalise=None, seed=0)
    mixed = replace(data, kept=np.where(np.arange(len(data.kept)) == 0, "ravdess/04", data.kept))
    one = toys.centroids()
    trials = random_round(random_candidates(one, samples=1, seed=0), dealt.questions, Scores())
    for runner in (InProcess(mixed, {one.name: one}, seed=0), OnRay(mixed, {one.name: one}, seed=0)):
        with pytest.raises(LeakError, match="would stand on both sides"):
            runner.run(Rounds([lambda: trials], lambda record: None))


def test_the_time_left_is_guessed_until_it_is_measured(tmp_path: Path) -> None:
    steps: list[Step] = []
    explore(toys.table(), tmp_path, samples=2, grid=0, progress=steps.append, guess={"centroids": 3600.0})
    assert steps[0].seconds_left == 2 * 15 * 3600
    assert 0 < (steps[1].seconds_left or 0) < 60
