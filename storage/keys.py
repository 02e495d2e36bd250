"""Which keys a table holds, in 16 bytes each: a million rows are 16 MB, whatever their keys look like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Digests = NDArray[np.bytes_]
    Mask = NDArray[np.bool_]

_DIGEST = np.dtype("S16")


def digests(rows: Any, key: Sequence[str]) -> Digests:
    """One digest a row of a `pyarrow.Table`: BLAKE2b of its key as JSON, 128 bits.

    At a million keys two of them share a digest with a chance of 1e-27.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=S16]
    """
    parts = (
        hashlib.blake2b(json.dumps(row).encode(), digest_size=16).digest()
        for batch in rows.select(list(key)).to_batches(max_chunksize=8192)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    return np.frombuffer(b"".join(parts), dtype=_DIGEST)


def firsts(of: Digests) -> Mask:
    """True at the first row of each key. Shape (n,)."""
    mask = np.zeros(len(of), dtype=np.bool_)
    mask[np.unique(of, return_index=True)[1]] = True
    return mask


class KeyIndex:
    """A growing set of digests, kept as few sorted runs of halving length: adding costs O(log n) a key, amortised."""

    def __init__(self) -> None:
        self._runs: list[Digests] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def add(self, new: Digests) -> None:
        """Take up digests; those that stand already stand twice, harmlessly."""
        if not len(new):
            return
        self._runs.append(np.sort(new))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")

    def holds(self, asked: Digests) -> Mask:
        """Which of `asked` were added. Shape (n,)."""
        mask = np.zeros(len(asked), dtype=np.bool_)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, asked), len(run) - 1)
            mask |= run[at] == asked
        return mask
