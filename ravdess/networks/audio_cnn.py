"""Convolutions over time on log-mel bands, pooled to statistics: a small network for short utterances.

The bands are channels, as in a time-delay network (Waibel et al. 1989, doi 10.1109/29.21701): on CPUs such
convolutions are matrix products. Later ones look further by dilation. Mean, mean square and maximum over time remain,
much as in x-vectors (Snyder et al. 2018, doi 10.1109/ICASSP.2018.8461375). Of kind "separable", each convolution after
the first is depthwise separable: a third of the parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import BadParameter
from ravdess.families.common import whole
from ravdess.families.space import Choice, Integer, Real
from ravdess.networks.parts import exit_logits, seeds, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ravdess.families.space import Params, Space

NAME: Final = "audio_cnn"
SPACE: Final[Space] = {
    "kind": Choice(("plain", "separable")),
    "width": Choice((64, 96, 128, 192)),
    "depth": Integer(2, 5, step=1.0),
    "dropout": Real(0.1, 0.6, step=0.15),
}
DEFAULTS: Final[Params] = {"kind": "plain", "width": 96, "depth": 3, "dropout": 0.3, "length": 112}


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from windows [shape=(batch, params["length"], bands, 1), bytes]; `shape` is (bands, 1, 1)."""
    told, places = settled(DEFAULTS, params), seeds(seed)
    layers, width = keras.layers, whole(told, "width")
    inputs, x = entrance(keras, shape, whole(told, "length"))
    x = block(keras, x, places, name="conv_1", width=width, size=5, strides=2)
    for place in range(2, whole(told, "depth") + 1):
        x = layers.SpatialDropout1D(float(told["dropout"] or 0) / 2, seed=next(places), name=f"dropout_{place}")(x)
        wide = 2 ** (place - 2)
        x = block(
            keras, x, places, name=f"conv_{place}", width=width, size=3, kind=str(told["kind"]), dilation_rate=wide
        )
    square = layers.Multiply(name="square")([x, x])
    x = layers.Concatenate(name="statistics")(
        [
            layers.GlobalAveragePooling1D(name="mean")(x),
            layers.GlobalAveragePooling1D(name="mean_square")(square),
            layers.GlobalMaxPooling1D(name="greatest")(x),
        ]
    )
    x = layers.Dropout(told["dropout"], seed=next(places), name="dropout")(x)
    x = layers.Dense(classes, kernel_initializer=keras.initializers.GlorotUniform(seed=next(places)), name="dense")(x)
    return keras.Model(inputs, exit_logits(keras, x), name=NAME)


def entrance(keras: Any, shape: tuple[int, int, int], length: int) -> tuple[Any, Any]:
    """The input, and windows with each band at mean 0 and deviation 1 of the training views [shape=(length, bands)].

    Raises BadParameter unless a frame is a column of bands.
    """
    if tuple(shape[1:]) != (1, 1):
        raise BadParameter(f"networks on sound take frames of (bands, 1, 1), not {tuple(shape)}; use logmel")
    inputs = keras.Input((length, shape[0], 1), name="windows", dtype="float32")
    x = keras.layers.Reshape((length, shape[0]), name="bands")(inputs)
    x = keras.layers.Rescaling(1 / 64, offset=-2, name="rescaling")(x)
    return inputs, keras.layers.BatchNormalization(momentum=0.95, center=False, scale=False, name="norm")(x)


def block(
    keras: Any, x: Any, places: Iterator[int], *, name: str, width: int, size: int, kind: str = "plain", **more: Any
) -> Any:
    """A convolution over time, plain or depthwise separable, with its norm and relu."""
    layers, start = keras.layers, keras.initializers
    if kind == "separable":
        x = layers.SeparableConv1D(
            width,
            size,
            padding="same",
            use_bias=False,
            depthwise_initializer=start.HeNormal(seed=next(places)),
            pointwise_initializer=start.HeNormal(seed=next(places)),
            name=name,
            **more,
        )(x)
    else:
        kernel = start.HeNormal(seed=next(places))
        x = layers.Conv1D(width, size, padding="same", use_bias=False, kernel_initializer=kernel, name=name, **more)(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)
