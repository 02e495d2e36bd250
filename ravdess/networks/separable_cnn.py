"""Depthwise separable convolutions, batch normalisation, global average pooling, dropout: small, and meant to be best.

Stages of two separable convolutions around a residual path, as in Xception (arXiv 1610.02357), each halving the picture
and widening it. The stem halves it first, since half the time would go into the full size, and the number of stages
follows the picture's size: the last maps are 6 to 8 cells a side on 48, 96 and 256 pixels, and no architecture reaches
a million parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.families.common import whole
from ravdess.families.space import Choice, Integer, Real
from ravdess.networks.parts import at_least, convolution, entrance, exit_logits, seeds, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ravdess.families.space import Params, Space

NAME: Final = "separable_cnn"
SPACE: Final[Space] = {
    "width": Choice((16, 24, 32, 48)),
    "depth": Integer(1, 3, step=1.0),
    "dropout": Real(0.0, 0.6, step=0.15),
}
DEFAULTS: Final[Params] = {"width": 16, "depth": 2, "dropout": 0.15}
SMALLEST: Final = 16
_WIDEST: Final = 8
"""The last stage's width in units of the first."""


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from pictures of `shape`. Raises BadParameter when they are smaller than 16 pixels."""
    at_least(NAME, shape, SMALLEST)
    told, places = settled(DEFAULTS, params), seeds(seed)
    inputs, x = entrance(keras, shape, low=-1.0)
    x = embedding(keras, x, shape, told, places)
    x = keras.layers.Dropout(told["dropout"], seed=next(places), name="dropout")(x)
    kernel = keras.initializers.GlorotUniform(seed=next(places))
    x = keras.layers.Dense(classes, kernel_initializer=kernel, name="dense")(x)
    return keras.Model(inputs, exit_logits(keras, x), name=NAME)


def embedding(keras: Any, x: Any, shape: tuple[int, int, int], told: Params, places: Iterator[int]) -> Any:
    """What the network sees in pictures, as one vector each [shape=(batch, 8 width)]."""
    layers, width = keras.layers, whole(told, "width")
    side = min(shape[:2])
    x = convolution(
        keras, width, 3, next(places), "stem_conv", strides=2, padding="same", use_bias=False, activation=None
    )(x)
    x = layers.BatchNormalization(momentum=0.9, name="stem_norm")(x)
    x = layers.Activation("relu", name="stem_relu")(x)
    halvings = 2 if side < 64 else 3 if side < 192 else 4
    for stage in range(1, halvings + 1):
        filters = width * _WIDEST // 2 ** (halvings - stage)
        kernel = keras.initializers.HeNormal(seed=next(places))
        short = layers.Conv2D(
            filters, 1, strides=2, use_bias=False, kernel_initializer=kernel, padding="same", name=f"short_{stage}_conv"
        )(x)
        short = layers.BatchNormalization(momentum=0.9, name=f"short_{stage}_norm")(short)
        for place in range(1, whole(told, "depth") + 1):
            name = f"stage_{stage}_{place}"
            x = layers.SeparableConv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                depthwise_initializer=keras.initializers.HeNormal(seed=next(places)),
                pointwise_initializer=keras.initializers.HeNormal(seed=next(places)),
                name=f"{name}_conv",
            )(x)
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
            x = layers.Activation("relu", name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool_{stage}")(x)
        x = layers.Add(name=f"add_{stage}")([x, short])
    return layers.GlobalAveragePooling2D(name="mean")(x)
