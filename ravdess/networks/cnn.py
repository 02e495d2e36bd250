"""Model I: two strided convolutions and two dense layers on the whole picture, meant for 720 × 1280 RGB.

On that size, with 9 classes, it has 3,560,561 parameters, of which 3,559,456 lie in the first dense layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.families.space import Real
from ravdess.networks.parts import at_least, convolution, entrance, exit_logits, seeds, settled

if TYPE_CHECKING:
    from ravdess.families.space import Params, Space

NAME: Final = "cnn"
SPACE: Final[Space] = {"dropout": Real(0.0, 0.6, step=0.15)}
DEFAULTS: Final[Params] = {"dropout": 0.3}
SMALLEST: Final = 19
"""Pixels a side, of which the pooling leaves one."""


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from pictures of `shape`. Raises BadParameter when they are smaller than 19 pixels."""
    at_least(NAME, shape, SMALLEST)
    layers, places, dropout = keras.layers, seeds(seed), settled(DEFAULTS, params)["dropout"]
    inputs, x = entrance(keras, shape)
    x = convolution(keras, 8, 3, next(places), "conv_1", strides=2)(x)
    x = convolution(keras, 8, 3, next(places), "conv_2", strides=2)(x)
    # The deck's table, 88 × 158, comes of windows of 4 and steps of 2; its text's nine pixels would give 89 × 159.
    x = layers.MaxPooling2D(4, strides=2, name="pool")(x)
    x = layers.Dropout(dropout, seed=next(places), name="dropout_1")(x)
    x = layers.Flatten(name="flatten")(x)
    kernel = keras.initializers.HeNormal(seed=next(places))
    x = layers.Dense(32, activation="relu", kernel_initializer=kernel, name="dense_1")(x)
    x = layers.Dropout(dropout, seed=next(places), name="dropout_2")(x)
    kernel = keras.initializers.GlorotUniform(seed=next(places))
    x = layers.Dense(classes, kernel_initializer=kernel, name="dense_2")(x)
    return keras.Model(inputs, exit_logits(keras, x), name=NAME)
