"""How far a row lies from all that a model was trained on.

The distance of a row is the root mean square of its standardised features, each cut off at `CUT` standard deviations:
about 1 for training rows. What is usual is learnt from people who are left out: each actor's rows are measured by the
mean and spread of the others, and `QUANTILE` of these distances are within the limit. So a new voice is not "far" for
being new, and a car, a tone or a language of clicks can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.scaling import Standardiser

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CUT: Final = 10.0
QUANTILE: Final = 0.99


def distances(standardised: ArrayLike) -> NDArray[np.float64]:
    """Distance of each standardised row [shape=(n, d)] -> [shape=(n,)]."""
    rows = np.clip(np.asarray(standardised, dtype=np.float64), -CUT, CUT)
    found: NDArray[np.float64] = np.sqrt(np.mean(np.square(rows), axis=1))
    return found


def usual(X: ArrayLike, owners: ArrayLike) -> float:
    """The distance within which `QUANTILE` of the rows of an actor lie whom the standardiser never saw.

    Parameters
    ----------
    X : array [shape=(n, d)]
        Training rows as they are before standardising.
    owners : array of str [shape=(n,)]
        Whose each row is. With a single owner, the distances are those of the rows that it was fitted on.
    """
    rows, owners = np.asarray(X, dtype=np.float64), np.asarray(owners, dtype=np.str_)
    names = np.unique(owners)
    if len(names) < 2:
        return float(np.quantile(distances(Standardiser.fit(rows).transform(rows)), QUANTILE))
    found = np.empty(len(rows))
    for name in names:
        mine = owners == name
        found[mine] = distances(Standardiser.fit(rows[~mine]).transform(rows[mine]))
    return float(np.quantile(found, QUANTILE))
