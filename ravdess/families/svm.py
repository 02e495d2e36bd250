"""Support vector machine: one against one, RBF or linear kernel.

Probabilities come without the usual inner cross-validation, which splits rows at random: that would put one actor
on both sides and make a fit depend on the order of rows. The decision value d of each pair of emotions is read as
half the log-odds, r = 1 / (1 + exp(-2 d)) (Friedman, Hastie & Tibshirani 2000, doi 10.1214/aos/1016218223), and the
pairs are coupled by the second method of Wu, Lin & Weng (2004, JMLR 5:975-1005), which is libsvm's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families import FAMILIES, Family
from ravdess.families.common import encode, even_mean, number, read_about, settle, unit_rows, write_about
from ravdess.families.machine import Machine
from ravdess.families.npz_file import MODEL
from ravdess.families.space import Choice, Params, Real, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families import Floats, Labels

NAME: Final = "svm"
SPACE: Final[Space] = {
    "kernel": Choice(("rbf", "linear")),
    "C": Real(0.3, 100.0, step=3.0, log=True),
    "gamma": Real(0.1, 3.0, step=2.0, log=True),
}
"""`gamma` is in units of 1/d, so that one space serves 120 columns and 1000. It scales the linear kernel, too."""
DEFAULTS: Final[Params] = {"kernel": "rbf", "C": 1.0, "gamma": 1.0}


class SVM:
    """`sklearn.svm.SVC` with coupled probabilities. libsvm runs on one thread and draws nothing at random."""

    classes_: Labels

    def __init__(self, params: Params, seed: int = 0, threads: int = 1) -> None:
        self.params = settle(NAME, SPACE, DEFAULTS, params)
        self._machine: Machine | None = None

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> SVM:
        from sklearn.svm import SVC

        self.classes_, codes = encode(y)
        kernel, c = self.params["kernel"], number(self.params, "C")
        scale = number(self.params, "gamma") / X.shape[1]
        # Scaling a linear kernel by s is the same as scaling C by s.
        model = SVC(
            kernel=kernel,
            C=c * scale if kernel == "linear" else c,
            gamma=scale,
            decision_function_shape="ovo",
            cache_size=500,
            random_state=0,  # unused by the fit, but drawn from the global state when absent
        )
        model.fit(np.asarray(X, dtype=np.float64), codes, sample_weight=even_mean(sample_weight, len(codes)))
        self._machine = Machine.of(model)
        return self

    @property
    def machine(self) -> Machine:
        """The fitted numbers."""
        if self._machine is None:
            raise ValueError("this machine is not fitted")
        return self._machine

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        return couple(1 / (1 + np.exp(-2 * self.machine.decisions(X))), len(self.classes_))

    def save(self, folder: Path) -> None:
        write_about(folder, NAME, self.classes_, self.params)
        self.machine.save(folder)


def couple(first_wins: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Turn pairwise probabilities into one for each class (Wu, Lin & Weng 2004, eq. 15 and 21).

    Parameters
    ----------
    first_wins : np.ndarray [shape=(n, k (k - 1) / 2)], 0 … 1
        P(class i | class i or j) for the pairs i < j in lexical order.
    k : int >= 2
        Number of classes.

    Returns
    -------
    np.ndarray [shape=(n, k)]
        The p that minimises the sum over i != j of (r_ji p_i - r_ij p_j)², with sum(p) = 1.
    """
    n = len(first_wins)
    i, j = np.triu_indices(k, 1)
    r = np.zeros((n, k, k))
    r[:, i, j], r[:, j, i] = first_wins, 1 - first_wins
    system = np.zeros((n, k + 1, k + 1))
    system[:, :k, :k] = -r.transpose(0, 2, 1) * r
    system[:, range(k), range(k)] = (r**2).sum(axis=1)
    system[:, k, :k] = system[:, :k, k] = 1
    right = np.zeros((n, k + 1, 1))
    right[:, k] = 1
    return unit_rows(np.linalg.solve(system, right)[:, :k, 0])


def build(params: Params, seed: int = 0, threads: int = 1) -> SVM:
    """An unfitted machine. `seed` and `threads` change nothing: the fit is exact and single-threaded."""
    return SVM(params, seed, threads)


def load(folder: Path) -> SVM:
    """The inverse of `SVM.save`. Raises BadBundle for anything but such a folder."""
    about = read_about(folder, NAME)
    svm = SVM(about["params"])
    svm.classes_ = np.array(about["classes"], dtype=np.str_)
    svm._machine = Machine.load(folder) if (folder / MODEL).exists() else _older(folder)
    if len(svm.machine.counts) != len(svm.classes_):
        raise BadBundle(f"{folder} holds a machine of {len(svm.machine.counts)} classes, not {len(svm.classes_)}")
    return svm


def _older(folder: Path) -> Machine:
    """As machines were saved before: scikit-learn's object, by skops."""
    from sklearn.svm import SVC

    from ravdess.families import skops_file

    try:
        return Machine.of(skops_file.load(folder, SVC))
    except (AttributeError, TypeError, ValueError) as error:
        raise BadBundle(f"{folder} holds no support vector machine: {error}") from error


FAMILIES.register(Family(NAME, SPACE, DEFAULTS, build, load))
