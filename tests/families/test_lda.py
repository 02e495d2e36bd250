"""The discriminant in closed form, what ranks do to a column, and what a saved model may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ravdess.errors import BadBundle
from ravdess.families import family
from ravdess.families.ranks import NormalScores
from ravdess.onnx import to_onnx
from tests.test_bundle import made
from tests.test_bundle import rows as bundle_rows
from tests.test_onnx import ask


def rows(n: int = 60) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    rng = np.random.default_rng(1)
    y = np.array(["angry", "calm", "sad"] * (n // 3))
    return (rng.normal(size=(n, 5)) + 2 * (np.arange(n)[:, None] % 3 == np.arange(5))).astype(np.float32), y


def test_it_is_scikit_learns_once_that_is_told_the_covariance() -> None:
    """Its own shrinkage is of each emotion by itself, after standardising it."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    X, y = rows()
    mine = family("lda").build({"columns": "plain", "shrinkage": 0.3, "temperature": 1}).fit(X, y)
    from sklearn.covariance import ShrunkCovariance

    apart = X - np.array([X[y == word].mean(axis=0) for word in mine.classes_])[np.unique(y, return_inverse=True)[1]]
    S = ShrunkCovariance(shrinkage=0.3, assume_centered=True).fit(apart.astype(np.float64)).covariance_
    theirs = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=_Told(S)).fit(X.astype(np.float64), y)
    assert mine.predict_proba(X) == pytest.approx(theirs.predict_proba(X), abs=1e-6)


class _Told:
    """A covariance estimator that knows the answer."""

    def __init__(self, covariance: Any) -> None:
        self.covariance_ = covariance

    def fit(self, X: Any) -> _Told:
        return self


def test_a_row_that_weighs_two_is_two_rows() -> None:
    X, y = rows()
    twice = np.concatenate([np.arange(60), np.arange(0, 60, 4)])
    weight = np.where(np.arange(60) % 4 == 0, 2.0, 1.0)
    one = family("lda").build({"columns": "plain"}).fit(X, y, sample_weight=weight).predict_proba(X)
    two = family("lda").build({"columns": "plain"}).fit(X[twice], y[twice]).predict_proba(X)
    assert one == pytest.approx(two, abs=1e-9)


def test_what_differs_from_speaker_to_speaker_is_trusted_less() -> None:
    """Two columns tell emotions apart equally well, but speakers differ in the first."""
    rng = np.random.default_rng(0)
    y = np.array(["calm", "sad"] * 300)
    X = np.where(y == "sad", 1.0, -1.0)[:, None] + rng.normal(size=(600, 2))
    X[:, 0] += np.repeat(rng.normal(size=10) * 3, 60)
    model: Any = family("lda").build({"columns": "plain", "shrinkage": 0.05}).fit(X.astype(np.float32), y)
    difference = np.abs(model.weights[:, 0] - model.weights[:, 1])
    assert difference[1] > 5 * difference[0]


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=60), st.integers(0, 2**32 - 1))
def test_ranks_heed_order_alone_and_the_curve_is_the_exported_sum_of_ramps(values: list[int], seed: int) -> None:
    X = np.array(values, dtype=np.float64)[:, None]
    curve = NormalScores.fit(X)
    asked = np.concatenate([X[:, 0], np.random.default_rng(seed).uniform(-7, 7, 20)])[:, None]
    said = curve.transform(asked)
    assert (np.diff(said[np.argsort(asked[:, 0], kind="stable"), 0]) >= -1e-12).all()
    width, rise = np.diff(curve.knots, axis=0), np.diff(curve.scores, axis=0)
    slope = np.divide(rise, width, out=np.zeros_like(rise), where=width > 0)
    ramps = np.clip(asked - curve.knots[:-1, 0], 0, width[:, 0]) @ slope[:, 0] + curve.scores[0, 0]
    assert said[:, 0] == pytest.approx(ramps, abs=1e-9)
    same = NormalScores.fit(X * 8 - 3)
    assert same.scores == pytest.approx(curve.scores, abs=1e-9)


def test_normal_scores_are_normal_and_bounded() -> None:
    X = np.exp(np.random.default_rng(0).normal(size=(2000, 1)) * 2)
    curve = NormalScores.fit(X)
    z = curve.transform(X)
    assert abs(z.mean()) < 0.01
    assert z.std() == pytest.approx(0.97, abs=0.02)
    far = curve.transform(np.array([[-1e9], [1e9]]))[:, 0]
    assert far.tolist() == pytest.approx([-2.166, 2.166], abs=1e-3)  # the normal quantiles of 1/66 and 65/66


def test_a_constant_column_says_nothing() -> None:
    X, y = rows()
    wide = np.column_stack([X, np.full(len(X), 7, np.float32)])
    model: Any = family("lda").build({}).fit(wide, y)
    assert np.abs(model.weights[-1]).max() < 1e-9


@pytest.mark.parametrize("columns", ["plain", "normal"])
def test_the_export_of_both_kinds_of_columns(columns: str) -> None:
    X, y, _ = bundle_rows()
    scale = made().standardiser
    assert scale is not None
    fitted = family("lda").build({"columns": columns, "temperature": 1}).fit(scale.transform(X), y)
    bundle = made(estimator=fitted, family="lda")
    asked = np.concatenate([X, 3 * X]).astype(np.float32)
    assert np.abs(ask(to_onnx(bundle), asked)["probabilities"] - bundle.predict_proba(asked)).max() <= 1e-5


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weights", lambda a: a[:3]),
        ("weights", lambda a: a * np.nan),
        ("weights", lambda a: a.astype(object)),
        ("offsets", lambda a: a[:1]),
        ("knots", lambda a: a[::-1]),
        ("knots", lambda a: a * np.inf),
        ("scores", lambda a: a[:-1]),
        ("scores", lambda a: -a),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, name: str, change: Any) -> None:
    X, y = rows()
    family("lda").build({}).fit(X, y).save(tmp_path)
    with np.load(tmp_path / "model.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "model.npz", **{**arrays, name: change(arrays[name])})
    with pytest.raises(BadBundle, match=r"do not fit together|cannot be read|do not rise"):
        family("lda").load(tmp_path)
