"""A trained dense network as plain arrays: it answers, and is loaded, without TensorFlow.

What only trains (dropout) is gone, and a batch normalisation is the scale and shift that it has come to:

    h = relu((h @ kernel) * scale + shift)    for all layers but the last, whose outcome are the logits
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families.npz_file import MODEL, reading

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_CHUNK: Final = 8192
_NAMES: Final = ("kernel", "scale", "shift")


@dataclass(frozen=True, eq=False)
class Dense:
    """Layers one after another.

    Attributes
    ----------
    layers : tuple of (kernel, scale, shift)
        float32 [shape=(inputs, units)], float64 [shape=(units,)], float64 [shape=(units,)].

    Raises
    ------
    BadBundle
        Shapes that do not fit together, or numbers that are not finite.
    """

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]], ...]

    def __post_init__(self) -> None:
        fits = bool(self.layers) and all(
            kernel.ndim == 2
            and scale.shape == shift.shape == kernel.shape[1:]
            and all(np.isfinite(part).all() for part in (kernel, scale, shift))
            for kernel, scale, shift in self.layers
        )
        if not fits or any(
            before[0].shape[1] != after[0].shape[0] for before, after in zip(self.layers, self.layers[1:], strict=False)
        ):
            raise BadBundle("a dense network whose arrays do not fit together")

    @classmethod
    def of(cls, model: Any) -> Dense:
        """Of a Keras model of dense layers, each but the last with a batch normalisation and a ReLU after it."""
        layers: list[tuple[Any, Any, Any]] = []
        for layer in model.layers:
            weights = [np.array(weight) for weight in layer.get_weights()]
            kind = type(layer).__name__
            if kind == "Dense":
                kernel, bias = weights
                layers.append((kernel, np.ones(len(bias)), bias.astype(np.float64)))
            elif kind == "BatchNormalization":
                gamma, beta, mean, variance = (weight.astype(np.float64) for weight in weights)
                scale = gamma / np.sqrt(variance + layer.epsilon)
                layers[-1] = (layers[-1][0], scale, (layers[-1][2] - mean) * scale + beta)
        return cls(tuple(layers))

    @property
    def columns(self) -> int:
        """Numbers of a row."""
        return int(self.layers[0][0].shape[0])

    @property
    def classes(self) -> int:
        """Logits of a row."""
        return int(self.layers[-1][0].shape[1])

    def logits(self, X: ArrayLike) -> NDArray[np.float64]:
        """Of each row [shape=(n, classes)]."""
        rows = np.asarray(X)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise ValueError(f"rows of shape {rows.shape}, expected {self.columns} columns")
        return np.concatenate([self._of(rows[at : at + _CHUNK]) for at in range(0, max(len(rows), 1), _CHUNK)])

    def _of(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        h = rows.astype(np.float32).astype(np.float64)  # as the network has seen them in training
        for place, (kernel, scale, shift) in enumerate(self.layers):
            h = (h @ kernel) * scale + shift
            if place < len(self.layers) - 1:
                h = np.maximum(h, 0)
        return h

    def save(self, folder: Path) -> None:
        """Write ``model.npz`` into `folder`."""
        arrays: dict[str, Any] = {
            f"{name}_{place}": part
            for place, layer in enumerate(self.layers)
            for name, part in zip(_NAMES, layer, strict=True)
        }
        np.savez(folder / MODEL, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Dense:
        """The inverse of `save`. Raises BadBundle for anything but such a file; nothing is unpickled."""
        with reading(folder, "a dense network") as file:
            count = len(file.files) // len(_NAMES)
            parts = [[file[f"{name}_{place}"] for name in _NAMES] for place in range(count)]
            return cls(
                tuple(
                    (
                        kernel.astype(np.float32, casting="safe"),
                        scale.astype(np.float64, casting="safe"),
                        shift.astype(np.float64, casting="safe"),
                    )
                    for kernel, scale, shift in parts
                )
            )
