"""Half-made trainings: one file a fit, named by all that fixes it, so that a killed training goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families.space import Params
    from ravdess.takes import Takes

EVERY: Final = 60.0
"""Seconds between two states: what a kill may lose."""
LOOKED_AT: Final = 32
"""Takes whose bytes tell one set of takes from another; their lengths and labels all do."""


class Scratch(Protocol):
    """Where states are kept: a folder whose files appear whole, as a store's do."""

    def exists(self, name: str) -> bool: ...
    def read(self, name: str) -> bytes: ...
    def write(self, name: str, data: bytes) -> None: ...
    def remove(self, name: str) -> None: ...


def identity(
    family: str, params: Params, *, seed: int, takes: Takes, y: NDArray[np.str_], weight: NDArray[np.float64]
) -> str:
    """24 hex digits of everything that fixes a fit."""
    import keras

    told = {"family": family, "params": params, "seed": seed, "keras": keras.__version__, "shape": list(takes.shape)}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    digest.update("\x1f".join(y.tolist()).encode())
    for numbers in (weight, np.asarray(takes.counts, dtype=np.int64)):
        digest.update(np.ascontiguousarray(numbers).tobytes())
    for at in np.unique(np.linspace(0, len(takes) - 1, LOOKED_AT).astype(int)).tolist():
        digest.update(np.ascontiguousarray(takes[at]).tobytes())
    return digest.hexdigest()[:24]


class Checkpoint:
    """The state of one fit: the step that it reached, arrays, and the stages that it passed."""

    def __init__(self, scratch: Scratch | None = None, name: str = "", every: float = EVERY) -> None:
        self._scratch, self._name, self._every = scratch, f"{name}.npz", every
        self._due = time.monotonic() + every

    @property
    def due(self) -> bool:
        """Whether it is time to write: never so often that it would cost more than a twentieth of the training."""
        return self._scratch is not None and time.monotonic() >= self._due

    def write(self, done: int, state: Sequence[Any], stages: list[list[NDArray[Any]]]) -> None:
        """Keep the state after `done` steps: variables, and the weights of each stage."""
        if self._scratch is None:
            return
        began, out = time.monotonic(), io.BytesIO()
        named = {f"s{at}": variable.numpy() for at, variable in enumerate(state)}
        named |= {f"t{stage}_{at}": array for stage, arrays in enumerate(stages) for at, array in enumerate(arrays)}
        np.savez(out, done=np.array([done, len(state), len(stages), len(stages[0]) if stages else 0]), **named)
        self._scratch.write(self._name, out.getvalue())
        now = time.monotonic()
        self._due = now + max(self._every, 20 * (now - began))

    def read(
        self, like: Sequence[Any] | None = None
    ) -> tuple[int, list[NDArray[Any]], list[list[NDArray[Any]]]] | None:
        """What was kept; None when there is nothing, nothing whole, or a state of other shapes than `like`.

        A network may have changed under its name since the training was killed.
        """
        if self._scratch is None or not self._scratch.exists(self._name):
            return None
        try:
            with np.load(io.BytesIO(self._scratch.read(self._name)), allow_pickle=False) as kept:
                done, size, stages, each = kept["done"].tolist()
                state = [kept[f"s{at}"] for at in range(size)]
                if like is not None and [tuple(one.shape) for one in like] != [one.shape for one in state]:
                    return None
                return done, state, [[kept[f"t{stage}_{at}"] for at in range(each)] for stage in range(stages)]
        except Exception:  # a damaged state is no state: the fit begins anew
            return None

    def remove(self) -> None:
        """Forget the state, which is of no use any more."""
        if self._scratch is not None and self._scratch.exists(self._name):
            self._scratch.remove(self._name)
