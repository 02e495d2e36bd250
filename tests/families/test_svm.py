"""Coupled probabilities in closed form, and what a saved machine may hold."""

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
from ravdess.families.svm import couple


def rows(k: int = 3) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    rng = np.random.default_rng(1)
    y = np.array(["angry", "calm", "sad"][:k] * 20)
    return (rng.normal(size=(20 * k, 5)) + np.arange(20 * k)[:, None] % k).astype(np.float32), y


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=8))
def test_coupling_recovers_the_probabilities_that_the_pairs_came_from(weights: list[float]) -> None:
    p = np.array(weights) / np.sum(weights)
    i, j = np.triu_indices(len(p), 1)
    assert couple((p[i] / (p[i] + p[j]))[None], len(p))[0] == pytest.approx(p, abs=1e-9)


def scikit(X: Any, y: Any, kernel: str = "rbf") -> Any:
    """The machine that scikit-learn fits for the family's defaults."""
    from sklearn.svm import SVC

    scale = 1 / X.shape[1]
    c = scale if kernel == "linear" else 1.0
    return SVC(kernel=kernel, C=c, gamma=scale, decision_function_shape="ovo").fit(X.astype(np.float64), y)


def test_two_classes_have_the_logistic_of_twice_the_margin() -> None:
    X, y = rows(2)
    margin = scikit(X, y).decision_function(X)
    said = family("svm").build({}).fit(X, y).predict_proba(X)
    assert said[:, 1] == pytest.approx(1 / (1 + np.exp(-2 * margin)))


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_the_arrays_decide_as_libsvm_does(kernel: str, tmp_path: Path) -> None:
    X, y = rows()
    asked = X + np.float32(0.5)
    svm: Any = family("svm").build({"kernel": kernel}).fit(X, y)
    expected = scikit(X, y, kernel).decision_function(asked.astype(np.float64))
    assert svm.machine.decisions(asked) == pytest.approx(expected, abs=1e-12)
    svm.save(tmp_path)
    again: Any = family("svm").load(tmp_path)
    assert np.array_equal(again.predict_proba(asked), svm.predict_proba(asked))


def test_a_linear_kernel_scales_as_if_its_columns_were_averaged() -> None:
    """Writing every column twice changes no distance that matters, so neither should the model."""
    X, y = rows()
    for kernel in ("linear", "rbf"):
        one = family("svm").build({"kernel": kernel}).fit(X, y).predict_proba(X)
        two = family("svm").build({"kernel": kernel}).fit(np.hstack([X, X]), y).predict_proba(np.hstack([X, X]))
        assert one == pytest.approx(two, abs=1e-6)


def test_an_older_file_by_skops_is_read(tmp_path: Path) -> None:
    from ravdess.families import skops_file

    X, y = rows()
    svm = family("svm").build({}).fit(X, y)
    svm.save(tmp_path)
    (tmp_path / "model.npz").unlink()
    codes = np.unique(y, return_inverse=True)[1]
    skops_file.dump(scikit(X, codes), tmp_path)
    assert family("svm").load(tmp_path).predict_proba(X) == pytest.approx(svm.predict_proba(X), abs=1e-12)


def test_an_older_file_of_any_other_type_is_refused(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import FunctionTransformer
    from skops import io

    X, y = rows()
    family("svm").build({}).fit(X, y).save(tmp_path)
    (tmp_path / "model.npz").unlink()
    for other, message in (
        (LogisticRegression().fit(X, y), "holds a LogisticRegression, expected SVC"),
        (FunctionTransformer(Path.touch), "cannot be read as a trusted SVC"),
        ([1, 2, 3], "holds a list"),
    ):
        io.dump(other, tmp_path / "model.skops")
        with pytest.raises(BadBundle, match=message):
            family("svm").load(tmp_path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("counts", lambda a: a + 1000),
        ("counts", lambda a: a[:2]),
        ("counts", lambda a: a.astype(np.float64)),
        ("vectors", lambda a: a[:3]),
        ("vectors", lambda a: a * np.nan),
        ("vectors", lambda a: a.astype(object)),
        ("coefficients", lambda a: a[:, :2]),
        ("intercepts", lambda a: a[:1]),
        ("gamma", lambda a: -a),
        ("gamma", lambda a: np.array("x")),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, name: str, change: Any) -> None:
    X, y = rows()
    family("svm").build({}).fit(X, y).save(tmp_path)
    with np.load(tmp_path / "model.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "model.npz", **{**arrays, name: change(arrays[name])})
    with pytest.raises(BadBundle, match=r"do not fit together|cannot be read|classes"):
        family("svm").load(tmp_path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    X, y = rows()
    family("svm").build({}).fit(X, y).save(tmp_path)
    whole = (tmp_path / "model.npz").read_bytes()
    for data in (b"", whole[: len(whole) // 2], b"x" + whole[1:]):
        (tmp_path / "model.npz").write_bytes(data)
        with pytest.raises(BadBundle, match="cannot be read as a support vector machine"):
            family("svm").load(tmp_path)
