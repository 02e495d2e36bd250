"""Stores of each released format are read and continued; what is newer or foreign is refused (SPEC 4.3, 7)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import deltalake
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from storage import Store, Table
from storage.errors import Damaged, Mismatch, UnknownFormat, Unreachable
from tests.storage import example

DATA = Path(__file__).parent / "data"


def check(store: Store) -> None:
    """That the store is the example."""
    assert store.tables() == ["clips", "features/two_numbers", "frames/tiny", "rejects"]
    pd.testing.assert_frame_equal(
        store.features("two_numbers"),
        pd.DataFrame(
            {
                "take": ["t1", "t2"],
                "clip": ["03-t1", "03-t2"],
                "repetition": np.array([1, 2], np.int8),
                "energy": np.array([0.1, 0.2], np.float32),
                "pitch": np.array([100, 200], np.float32),
            }
        ),
    )
    assert store.table("features/two_numbers").fingerprint() == "0123456789abcdef"
    assert store.table("features/two_numbers").key() == ["take"]
    assert list(store.features("two_numbers", version=1)["take"]) == ["t2"]
    assert store.clips()["size"].tolist() == [1, 2]
    assert store.rejects()["when"].tolist() == [pd.Timestamp("1970-01-01", tz="UTC")]
    assert store.rejects()["clip"].isna().all()
    for take, pictures in zip(("t1", "t2"), example.PICTURES, strict=True):
        np.testing.assert_array_equal(store.frames("tiny")[take], pictures)
    assert store.runs() == ["first"]
    assert store.folder("runs/first").read("note.json") == b"{}"
    assert store.models() == ["svm"]
    assert json.loads(store.model("svm").read("bundle.json")) == {"family": "svm"}


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir()))
def test_old_stores(name: str, tmp_path: Path) -> None:
    check(Store(DATA / name))
    shutil.copytree(DATA / name, tmp_path / name)
    store = Store(tmp_path / name)
    with store.table("features/two_numbers").open(
        example.FEATURES, key=["take"], fingerprint="0123456789abcdef"
    ) as writer:
        row = {"clip": "03-t3", "repetition": 3, "energy": 0.0, "pitch": 0.0}
        assert (
            writer.append(pa.Table.from_pylist([{"take": take, **row} for take in ("t2", "t3")], example.FEATURES)) == 1
        )
    assert store.features("two_numbers")["take"].tolist() == ["t1", "t2", "t3"]
    assert store.new_model("svm").name == "models/svm/2"


def test_todays_store(store: Store) -> None:
    example.write(store)
    check(store)


class TestRefused:
    @pytest.fixture
    def table(self, local_store: Store) -> Table:
        return local_store.table("clips")

    def asks(self, table: Table) -> list[Callable[[], object]]:
        return [
            table.read,
            table.version,
            table.fingerprint,
            lambda: table.open(example.CLIPS, key=["clip"], fingerprint=""),
        ]

    def make(self, table: Table, description: str | None) -> None:
        deltalake.DeltaTable.create(table.path, example.CLIPS, description=description)

    def test_a_newer_format(self, table: Table) -> None:
        self.make(table, '{"format": 2, "key": ["clip"], "fingerprint": "", "more": 1}')
        for ask in self.asks(table):
            with pytest.raises(UnknownFormat, match=r"table 'clips' of store .* is of format 2, .* reads up to 1"):
                ask()

    @pytest.mark.parametrize("said", [None, "", "of cats", "[]", "{}", '{"format": 1}', '{"format": "x"}', "null", "0"])
    def test_a_foreign_table(self, table: Table, said: str | None) -> None:
        self.make(table, said)
        for ask in self.asks(table):
            with pytest.raises(UnknownFormat, match="not make; read it with deltalake"):
                ask()

    def test_files_without_a_log(self, table: Table) -> None:
        Path(table.path).mkdir(parents=True)
        Path(table.path, "mine.parquet").write_bytes(b"PAR1")
        with pytest.raises(Mismatch, match=r"holds 'mine\.parquet' but no log"):
            table.open(example.CLIPS, key=["clip"], fingerprint="")

    def test_a_broken_log(self, table: Table) -> None:
        Path(table.path, "_delta_log").mkdir(parents=True)
        Path(table.path, "_delta_log", f"{0:020d}.json").write_bytes(b"")
        for ask in self.asks(table):
            with pytest.raises(Unreachable, match="log of table 'clips'"):
                ask()


class TestDamaged:
    @pytest.fixture
    def table(self, local_store: Store) -> Table:
        example.write(local_store)
        return local_store.table("features/two_numbers")

    @pytest.mark.parametrize("bad", [None, b"", b"PAR1 and no more"])
    def test_a_data_file(self, table: Table, bad: bytes | None) -> None:
        path = next(Path(table.path).glob("*.parquet"))
        path.unlink()
        if bad is not None:
            path.write_bytes(bad)
        assert table.count() == 2
        for ask in (
            table.read,
            table.keys,
            lambda: table.open(example.FEATURES, key=["take"], fingerprint="0123456789abcdef"),
        ):
            with pytest.raises(
                Damaged, match=r"cannot read a data file .*move the table's folder away and compute it again"
            ):
                ask()

    @pytest.mark.parametrize(
        "path", ["../../../secret.parquet", "/etc/secret.parquet", "a/b.parquet", ".hidden.parquet"]
    )
    def test_a_log_that_points_elsewhere(self, table: Table, tmp_path: Path, path: str) -> None:
        add = {
            "path": path,
            "partitionValues": {},
            "size": 1,
            "modificationTime": 0,
            "dataChange": True,
            "stats": '{"numRecords": 1}',
        }
        Path(table.path, "_delta_log", f"{3:020d}.json").write_text(json.dumps({"add": add}))
        with pytest.raises(Damaged, match="no data file of its folder; refused"):
            table.read()
