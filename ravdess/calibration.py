"""How sure is sure: probabilities made honest on out-of-fold predictions, and when to say nothing.

Temperature scaling (Guo et al. 2017, arXiv 1706.04599): p to the power 1/T, scaled to sum 1. One number, so it can't
change which emotion is the likeliest. T minimises the log loss of what the folds' models said of actors whom they
never saw. The threshold of "not sure" is chosen on the same predictions by one rule: the lowest confidence from which
on at least `TARGET` of the answers are right.

Both are fitted to all judged takes, since one model is kept. How well that works on actors outside is measured by
doing it again without each fold in turn: those are the numbers that a card gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

TARGET: Final = 2 / 3
"""Of the answers that are given, so many are to be right."""
FEWEST: Final = 0.1
"""Share of takes that must be answered, whether the target is reached or not: a model that is never sure is no use."""
BINS: Final = 10
_COOLEST: Final = 0.05
_HOTTEST: Final = 20.0
_TINY: Final = 1e-12


@dataclass(frozen=True)
class Calibration:
    """What was learnt from out-of-fold predictions.

    Attributes
    ----------
    temperature : float > 0
        Below 1 the model was too shy, above 1 too bold.
    threshold : float, 0 ... 1
        Calibrated confidence, below which the answer is "not sure".
    target : float, 0 ... 1
        Accuracy of the given answers that the threshold was chosen for.
    takes : int
        How many predictions it was fitted on.
    error_before, error : float, 0 ... 1
        Expected calibration error (10 bins of confidence) without and with a temperature fitted without the judged
        fold.
    answered, right : float, 0 ... 1
        Share of takes that are answered, and of these the share that is right, with temperature and threshold fitted
        without the judged fold.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    target: float = TARGET
    takes: int = 0
    error_before: float = 0.0
    error: float = 0.0
    answered: float = 1.0
    right: float = 0.0

    @classmethod
    def fit(cls, p: ArrayLike, truth: ArrayLike, fold: ArrayLike, *, target: float = TARGET) -> Calibration:
        """Fit on out-of-fold predictions.

        Parameters
        ----------
        p : array [shape=(n, k)]
            Probabilities, each row by a model that never saw its actor.
        truth : array of int [shape=(n,)]
            The right column of each row.
        fold : array of str [shape=(n,)]
            Which fold judged each row.
        target : float, 0 ... 1
        """
        p, truth, fold = np.asarray(p, dtype=np.float64), np.asarray(truth), np.asarray(fold)
        outside, limit = np.ones(len(p)), np.zeros(len(p))
        if len(np.unique(fold)) > 1:
            for name in np.unique(fold):
                mine = fold == name
                outside[mine] = _temperature(p[~mine], truth[~mine])
                limit[mine] = _threshold(heated(p[~mine], outside[mine][0]), truth[~mine], target)
        else:
            outside[:] = _temperature(p, truth)
            limit[:] = _threshold(heated(p, outside[0]), truth, target)
        honest = heated(p, outside)
        given, right = honest.max(axis=1) >= limit, honest.argmax(axis=1) == truth
        temperature = _temperature(p, truth)
        return cls(
            temperature=temperature,
            threshold=_threshold(heated(p, temperature), truth, target),
            target=target,
            takes=len(p),
            error_before=calibration_error(p, truth),
            error=calibration_error(honest, truth),
            answered=float(given.mean()),
            right=float(right[given].mean()) if given.any() else 0.0,
        )

    def apply(self, p: ArrayLike) -> Floats:
        """Calibrated probabilities [shape=(n, k)]; a probability of 0 stays 0."""
        return heated(np.asarray(p, dtype=np.float64), self.temperature)

    def to_json(self) -> dict[str, float]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_json`. Raises BadBundle when it is no such thing."""
        try:
            made = cls(**saved)
            sound = 0 < made.temperature < np.inf and 0 <= made.threshold <= 1
        except TypeError as error:
            raise BadBundle(f"a saved calibration cannot be read: {error}") from error
        if not sound:
            raise BadBundle("a saved calibration needs a temperature above 0 and a threshold in 0 … 1")
        return made


def heated(p: Floats, temperature: float | Floats) -> Floats:
    """Probabilities to the power 1 / temperature, rows scaled to sum 1; one temperature, or one a row [shape=(n,)]."""
    power = 1 / np.broadcast_to(np.asarray(temperature, dtype=np.float64), (len(p),))[:, None]
    logs = power * np.log(np.maximum(p, _TINY))
    raised = np.where(p > 0, np.exp(logs - logs.max(axis=1, keepdims=True)), 0.0)
    scaled: Floats = raised / raised.sum(axis=1, keepdims=True)
    return scaled


def calibration_error(p: Floats, truth: NDArray[Any]) -> float:
    """Expected calibration error of the likeliest class: |confidence - accuracy|, averaged over bins by their rows."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(p))


def _temperature(p: Floats, truth: NDArray[Any]) -> float:
    """Where the log loss is least: it is convex in 1/T, so halving finds it."""
    logs = np.log(np.maximum(p, _TINY))
    true = logs[np.arange(len(p)), truth]

    def slope(power: float) -> float:  # of the loss, by 1/T
        raised = np.exp(power * (logs - logs.max(axis=1, keepdims=True)))
        return float(np.mean((raised * logs).sum(axis=1) / raised.sum(axis=1) - true))

    low, high = 1 / _HOTTEST, 1 / _COOLEST
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return float(1 / np.sqrt(low * high))


def _threshold(p: Floats, truth: NDArray[Any], target: float) -> float:
    """The lowest confidence from which on `target` of the answers are right; else the best with `FEWEST` answered."""
    order = np.argsort(-p.max(axis=1), kind="stable")
    confidence = p.max(axis=1)[order]
    right = (p.argmax(axis=1) == truth)[order]
    share_right = np.cumsum(right) / np.arange(1, len(right) + 1)
    enough = np.arange(1, len(right) + 1) >= FEWEST * len(right)
    reached = np.flatnonzero(enough & (share_right >= target))
    if len(reached) and reached[-1] == len(right) - 1:
        return 0.0  # all may be answered
    last = reached[-1] if len(reached) else np.flatnonzero(enough)[np.argmax(share_right[enough])]
    return float(confidence[last])
