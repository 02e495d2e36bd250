"""Two strided convolutions, a GRU in both directions, and attention beside statistics over its states.

What it hears, and what goes around it, is as in `audio_cnn`.

GRU: Cho et al. 2014, arXiv 1406.1078. Attention pooling of speech emotion: Mirsamadi et al. 2017, doi
10.1109/ICASSP.2017.7952552.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.families.common import whole
from ravdess.families.space import Choice, Real
from ravdess.networks.audio_cnn import block, centred, entrance, logits, statistics
from ravdess.networks.parts import seeds, settled

if TYPE_CHECKING:
    from ravdess.families.space import Params, Space

NAME: Final = "audio_rnn"
SPACE: Final[Space] = {
    "width": Choice((64, 96, 128)),
    "units": Choice((32, 48, 64, 96)),
    "dropout": Real(0.1, 0.6, step=0.15),
}
DEFAULTS: Final[Params] = {"width": 96, "units": 48, "dropout": 0.3, "length": 64}


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from windows [shape=(batch, params["length"], bands, 1), bytes]; `shape` is (bands, 1, 1)."""
    told, places = settled(DEFAULTS, params), seeds(seed)
    layers, start, units = keras.layers, keras.initializers, whole(told, "units")
    inputs, x, pooled = entrance(keras, shape, whole(told, "length"))
    for place, size in ((1, 5), (2, 3)):
        x = block(keras, x, places, name=f"conv_{place}", width=whole(told, "width"), size=size, strides=2)
        x = layers.SpatialDropout1D(float(told["dropout"] or 0) / 3, seed=next(places), name=f"dropout_{place}")(x)

    def one(name: str, **more: Any) -> Any:
        kernel, recurrent = start.GlorotUniform(seed=next(places)), start.Orthogonal(seed=next(places))
        return layers.GRU(
            units, return_sequences=True, kernel_initializer=kernel, recurrent_initializer=recurrent, name=name, **more
        )

    # Both are pooled on their own, so that their times need not be brought together.
    for name, states in (("forward", one("forward")(x)), ("backward", one("backward", go_backwards=True)(x))):
        kernel = start.GlorotUniform(seed=next(places))
        weight = layers.Dense(1, kernel_initializer=kernel, name=f"{name}_score")(states)
        weight = layers.Softmax(axis=1, dtype="float32", name=f"{name}_weight")(weight)
        heard = layers.Multiply(name=f"{name}_heard")([states, weight])
        mean = layers.GlobalAveragePooling1D(name=f"{name}_mean_heard")(heard)
        pooled.append(layers.Rescaling(float(states.shape[1]), name=f"{name}_attended")(mean))
        pooled += statistics(keras, states, centred(keras, states, name), name)
    return keras.Model(inputs, logits(keras, pooled, classes, told, places), name=NAME)
