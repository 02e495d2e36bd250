"""The models on a store's shelf: listed side by side, and found by the names that people type.

A model is named "svm-mfcc_stats" (its newest number), "svm-mfcc_stats/2", the folder of a bundle, or
"<run>/<family>/<fold>": the model by which a run judged that fold, fitted without its actors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravdess.errors import BadBundle, NoModel
from ravdess.search.ledger import BUNDLE

if TYPE_CHECKING:
    from ravdess.bundle import Bundle
    from ravdess.fused import FusedBundle
    from ravdess.predict.senses import Senses
    from storage import Folder, Store


BASE = "base"
"""The family of a model that only lends its weights (`ravdess.pretraining`)."""


@dataclass(frozen=True)
class Kept:
    """A model of the store as its ``bundle.json`` tells of it; the model itself is not read.

    Attributes
    ----------
    name : str
        "svm-mfcc_stats".
    number : int
    path : str
        Its folder.
    family, features, protocol : str
    uar, uar_low, uar_high : float or None
        Out-of-fold, with its 95 % interval; None where the bundle tells no scores.
    enrolled, made : bool
        Whether it needs clips of the same person; was trained on made voices.
    senses : Senses
        What of its features files give.
    answered, right : float or None
        Share of takes on which it is sure, and of these the share that is right; None where it is not calibrated.
    about : dict
        All of ``bundle.json``.
    """

    name: str
    number: int
    path: str
    family: str
    features: str
    protocol: str
    uar: float | None
    uar_low: float | None
    uar_high: float | None
    enrolled: bool
    made: bool
    senses: Senses
    answered: float | None
    right: float | None
    about: dict[str, Any]

    @property
    def title(self) -> str:
        """Name and number, as `load` takes them."""
        return f"{self.name}/{self.number}"


def kept_models(store: Store) -> list[Kept]:
    """Every complete model of the store that judges takes, the most useful first; so no face base (`pretraining`).

    Those of people before those of made voices, those that need nothing else than files first, then by UAR, then the
    newest. UARs of different protocols are not the same question; the protocol stands beside each.
    """
    found = [_kept(store.model(name, n), name, n) for name in store.models() for n in store.model_numbers(name)]
    kept = [one for one in found if one is not None and one.family != BASE]
    return sorted(kept, key=lambda one: (one.made, not one.senses.whole, one.enrolled, -(one.uar or 0.0), -one.number))


def default_model(store: Store, *, enrolled: bool = False, films: bool = False) -> Kept:
    """The model that is asked when none is named: the first of `kept_models` that files give all that it takes.

    Parameters
    ----------
    store : Store
    enrolled : bool
        Whether clips of the speaker are at hand: then enrolled models only, else none of them.
    films : bool
        Whether there are pictures and sound: then the best of all; else the best that takes nothing but sound.

    Raises
    ------
    NoModel
        There is none; the message gives the commands that make one.
    """
    kept = kept_models(store)
    able = [one for one in kept if one.enrolled == enrolled and one.senses.whole]
    fit = [one for one in able if films or not one.senses.sights]
    if not fit:
        normalise = " --normalise actor" if enrolled else ""
        kind = "enrolled model" if enrolled else "model"
        others = f" (there are {[one.title for one in kept]}, which need something else)" if kept else ""
        raise NoModel(
            f"no {kind} in {store.url}{others}; make one with: python jobs/featurize.py --source FOLDER --features "
            f"voice_stats --store {store.url} && python jobs/tune.py --family svm --features voice_stats{normalise} "
            f"--store {store.url}   (tune alone makes one of the sample corpus, voices drawn by a program)"
        )
    return fit[0]


def companion(store: Store, main: Kept) -> Kept | None:
    """The best model with the sense that `main` lacks: sound or pictures, of people or made as it is; None for none."""
    for one in kept_models(store):
        able = one.senses.whole and not one.enrolled and one.made == main.made
        if able and ((one.senses.sees and not main.senses.sees) or (one.senses.hears and not main.senses.hears)):
            return one
    return None


def load_model(store: Store, name: str) -> Bundle | FusedBundle:
    """Load and check a model.

    Parameters
    ----------
    store : Store
    name : str
        As the head of this module says.

    Raises
    ------
    NoModel
        No such model; the message lists what there is.
    BadBundle
        It is damaged, or made from other features.
    """
    from ravdess.bundle_files import read

    if (Path(name) / BUNDLE).is_file():
        return _loaded(read(Path(name)), name)
    folder = _folder(store, name)
    return _loaded({file: folder.read(file) for file in folder.list()}, folder.path())


def _loaded(files: Mapping[str, bytes], where: str) -> Bundle | FusedBundle:
    from ravdess.bundle import Bundle
    from ravdess.bundle_files import index
    from ravdess.fused import FUSION, FusedBundle

    kind = FusedBundle if index(files, where)["family"] == FUSION else Bundle
    return kind.from_files(files, where=where)


def _folder(store: Store, name: str) -> Folder:
    parts = name.strip("/").removeprefix("models/").removeprefix("runs/").split("/")
    if len(parts) == 4 and parts[1] == "folds":
        del parts[1]
    models = store.models()
    if parts[0] in models and (len(parts) == 1 or (len(parts) == 2 and parts[1].isdecimal())):
        number = int(parts[1]) if len(parts) == 2 else None
        if number is None or number in store.model_numbers(parts[0]):
            return store.model(parts[0], number)
        raise NoModel(f"no model {parts[0]} number {number}, there are {store.model_numbers(parts[0])}")
    if len(parts) == 3 and parts[0] in store.runs():
        run, family, fold = parts
        folder = store.folder(f"runs/{run}/folds/{family}/{fold}")
        if folder.exists(BUNDLE):
            return folder
        there = sorted(
            file.removesuffix(f"/{BUNDLE}") for file in store.folder(f"runs/{run}/folds").list() if BUNDLE in file
        )
        raise NoModel(f"run {run} keeps no model {family}/{fold}, it has {there}")
    raise NoModel(
        f"no model {name!r} in {store.url}, expected one of {models}, one with its number (NAME/2), the folder of "
        "a bundle, or RUN/FAMILY/FOLD"
    )


def _kept(folder: Folder, name: str, number: int) -> Kept | None:
    from ravdess.predict.senses import Senses

    try:
        about = json.loads(folder.read(BUNDLE))
        if not {"family", "features", "scores", "facts"} <= about.keys():
            return None  # another kind of model, such as a network to start from
        scores, facts, calibration = about["scores"], about["facts"], about.get("calibration") or {}
        return Kept(
            name=name,
            number=number,
            path=folder.path(),
            family=about["family"],
            features=about["features"],
            protocol=facts.get("protocol", ""),
            uar=scores.get("uar"),
            uar_low=scores.get("uar_low"),
            uar_high=scores.get("uar_high"),
            enrolled=about["enrolled"],
            made=bool(facts.get("made", False)),
            senses=Senses.of(about["features"], family=about["family"], fingerprint=about["fingerprint"]),
            answered=calibration.get("answered"),
            right=calibration.get("right"),
            about=about,
        )
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadBundle(f"{folder.path(BUNDLE)} cannot be read: {error!r}; copy or save it again") from error
