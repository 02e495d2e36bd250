"""Two strided convolutions, a GRU in both directions, and attention that says which moments count.

GRU: Cho et al. 2014, arXiv 1406.1078. Attention pooling of speech emotion: Mirsamadi et al. 2017, doi
10.1109/ICASSP.2017.7952552.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.families.common import whole
from ravdess.families.space import Choice, Real
from ravdess.networks.audio_cnn import block, entrance
from ravdess.networks.parts import exit_logits, seeds, settled

if TYPE_CHECKING:
    from ravdess.families.space import Params, Space

NAME: Final = "audio_rnn"
SPACE: Final[Space] = {
    "width": Choice((64, 96, 128)),
    "units": Choice((32, 48, 64, 96)),
    "dropout": Real(0.1, 0.6, step=0.15),
}
DEFAULTS: Final[Params] = {"width": 96, "units": 48, "dropout": 0.3, "length": 112}


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from windows [shape=(batch, params["length"], bands, 1), bytes]; `shape` is (bands, 1, 1)."""
    told, places = settled(DEFAULTS, params), seeds(seed)
    layers, start, units = keras.layers, keras.initializers, whole(told, "units")
    inputs, x = entrance(keras, shape, whole(told, "length"))
    x = block(keras, x, places, name="conv_1", width=whole(told, "width"), size=5, strides=2)
    x = block(keras, x, places, name="conv_2", width=whole(told, "width"), size=3, strides=2)
    x = layers.SpatialDropout1D(float(told["dropout"] or 0) / 2, seed=next(places), name="dropout_1")(x)

    def one(name: str, **more: Any) -> Any:
        kernel, recurrent = start.GlorotUniform(seed=next(places)), start.Orthogonal(seed=next(places))
        return layers.GRU(
            units, return_sequences=True, kernel_initializer=kernel, recurrent_initializer=recurrent, name=name, **more
        )

    forward, back = one("forward")(x), one("backward", go_backwards=True)(x)
    # Both are pooled on their own, so that their times need not be brought together.
    pooled = []
    for name, states in (("forward", forward), ("backward", back)):
        kernel = start.GlorotUniform(seed=next(places))
        weight = layers.Dense(1, kernel_initializer=kernel, name=f"{name}_score")(states)
        weight = layers.Softmax(axis=1, dtype="float32", name=f"{name}_weight")(weight)
        heard = layers.Multiply(name=f"{name}_heard")([states, weight])
        mean = layers.GlobalAveragePooling1D(name=f"{name}_mean")(heard)
        pooled += [
            layers.Rescaling(float(states.shape[1]), name=f"{name}_sum")(mean),
            layers.GlobalMaxPooling1D(name=f"{name}_greatest")(states),
        ]
    x = layers.Concatenate(name="pooled")(pooled)
    x = layers.Dropout(told["dropout"], seed=next(places), name="dropout")(x)
    x = layers.Dense(classes, kernel_initializer=start.GlorotUniform(seed=next(places)), name="dense")(x)
    return keras.Model(inputs, exit_logits(keras, x), name=NAME)
