"""What the untuned families are worth on the real clips, for people they have not met and for people they have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ravdess.clips import Clip
from ravdess.enrolment import Enrolment
from ravdess.families import family
from ravdess.features import feature_set
from ravdess.scaling import Standardiser
from ravdess.scores import Scores, accuracy, score
from ravdess.splits import folds, groups, leaky_random, split

pytestmark = pytest.mark.data

Table = tuple[pd.DataFrame, NDArray[np.float32]]


@pytest.fixture(scope="module")
def table(real_data: Path) -> Table:
    """The spoken clips as rows, and their `mfcc_stats`."""
    from ravdess.sound.read import read

    paths = sorted((real_data / "ravdess" / "speech").rglob("*.flac"))
    clips = [Clip.parse(path.stem) for path in paths]
    frame = pd.DataFrame(
        {"corpus": "ravdess", "actor": clip.actor, "take": clip.take, "emotion": clip.emotion} for clip in clips
    )
    return frame, np.stack([feature_set("mfcc_stats").extract(*read(path)) for path in paths])


def fit(name: str, X: NDArray[Any], y: NDArray[np.str_], train: NDArray[Any]) -> Callable[[NDArray[Any]], Any]:
    from ravdess.search.trial import balanced_weights

    scale = Standardiser.fit(X[train])
    model = family(name).build({}, seed=0, threads=1)
    model.fit(scale.transform(X[train]), y[train], sample_weight=balanced_weights(y[train]))
    return lambda rows: model.classes_[model.predict_proba(scale.transform(rows)).argmax(axis=1)]


def judged(name: str, table: Table, *, enrolled: bool = False) -> Scores:
    rows, X = table
    owner, y = groups(rows), rows["emotion"].to_numpy(np.str_)
    predicted = np.empty_like(y)
    for judges in folds("emobox", owner).judges.values():
        some = split(rows, judges)
        usual = Enrolment.fit(X[some.train], owner[some.train])
        ready = usual.transform(X, owner) if enrolled else X
        predicted[some.test] = fit(name, ready, y, some.train)(ready[some.test])
    return score(y, predicted, owner)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("svm", 0.457), ("random_forest", 0.424), ("xgboost", 0.458), ("lightgbm", 0.45), ("mlp", 0.46)],
)
def test_untuned_families_are_worth_what_they_were_elsewhere(name: str, expected: float, table: Table) -> None:
    """The first three were measured apart from this code, on all 24 actors; chance is 0.125."""
    assert judged(name, table)["uar"] == pytest.approx(expected, abs=0.05)


def test_enrolment_helps_the_machine_to_hear_past_the_voice(table: Table) -> None:
    found = judged("svm", table, enrolled=True)
    assert found["uar"] == pytest.approx(0.539, abs=0.04)
    assert found["uar_low"] > judged("svm", table)["uar"]


def test_a_random_split_flatters(table: Table) -> None:
    rows, X = table
    y = rows["emotion"].to_numpy(np.str_)
    predicted = np.empty_like(y)
    for some in leaky_random(y):
        predicted[some.test] = fit("svm", X, y, some.train)(X[some.test])
    leaky = accuracy(y, predicted)
    assert 0.56 <= leaky <= 0.69
    assert leaky > judged("svm", table)["accuracy_high"]
