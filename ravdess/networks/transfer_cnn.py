"""Model II: the trunk of a face base that was trained on FER2013, under a new head.

With the plain base and 9 classes it has 242,722 parameters: 240,256 borrowed, 2,466 new. Train the head with the trunk
frozen first, then all of it at a small rate::

    model = build(keras, (48, 48, 1), classes, params, seed)
    borrow(model, base)       # weights of the trained base, by layer name
    freeze(model, True)       # … fit the head, then freeze(model, False) and fit on
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import BadBundle
from ravdess.families.space import Real
from ravdess.networks import base as bases
from ravdess.networks.parts import settled

if TYPE_CHECKING:
    from ravdess.families.space import Params, Space

NAME: Final = "transfer_cnn"
SPACE: Final[Space] = {"dropout": Real(0.0, 0.6, step=0.15)}
DEFAULTS: Final[Params] = {"dropout": 0.3, "base": "plain"}


def build(keras: Any, shape: tuple[int, int, int], classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from 48 × 48 grey, on the trunk that ``params["base"]`` ("plain", "strong") names.

    The trunk's weights are random until `borrow`. Raises BadParameter for another shape.
    """
    told = settled(DEFAULTS, params)
    model = bases.build(keras, shape, classes, told, seed, network=str(told["base"]))
    return keras.Model(model.input, model.output, name=NAME)


def borrow(model: Any, base: Any) -> None:
    """Give `model` the trunk weights of the trained `base`. Raises BadBundle when the two trunks differ."""
    lent = {layer.name: layer.get_weights() for layer in base.layers if layer.name.startswith(bases.TRUNK)}
    own = trunk(model)
    shapes = [[weight.shape for weight in layer.get_weights()] for layer in own]
    if [[weight.shape for weight in lent.get(layer.name, ())] for layer in own] != shapes:
        raise BadBundle(f"the trunk of {base.name} is not that of this {NAME}; name its network in params['base']")
    for layer in own:
        layer.set_weights(lent[layer.name])


def freeze(model: Any, frozen: bool) -> None:
    """Keep the trunk as it is while the head learns, or let it learn again; a frozen norm keeps its statistics."""
    for layer in trunk(model):
        layer.trainable = not frozen


def trunk(model: Any) -> list[Any]:
    """The borrowed layers in order."""
    return [layer for layer in model.layers if layer.name.startswith(bases.TRUNK)]
