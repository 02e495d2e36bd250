"""pandas, DuckDB, Polars and deltalake read the bare folder and agree, checkpoints and leftovers or not (SPEC 4.1)."""

from __future__ import annotations

from pathlib import Path

import deltalake
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from storage import Store, Table
from tests.storage.workers import rows, schema

EXPECTED = [(take, 2.0) for take in ("a0", "a1", "a2", "a3", "a4")]


@pytest.fixture
def table(local_store: Store, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Five rows in five files, a checkpoint, and what a killed writer leaves on a disk."""
    monkeypatch.setattr("storage.opening.CHECKPOINT_INTERVAL", 2)
    made = local_store.table("features/one")
    with made.open(schema(), key=["take"], fingerprint="1") as writer:
        for take, _ in EXPECTED:
            writer.append(rows([take]))
    assert list(Path(made.path, "_delta_log").glob("*.checkpoint.parquet"))
    Path(made.path, f".part-{6:020d}-{'0' * 32}.parquet.{'0' * 32}.tmp").write_bytes(b"half a file")
    Path(made.path, "_delta_log", f"{6:020d}.json#1").write_text("{")
    Path(made.path, "_shards").mkdir()
    Path(made.path, "_shards", "01.npy").write_bytes(b"no parquet")
    return made


def test_pandas(table: Table, local_store: Store) -> None:
    frame = pd.read_parquet(table.path)
    assert list(frame.itertuples(index=False, name=None)) == EXPECTED
    pd.testing.assert_frame_equal(frame, local_store.features("one"))


def test_duckdb(table: Table) -> None:
    database = duckdb.connect()
    assert sorted(database.execute(f"SELECT * FROM read_parquet('{table.path}/*.parquet')").fetchall()) == EXPECTED
    query = f"SELECT avg(x) FROM '{table.path}/*.parquet' WHERE take > 'a1'"
    assert database.execute(query).fetchall() == [(2.0,)]


def test_polars(table: Table) -> None:
    for frame in (
        pl.read_parquet(f"{table.path}/*.parquet"),
        pl.scan_parquet(f"{table.path}/*.parquet").collect(),
        pl.read_delta(table.path),
    ):
        assert sorted(frame.rows()) == EXPECTED


def test_deltalake(table: Table) -> None:
    delta = deltalake.DeltaTable(table.path)
    assert sorted(map(tuple, delta.to_pandas().to_numpy().tolist())) == EXPECTED
    assert delta.metadata().configuration["delta.appendOnly"] == "true"
    assert delta.vacuum(retention_hours=0, enforce_retention_duration=False, full=True) == []  # no file of ours


def test_row_statistics(table: Table) -> None:
    """The log tells row counts and the bounds of the keys, so that readers can skip files."""
    actions = pa.table(deltalake.DeltaTable(table.path).get_add_actions(flatten=True)).sort_by("path")
    assert actions["num_records"].to_pylist() == [1] * 5
    assert actions["min.take"].to_pylist() == actions["max.take"].to_pylist() == [take for take, _ in EXPECTED]


def test_someone_compacts_the_table(table: Table, local_store: Store) -> None:
    """Rows moved into one file are known still, and the next writer deletes the files that they came from."""
    with table.open(schema(), key=["take"], fingerprint="1") as living:
        deltalake.DeltaTable(table.path).optimize.compact()
        assert living.append(rows([take for take, _ in EXPECTED] + ["b0"])) == 1
    assert len(local_store.features("one")) == len(pd.read_parquet(table.path)) == 6
    assert len(table.files.names(table.name)) == 2
