"""A take as a sequence: each frame becomes a vector, and a GRU or attention reads the vectors in order.

The frames share one separable embedding. The GRU (arXiv 1406.1078) runs in both directions and its states are averaged
over time; attention (arXiv 1706.03762) is one layer after a convolution over three frames, averaged likewise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.families.common import whole
from ravdess.families.space import Choice, Real
from ravdess.networks.parts import at_least, entrance, exit_logits, seeds, settled
from ravdess.networks.separable_cnn import SMALLEST, embedding

if TYPE_CHECKING:
    from ravdess.families.space import Params, Space

NAME: Final = "temporal"
SPACE: Final[Space] = {
    "reader": Choice(("gru", "attention")),
    "units": Choice((32, 64, 128)),
    "width": Choice((8, 16, 24)),
    "dropout": Real(0.0, 0.6, step=0.15),
}
DEFAULTS: Final[Params] = {
    "reader": "gru",
    "units": 64,
    "width": 16,
    "depth": 1,
    "dropout": 0.3,
    "frames": 8,
}
_HEADS: Final = 4


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from ``params["frames"]`` frames of a take [shape=(batch, frames, height, width, channels)].

    `shape` is one frame's. Whoever feeds it picks that many frames evenly spaced, some twice where there are fewer.
    Raises BadParameter when pictures are smaller than 16 pixels.
    """
    at_least(NAME, shape, SMALLEST)
    told, places = settled(DEFAULTS, params), seeds(seed)
    layers, frames, units = keras.layers, whole(told, "frames"), whole(told, "units")
    inputs, x = entrance(keras, (frames, *shape), low=-1.0)
    # The frames of all takes go through the embedding as one batch.
    x = keras.ops.reshape(x, (-1, *shape))
    x = embedding(keras, x, shape, told, places)
    x = keras.ops.reshape(x, (-1, frames, x.shape[-1]))
    x = layers.Dropout(told["dropout"], seed=next(places), name="dropout_1")(x)
    x = (_gru if told["reader"] == "gru" else _attention)(keras, x, units, [next(places) for _ in range(4)])
    x = layers.GlobalAveragePooling1D(name="mean_over_time")(x)
    x = layers.Dropout(told["dropout"], seed=next(places), name="dropout_2")(x)
    kernel = keras.initializers.GlorotUniform(seed=next(places))
    x = layers.Dense(classes, kernel_initializer=kernel, name="dense")(x)
    return keras.Model(inputs, exit_logits(keras, x), name=NAME)


def _gru(keras: Any, x: Any, units: int, places: list[int]) -> Any:
    """The states of a GRU each way, at every time."""
    layers, start = keras.layers, keras.initializers

    def one(name: str, at: int, **more: Any) -> Any:
        kernel, recurrent = start.GlorotUniform(seed=places[at]), start.Orthogonal(seed=places[at + 1])
        return layers.GRU(
            units, return_sequences=True, kernel_initializer=kernel, recurrent_initializer=recurrent, name=name, **more
        )

    return layers.Concatenate(name="both_ways")([one("forward", 0)(x), one("backward", 2, go_backwards=True)(x)])


def _attention(keras: Any, x: Any, units: int, places: list[int]) -> Any:
    """Every frame's vector with what it took from the others. A narrow convolution before tells it their order."""
    layers, start = keras.layers, keras.initializers
    x = layers.Conv1D(units, 3, padding="same", kernel_initializer=start.HeNormal(seed=places[0]), name="narrow")(x)
    y = layers.MultiHeadAttention(
        _HEADS,
        units // _HEADS,
        kernel_initializer=start.GlorotUniform(seed=places[2]),
        seed=places[3],
        name="attention",
    )(x, x)
    x = layers.LayerNormalization(name="norm")(layers.Add(name="heard")([x, y]))
    kernel = start.HeNormal(seed=places[3])
    y = layers.Dense(units, activation="relu", kernel_initializer=kernel, name="think")(x)
    return layers.Add(name="thought")([x, y])
