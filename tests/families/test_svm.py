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


def test_two_classes_have_the_logistic_of_twice_the_margin() -> None:
    X, y = rows(2)
    model: Any = family("svm").build({}).fit(X, y)
    margin = model._model.decision_function(X)
    assert model.predict_proba(X)[:, 1] == pytest.approx(1 / (1 + np.exp(-2 * margin)))


def test_a_linear_kernel_scales_as_if_its_columns_were_averaged() -> None:
    """Writing every column twice changes no distance that matters, so neither should the model."""
    X, y = rows()
    for kernel in ("linear", "rbf"):
        one = family("svm").build({"kernel": kernel}).fit(X, y).predict_proba(X)
        two = family("svm").build({"kernel": kernel}).fit(np.hstack([X, X]), y).predict_proba(np.hstack([X, X]))
        assert one == pytest.approx(two, abs=1e-6)


def test_a_file_of_any_other_type_is_refused(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import FunctionTransformer
    from skops import io

    X, y = rows()
    family("svm").build({}).fit(X, y).save(tmp_path)
    for other, message in (
        (LogisticRegression().fit(X, y), "holds a LogisticRegression, expected SVC"),
        (FunctionTransformer(Path.touch), "cannot be read as a trusted SVC"),
        ([1, 2, 3], "holds a list"),
    ):
        io.dump(other, tmp_path / "model.skops")
        with pytest.raises(BadBundle, match=message):
            family("svm").load(tmp_path)


@pytest.mark.parametrize(
    ("attribute", "change"),
    [
        ("_n_support", lambda a: a + 1000),
        ("support_vectors_", lambda a: a[:3]),
        ("_dual_coef_", lambda a: a[:, :2]),
        ("_intercept_", lambda a: a[:1]),
        ("n_features_in_", lambda a: a + 3),
    ],
)
def test_sizes_that_would_be_read_past_their_end_are_refused(tmp_path: Path, attribute: str, change: Any) -> None:
    from ravdess.families import skops_file

    X, y = rows()
    model: Any = family("svm").build({}).fit(X, y)
    model.save(tmp_path)
    setattr(model._model, attribute, change(getattr(model._model, attribute)))
    skops_file.dump(model._model, tmp_path)
    with pytest.raises(BadBundle, match="do not fit together"):
        family("svm").load(tmp_path)
