"""What every family over takes of frames promises; `ravdess.testing.check_family` runs it for those.

Few and short fits: a network takes seconds where a table takes none.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle, BadParameter
from ravdess.takes import HeldTakes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families import Family
    from ravdess.takes import Shape

SAME: Final = 1e-5
_BRIEF: Final = 6
"""Epochs after which weights and seeds must tell."""
SHAPES: Final[tuple[Shape, ...]] = ((64, 1, 1), (24, 24, 1), (48, 48, 1), (96, 96, 3))
"""What is offered to a family, smallest first; it is tried on the first that it does not refuse."""


def check_frames_family(family: Family, *, lent: Any = None) -> None:
    """Raise AssertionError, saying which promise of a family over frames is broken.

    Parameters
    ----------
    family : Family
    lent : object, optional
        The store that has the model which the family begins with, if it does.
    """
    name, staged = family.name, str(family.stage_parameter)
    fitting = [shape for shape in SHAPES if not family.refusal(shape)]
    assert fitting, f"{name} refuses frames of {SHAPES}"
    assert len(fitting) < len(SHAPES), f"{name} takes sound and pictures alike"
    assert family.refusal(None), f"{name} accepts a table"
    X, y = _takes(fitting[0])
    whole = [X[at].copy() for at in range(len(X))]

    def fit(epochs: int, seed: int = 1, takes: HeldTakes = X, weight: float = 1.0) -> Any:
        weights = np.where(y == y[0], weight, 1.0)
        few = family.stages[0] < 10
        params = {staged: epochs, "learning_rate": 2e-3, "batch_size": 4 if few else 8}
        params |= {"views": 4 if few and family.defaults["views"] == 2 else 1}
        params |= {"least_steps": 1} if "least_steps" in family.defaults else {}
        return family.build(params, seed=seed, lent=lent).fit(takes, y, sample_weight=weights)

    before = _global_state()
    short = fit(family.stages[0])
    assert before == _global_state(), f"{name} draws from numpy's global state"
    assert all(np.array_equal(X[at], whole[at]) for at in range(len(X))), f"{name} writes into its input"
    assert short.classes_.tolist() == sorted(set(y.tolist())), f"{name}: classes_ are {short.classes_}"
    said = short.predict_proba(X)
    _check_probabilities(name, said, len(X), 3)
    one = short.predict_proba(X[np.array([2])])
    assert np.abs(one - said[2]).max() < SAME, f"{name} judges a take by its company"
    _check_saved(family, short, X, said)

    long = fit(family.stages[1])
    stages = list(long.staged_predict_proba(X))
    assert len(stages) == 2, f"{name}: {len(stages)} stages of a fit up to the second of {family.stages}"
    assert np.abs(stages[0] - said).max() < SAME, f"{name}: a stage is not the model of a fit that ends there"
    assert np.abs(stages[1] - long.predict_proba(X)).max() < SAME, f"{name}: the last stage is not the whole model"
    assert np.abs(stages[0] - stages[1]).max() > SAME, f"{name}: a further stage changes nothing"
    assert np.abs(said - short.predict_proba(X)).max() == 0, f"{name}: a model changes when another is fitted"
    right = (long.classes_[stages[1].argmax(axis=1)] == y).mean()
    assert right > 0.6, f"{name} recognises only {right:.0%} of well separated training takes"

    plain = _plain(fitting[0], len(y))
    heavy, light, other = (
        fit(_BRIEF, seed=seed, takes=plain, weight=weight).predict_proba(plain)
        for seed, weight in ((1, 8.0), (1, 1 / 8), (2, 8.0))
    )
    first = short.classes_ == y[0]
    assert heavy[:, first].mean() > light[:, first].mean(), f"{name} ignores sample_weight"
    assert np.abs(other - heavy).max() > SAME, f"{name} does not heed its seed"
    try:
        alone = y == y[0]
        family.build({}, lent=lent).fit(X[alone], y[alone])
    except BadParameter:
        return
    raise AssertionError(f"{name} fits a single label")


def _takes(shape: Shape) -> tuple[HeldTakes, NDArray[np.str_]]:
    """24 takes of three emotions, each bright in another third of its frames."""
    rng = np.random.default_rng(7)
    y = np.array(["sad", "angry", "calm"] * 8)
    third = shape[0] // 3
    made = []
    for at in range(len(y)):
        count = int(rng.integers(2, 5)) * (20 if shape[1] == 1 else 1)
        frames = rng.integers(60, 120, size=(count, *shape))
        frames[:, at % 3 * third : (at % 3 + 1) * third] += 100
        made.append(frames.astype(np.uint8))
        made[-1].flags.writeable = False  # as a store hands them out
    return HeldTakes(made), y


def _plain(shape: Shape, count: int) -> HeldTakes:
    """Takes that could be of any emotion."""
    rng = np.random.default_rng(8)
    frames = 40 if shape[1] == 1 else 3
    return HeldTakes([rng.integers(60, 180, size=(frames, *shape)).astype(np.uint8) for _ in range(count)])


def _global_state() -> str:
    state: dict[str, Any] = np.random.get_state(legacy=False)["state"]
    return f"{state['key'].tolist()} at {state['pos']}"


def _check_probabilities(name: str, p: NDArray[np.float64], takes: int, classes: int) -> None:
    assert p.shape == (takes, classes), f"{name}: probabilities have shape {p.shape}, expected one row a take"
    assert p.dtype == np.float64, f"{name}: probabilities are {p.dtype}, expected float64"
    assert np.isfinite(p).all(), f"{name}: a probability is not finite"
    assert p.min() >= 0, f"{name}: a probability is negative"
    assert np.abs(p.sum(axis=1) - 1).max() < SAME, f"{name}: the probabilities of a take do not sum to 1"


def _check_saved(family: Family, model: Any, X: HeldTakes, said: NDArray[np.float64]) -> None:
    """Saving and loading changes nothing; a damaged or foreign file is refused."""
    name = family.name
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "model"
        model.save(folder)
        loaded = family.load(folder)
        moved = np.abs(loaded.predict_proba(X) - said).max()
        assert moved < SAME, f"{name}: a probability moves by {moved:.1g} by saving and loading"
        for path in sorted(folder.iterdir()):
            whole = path.read_bytes()
            assert not whole.startswith(b"\x80"), f"{name} writes a pickle, {path.name}"
            for damage in (None, whole[: len(whole) // 2], b"\x80\x04N."):
                path.unlink()
                if damage is not None:
                    path.write_bytes(damage)
                try:
                    family.load(folder)
                except BadBundle:
                    path.write_bytes(whole)
                    continue
                except Exception as error:
                    raise AssertionError(
                        f"{name} meets a damaged {path.name} with {error!r} instead of BadBundle"
                    ) from error
                raise AssertionError(f"{name} loads a damaged {path.name}")
