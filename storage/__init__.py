"""The memory: tables, frame shards, runs and models, on a local disk or in S3. Knows no emotion and no Ray.

`SPEC.md` beside this file says what lies on disk, exactly. Importing this package loads neither pyarrow,
deltalake nor pandas; the first use of a store does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storage import errors
from storage.folder import Folder
from storage.frames import Frames, NewShard, Shards, Slice
from storage.store import Store
from storage.table import Table
from storage.takes import Takes

if TYPE_CHECKING:
    from storage.writer import Writer

__all__ = ["Folder", "Frames", "NewShard", "Shards", "Slice", "Store", "Table", "Takes", "Writer", "errors"]


def __getattr__(name: str) -> Any:
    if name == "Writer":
        from storage.writer import Writer

        return Writer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
