"""The zoo: one file a family. A family is an estimator together with its search space.

A new family is one new file here that registers one `Family`; `ravdess.testing` checks every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from ravdess.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ravdess.families.space import Params, Space

    Floats = NDArray[np.float32]
    Labels = NDArray[np.str_]


class Estimator(Protocol):
    """What every family builds. Labels are emotion words; probabilities stand in the order of `classes_`."""

    classes_: Labels

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Estimator:
        """Fit on `X` [shape=(n, d), standardised] and labels `y` [shape=(n,)]; weights multiply each row's loss."""
        ...

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        """Probabilities [shape=(n, len(classes_))], rows summing to 1."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model into `folder` in its library's own safe format. No pickle."""
        ...


class StagedEstimator(Estimator, Protocol):
    """An estimator that grows in stages (boosting rounds, epochs) and can predict as of each of them."""

    def staged_predict_proba(self, X: Floats) -> Iterator[NDArray[np.float64]]:
        """`predict_proba` as of each of the family's `stages` that the fit passed, the last being the whole model.

        Stage s of a longer fit is the very model that a fit of s stages gives.
        """
        ...


@dataclass(frozen=True)
class Family:
    """An estimator with its search space.

    Attributes
    ----------
    name : str
    space : mapping of str to a domain
        What a search draws from.
    defaults : dict
        A sensible candidate; a search always tries it first.
    build : callable
        ``build(params, seed=0, threads=1) -> Estimator`` (unfitted).
    load : callable
        ``load(folder) -> Estimator``, the inverse of `Estimator.save`. Never unpickles.
    stage_parameter : str or None
        The parameter that counts stages ("n_estimators", "epochs"). It is no part of `space`: one fit at the
        last of `stages` tells the score of every stage, so early stopping costs no fit and no training actor.
    stages : sequence of int
        The values of `stage_parameter` that are compared, ascending; empty when there are none.
    """

    name: str
    space: Space
    defaults: Params
    build: Callable[..., Estimator]
    load: Callable[[Path], Estimator]
    stage_parameter: str | None = None
    stages: Sequence[int] = ()


FAMILIES: Final[Registry[Family]] = Registry("family", ("ravdess.families",))


def family(name: str) -> Family:
    """The family of that name, e.g. "svm". Raises UnknownName, which lists what there is."""
    return FAMILIES[name]
