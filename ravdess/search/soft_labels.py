"""A teacher's soft labels, and how a student learns from them: the mixture of two losses as weighted copies of takes.

A student learns from the mixture (1 - w) hard + w soft of the two losses. Cross-entropy is linear in its target, so
that is the loss on weighted copies of a take, one for each emotion that it may be: any family can learn from those. A
take without a label has its soft label alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.clips import EMOTIONS
from ravdess.errors import LeakError
from ravdess.families.space import Choice, Params

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.splits import Groups

WEIGHT: Final = "teacher_weight"
TEMPERATURE: Final = "teacher_temperature"
SPACE: Final = {WEIGHT: Choice((0.25, 0.5, 0.75, 1.0)), TEMPERATURE: Choice((0.5, 1.0, 2.0))}
DEFAULTS: Final[Params] = {WEIGHT: 0.5, TEMPERATURE: 1.0}
_LEAST: Final = 0.1
"""A smaller share of a take than this is passed over: it would cost a copy."""


@dataclass(frozen=True, eq=False)
class Teaching:
    """Soft labels for every fit of a search.

    Attributes
    ----------
    labels : mapping of (judging groups, excluded groups) to np.ndarray [shape=(n, 8), dtype=float32]
        NaN for takes of excluded groups, and for those that the teacher's table lacks.
    teacher : str
        "<run>/<family>".
    """

    labels: Mapping[tuple[Groups, Groups], NDArray[np.float32]]
    teacher: str

    def of(self, judges: Groups, excluded: Groups) -> NDArray[np.float32]:
        """The labels for one fit. Raises LeakError when none were made without those people."""
        if (judges, excluded) not in self.labels:
            raise LeakError(f"{self.teacher} has no labels made without {list(excluded)} for the judges {list(judges)}")
        return self.labels[judges, excluded]


def copies(
    y: NDArray[np.str_], soft: NDArray[np.float32], weight: float, temperature: float
) -> tuple[NDArray[np.intp], NDArray[np.str_], NDArray[np.float64]]:
    """Weighted copies of takes, one for each emotion that a take may be.

    Parameters
    ----------
    y : array of str [shape=(n,)]
        Hard labels; "" where there is none.
    soft : array [shape=(n, 8)]
        Soft labels in the order of EMOTIONS; rows of NaN where there is none.
    weight : float, 0 ... 1
        Of the soft loss against the hard one.
    temperature : float > 0
        p to the power 1/T, scaled to sum 1: above 1, the teacher is made less sure.

    Returns
    -------
    positions, labels, weights [shape=(m,) each]
        A take's copies weigh 1 together. One with neither label has no copy.
    """
    words = np.array(EMOTIONS)
    hard = (y[:, None] == words[None]).astype(np.float64)
    told = np.isfinite(soft).all(axis=1)
    p = np.zeros(hard.shape)
    p[told] = np.maximum(soft[told], 1e-9) ** (1 / temperature)
    p[told] /= p[told].sum(axis=1, keepdims=True)
    share = np.where(told, np.where(hard.any(axis=1), weight, 1.0), 0.0)[:, None]
    target = (1 - share) * hard + share * p
    target = np.where(target >= min(_LEAST, 1 / len(words)), target, 0)
    total = target.sum(axis=1, keepdims=True)
    target = np.divide(target, total, out=np.zeros_like(target), where=total > 0)
    where, which = np.nonzero(target)
    return where, words[which], target[where, which]
