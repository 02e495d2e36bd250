"""What the families share: settled parameters, coded labels, and the small JSON file beside every saved model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle, BadParameter, UnknownName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families.space import Params, Space

ABOUT: Final = "model.json"


def settle(family: str, space: Space, defaults: Params, params: Params) -> Params:
    """`defaults` overlaid with `params`.

    Raises UnknownName for a parameter that `defaults` lacks, and BadParameter for a value outside its domain.
    """
    for name, value in params.items():
        if name not in defaults:
            raise UnknownName(f"parameter of {family}", name, defaults)
        if name in space and value not in space[name]:
            raise BadParameter(f"{family}: {name}={value!r} is outside its domain, {space[name]}")
        if name not in space and value != defaults[name] and not (isinstance(value, int) and value >= 1):
            raise BadParameter(f"{family}: {name}={value!r} must be a whole number of at least 1")
    return {**defaults, **params}


def number(params: Params, name: str) -> float:
    """The value of a parameter that is a number."""
    value = params[name]
    assert isinstance(value, float | int)
    return value


def whole(params: Params, name: str) -> int:
    """The value of a parameter that is a whole number."""
    return int(number(params, name))


def encode(y: NDArray[np.str_]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """The labels that occur, sorted [shape=(k,)], and each row's position among them [shape=(n,)].

    Raises BadParameter when there is one label only: there is nothing to learn.
    """
    classes, codes = np.unique(np.asarray(y, dtype=np.str_), return_inverse=True)
    if len(classes) < 2:
        raise BadParameter(f"training rows hold only {classes.tolist()}; a model needs at least two emotions")
    return classes, codes.astype(np.int64)


def even_mean(sample_weight: NDArray[np.float64] | None, n: int) -> NDArray[np.float64]:
    """The weights scaled to a mean of 1, so that their unit does not act as a regulariser; ones for None."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=np.float64)
    even: NDArray[np.float64] = weight / weight.mean()
    return even


def unit_rows(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities as float64 whose rows sum to 1 to the last bit or so; libraries return them in float32."""
    p = np.clip(np.asarray(scores, dtype=np.float64), 0, None)
    shares: NDArray[np.float64] = p / p.sum(axis=1, keepdims=True)
    return shares


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of rows of logits [shape=(n, k)]."""
    return unit_rows(np.exp(logits - logits.max(axis=1, keepdims=True)))


def reached(stages: Sequence[int], last: int) -> list[int]:
    """The stages up to `last`, which is always the final one."""
    return [*(stage for stage in stages if stage < last), last]


def walkable(children: NDArray[Any], nodes: int) -> bool:
    """Whether a walk from node 0 stays among `nodes` and ends: no child is out of range, shared, or the root.

    The tree libraries walk whatever a file says without looking, off the end of their arrays or for ever.
    """
    inside = bool(np.all((children > 0) & (children < nodes)))
    return inside and len(np.unique(children)) == len(children)


def write_about(folder: Path, family: str, classes: NDArray[np.str_], params: Params, **more: object) -> None:
    """Write `model.json` beside a model's own file."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {"family": family, "classes": classes.tolist(), "params": params, **more}
    (folder / ABOUT).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_about(folder: Path, family: str) -> Mapping[str, Any]:
    """Read `model.json`. Raises BadBundle when it is absent, no such file, or another family's."""
    path = folder / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        found, classes = about["family"], about["classes"]
        sound = isinstance(classes, list) and len(classes) > 1 and all(isinstance(word, str) for word in classes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadBundle(f"{path} is absent or no model description: {error}; save the model again") from error
    if found != family or not sound:
        raise BadBundle(f"{path} describes a model of family {found!r} with classes {classes}, expected {family!r}")
    return dict(about)
