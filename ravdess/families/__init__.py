"""The zoo: one file a family. A family is an estimator together with its search space.

A new family is one new file here that registers one `Family`; `ravdess.testing` checks every one of them. Some take
rows of numbers, some takes of pictures: `Family.input` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from ravdess.errors import BadTable
from ravdess.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ravdess.families.space import Params, Space
    from ravdess.takes import Shape

    Floats = NDArray[np.float32]
    Labels = NDArray[np.str_]


class Estimator(Protocol):
    """What every family builds. Labels are emotion words; probabilities stand in the order of `classes_`.

    `X` is what the family's `input` says: standardised rows, float32 (n, d); or n takes of frames, a
    `ravdess.takes.Takes` that is read take by take.
    """

    classes_: Labels

    def fit(self, X: Any, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Estimator:
        """Fit on `X` and labels `y` [shape=(n,)]; weights multiply each row's loss."""
        ...

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities [shape=(n, len(classes_))], rows summing to 1."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model into `folder` in its library's own safe format. No pickle."""
        ...


class StagedEstimator(Estimator, Protocol):
    """An estimator that grows in stages (boosting rounds, epochs) and can predict as of each of them."""

    def staged_predict_proba(self, X: Any) -> Iterator[NDArray[np.float64]]:
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
    input : "table" or "frames"
        What the estimator is given: rows of a feature set, or takes of a frame set. `build` of a family that takes
        frames knows two arguments more: ``scratch``, where an interrupted training is kept (`families.checkpoint`), and
        ``lent``, a store that may hold a model to begin with.
    unfit : callable
        ``unfit(shape) -> str``: why frames of that (h, w, c) cannot be used; "" when they can.
    work : callable
        ``work(shape) -> float``: multiplications and additions that one example of frames (h, w, c) costs the defaults;
        0 where a fit takes no time to speak of.
    needs : callable or None
        ``needs(store)`` raises `NoModel`, which says how to make it, when a model to begin with is absent.
    """

    name: str
    space: Space
    defaults: Params
    build: Callable[..., Estimator]
    load: Callable[[Path], Estimator]
    stage_parameter: str | None = None
    stages: Sequence[int] = ()
    input: str = "table"
    unfit: Callable[[Shape], str] = lambda shape: ""
    work: Callable[[Shape], float] = lambda shape: 0.0
    needs: Callable[[Any], None] | None = None

    def refusal(self, shape: Shape | None) -> str:
        """Why this family cannot use frames of `shape`, or a feature table (None), as a clause; "" when it can."""
        if shape is None:
            return "" if self.input == "table" else "takes frames"
        return self.unfit(shape) if self.input == "frames" else "takes a feature table"


FAMILIES: Final[Registry[Family]] = Registry("family", ("ravdess.families",))


def family(name: str) -> Family:
    """The family of that name, e.g. "svm". Raises UnknownName, which lists what there is."""
    return FAMILIES[name]


def families_for(shape: Shape | None) -> list[str]:
    """The families that can use frames of `shape`, or a feature table (None), sorted."""
    return [name for name in FAMILIES if not FAMILIES[name].refusal(shape)]


def check_input(families: Sequence[Family], features: str, shape: Shape | None) -> None:
    """Raise BadTable, which lists those that can, when a family cannot use the features `features`."""
    for one in families:
        if why := one.refusal(shape):
            what = f"a set of frames {shape}" if shape else "a feature table"
            wanted = "" if shape or one.input == "table" else "; frames are asked for as in --features face_48"
            raise BadTable(
                f"{one.name} {why}, and {features} is {what}{wanted}; families for it: {families_for(shape)} (--family)"
            )
