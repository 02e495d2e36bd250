"""Scaling: closed forms, safety, and that nobody's numbers reach anybody else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ravdess.errors import BadBundle, BadTable
from ravdess.scaling import Standardiser
from ravdess.splits import split

numbers = arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.floats(-1e6, 1e6, width=32))


def test_columns_come_out_with_mean_0_and_deviation_1_of_the_training_rows() -> None:
    rows = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 10.0]])
    fitted = Standardiser.fit(rows)
    assert fitted.mean.tolist() == [3.0, 10.0]
    assert fitted.scale.tolist() == [pytest.approx(np.sqrt(8 / 3)), 1.0]
    out = fitted.transform([[3.0, 12.0]])
    assert out.dtype == np.float32
    assert out.tolist() == [[0.0, 2.0]]


@given(numbers)
def test_whatever_the_numbers_they_stay_finite_and_bounded(rows: NDArray[np.float32]) -> None:
    out = Standardiser.fit(rows).transform(rows)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= np.sqrt(len(rows)) + 0.1, "no row is further from the mean than sqrt(n) deviations"


@given(numbers)
def test_saving_as_json_keeps_every_bit(rows: NDArray[np.float32]) -> None:
    fitted = Standardiser.fit(rows)
    again = Standardiser.from_json(json.loads(json.dumps(fitted.to_json())))
    assert np.array_equal(again.mean, fitted.mean)
    assert np.array_equal(again.scale, fitted.scale)


def test_a_constant_that_float32_cannot_hold_exactly_is_constant() -> None:
    rows = np.full((1000, 1), 0.1, dtype=np.float32) * np.float32(3e7)
    assert Standardiser.fit(rows).scale.tolist() == [1.0]


@pytest.mark.parametrize(
    "saved", [{}, {"mean": [1.0], "scale": [0.0]}, {"mean": [1.0], "scale": [1.0, 1.0]}, {"mean": ["x"], "scale": [1]}]
)
def test_a_saved_standardiser_that_is_none_is_refused(saved: dict[str, list[object]]) -> None:
    with pytest.raises(BadBundle, match="standardiser"):
        Standardiser.from_json(saved)


def test_bad_rows_are_named() -> None:
    with pytest.raises(BadTable, match="1 rows are not finite, the first at position 2"):
        Standardiser.fit([[0.0], [1.0], [np.nan]])
    with pytest.raises(BadTable, match="at least one training row"):
        Standardiser.fit(np.zeros((0, 3)))
    with pytest.raises(BadTable, match="rows have 2 columns, expected 3"):
        Standardiser.fit(np.eye(3)).transform(np.zeros((1, 2)))
    with pytest.raises(BadTable, match="rows by columns"):
        Standardiser.fit([1.0, 2.0])


def test_the_judged_actors_garbage_does_not_reach_the_standardiser() -> None:
    rng = np.random.default_rng(0)
    actor = np.repeat(["01", "02", "03"], 10)
    table = {"corpus": ["c"] * 30, "actor": actor, "take": [str(i) for i in range(30)]}
    rows = rng.normal(size=(30, 5))
    some = split(table, ["c/02"])
    before = Standardiser.fit(rows[some.train])
    rows[actor == "02"] = 1e30
    after = Standardiser.fit(rows[some.train])
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.scale, after.scale)
