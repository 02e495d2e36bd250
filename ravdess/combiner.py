"""One answer from several models' probabilities: late fusion, and a stacked one that departs from it where it pays.

Late: p is proportional to the product over models of p_m to the power w_m >= 0, the weighted sum of log probabilities;
a weight is importance and temperature in one (for a single model it is 1 / T of temperature scaling, Guo et al. 2017,
arXiv 1706.04599). Stacked (Wolpert 1992, doi 10.1016/S0893-6080(05)80023-1): a multinomial logistic model of all log
probabilities, drawn towards the late answer by a penalty. Both minimise the log loss with every emotion weighing the
same, on predictions that no model made of actors it had seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families.common import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

METHODS: Final[Mapping[str, float | None]] = {"late": None, "stacked": 0.1, "stacked-freely": 0.01}
"""How to combine, with the penalty of what departs from late fusion."""
_TINY: Final = 1e-6
_RIDGE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Combiner:
    """Fitted weights.

    Attributes
    ----------
    weights : np.ndarray [shape=(m,)], >= 0
        One a model.
    departure : np.ndarray [shape=(m * k, k)]
        What stacking adds to the logits of k emotions; zeros for late fusion.
    """

    weights: Floats
    departure: Floats

    @classmethod
    def fit(cls, said: Sequence[Floats], codes: NDArray[np.intp], method: str = "late") -> Combiner:
        """Fit on out-of-fold predictions.

        Parameters
        ----------
        said : sequence of np.ndarray [shape=(n, k)], one a model
        codes : np.ndarray of int [shape=(n,)]
            Each row's emotion.
        method : one of METHODS
        """
        logs, k = _logs(said), said[0].shape[1]
        count = np.bincount(codes, minlength=k)
        weight = (len(codes) / ((count > 0).sum() * np.maximum(count, 1)))[codes] / len(codes)
        weights = _fit_late(logs, codes, weight)
        departure = np.zeros((len(said) * k, k))
        penalty = METHODS[method]
        if penalty is not None:
            departure = _fit_departure(logs, codes, weight, np.tensordot(weights, logs, 1), penalty)
        return cls(weights, departure)

    def apply(self, said: Sequence[Floats]) -> Floats:
        """Probabilities [shape=(n, k)] of as many models as it was fitted on."""
        logs = _logs(said)
        logits = np.tensordot(self.weights, logs, 1) + _side_by_side(logs) @ self.departure
        return softmax(logits)

    def to_json(self) -> dict[str, Any]:
        return {
            "weights": self.weights.tolist(),
            "departure": self.departure.tolist() if self.departure.any() else None,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any], models: int, labels: int) -> Combiner:
        """The inverse of `to_json`. Raises BadBundle when it does not fit so many models and labels."""
        try:
            weights = np.array(saved["weights"], dtype=np.float64)
            shape = (models * labels, labels)
            departure = (
                np.zeros(shape) if saved["departure"] is None else np.array(saved["departure"], dtype=np.float64)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadBundle(f"a saved combiner needs numbers weights and departure: {error}") from error
        finite = np.isfinite(weights).all() and np.isfinite(departure).all()
        if weights.shape != (models,) or departure.shape != shape or not finite or (weights < 0).any():
            raise BadBundle(f"a saved combiner does not fit {models} models of {labels} labels")
        return cls(weights, departure)


def _logs(said: Sequence[Floats]) -> Floats:
    """Log probabilities around a mean of 0 [shape=(m, n, k)]; one of 0 is taken for a millionth."""
    logs = np.log(np.maximum(np.stack(said), _TINY))
    centred: Floats = logs - logs.mean(axis=2, keepdims=True)
    return centred


def _side_by_side(logs: Floats) -> Floats:
    m, n, k = logs.shape
    return logs.transpose(1, 0, 2).reshape(n, m * k)


def _loss(logits: Floats, codes: NDArray[np.intp], weight: Floats) -> tuple[float, Floats]:
    """The log loss and its gradient by the logits."""
    p = softmax(logits)
    at = np.arange(len(codes))
    slope = p.copy()
    slope[at, codes] -= 1
    return float(-(weight * np.log(np.maximum(p[at, codes], 1e-300))).sum()), weight[:, None] * slope


def _fit_late(logs: Floats, codes: NDArray[np.intp], weight: Floats) -> Floats:
    from scipy.optimize import minimize

    start = np.full(len(logs), 1 / len(logs))

    def loss(weights: Floats) -> tuple[float, Floats]:
        value, slope = _loss(np.tensordot(weights, logs, 1), codes, weight)
        apart = weights - start  # where two models say the same, they share the weight
        return value + _RIDGE * float(apart @ apart), (logs * slope).sum(axis=(1, 2)) + 2 * _RIDGE * apart

    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(logs)).x
    return found


def _fit_departure(logs: Floats, codes: NDArray[np.intp], weight: Floats, late: Floats, penalty: float) -> Floats:
    from scipy.optimize import minimize

    rows, k = _side_by_side(logs), logs.shape[2]

    def loss(flat: Floats) -> tuple[float, Floats]:
        departure = flat.reshape(-1, k)
        value, slope = _loss(late + rows @ departure, codes, weight)
        return value + penalty * float(flat @ flat), (rows.T @ slope).ravel() + 2 * penalty * flat

    found: Floats = minimize(loss, np.zeros(rows.shape[1] * k), jac=True, method="L-BFGS-B").x.reshape(-1, k)
    return found
