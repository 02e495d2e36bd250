"""How well: UAR, accuracy and macro-F1, with intervals over actors.

With n_e rows of emotion e, of which h_e were recognised, out of the p_e rows that were called e::

    UAR      = mean over e of h_e / n_e          (unweighted average recall, balanced accuracy)
    accuracy = sum of h_e / sum of n_e
    macro-F1 = mean over e of 2 h_e / (n_e + p_e)

The means run over the emotions that occur in the truth. One that never occurs has no recall; calling it is an
error that lowers the others. Scores are pooled: all judged rows together, not a mean of folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Matrix = NDArray[np.int64]

DRAWS = 4000
LEVEL = 0.95


class Scores(TypedDict):
    """All that is said about one set of predictions. Fractions in 0 … 1."""

    uar: float
    uar_low: float
    uar_high: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float
    macro_f1_low: float
    macro_f1_high: float
    uar_spread: float
    """Standard deviation of the folds' UAR (n-1 in the denominator); 0 with a single fold."""
    folds: dict[str, float]
    """Fold -> UAR."""
    actors: dict[str, float]
    """Actor -> UAR."""
    recalls: dict[str, float]
    """Emotion -> recall, for the emotions that occur in the truth."""
    rows: int


def confusion(truth: ArrayLike, predicted: ArrayLike, labels: Sequence[str]) -> Matrix:
    """Count truth (rows) against prediction (columns) [shape=(k, k)], in the order of `labels`.

    Raises ValueError when the two differ in length or hold a word that `labels` lacks.
    """
    counts: Matrix = _confusions(truth, predicted, np.zeros(np.size(truth), dtype=np.int64), labels, 1)[0]
    return counts


def uar(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Unweighted average recall, 0 … 1: the mean recall of the emotions that occur in `truth`."""
    return float(_uar(_plain(truth, predicted)))


def accuracy(truth: ArrayLike, predicted: ArrayLike) -> float:
    """The share of rows that were recognised, 0 … 1."""
    return float(_accuracy(_plain(truth, predicted)))


def macro_f1(truth: ArrayLike, predicted: ArrayLike) -> float:
    """The mean F1, 0 … 1, of the emotions that occur in `truth`."""
    return float(_macro_f1(_plain(truth, predicted)))


def score(
    truth: ArrayLike,
    predicted: ArrayLike,
    actor: ArrayLike,
    *,
    fold: ArrayLike | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Scores:
    """Score predictions, with 95 % intervals by resampling actors.

    Parameters
    ----------
    truth, predicted : array of str [shape=(n,)]
    actor : array of str [shape=(n,)]
        Who performed each row. Rows of one actor are alike, so actors are drawn, never rows.
    fold : array of str [shape=(n,)], optional
        The fold that judged each row. Default: one fold.
    seed : int
        Of the draws; the same seed gives the same interval.
    draws : int
        How many times as many actors as there are get drawn with replacement.

    Returns
    -------
    Scores
        The interval is the 2.5th to 97.5th percentile of the draws (Efron's percentile bootstrap). It covers
        which actors were met, not which were trained on. A single actor tells nothing about another: 0 … 1.

    Raises
    ------
    ValueError
        No rows, or arrays of different lengths.
    """
    truth, predicted = np.asarray(truth, dtype=np.str_), np.asarray(predicted, dtype=np.str_)
    actor = np.asarray(actor, dtype=np.str_)
    fold = np.full(truth.shape, "all") if fold is None else np.asarray(fold, dtype=np.str_)
    labels = np.unique(np.concatenate([truth, predicted])).tolist()
    names, owner = np.unique(actor, return_inverse=True)
    each = _confusions(truth, predicted, owner, labels, len(names))
    pooled = each.sum(axis=0)
    drawn = _resampled(each, np.random.default_rng(seed), draws)

    def interval(measure: Callable[[Matrix], NDArray[np.float64]]) -> list[float]:
        if len(names) < 2:
            return [0.0, 1.0]
        ends: list[float] = np.quantile(measure(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        return ends

    (uar_low, uar_high), (accuracy_low, accuracy_high), (f1_low, f1_high) = map(interval, (_uar, _accuracy, _macro_f1))
    judged, where = np.unique(fold, return_inverse=True)
    by_fold = _uar(_confusions(truth, predicted, where, labels, len(judged)))
    recalled = np.diagonal(pooled) / np.maximum(pooled.sum(axis=1), 1)
    return {
        "uar": float(_uar(pooled)),
        "uar_low": uar_low,
        "uar_high": uar_high,
        "accuracy": float(_accuracy(pooled)),
        "accuracy_low": accuracy_low,
        "accuracy_high": accuracy_high,
        "macro_f1": float(_macro_f1(pooled)),
        "macro_f1_low": f1_low,
        "macro_f1_high": f1_high,
        "uar_spread": float(np.std(by_fold, ddof=1)) if len(judged) > 1 else 0.0,
        "folds": dict(zip(judged.tolist(), by_fold.tolist(), strict=True)),
        "actors": dict(zip(names.tolist(), _uar(each).tolist(), strict=True)),
        "recalls": {label: float(recalled[i]) for i, label in enumerate(labels) if pooled[i].any()},
        "rows": int(truth.size),
    }


def difference(
    truth: ArrayLike, one: ArrayLike, other: ArrayLike, actor: ArrayLike, *, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float, float]:
    """UAR of predictions `one` less that of `other` on the same rows, and its 95 % interval.

    Paired: each draw resamples actors once, for both. Raises ValueError as `score` does.
    """
    truth, owners = np.asarray(truth, dtype=np.str_), np.unique(np.asarray(actor, dtype=np.str_), return_inverse=True)
    words = np.unique(np.concatenate([np.asarray(some, dtype=np.str_) for some in (truth, one, other)])).tolist()
    each = [_confusions(truth, some, owners[1], words, len(owners[0])) for some in (one, other)]
    apart = [_uar(_resampled(some, np.random.default_rng(seed), draws)) for some in each]
    low, high = np.quantile(apart[0] - apart[1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return float(_uar(each[0].sum(axis=0)) - _uar(each[1].sum(axis=0))), low, high


def _plain(truth: ArrayLike, predicted: ArrayLike) -> Matrix:
    labels = np.unique(np.concatenate([np.asarray(truth, dtype=np.str_), np.asarray(predicted, dtype=np.str_)]))
    return confusion(truth, predicted, labels.tolist())


def _confusions(
    truth: ArrayLike, predicted: ArrayLike, owner: NDArray[np.int64], labels: Sequence[str], count: int
) -> Matrix:
    """One confusion matrix an owner [shape=(count, k, k)]."""
    truth, predicted = np.asarray(truth, dtype=np.str_), np.asarray(predicted, dtype=np.str_)
    if truth.shape != predicted.shape or truth.shape != owner.shape or truth.ndim != 1:
        shapes = f"{truth.shape}, {predicted.shape} and {owner.shape}"
        raise ValueError(f"truth, prediction and group must be rows of one length, not {shapes}")
    if not truth.size:
        raise ValueError("there are no predictions to score")
    order = np.argsort(np.asarray(labels, dtype=np.str_))
    known = np.asarray(labels, dtype=np.str_)[order]
    codes = []
    for words in (truth, predicted):
        at = np.minimum(np.searchsorted(known, words), len(known) - 1)
        if strangers := sorted(set(words[known[at] != words].tolist())):
            raise ValueError(f"unknown labels {strangers}, expected some of {list(labels)}")
        codes.append(order[at])
    k = len(labels)
    cells = (owner * k + codes[0]) * k + codes[1]
    return np.bincount(cells, minlength=count * k * k).reshape(count, k, k).astype(np.int64)


def _resampled(each: Matrix, rng: np.random.Generator, draws: int) -> Matrix:
    """Sums of as many matrices as there are, drawn with replacement [shape=(draws, k, k)]."""
    n = len(each)
    times = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    return np.tensordot(times, each, axes=1)


def _mean_present(values: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.where(present, values, 0.0).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return mean


def _uar(matrix: Matrix) -> NDArray[np.float64]:
    rows, hits = matrix.sum(axis=-1), np.diagonal(matrix, axis1=-2, axis2=-1)
    return _mean_present(hits / np.maximum(rows, 1), rows > 0)


def _accuracy(matrix: Matrix) -> NDArray[np.float64]:
    total = matrix.sum(axis=(-2, -1))
    return np.asarray(np.trace(matrix, axis1=-2, axis2=-1) / np.maximum(total, 1))


def _macro_f1(matrix: Matrix) -> NDArray[np.float64]:
    rows, called = matrix.sum(axis=-1), matrix.sum(axis=-2)
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    return _mean_present(2 * hits / np.maximum(rows + called, 1), rows > 0)
