"""What the networks share: seeds by place, the entrance, the check that a picture fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ravdess.errors import BadParameter

if TYPE_CHECKING:
    from ravdess.families.space import Params

    Shape = tuple[int, int, int]


def seeds(seed: int) -> Iterator[int]:
    """Seeds for the random parts of one network, in the order of their places."""
    return iter(np.random.SeedSequence(seed).generate_state(128).tolist())


def settled(defaults: Params, params: Params) -> Params:
    """`defaults` overlaid with those of `params` that they name; a family's others (epochs, …) are not looked at."""
    return {**defaults, **{name: value for name, value in params.items() if name in defaults}}


def entrance(keras: Any, shape: tuple[int, ...], low: float = 0.0) -> tuple[Any, Any]:
    """The input, and the pictures rescaled from 0 … 255 to `low` … 1."""
    inputs = keras.Input(shape, name="pictures", dtype="float32")
    scale = keras.layers.Rescaling((1 - low) / 255, offset=low, name="rescaling")
    return inputs, scale(inputs)


def exit_logits(keras: Any, x: Any) -> Any:
    """Logits as float32 whatever the network computes in: a softmax of half-precision numbers is too coarse."""
    return keras.layers.Activation("linear", dtype="float32", name="logits")(x)


def convolution(keras: Any, filters: int, size: int, seed: int, name: str, **more: Any) -> Any:
    """A convolution of He's initial weights (arXiv 1502.01852), with relu unless told otherwise."""
    kernel = keras.initializers.HeNormal(seed=seed)
    return keras.layers.Conv2D(filters, size, kernel_initializer=kernel, name=name, **{"activation": "relu", **more})


def at_least(network: str, shape: tuple[int, ...], side: int) -> None:
    """Raise BadParameter unless `shape` is a picture's and both sides reach `side` pixels."""
    if len(shape) != 3 or shape[-1] not in (1, 3) or min(shape[:2]) < side:
        raise BadParameter(
            f"{network} needs pictures (height, width, 1 or 3 channels) of at least {side} by {side} pixels, "
            f"not {tuple(shape)}; choose a larger frame set"
        )
