"""Products of matrices on one thread.

Whoever makes features has a process a CPU, and helpers that BLAS wakes for a product of a tenth of a millisecond take
more time, spinning, than they save. OpenBLAS wakes none for small products, so large ones are made in small pieces,
unless the environment says that there is one thread anyway, as it does in this project's workers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_ALONE: Final = "1" in (os.environ.get("OPENBLAS_NUM_THREADS"), os.environ.get("OMP_NUM_THREADS"))
_PIECE: Final = (1 << 19) - 1
"""Multiplications for which OpenBLAS (interface/gemm.c) wakes nobody ..."""
_VECTOR: Final = 9215
"""... and when one side is a vector (interface/gemv.c)."""
_ROWS: Final = 64
_COLUMNS: Final = 1024


def product(left: Floats, right: Floats, out: Floats | None = None) -> Floats:
    """``left @ right`` [shape=(m, k)], [shape=(k, n)] -> [shape=(m, n), dtype=float32]."""
    (m, k), n = left.shape, right.shape[1]
    out = np.empty((m, n), np.float32) if out is None else out
    if _ALONE or m * k * n <= (_PIECE if min(m, n) > 1 else _VECTOR):
        return np.matmul(left, right, out=out)
    if n > _COLUMNS:
        for at in range(0, n, _COLUMNS):
            product(left, right[:, at : at + _COLUMNS], out=out[:, at : at + _COLUMNS])
        return out
    for few in np.array_split(np.arange(m), -(-m // _ROWS)):
        rows = slice(few[0], few[-1] + 1)
        depth = max((_PIECE if min(len(few), n) > 1 else _VECTOR) // (len(few) * n), 1)
        np.matmul(left[rows, :depth], right[:depth], out=out[rows])
        for at in range(depth, k, depth):
            out[rows] += left[rows, at : at + depth] @ right[at : at + depth]
    return out


class Banded(NamedTuple):
    """Weights [shape=(rows, bins)] that are zero in most bins: which rows, which bins, and the weights there."""

    rows: int
    pieces: tuple[tuple[slice, slice, Floats], ...]

    def of(self, spectra: Floats) -> Floats:
        """The weights times `spectra` [shape=(bins, t)]: [shape=(rows, t)]."""
        out = np.empty((self.rows, spectra.shape[1]), np.float32)
        for rows, bins, weights in self.pieces:
            product(weights, spectra[bins], out=out[rows])
        return out


def banded(weights: NDArray[np.floating], together: int = 8) -> Banded:
    """`weights` [shape=(rows, bins)], so many neighbouring rows at a time, with the bins that any of them weighs."""
    pieces = []
    for first in range(0, len(weights), together):
        rows = slice(first, min(first + together, len(weights)))
        weighed = np.flatnonzero(weights[rows].any(axis=0))
        bins = slice(int(weighed[0]), int(weighed[-1]) + 1)
        pieces.append((rows, bins, np.ascontiguousarray(weights[rows, bins], np.float32)))
    return Banded(len(weights), tuple(pieces))
