"""A trained face base as a bundle: what is kept in a store under ``models/base-fer2013``, and how it is read again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from ravdess import bundle_files
from ravdess.errors import BadBundle, NoModel, UnknownName
from ravdess.families import backend
from ravdess.families.keras_file import load_keras
from ravdess.networks import LAYERS
from ravdess.networks import base as bases
from ravdess.pretraining.fer2013 import LABELS, LICENCE
from ravdess.pretraining.train import probabilities

NAMES: Final = {"plain": "base-fer2013", "strong": "base-fer2013-strong"}
"""The models of a store that hold the two bases."""
MODEL: Final = "model.keras"
CARD: Final = "card.md"
FAMILY: Final = "base"
_DRIFT: Final = 1e-3


class Folder(Protocol):
    """A model's folder in a store."""

    def read(self, name: str) -> bytes: ...
    def path(self, name: str = "") -> str: ...


@dataclass(frozen=True, eq=False)
class Base:
    """A trained base: the Keras model, which of the two networks it is, and what its bundle tells."""

    model: Any
    network: str
    told: Mapping[str, Any]


class Shelf(Protocol):
    """A store, as far as finding a base needs it."""

    @property
    def url(self) -> str: ...
    def models(self) -> list[str]: ...
    def model(self, name: str) -> Folder: ...


def find_base(store: Shelf, network: str = "plain") -> Folder:
    """The folder of the newest trained base of that network. Raises NoModel, which says how to make one."""
    if network not in NAMES:
        raise UnknownName("face base", network, NAMES)
    if NAMES[network] in store.models():
        return store.model(NAMES[network])
    more = "" if network == "plain" else f" --network {network}"
    raise NoModel(
        f"{store.url} has no trained face base {NAMES[network]!r}, which transfer_cnn begins with; make it with: "
        f"python jobs/pretrain.py --source fer2013.parquet{more} --store {store.url}"
    )


def to_files(model: Any, network: str, *, scores: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, bytes]:
    """The bundle's files, ``bundle.json`` last."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / MODEL
        model.save(path)
        data = path.read_bytes()
    told = {
        "family": FAMILY,
        "params": {"network": network},
        "features": "fer2013",
        "fingerprint": "",
        "standardiser": None,
        "labels": list(LABELS),
        "enrolled": False,
        "licence": LICENCE,
        "scores": dict(scores),
        "facts": dict(facts),
        "versions": bundle_files.versions(),
        "probe": probabilities(model, _probe()).tolist(),
    }
    return bundle_files.sealed(told, {MODEL: data, CARD: card(network, model, told).encode()})


def load_base(folder: Folder, *, threads: int = 1) -> Base:
    """The trained base in a folder of a store, as in ``load_base(find_base(store))``.

    Its checksums are checked, its configuration is looked through before Keras reads it, and it must say what it said
    when it was saved.

    Raises
    ------
    BadBundle
        Something is missing or changed, it is no face base, or it names layers that no base is made of.
    """
    where = folder.path()
    first = folder.read(bundle_files.INDEX)
    told = bundle_files.index({bundle_files.INDEX: first}, where)
    network = told["params"].get("network") if told["family"] == FAMILY else None
    if network not in NAMES or MODEL not in told["files"]:
        raise BadBundle(
            f"{where} holds a model of family {told['family']!r}, no face base; name one that pretrain made"
        )
    files = {name: folder.read(name) for name in (MODEL, CARD) if name in told["files"]}
    told, files = bundle_files.checked({**files, bundle_files.INDEX: first}, where)
    _, keras = backend.tensorflow(threads)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / MODEL
        path.write_bytes(files[MODEL])
        model = load_keras(keras, path, LAYERS, "face base")
    if model.input_shape != (None, *bases.SHAPE) or model.output_shape != (None, len(LABELS)):
        raise BadBundle(f"{where} takes {model.input_shape} and gives {model.output_shape}, which is no face base")
    moved = np.abs(probabilities(model, _probe()) - np.array(told["probe"])).max()
    if not moved <= _DRIFT:
        raise BadBundle(f"the model of {where} says something else here (by {moved:.2g}) than when it was saved")
    return Base(model, network, told)


def card(network: str, model: Any, told: Mapping[str, Any]) -> str:
    """What people should know of a base before they use it, as Markdown."""
    scores, facts = told["scores"], told["facts"]
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in scores.items() if isinstance(value, float))
    left = facts["left_out"]
    return f"""# Face base `{NAMES[network]}`

A {network} convolutional network of {model.count_params():,} parameters: 48 × 48 grey faces (0 … 255) to logits of
{", ".join(LABELS)}. Made to lend its trunk to `transfer_cnn`; as a judge of emotions it knows only these seven, as
people labelled web pictures of single frames.

| accuracy | |
|---|---|
{rows}

PublicTest chose the epoch, so its figure is a little kind. {facts["judged"]}

Trained on {left["trained_on"]:,} pictures. Left out of training: {left["two_usages"]:,} that stand in a test too,
{left["conflicting"]:,} copies under several labels, {left["repeated"]:,} copies under one label,
{left["constant"]:,} of one colour, {left["damaged"]:,} damaged. Epoch {facts["epoch"]} of {facts["epochs"]}.

{told["licence"]}

Recipe: `{json.dumps(facts["recipe"], sort_keys=True)}`
"""


def _probe() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Two fixed pictures whose answers go with the model [shape=(2, 48, 48)]."""
    height, width, _ = bases.SHAPE
    wave = 127.5 * (1 + np.sin(np.arange(2 * height * width) / 7.0))
    return wave.astype(np.uint8).reshape(2, height, width)
