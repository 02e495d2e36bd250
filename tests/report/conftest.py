"""A store with small runs of every kind, made once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ravdess import report
from ravdess.families import FAMILIES, Family
from ravdess.search import search
from ravdess.search.run import InProcess
from storage import Store
from tests.search import toys


class Kept(toys.Centroids):
    """Centroids that can be saved."""

    def save(self, folder: Path) -> None:
        told = {"params": self._params, "classes": self.classes_.tolist(), "centres": self._centres.tolist()}
        Path(folder, "model.json").write_text(json.dumps(told))


def load(folder: Path) -> Kept:
    told = json.loads(Path(folder, "model.json").read_text())
    model = Kept(told["params"], toys.STAGES)
    model.classes_, model._centres = np.array(told["classes"]), np.array(told["centres"])
    return model


FAMILY = replace(toys.centroids(), build=lambda params, seed=0, threads=1: Kept(params, toys.STAGES), load=load)
"""A family that costs nothing."""
OTHER = replace(FAMILY, name="points")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Runs plain-toy, many-toy, enrolled-toy and leaky-toy on toy features."""
    store = Store(tmp_path_factory.mktemp("report") / "store")
    table = toys.table(noise=2.5)
    rows = pa.Table.from_pandas(table, preserve_index=False)
    with store.table("features/toy").open(rows.schema, key=["corpus", "take"], fingerprint="toy-1") as writer:
        writer.append(rows)

    def run(name: str, families: Sequence[str | Family], **asked: int | str | list[str]) -> None:
        search(
            table, store, families=families, features="toy", fingerprint="toy-1", run=name, **asked,  # type: ignore[arg-type]
            runner=lambda data, families: InProcess(data, families, seed=0),
        )  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:  # bundles load families that are registered
        list(FAMILIES)
        for one in (FAMILY, OTHER):
            patch.setitem(FAMILIES._items, one.name, one)
        run("plain-toy", [FAMILY, OTHER], samples=3, grid=2)
        run("many-toy", [FAMILY], samples=12, grid=3)
    run("enrolled-toy", ["svm"], samples=2, grid=1, normalise="actor", protocol="holdout", test_actors=["11", "12"])
    run("leaky-toy", ["svm"], samples=1, grid=0, protocol="leaky_random")
    return store


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for pages."""
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="session")
def whole(shelf: Store) -> str:
    """The store's page."""
    return report.store_page(shelf)
