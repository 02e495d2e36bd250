"""Model III: nine convolutions with batch normalisation and three dense layers, meant for 256 × 256 grey.

On that size, with 8 classes, it has 60,248,824 parameters, of which 59,969,568 lie in the first dense layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.families.space import Real
from ravdess.networks.parts import at_least, convolution, entrance, exit_logits, seeds, settled

if TYPE_CHECKING:
    from ravdess.families.space import Params, Space

NAME: Final = "deep_cnn"
SPACE: Final[Space] = {"dropout": Real(0.0, 0.6, step=0.15)}
DEFAULTS: Final[Params] = {"dropout": 0.3}
SMALLEST: Final = 18
"""Pixels a side, of which the last convolution leaves one or two."""


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from pictures of `shape`. Raises BadParameter when they are smaller than 18 pixels."""
    at_least(NAME, shape, SMALLEST)
    layers, places, dropout = keras.layers, seeds(seed), settled(DEFAULTS, params)["dropout"]
    inputs, x = entrance(keras, shape)
    x = convolution(keras, 16, 3, next(places), "conv_1")(x)
    x = convolution(keras, 16, 3, next(places), "conv_2")(x)
    x = layers.BatchNormalization(name="norm_1")(x)
    x = layers.ZeroPadding2D(1, name="pad_1")(x)
    x = convolution(keras, 32, 3, next(places), "conv_3")(x)
    x = convolution(keras, 32, 3, next(places), "conv_4")(x)
    x = layers.BatchNormalization(name="norm_2")(x)
    x = convolution(keras, 64, 3, next(places), "conv_5")(x)
    x = convolution(keras, 64, 3, next(places), "conv_6")(x)
    x = layers.BatchNormalization(name="norm_3")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.ZeroPadding2D(1, name="pad_2")(x)
    x = convolution(keras, 128, 3, next(places), "conv_7")(x)
    x = convolution(keras, 128, 2, next(places), "conv_8")(x)
    x = convolution(keras, 128, 2, next(places), "conv_9")(x)
    x = layers.BatchNormalization(name="norm_4")(x)
    x = layers.Flatten(name="flatten")(x)
    for place in (1, 2):
        # Uniform: sixty million normal numbers take seconds.
        kernel = keras.initializers.HeUniform(seed=next(places))
        x = layers.Dense(32, activation="relu", kernel_initializer=kernel, name=f"dense_{place}")(x)
        x = layers.Dropout(dropout, seed=next(places), name=f"dropout_{place}")(x)
    kernel = keras.initializers.GlorotUniform(seed=next(places))
    x = layers.Dense(classes, kernel_initializer=kernel, name="dense_3")(x)
    return keras.Model(inputs, exit_logits(keras, x), name=NAME)
