"""Making a table, once, and opening only what it was made as (SPEC 3.3, 4.3)."""

from __future__ import annotations

import itertools
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable

from storage import steps
from storage.errors import Mismatch, StorageError
from storage.log import FORMAT, Meta, arrow_schema
from storage.names import checked_column
from storage.schemas import normal
from storage.table import Table

CHECKPOINT_INTERVAL: Final = 100
"""Commits from one checkpoint of the log to the next, so that a reader opens at most so many small files."""


def made(table: Table, schema: pa.Schema, key: tuple[str, ...], fingerprint: str) -> DeltaTable:
    """The log of a table of that schema, key and fingerprint, made if it is absent. Raises Mismatch."""
    for column in key:
        checked_column(column)
    schema = normal(schema, key, table.where)
    wanted = Meta(FORMAT, key, fingerprint)
    if not table.exists():
        _create(table, schema, wanted)
    delta = table.load()
    stands = table.meta(delta)
    for what, yours, theirs in (
        ("fingerprint", fingerprint, stands.fingerprint),
        ("key", list(key), list(stands.key)),
        ("schema", *_difference(schema, arrow_schema(delta))),
    ):
        if yours != theirs:
            raise Mismatch(
                f"{table.where} was made with another {what}:\n\texpected {theirs}\n\tyours is {yours}\n"
                "what stands under a name never changes: use another name or another store"
            )
    return delta


def _difference(yours: pa.Schema, theirs: pa.Schema) -> tuple[list[str], list[str]]:
    """The columns, by place, in which two schemas differ; two empty lists when they are one."""
    pairs = itertools.zip_longest(*([f"{field.name} {field.type}" for field in schema] for schema in (yours, theirs)))
    unlike = [pair for pair in pairs if pair[0] != pair[1]]
    return [str(ours or "nothing") for ours, _ in unlike], [str(stands or "nothing") for _, stands in unlike]


def _create(table: Table, schema: pa.Schema, meta: Meta) -> None:
    """Commit version 0, unless another process does so first (SPEC 3.3)."""
    stray = [name for name in table.files.names(table.name) if name.endswith(".parquet")]
    if stray:
        raise Mismatch(f"cannot make {table.where}: its folder holds {stray[0]!r} but no log; move that away first")
    steps.reached("creating")
    try:
        with table.talking():
            DeltaTable.create(
                table.path,
                schema,
                mode="error",
                name=table.name,
                description=meta.encode(),
                configuration={
                    "delta.appendOnly": "true",
                    # Old versions stay readable; only the key columns' bounds are worth keeping in the log.
                    "delta.enableExpiredLogCleanup": "false",
                    "delta.dataSkippingStatsColumns": ",".join(meta.key),
                    "delta.checkpointInterval": str(CHECKPOINT_INTERVAL),
                },
                storage_options=table.files.options,
            )
    except StorageError:
        if not table.exists():  # or else another made it between our look and our commit
            raise
    steps.reached("created")
