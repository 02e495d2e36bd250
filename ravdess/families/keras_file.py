"""Saved `.keras` files: looked through before Keras sees them, so that nothing but plain layers is ever built.

Such a file is a zip of a configuration, which names classes to be made, and of weights. Keras's own safe mode refuses
little more than lambdas. Here every class must be among those that the network is made of.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from ravdess.errors import BadBundle

PARTS: Final = frozenset({"DTypePolicy", "HeNormal", "GlorotUniform", "Zeros", "Ones", "__keras_tensor__"})
"""What stands in every configuration beside its layers."""
_MEMBERS: Final = {"metadata.json", "config.json", "model.weights.h5"}


def load_keras(keras: Any, path: Path, allowed: AbstractSet[str], what: str) -> Any:
    """The model in the file, uncompiled. `what` names it in messages, as in "mlp".

    Raises
    ------
    BadBundle
        The file is absent, damaged, names a class beyond `allowed` and PARTS, or holds other members than Keras writes.
    """
    inspect(path, allowed, what)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a damaged file provokes
        raise BadBundle(f"{path} cannot be read as a Keras model: {error}") from error


def inspect(path: Path, allowed: AbstractSet[str], what: str) -> None:
    """Raise BadBundle unless the file is a Keras file whose configuration names only `allowed` and PARTS."""
    try:
        with zipfile.ZipFile(path) as file:
            members, config = set(file.namelist()), json.loads(file.read("config.json"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadBundle(f"{path} is absent or no Keras file: {error}") from error
    if foreign := sorted(map(str, _named(config) - allowed - PARTS)):
        raise BadBundle(f"{path} names {foreign}, which no {what} is made of; it is not loaded")
    if extra := sorted(members - _MEMBERS):
        raise BadBundle(f"{path} holds unexpected members {extra}; it is not loaded")


def _named(config: object) -> set[object]:
    """Every class that a Keras configuration names, and every module outside Keras."""
    if isinstance(config, list):
        return set().union(*map(_named, config))
    if not isinstance(config, dict):
        return set()
    name = config.get("class_name")
    here: set[object] = set() if name is None else {name if isinstance(name, str) else repr(name)}
    module = config.get("module")
    if isinstance(module, str) and module.partition(".")[0] != "keras":
        here.add(module)
    if config.get("registered_name") is not None:
        here.add(config["registered_name"])
    return here.union(*map(_named, config.values()))
