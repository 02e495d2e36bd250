"""The face bases, which learn emotions from FER2013 and lend their trunks: pictures of 48 × 48 grey, seven classes.

`plain` is Model II of the seed deck, to the parameter: six convolutions, no normalisation, 241,950 parameters.
`strong` is a small residual network (arXiv 1512.03385) with batch normalisation: convolutions that stay regular,
since depthwise ones are slow on a CPU, with most of the work at 12 × 12 and 6 × 6.
The layers whose names begin with ``trunk_`` are those that `transfer_cnn` borrows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import BadParameter, UnknownName
from ravdess.networks.parts import convolution, entrance, exit_logits, seeds, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ravdess.families.space import Params

SHAPE: Final = (48, 48, 1)
TRUNK: Final = "trunk_"
"""How the names of borrowed layers begin."""
DEFAULTS: Final[Params] = {"dropout": 0.2}
NETWORKS: Final = ("plain", "strong")
_WIDTHS: Final = (48, 96, 192)


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int, *, network: str) -> Any:
    """Logits of `classes` by the network of that name. Raises UnknownName, and BadParameter for another shape."""
    if network not in NETWORKS:
        raise UnknownName("face base", network, NETWORKS)
    return (plain if network == "plain" else strong)(keras, shape, classes, params, seed)


def plain(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` by the deck's base. Raises BadParameter for pictures of another shape than 48 × 48 grey."""
    places, dropout = _prepared(shape, seed), settled(DEFAULTS, params)["dropout"]
    layers = keras.layers
    inputs, x = entrance(keras, shape, low=-1.0)
    x = convolution(keras, 32, 3, next(places), "trunk_conv_1")(x)
    x = convolution(keras, 64, 3, next(places), "trunk_conv_2")(x)
    x = layers.MaxPooling2D(2, name="trunk_pool_1")(x)
    x = convolution(keras, 128, 3, next(places), "trunk_conv_3")(x)
    x = layers.MaxPooling2D(2, name="trunk_pool_2")(x)
    x = convolution(keras, 128, 3, next(places), "trunk_conv_4")(x)
    x = layers.MaxPooling2D(2, name="trunk_pool_3")(x)
    x = layers.Dropout(dropout, seed=next(places), name="trunk_dropout")(x)
    x = plain_head(keras, x, classes, places)
    return keras.Model(inputs, exit_logits(keras, x), name="base_plain")


def on_small_views(keras: Any, model: Any, side: int) -> Any:
    """The same layers, and so the same weights, on pictures of `side` pixels, 32 … 48.

    A plain trunk then gives fewer than 4 × 4 cells; zeros stand around them, and the head looks at what is there.
    """

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name == "head_conv_1":
            x = args[0]
            lacking = 4 - x.shape[1]
            x = keras.layers.ZeroPadding2D(((lacking // 2, -(-lacking // 2)),) * 2, name="surround")(x)
            return layer(x, **kwargs)
        return layer(*args, **kwargs)

    inputs = keras.Input((side, side, 1), name="small_pictures", dtype="float32")
    return keras.models.clone_model(model, input_tensors=inputs, clone_function=lambda layer: layer, call_function=call)


def plain_head(keras: Any, x: Any, classes: int, places: Iterator[int]) -> Any:
    """Logits from the plain trunk's 4 × 4 × 128: a map a class, then one weighted look at all maps."""
    # Not relu: with a map a class, a unit that dies takes a class with it.
    x = convolution(keras, classes, 1, next(places), "head_conv_1", activation="elu")(x)
    x = convolution(keras, classes, 4, next(places), "head_conv_2", activation=None)(x)
    return keras.layers.Flatten(name="head_flatten")(x)


def strong(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` by the residual base. Raises BadParameter for another shape than 48 × 48 grey."""
    places, dropout = _prepared(shape, seed), settled(DEFAULTS, params)["dropout"]
    layers = keras.layers
    inputs, x = entrance(keras, shape, low=-1.0)

    def normed(x: Any, filters: int, size: int, name: str, active: bool = True, **more: Any) -> Any:
        x = convolution(
            keras,
            filters,
            size,
            next(places),
            f"trunk_{name}_conv",
            activation=None,
            use_bias=False,
            padding="same",
            **more,
        )(x)
        x = layers.BatchNormalization(momentum=0.95, name=f"trunk_{name}_norm")(x)
        return layers.Activation("relu", name=f"trunk_{name}_relu")(x) if active else x

    x = normed(x, 32, 5, "stem", strides=2)
    for stage, filters in enumerate(_WIDTHS, 1):
        if stage > 1:
            x = layers.MaxPooling2D(2, name=f"trunk_pool_{stage}")(x)
        x = normed(x, filters, 3, f"widen_{stage}")
        y = normed(x, filters, 3, f"first_{stage}")
        y = normed(y, filters, 3, f"second_{stage}", active=False)
        x = layers.Add(name=f"trunk_add_{stage}")([x, y])
        x = layers.Activation("relu", name=f"trunk_relu_{stage}")(x)
    x = layers.GlobalAveragePooling2D(name="trunk_mean")(x)
    x = strong_head(keras, x, classes, dropout, places)
    return keras.Model(inputs, exit_logits(keras, x), name="base_strong")


def strong_head(keras: Any, x: Any, classes: int, dropout: Any, places: Iterator[int]) -> Any:
    """Logits from the strong trunk's means."""
    x = keras.layers.Dropout(dropout, seed=next(places), name="head_dropout")(x)
    kernel = keras.initializers.GlorotUniform(seed=next(places))
    return keras.layers.Dense(classes, kernel_initializer=kernel, name="head_dense")(x)


def _prepared(shape: tuple[int, int, int], seed: int) -> Iterator[int]:
    if tuple(shape) != SHAPE:
        raise BadParameter(f"a face base needs pictures of {SHAPE}, not {tuple(shape)}; use the frame set face_48")
    return seeds(seed)
