"""Calibration against the answer that is known, and the rule of "not sure" against its own promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravdess.calibration import TARGET, Calibration, calibration_error, heated
from ravdess.errors import BadBundle
from ravdess.novelty import QUANTILE, distances, usual


def drawn(n: int = 6000, spread: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels drawn from these very probabilities, and folds."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 8)) * spread
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    return p, truth, rng.integers(0, 6, n).astype(str)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_spoilt_honest_probabilities_is_found(temperature: float) -> None:
    p, truth, fold = drawn()
    spoilt = heated(p, 1 / temperature)
    fitted = Calibration.fit(spoilt, truth, fold)
    assert fitted.temperature == pytest.approx(temperature, rel=0.08)
    assert np.abs(fitted.apply(spoilt) - p).max() < 0.05
    assert fitted.error < 0.03
    if temperature != 1:
        assert fitted.error < fitted.error_before


@given(st.floats(0.1, 10), st.integers(0, 1000))
def test_heat_keeps_the_order_and_the_sum(temperature: float, seed: int) -> None:
    p = np.random.default_rng(seed).dirichlet(np.ones(8), size=5)
    p[0, 3] = 0
    p /= p.sum(axis=1, keepdims=True)
    warm = heated(p, temperature)
    assert warm.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(warm.argmax(axis=1), p.argmax(axis=1))
    assert warm[0, 3] == 0


def test_of_the_answers_that_are_given_the_target_is_right_and_no_lower_threshold_would_do() -> None:
    p, truth, fold = drawn(spread=1.2)
    fitted = Calibration.fit(p, truth, fold)
    honest = fitted.apply(p)
    confidence, right = honest.max(axis=1), honest.argmax(axis=1) == truth
    assert right.mean() < TARGET
    assert right[confidence >= fitted.threshold].mean() >= TARGET
    lower = np.sort(confidence[confidence < fitted.threshold])[::-1]
    assert all(right[confidence >= limit].mean() < TARGET for limit in lower[:500])
    assert fitted.right == pytest.approx(TARGET, abs=0.03)
    assert fitted.answered == pytest.approx((confidence >= fitted.threshold).mean(), abs=0.05)


def test_a_model_that_is_mostly_right_answers_all() -> None:
    p, truth, fold = drawn(spread=6)
    fitted = Calibration.fit(p, truth, fold)
    assert fitted.threshold == 0
    assert fitted.answered == 1


def test_a_model_that_knows_nothing_still_answers_a_tenth() -> None:
    p, _, fold = drawn()
    fitted = Calibration.fit(p, np.random.default_rng(1).integers(0, 8, len(p)), fold)
    assert fitted.answered >= 0.05
    assert fitted.right < 0.3


def test_the_error_of_bins_is_the_gap_between_confidence_and_truth() -> None:
    p = np.array([[0.8, 0.2]] * 10)
    assert calibration_error(p, np.array([0] * 8 + [1] * 2)) == pytest.approx(0)
    assert calibration_error(p, np.zeros(10, dtype=int)) == pytest.approx(0.2)


def test_it_is_kept_as_json_and_nonsense_is_refused() -> None:
    fitted = Calibration.fit(*drawn(500))
    assert Calibration.from_json(fitted.to_json()) == fitted
    for bad in ({"temperature": 0}, {"threshold": 2}, {"warmth": 1}, {"temperature": "hot"}):
        with pytest.raises(BadBundle):
            Calibration.from_json(bad)


def test_rows_of_left_out_people_are_within_the_usual_distance_and_strange_ones_beyond() -> None:
    rng = np.random.default_rng(0)
    owners = np.repeat(np.arange(20).astype(str), 50)
    X = rng.normal(size=(1000, 30)) + rng.normal(size=(20, 30))[owners.astype(int)]
    limit = usual(X, owners)
    new = rng.normal(size=(500, 30)) + rng.normal(size=30)
    scale = X.mean(axis=0), X.std(axis=0)
    assert np.mean(distances((new - scale[0]) / scale[1]) <= limit) >= QUANTILE - 0.1
    assert (distances((new * 5 - scale[0]) / scale[1]) > limit).all()
    assert distances(np.full((1, 30), 1e12)) == pytest.approx(10), "no single number can carry it away"
