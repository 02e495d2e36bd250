"""Which column of a foreign table names the clips, which are numbers, and which are left out and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.clips import CLIP_COLUMNS
from ravdess.errors import BadImport, BadName
from ravdess.foreign.compare import some
from ravdess.foreign.keys import KEY_NAMES, clip_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.corpora import ClipName
    from ravdess.foreign.pieces import Piece
    from ravdess.foreign.read import ForeignFile

_TRIED: Final = 100
"""Rows by which the column of names is found."""
_ENOUGH: Final = 40
"""Rows from which on a column that counts the rows, or tells the emotion, is no coincidence."""
_INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__")


@dataclass(frozen=True)
class Survey:
    """What the columns of a file are.

    Attributes
    ----------
    key : int
        Place of the column that names the clips.
    places : tuple of int
        Places of the feature columns, in the order of `names`.
    names : tuple of str
        What they are called here: as in the file, but for `renamed`.
    left_out : dict
        Column -> why it is no feature.
    renamed : dict
        Name in the file -> name here.
    constant : tuple of str
        Features that are the same in every row; they are kept.
    """

    key: int
    places: tuple[int, ...]
    names: tuple[str, ...]
    left_out: dict[str, str]
    renamed: dict[str, str]
    constant: tuple[str, ...]


def survey(
    file: ForeignFile,
    parse: Callable[[str], ClipName],
    *,
    fixed: Sequence[str] | None = None,
    passed_over: Collection[str] = (),
) -> Survey:
    """Read the file once and judge its columns.

    A column is a feature when most of its filled cells are numbers. Left out are columns of words, columns without a
    name (a data frame's index), columns named like those that a clip's name tells, columns that count the rows, and
    columns that are the same for all clips of an emotion: those are the answer, not a measurement.

    Parameters
    ----------
    file : ForeignFile
    parse : callable
        The corpus' naming rule.
    fixed : sequence of str, optional
        The features, when a table stands already and fixes them.
    passed_over : collection of str
        Columns that were left out when that table was made.

    Raises
    ------
    BadImport
        No rows, no column of clip names, no column of numbers, or other columns than `fixed`.
    """
    seen = _Seen(len(file.columns))
    key = -1
    for piece in file.pieces():
        if key < 0:
            key = _key(file, piece, parse)
        seen.take(piece, [_emotion(cell, parse) for cell in words(piece, key)])
    if key < 0:
        raise BadImport(f"{file.path} has a header and no rows below it; expected a row a clip")
    names, renamed = _distinct(file.columns)
    left_out = _left_out(file.columns, key, seen)
    if fixed is not None:
        _check_fixed(
            file, fixed, [name for at, name in enumerate(names) if at != key and at not in left_out], names, passed_over
        )
        places = tuple(names.index(name) for name in fixed)
    else:
        places = tuple(at for at in range(len(names)) if at != key and at not in left_out)
    if not places:
        why = "; ".join(f"{file.columns[at]!r} {reason}" for at, reason in list(left_out.items())[:5])
        raise BadImport(
            f"{file.path} has no column of numbers{': ' + why if why else ''}; expected numbers with decimal points, "
            "separated by comma, semicolon or tab"
        )
    kept = set(places)
    return Survey(
        key=key,
        places=places,
        names=tuple(names[at] for at in places),
        left_out={file.columns[at] or f"column {at + 1}": reason for at, reason in left_out.items() if at not in kept},
        renamed={old: new for old, new in renamed.items() if names.index(new) in kept},
        constant=tuple(names[at] for at in places if seen.low[at] == seen.high[at]),
    )


def words(piece: Piece, key: int) -> list[str]:
    """The cells of one column as text; a missing one is empty."""
    return [
        cell.decode(errors="replace") if isinstance(cell, bytes) else "" if cell is None else str(cell)
        for cell in piece.cells.column(key)
    ]


def _emotion(cell: str, parse: Callable[[str], ClipName]) -> str:
    try:
        return clip_of(cell, parse).emotion
    except BadName:
        return ""


def _key(file: ForeignFile, piece: Piece, parse: Callable[[str], ClipName]) -> int:
    """The column whose cells are clip names most often; of equals, the one that is called so."""
    if any(_emotion(name, parse) for name in file.columns):
        raise BadImport(f"{file.path} has no header: its first line names a clip; put the columns' names above it")
    ranks = [KEY_NAMES.index(name.lower()) if name.lower() in KEY_NAMES else len(KEY_NAMES) for name in file.columns]
    wordy = np.asarray(piece.text[:_TRIED].any(axis=0))  # no clip's name is a number
    hits = [
        sum(bool(_emotion(cell, parse)) for cell in words(piece, at)[:_TRIED]) if wordy[at] else 0
        for at in range(len(file.columns))
    ]
    best = min(range(len(file.columns)), key=lambda at: (-hits[at], ranks[at]))
    if not hits[best] and ranks[best] == len(KEY_NAMES):
        raise BadImport(
            f"{file.path} has no column of clip names among {some(map(repr, file.columns))}; expected one called "
            "name, clip, take, file or path, with names as in 03-01-06-01-02-01-12"
        )
    return best


def _distinct(columns: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The names, some with a number behind them where two differ by case only, which the store refuses."""
    names: list[str] = []
    taken: set[str] = set()
    renamed = {}
    for column in columns:
        name, number = column, 2
        while column and name.lower() in taken:
            name, number = f"{column}_{number}", number + 1
        taken.add(name.lower())
        names.append(name)
        if name != column:
            renamed[column] = name
    return names, renamed


def _left_out(columns: Sequence[str], key: int, seen: _Seen) -> dict[int, str]:
    """Place -> why that column is no feature."""
    reasons: dict[int, str] = {}
    counts, tells = seen.counts_rows(), seen.tells_emotion()
    for at, name in enumerate(columns):
        if at == key:
            continue
        if not seen.numbers[at]:
            reasons[at] = "holds words, no numbers" if seen.words[at] else "is empty"
        elif seen.words[at] > seen.numbers[at]:
            reasons[at] = f"holds words in {seen.words[at]} cells and numbers in {seen.numbers[at]} only"
        elif name.lower() in CLIP_COLUMNS:
            reasons[at] = "is what the clip's name tells"
        elif _INDEX.fullmatch(name):
            reasons[at] = "has no name, as a data frame's index"
        elif counts[at]:
            reasons[at] = "counts the rows"
        elif tells[at]:
            reasons[at] = "is the same for all clips of an emotion: it is the answer, not a measurement"
    return reasons


def _check_fixed(
    file: ForeignFile, fixed: Sequence[str], features: Sequence[str], names: Sequence[str], passed_over: Collection[str]
) -> None:
    """Refuse a file with other features than the table that stands."""
    lacking = [name for name in fixed if name not in set(names)]
    new = [name for name in features if name not in {*fixed, *passed_over}]
    if lacking or new:
        parts = [f"lacks {some(map(repr, lacking))}"] if lacking else []
        parts += [f"has {some(map(repr, new))} besides"] if new else []
        raise BadImport(
            f"{file.path} {' and '.join(parts)}: the table of that name was imported with {len(fixed)} columns, and "
            "what stands under a name never changes; import it under another name"
        )


class _Seen:
    """What is known of d columns after some pieces, in memory that does not grow with the rows."""

    def __init__(self, width: int) -> None:
        self.rows = 0
        self.numbers = np.zeros(width, np.int64)
        self.words = np.zeros(width, np.int64)
        self.low, self.high = _empty_range(width)
        self._gap = _empty_range(width)
        self._emotions: dict[str, tuple[int, Any, Any]] = {}

    def take(self, piece: Piece, emotions: Sequence[str]) -> None:
        """Add a piece; `emotions` are those of its rows, empty for a row that names no clip."""
        X = piece.numbers
        self.numbers += (~np.isnan(X)).sum(axis=0)
        self.words += piece.text.sum(axis=0)
        self.low, self.high = _widen((self.low, self.high), X)
        counted = np.arange(self.rows, self.rows + len(X), dtype=np.float64)[:, None]
        with np.errstate(invalid="ignore"):
            self._gap = _widen(self._gap, X - counted)
        self.rows += len(X)
        for emotion in set(emotions) - {""}:
            mine = np.array([one == emotion for one in emotions])
            count, low, high = self._emotions.get(emotion, (0, *_empty_range(X.shape[1])))
            self._emotions[emotion] = (count + int(mine.sum()), *_widen((low, high), X[mine]))

    def counts_rows(self) -> NDArray[np.bool_]:
        """Columns that grow by one from row to row [shape=(d,)]."""
        low, high = self._gap
        return np.asarray((low == high) & (self.numbers == self.rows) & (self.rows >= _ENOUGH))

    def tells_emotion(self) -> NDArray[np.bool_]:
        """Columns that differ between emotions and never within one [shape=(d,)]."""
        told = np.asarray((self.low != self.high) & (self.numbers > 0))
        known = [one for one in self._emotions.values() if one[0] >= 4]
        if len(known) < 3 or len(known) < len(self._emotions) or sum(count for count, *_ in known) < _ENOUGH:
            return np.zeros_like(told)
        for _, low, high in known:
            told &= (low == high) | (low > high)
        return told


def _empty_range(width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.full(width, np.inf), np.full(width, -np.inf)


def _widen(of: tuple[Any, Any], X: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A range a column, widened by rows; NaN widens nothing."""
    low, high = of
    return np.fmin(low, np.fmin.reduce(X, axis=0, initial=np.inf)), np.fmax(
        high, np.fmax.reduce(X, axis=0, initial=-np.inf)
    )
