"""Convolutions over time on log-mel bands, pooled to statistics: a small network for short utterances.

The bands are channels, as in a time-delay network (Waibel et al. 1989, doi 10.1109/29.21701): on CPUs such
convolutions are matrix products. They hear each band less its own mean over the window, so that what a voice or a
microphone adds to all of it is gone; the level itself goes around them, as statistics of the bands. Statistics over
time, much as in x-vectors (Snyder et al. 2018, doi 10.1109/ICASSP.2018.8461375), remain of both, each brought to a
common scale. Of kind "separable", each convolution after the first is depthwise separable: a third of the parameters.
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
    "width": Choice((64, 96, 128, 160)),
    "depth": Integer(2, 5, step=1.0),
    "dropout": Real(0.1, 0.6, step=0.15),
}
DEFAULTS: Final[Params] = {"kind": "plain", "width": 96, "depth": 3, "dropout": 0.3, "length": 64}


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from windows [shape=(batch, params["length"], bands, 1), bytes]; `shape` is (bands, 1, 1)."""
    told, places = settled(DEFAULTS, params), seeds(seed)
    layers, width = keras.layers, whole(told, "width")
    inputs, x, level = entrance(keras, shape, whole(told, "length"))
    x = block(keras, x, places, name="conv_1", width=width, size=5, strides=2)
    for place in range(2, whole(told, "depth") + 1):
        x = layers.SpatialDropout1D(float(told["dropout"] or 0) / 3, seed=next(places), name=f"dropout_{place}")(x)
        wide = 2 ** (place - 2)
        x = block(
            keras, x, places, name=f"conv_{place}", width=width, size=3, kind=str(told["kind"]), dilation_rate=wide
        )
    x = logits(keras, [*level, *statistics(keras, x, centred(keras, x, "last"), "last")], classes, told, places)
    return keras.Model(inputs, x, name=NAME)


def entrance(keras: Any, shape: tuple[int, int, int], length: int) -> tuple[Any, Any, list[Any]]:
    """The input; the bands less their means over the window [shape=(length, bands)]; and the bands' own statistics.

    Each band is first brought to mean 0 and deviation 1 of the training views. The last of the statistics is how fast
    a band rises.

    Raises BadParameter unless a frame is a column of bands.
    """
    if tuple(shape[1:]) != (1, 1):
        raise BadParameter(f"networks on sound take frames of (bands, 1, 1), not {tuple(shape)}; use logmel")
    layers = keras.layers
    inputs = keras.Input((length, shape[0], 1), name="windows", dtype="float32")
    x = layers.Reshape((length, shape[0]), name="bands")(inputs)
    x = layers.Rescaling(1 / 64, offset=-2, name="rescaling")(x)
    x = layers.BatchNormalization(momentum=0.95, center=False, scale=False, name="norm")(x)
    heard = centred(keras, x, "bands")
    before, after = layers.Cropping1D((0, 2), name="before")(x), layers.Cropping1D((2, 0), name="after")(x)
    rise = layers.Activation("relu", name="rise")(layers.Subtract(name="movement")([after, before]))
    return inputs, heard, [*statistics(keras, x, heard, "bands"), layers.GlobalAveragePooling1D(name="mean_rise")(rise)]


def centred(keras: Any, x: Any, name: str) -> Any:
    """Less its mean over time."""
    middle = keras.layers.GlobalAveragePooling1D(keepdims=True, name=f"{name}_middle")(x)
    return keras.layers.Subtract(name=f"{name}_centred")([x, middle])


def statistics(keras: Any, x: Any, around: Any, name: str) -> list[Any]:
    """Mean, spread and maximum over time; the spread is half the mean absolute deviation, of `around` = x centred."""
    layers = keras.layers
    over = layers.Activation("relu", name=f"{name}_over")(around)
    return [
        layers.GlobalAveragePooling1D(name=f"{name}_mean")(x),
        layers.GlobalAveragePooling1D(name=f"{name}_spread")(over),
        layers.GlobalMaxPooling1D(name=f"{name}_greatest")(x),
    ]


def logits(keras: Any, told: list[Any], classes: int, params: Params, places: Iterator[int]) -> Any:
    """Statistics on a common scale, and one dense layer on them."""
    layers = keras.layers
    x = layers.Concatenate(name="statistics")(told)
    x = layers.BatchNormalization(momentum=0.95, name="statistics_norm")(x)
    x = layers.Dropout(params["dropout"], seed=next(places), name="dropout")(x)
    x = layers.Dense(classes, kernel_initializer=keras.initializers.GlorotUniform(seed=next(places)), name="dense")(x)
    return exit_logits(keras, x)


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
