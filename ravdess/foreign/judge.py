"""Which rows of a foreign table stand, which are refused and why. A take's numbers are never guessed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ravdess.errors import BadImport, BadName
from ravdess.foreign.keys import clip_of
from ravdess.foreign.survey import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.corpora import ClipName
    from ravdess.foreign.pieces import Piece
    from ravdess.foreign.read import ForeignFile
    from ravdess.foreign.survey import Survey

MOST_NAMED: Final = 10_000
"""Refused rows that are named with their reason; beyond, they are only counted, so that memory stays flat."""
_TWINS: Final = 3
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_KEY_SHOWN: Final = 200


class Refused(NamedTuple):
    """A row that gives none: its number, below the header from 1, the name that it bears, and the reason."""

    row: int
    key: str
    reason: str


@dataclass
class Standing:
    """A take, the first usable row of it, the digest of its numbers; how many rows say it, and if they agree."""

    clip: ClipName
    row: int
    digest: bytes
    count: int = 1
    agree: bool = True
    named: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Verdict:
    """What a file holds.

    Attributes
    ----------
    takes : dict
        Take -> `Standing`: its clip, the number of its row, the digest of its numbers.
    rows : int
        Rows of the file.
    repeated : int
        Rows that say again, in the same numbers, what an earlier one said.
    refused : list of Refused
        At most `MOST_NAMED` of them.
    refusals : int
        Rows that were refused.
    """

    takes: dict[str, Standing]
    rows: int
    repeated: int
    refused: list[Refused]
    refusals: int


def judge(file: ForeignFile, plan: Survey, parse: Callable[[str], ClipName]) -> Verdict:
    """Read the file and judge every row.

    A row is refused that names no clip of the corpus, has too few or many cells, or a feature that is missing, no
    number, infinite, or too large for float32. Two rows of one take stand as one if their numbers are equal as
    float32; if they differ, all rows of that take are refused.
    """
    takes: dict[str, Standing] = {}
    refused = _Refusals()
    total = 0
    for piece in file.pieces():
        total += len(piece.numbers)
        values = features(piece, plan)
        good = np.asarray(np.isfinite(values).all(axis=1))
        for at, key in enumerate(words(piece, plan.key)):
            row = piece.first + at
            try:
                clip = clip_of(key, parse)
            except BadName as error:
                refused.add(row, key, str(error))
                continue
            if at in piece.broken:
                refused.add(row, key, piece.broken[at])
            elif not good[at]:
                refused.add(row, key, _fault(piece, at, plan, values[at]))
            else:
                _stand(takes, clip, row, key, digest_of(values[at]))
    for take in [take for take, stands in takes.items() if not stands.agree]:
        refused.add_take(take, takes.pop(take))
    repeated = sum(stands.count - 1 for stands in takes.values())
    return Verdict(takes, total, repeated, sorted(refused.named), refused.count)


def _stand(takes: dict[str, Standing], clip: ClipName, row: int, key: str, digest: bytes) -> None:
    stands = takes.setdefault(clip.take, Standing(clip, row, digest, count=0))
    stands.count += 1
    stands.agree &= stands.digest == digest
    if len(stands.named) < _TWINS:
        stands.named.append((row, key))


class _Refusals:
    """Refused rows: all counted, the first of them named."""

    def __init__(self) -> None:
        self.named: list[Refused] = []
        self.count = 0

    def add(self, row: int, key: str, reason: str) -> None:
        self.count += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(Refused(row, key[:_KEY_SHOWN], reason))

    def add_take(self, take: str, stands: Standing) -> None:
        """All rows of a take that say different numbers."""
        which = ", ".join(str(row) for row, _ in stands.named) + (" …" if stands.count > _TWINS else "")
        advice = "; if these are frames, average them first" if stands.count > _TWINS else ""
        for row, key in stands.named:
            self.add(
                row,
                key,
                f"take {take} stands in {stands.count} rows ({which}) with different numbers: none is taken{advice}",
            )
        self.count += stands.count - len(stands.named)


def _fault(piece: Piece, at: int, plan: Survey, values: NDArray[np.float32]) -> str:
    """What is wrong with a row's numbers, by the first column that cannot be used."""
    wrong = np.flatnonzero(~np.isfinite(values))
    place, name = plan.places[wrong[0]], plan.names[wrong[0]]
    number = piece.numbers[at, place]
    if piece.text[at, place]:
        cell = str(piece.cells.cell(at, place))
        comma = "; write decimal points" if _DECIMAL_COMMA.fullmatch(cell.strip()) else ""
        said = f"holds {cell[:40]!r}, which is no number{comma}"
    elif np.isnan(number):
        said = "is missing or NaN"
    elif np.isinf(number):
        said = "is infinite"
    else:
        said = f"holds {number:g}, too large for float32 (at most 3.4e38)"
    more = f" (and {len(wrong) - 1} more columns)" if len(wrong) > 1 else ""
    return f"column {name!r} {said}{more}"


def rows(
    file: ForeignFile, plan: Survey, verdict: Verdict, wanted: Collection[str], parse: Callable[[str], ClipName]
) -> Iterator[tuple[list[Standing], NDArray[np.float32]]]:
    """The numbers of the wanted takes, in pieces, in the order of the file.

    Yields
    ------
    list of Standing, np.ndarray [shape=(n, d), dtype=float32]

    Raises
    ------
    BadImport
        A row says other numbers than when it was judged: someone writes the file meanwhile.
    """
    numbered = {stands.row: stands for take, stands in verdict.takes.items() if take in wanted}
    for piece in file.pieces():
        mine = [at for at in range(len(piece.numbers)) if piece.first + at in numbered]
        if not mine:
            continue
        values = features(piece, plan)[mine]
        standing = [numbered[piece.first + at] for at in mine]
        keys = words(piece, plan.key)
        for at, stands, numbers in zip(mine, standing, values, strict=True):
            if digest_of(numbers) != stands.digest or clip_of(keys[at], parse) != stands.clip:
                raise BadImport(f"{file.path} changed while it was read, at row {stands.row}; import it again")
        yield standing, values


def features(piece: Piece, plan: Survey) -> NDArray[np.float32]:
    """The features of a piece as the table will hold them [shape=(n, d)]; not finite where a cell cannot be used."""
    with np.errstate(over="ignore"):
        return piece.numbers[:, plan.places].astype(np.float32)


def digest_of(numbers: NDArray[np.float32]) -> bytes:
    """16 bytes by which two rows of numbers are compared; 0 and -0 are the same."""
    return hashlib.blake2b(np.asarray(numbers + np.float32(0), dtype="<f4").tobytes(), digest_size=16).digest()
