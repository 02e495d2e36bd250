"""Rows to train on beside a table's own: the same takes made otherwise, such as played faster.

They stand in tables of their own (`FeatureSet.augments`), one row a take, so whoever is left out of a fit is left out
with all that was made of them. Nobody is judged by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ravdess.errors import BadTable, RunMismatch
from ravdess.features import FEATURE_SETS
from ravdess.search.rows import Rows, choose_rows

if TYPE_CHECKING:
    from ravdess.search.trial import Data
    from storage import Store


def augmentations(store: Store, rows: Rows, features: str) -> dict[str, Rows]:
    """Every set made otherwise, and its rows, of the same takes in the same order.

    Raises
    ------
    BadTable
        There is none of such features; or a table is absent, or lacks takes.
    """
    names = [name for name in FEATURE_SETS if FEATURE_SETS[name].augments == features]
    if not names:
        there = sorted({FEATURE_SETS[name].augments for name in FEATURE_SETS} - {""})
        raise BadTable(f"{features} has no augmentation, only {there}; networks vary what they are shown by themselves")
    return {name: _rows(store, rows, features, name) for name in names}


def _rows(store: Store, rows: Rows, features: str, name: str) -> Rows:
    make = f"make it with: python jobs/featurize.py --features {name} --source …"
    if not store.table(f"features/{name}").exists():
        raise BadTable(f"there is no table of {name}; {make}")
    if store.table(f"features/{name}").fingerprint() != FEATURE_SETS[name].fingerprint:
        raise BadTable(f"the table of {name} holds other numbers than would be made here; {make}, into another store")
    table = store.features(name)
    used = table[(table["corpus"] == rows.corpus) & table["take"].isin(rows.clips["take"])]
    if lacking := sorted(set(rows.clips["take"]) - set(used["take"])):
        raise BadTable(
            f"{len(lacking)} takes of {features} are not in the table of {name}, such as {lacking[0]}; {make}"
        )
    return choose_rows(used, features=name, channel=rows.channel, corpus=rows.corpus, unlabelled=True)


def augmented(data: Data, asked: Mapping[str, Any], others: Mapping[str, Rows]) -> tuple[Data, dict[str, Any]]:
    """Data with those rows to train on, and the request that names their tables; both as they are without any."""
    if not others:
        return data, dict(asked)
    told = {name: rows.digest for name, rows in others.items()}
    return replace(data, others=tuple(rows.X for rows in others.values())), {**asked, "augment": told}


def again(data: Data, asked: Mapping[str, Any], store: Store, rows: Rows, run: str) -> Data:
    """The data of a run that was asked so, with the rows it trained on. Raises RunMismatch where they have changed."""
    if not asked.get("augment"):
        return data
    data, now = augmented(data, {}, augmentations(store, rows, str(asked["features"])))
    if now["augment"] != asked["augment"]:
        raise RunMismatch(f"the tables {sorted(asked['augment'])} have changed since {run}; search it again")
    return data
