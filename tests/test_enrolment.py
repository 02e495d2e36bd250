"""Enrolment: closed forms, few clips, no labels, and that nobody's numbers reach anybody else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ravdess.enrolment import Enrolment
from ravdess.errors import BadBundle, BadTable
from ravdess.scaling import Standardiser


def people(
    actors: int = 12, clips: int = 20, *, apart: float = 2.0, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Clips of deviation 1 around actors' means of deviation `apart`."""
    rng = np.random.default_rng(seed)
    owner = np.repeat([f"c/{number:03d}" for number in range(actors)], clips)
    return rng.normal(size=(actors * clips, 3)) + np.repeat(apart * rng.normal(size=(actors, 3)), clips, axis=0), owner


def _told(one: Standardiser) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return one.mean, one.scale


def test_prior_knowledge_is_worth_the_ratio_of_the_variances_in_clips() -> None:
    fitted = Enrolment.fit(*people(2000, 5))
    np.testing.assert_allclose(fitted.variance, 1, atol=0.05)
    np.testing.assert_allclose(fitted.mean_worth, 1 / 2.0**2, atol=0.03)
    alike = Enrolment.fit(*people(200, 100))
    assert (alike.variance_worth > 20).all(), "all of them spread alike, so one actor's own spread says little"


def test_many_clips_give_the_speakers_own_mean_and_deviation_and_none_the_usual_ones() -> None:
    X, owner = people()
    fitted = Enrolment.fit(X, owner)
    rng = np.random.default_rng(1)
    clips = rng.normal(50, 7, size=(100_000, 3))
    mean, deviation = _told(fitted.of(clips))
    np.testing.assert_allclose(mean, clips.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(deviation, clips.std(axis=0), rtol=2e-2)
    mean, deviation = _told(fitted.of(clips[:0]))
    np.testing.assert_array_equal(mean, fitted.mean)
    np.testing.assert_allclose(deviation**2, fitted.variance)
    one = fitted.of(clips[:1]).mean
    expected = (clips[0] + fitted.mean_worth * fitted.mean) / (1 + fitted.mean_worth)
    np.testing.assert_allclose(one, expected)


def test_with_few_clips_a_new_speakers_mean_is_met_better_than_by_the_clips_alone() -> None:
    X, owner = people(400, 4, apart=0.7)
    new, whose = people(400, 4, apart=0.7, seed=1)
    fitted = Enrolment.fit(X, owner)
    truth = {name: new[whose == name].mean(axis=0) for name in np.unique(whose)}
    errors = np.array(
        [
            [np.square(guess - truth[name]).mean() for guess in (fitted.of(first).mean, first[0], fitted.mean)]
            for name in truth
            for first in [new[whose == name][:1]]
        ]
    ).mean(axis=0)
    assert errors[0] < errors[1]
    assert errors[0] < errors[2]


@given(st.integers(0, 2**32 - 1))
def test_an_actor_is_normalised_by_own_rows_alone(seed: int) -> None:
    fitted = Enrolment.fit(*people())
    rng = np.random.default_rng(seed)
    rows, owner = rng.normal(size=(30, 3)), rng.choice(["a", "b", "c"], 30)
    changed = rows.copy()
    changed[owner == "b"] = rng.normal(size=(int((owner == "b").sum()), 3)) * 1e6
    before, after = fitted.transform(rows, owner), fitted.transform(changed, owner)
    np.testing.assert_array_equal(before[owner != "b"], after[owner != "b"])
    for name in set(owner.tolist()):
        mine = rows[owner == name]
        np.testing.assert_array_equal(before[owner == name], fitted.of(mine).transform(mine))


def test_constant_columns_single_clips_and_single_actors_stay_finite() -> None:
    X, owner = people(3, 4)
    X[:, 1] = 0.1
    X[owner == owner[0], 2] = 0
    for rows, who in ((X, owner), (X[:4], owner[:4]), (X[[0, 1, 4, 8]], owner[[0, 1, 4, 8]])):
        fitted = Enrolment.fit(rows, who)
        for clips in (X[:0], X[:1], X[:2], X):
            out = fitted.of(clips).transform(X)
            assert out.dtype == np.float32
            assert np.isfinite(out).all()


def test_saving_as_json_keeps_every_bit() -> None:
    X, owner = people()
    fitted = Enrolment.fit(X, owner)
    again = Enrolment.from_json(json.loads(json.dumps(fitted.to_json())))
    np.testing.assert_array_equal(again.transform(X, owner), fitted.transform(X, owner))


@pytest.mark.parametrize("change", [{"mean": ["x"]}, {"variance": [-1.0] * 3}, {"mean_worth": [0.0]}, {"mean": None}])
def test_a_saved_enrolment_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadBundle, match="enrolment"):
        Enrolment.from_json({**Enrolment.fit(*people()).to_json(), **change})


def test_bad_rows_are_named() -> None:
    X, owner = people()
    with pytest.raises(BadTable, match="at least two clips"):
        Enrolment.fit(X[::20], owner[::20])
    with pytest.raises(BadTable, match="240 rows need as many actors"):
        Enrolment.fit(X, owner[:3])
    with pytest.raises(BadTable, match="2 columns, expected 3"):
        Enrolment.fit(X, owner).of(X[:, :2])
    with pytest.raises(BadTable, match="not finite"):
        Enrolment.fit(X, owner).of(X[:1] * np.nan)
