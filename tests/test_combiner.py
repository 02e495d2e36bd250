"""Combiners: weights follow what a model is worth, temperatures undo what was done, stacking departs where it pays."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from ravdess.combiner import METHODS, Combiner
from ravdess.errors import BadBundle


def said(sharp: float, codes: NDArray[np.intp], seed: int, k: int = 4) -> NDArray[np.float64]:
    """Exact posteriors of a noisy look at the truth: logits of a Gaussian around each corner, noise 1 / sharp."""
    rng = np.random.default_rng(seed)
    look = np.eye(k)[codes] + rng.normal(size=(len(codes), k)) / sharp
    logits = look * sharp**2
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = p / p.sum(axis=1, keepdims=True)
    return shares


def truth(n: int = 4000) -> NDArray[np.intp]:
    return np.random.default_rng(0).integers(4, size=n)


def test_independent_models_that_are_right_about_themselves_are_multiplied() -> None:
    codes = truth()
    fitted = Combiner.fit([said(1.0, codes, 1), said(2.0, codes, 2)], codes)
    np.testing.assert_allclose(fitted.weights, 1, atol=0.1)


def test_an_overconfident_model_is_cooled_to_its_temperature() -> None:
    codes = truth()
    p = said(1.5, codes, 1)
    bold = p**3 / (p**3).sum(axis=1, keepdims=True)
    fitted = Combiner.fit([bold], codes)
    assert fitted.weights[0] == pytest.approx(1 / 3, abs=0.03)
    np.testing.assert_array_equal(fitted.apply([bold]).argmax(axis=1), p.argmax(axis=1))


def test_a_model_that_guesses_gets_no_weight() -> None:
    codes = truth()
    guess = said(1.5, np.random.default_rng(5).permutation(codes), 3)
    assert Combiner.fit([said(1.5, codes, 1), guess], codes).weights[1] < 0.05


def test_stacking_mends_what_no_weight_can() -> None:
    codes = truth()
    p = said(2.0, codes, 1)
    swapped = p[:, [1, 0, 2, 3]]  # a model that calls two emotions by each other's names
    right = {
        method: (Combiner.fit([swapped], codes, method).apply([swapped]).argmax(1) == codes).mean()
        for method in METHODS
    }
    assert right["late"] < 0.5
    assert right["stacked-freely"] > 0.8
    assert right["late"] < right["stacked"]


def test_saving_as_json_keeps_every_bit_and_what_does_not_fit_is_refused() -> None:
    codes = truth(200)
    given = [said(1.0, codes, 1), said(2.0, codes, 2)]
    for method in METHODS:
        fitted = Combiner.fit(given, codes, method)
        again = Combiner.from_json(json.loads(json.dumps(fitted.to_json())), 2, 4)
        np.testing.assert_array_equal(again.apply(given), fitted.apply(given))
        np.testing.assert_allclose(fitted.apply(given).sum(axis=1), 1)
    saved = Combiner.fit(given, codes).to_json()
    for change in ({"weights": [1.0]}, {"weights": [-1.0, 1.0]}, {"departure": [[0.0]]}, {"weights": "x"}):
        with pytest.raises(BadBundle, match="combiner"):
            Combiner.from_json({**saved, **change}, 2, 4)
