"""Which columns a table may have, and whether rows fit them (SPEC 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from storage.errors import BadRows, Mismatch

_TYPES = {
    str(kind): kind
    for kind in (
        pa.string(),
        pa.binary(),
        pa.bool_(),
        pa.int8(),
        pa.int16(),
        pa.int32(),
        pa.int64(),
        pa.float32(),
        pa.float64(),
        pa.date32(),
        pa.timestamp("us", tz="UTC"),
    )
}
_KEY_TYPES = ("string", "int8", "int16", "int32", "int64", "bool")


def normal(schema: pa.Schema, key: Sequence[str], where: str) -> pa.Schema:
    """`schema` as it comes back from disk: no metadata, nullable, one way to write a string.

    Raises
    ------
    Mismatch
        No columns, a name twice, a type that Delta Lake would change on the way, or a key that is no column
        of text or whole numbers.
    """
    names = list(schema.names)
    if not names or len(set(names)) != len(names):
        raise Mismatch(f"{where}: a table has one or more columns, each with its own name; yours are {names}")
    fields = [pa.field(field.name, _kept(field.type)) for field in schema]
    unknown = {field.name: str(field.type) for field in fields if str(field.type) not in _TYPES}
    if unknown:
        raise Mismatch(f"{where}: cannot keep {unknown}; the column types are {list(_TYPES)}; cast them first")
    kinds = {field.name: str(field.type) for field in fields}
    if not key or len(set(key)) != len(key) or any(kinds.get(column) not in _KEY_TYPES for column in key):
        raise Mismatch(f"{where}: key {list(key)} must name different columns of types {list(_KEY_TYPES)}")
    return pa.schema(fields)


def _kept(kind: Any) -> Any:
    """The type on disk: a dictionary by its values, and each of Arrow's three strings as the plain one."""
    if pa.types.is_dictionary(kind):
        return _kept(kind.value_type)
    if kind in (pa.large_string(), pa.string_view()):
        return pa.string()
    if kind in (pa.large_binary(), pa.binary_view()):
        return pa.binary()
    return kind


def fitted(rows: Any, schema: pa.Schema, key: Sequence[str], where: str) -> pa.Table:
    """`rows` with exactly the columns of `schema`, in its order.

    Raises
    ------
    BadRows
        A column is missing, unexpected or of another type, or a key is null.
    """
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if not isinstance(rows, pa.Table):
        raise BadRows(f"{where}: expected rows as a pyarrow.Table, got {type(rows).__name__}")
    missing = sorted(set(schema.names) - set(rows.column_names))
    unexpected = sorted(set(rows.column_names) - set(schema.names))
    if missing or unexpected or len(rows.column_names) != len(schema.names):
        raise BadRows(f"{where}: rows must have the table's columns; missing {missing}, unexpected {unexpected}")
    rows = rows.select(schema.names)
    wrong = {
        field.name: f"{field.type}, expected {schema.field(field.name).type}"
        for field in rows.schema
        if _kept(field.type) != schema.field(field.name).type
    }
    if wrong:
        raise BadRows(f"{where}: columns of another type than the table's: {wrong}; cast them first")
    null = [column for column in key if rows[column].null_count]
    if null:
        raise BadRows(f"{where}: null in key columns {null}; every row needs its whole key")
    return rows.cast(schema)
