"""The index of keys, beside a set."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from storage.keys import KeyIndex, digests, firsts

DIGESTS = st.lists(
    st.binary(min_size=16, max_size=16) | st.sampled_from([b"\0" * 16, b"a" + b"\0" * 15, b"\0" * 15 + b"a"])
)


def _array(items: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    return np.frombuffer(b"".join(items), dtype="S16")


@given(st.lists(DIGESTS), DIGESTS)
def test_holds_what_was_added(added: list[list[bytes]], asked: list[bytes]) -> None:
    index, known = KeyIndex(), set()
    for batch in added:
        index.add(_array(batch))
        known |= set(batch)
    asked = [*asked, *sorted(known)]
    assert index.holds(_array(asked)).tolist() == [item in known for item in asked]


@given(DIGESTS)
def test_firsts(items: list[bytes]) -> None:
    assert firsts(_array(items)).tolist() == [item not in items[:at] for at, item in enumerate(items)]


@given(st.lists(st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1)), max_size=20))
def test_digests_are_equal_when_the_keys_are(keys: list[tuple[str, int]]) -> None:
    table = pa.table(
        {"n": pa.array([n for _, n in keys], pa.int64()), "t": pa.array([t for t, _ in keys], pa.string())}
    )
    found = digests(table, ["t", "n"]).tolist()
    assert len(found) == len(keys)
    assert len(set(found)) == len(set(keys))


def test_flat_memory_at_100_000_keys() -> None:
    """16 bytes a key, in a handful of runs, also when they come two at a time."""
    index = KeyIndex()
    takes = pa.table({"take": [f"01-06-01-02-01-{number:06d}" for number in range(100_000)]})
    new = digests(takes, ["take"])
    for first in range(0, len(new), 50):
        index.add(new[first : first + 50])
    assert len(index) == 100_000
    assert sum(run.nbytes for run in index._runs) == 16 * 100_000
    assert len(index._runs) < 18
    assert index.holds(new).all()
    assert not index.holds(digests(pa.table({"take": ["", "no"]}), ["take"])).any()
