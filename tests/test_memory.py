"""What is on disk is the same table, and takes no memory once that is given back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ravdess import memory

TABLE = pa.table(
    {
        "number": pa.array(np.arange(2**22)),
        "word": pa.array(["one", "two", None, ""] * 2**20).dictionary_encode(),
        "text": pa.array(["ö", "", None, "a b"] * 2**20),
    }
)


def resident() -> float:
    """MiB of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(("RssAnon", "RssFile"))) / 1024


def test_it_is_the_same_table_however_often_memory_is_given_back() -> None:
    for table in (TABLE, TABLE.slice(3, 5), TABLE.schema.empty_table()):
        there = memory.on_disk(table)
        for _ in range(2):
            assert there.equals(table)
            memory.give_back()


def test_what_was_looked_at_takes_no_memory_once_it_is_given_back() -> None:
    there = memory.on_disk(TABLE.select(["number"]))
    memory.give_back()
    before = resident()
    assert pc.sum(there["number"]).as_py() == sum(range(2**22))
    assert resident() - before > 25
    memory.give_back()
    assert resident() - before < 10


def test_without_room_for_the_file_it_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(memory, "TemporaryFile", full)
    assert memory.on_disk(TABLE) is TABLE


def test_arrow_uses_the_allocator_that_gives_back() -> None:
    program = "import ravdess, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "system"
