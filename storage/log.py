"""What a table's log tells: which files it has, and what it says of itself (SPEC 4)."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from storage.errors import UnknownFormat
from storage.files import Files

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

FORMAT: Final = 1
"""The layout that SPEC.md describes. Readers refuse a higher one."""

DATA_FILE: Final = re.compile(r"part-(?P<version>[0-9]{20})-[0-9a-f]{32}\.parquet")
PLAIN_TABLES: Final = ("clips", "rejects", "imports")
"""The tables that a store has one of; the others are one a feature or frame set (SPEC 1)."""

FIRST_ENTRY: Final = "_delta_log/00000000000000000000.json"


class Meta(NamedTuple):
    """What a table says of itself, as JSON in the Delta table's description (SPEC 4.3)."""

    format: int
    key: tuple[str, ...]
    fingerprint: str

    def encode(self) -> str:
        import json

        return json.dumps({"format": self.format, "key": list(self.key), "fingerprint": self.fingerprint})

    @classmethod
    def decode(cls, text: str | None, where: str) -> Meta:
        """Read what `encode` wrote. Raises UnknownFormat."""
        import json

        try:
            said = json.loads(text or "")
            version = int(said["format"])
            if version <= FORMAT:
                return cls(version, tuple(map(str, said["key"])), str(said["fingerprint"]))
        except (ValueError, TypeError, KeyError) as error:
            raise UnknownFormat(
                f"{where} is a Delta table that this store did not make; read it with deltalake"
            ) from error
        raise UnknownFormat(f"{where} is of format {version}, this release reads up to {FORMAT}; install a newer one")


class Add(NamedTuple):
    """A data file that the log names."""

    path: str
    size: int
    rows: int


def existing(files: Files) -> list[str]:
    """The names of the tables in a store, sorted."""
    names = [*PLAIN_TABLES]
    for folder in ("features", "frames"):
        names += [f"{folder}/{name}" for name in files.folders(folder)]
    return [name for name in names if files.exists(f"{name}/{FIRST_ENTRY}")]


def adds(delta: DeltaTable, known: Collection[str] = ()) -> list[Add]:
    """The data files of a loaded table but the `known` ones, in the order of their commits, which their names tell."""
    import pyarrow as pa

    actions = pa.table(delta.get_add_actions(flatten=True)).select(["path", "size_bytes", "num_records"])
    if known:
        actions = actions.filter(pa_mask([path not in known for path in actions["path"].to_pylist()]))
    return sorted(Add(*row) for row in zip(*(column.to_pylist() for column in actions.columns), strict=True))


def arrow_schema(delta: DeltaTable) -> pa.Schema:
    """The columns of a loaded table."""
    import pyarrow as pa

    return pa.schema(delta.schema().to_arrow())


def pa_mask(mask: Any) -> pa.Array:
    """A numpy mask for `pyarrow.Table.filter`."""
    import pyarrow as pa

    return pa.array(mask, pa.bool_())
