"""Feature sets made of others: joined by take ("voice_stats+openface"), or their square roots ("openface_root").

Joining is early fusion: one model sees the columns of all, each named "<set>.<column>". The square root steadies the
variance of intensities and shares, whose spread grows with their size (Bartlett 1947, doi 10.2307/3001536); it is
defined for sets without negative numbers, such as action units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.clips import CLIP_COLUMNS
from ravdess.errors import BadTable
from ravdess.foreign import FOREIGN, is_foreign
from ravdess.frames import FRAME_SETS

if TYPE_CHECKING:
    import pandas as pd

ROOT: Final = "_root"
_NAMED: Final = 5


@dataclass(frozen=True, eq=False)
class Table:
    """A feature table with what fixes its numbers.

    Attributes
    ----------
    frame : pd.DataFrame
        The clip columns, then the features.
    fingerprint : str
    notes : tuple of str
        What is missing, in plain sentences.
    """

    frame: pd.DataFrame
    fingerprint: str
    notes: tuple[str, ...] = ()


def parts_of(features: str) -> tuple[str, ...]:
    """The sets that a name joins, each once: "voice_stats+openface" -> ("voice_stats", "openface")."""
    return tuple(dict.fromkeys(features.split("+")))


def columns_of(frame: pd.DataFrame) -> list[str]:
    """A feature table's columns that are no clip columns."""
    return [str(name) for name in frame.columns if name not in CLIP_COLUMNS]


def table_of(features: str, read: Callable[[str], Table | None]) -> Table:
    """The table of a set, of a set's square roots, or of several sets joined.

    Parameters
    ----------
    features : str
    read : callable
        ``read(name) -> Table``, or None where there is no such table.

    Raises
    ------
    BadTable
        A set is not there; or a number is negative, which has no square root here.
    """
    found: dict[str, Table] = {}
    for name in parts_of(features):
        table = read(name)
        if table is None and name.endswith(ROOT) and (base := read(name.removesuffix(ROOT))) is not None:
            table = rooted(base, name)
        if table is None:
            if name in FRAME_SETS:
                raise BadTable(
                    f"{name} is a set of frames, and only tables are joined; search each alone, then weigh the runs' "
                    "answers: python jobs/tune.py --family fusion --members RUN,RUN"
                )
            raise BadTable(f"there is no table of {name}; make it with the featurize job")
        found[name] = table
    return join(found) if len(found) > 1 else next(iter(found.values()))


def rooted(table: Table, name: str) -> Table:
    """The square roots of a table's features."""
    columns = columns_of(table.frame)
    values = table.frame[columns].to_numpy(dtype=np.float32)
    if low := int((values < 0).any(axis=1).sum()):
        raise BadTable(f"{low} rows hold negative numbers, which have no square root: {name} cannot be made of them")
    frame = table.frame[[column for column in table.frame.columns if column in CLIP_COLUMNS]].copy()
    frame[columns] = np.sqrt(values)
    return Table(frame, _fingerprint(name, [table.fingerprint]), table.notes)


def join(tables: Mapping[str, Table]) -> Table:
    """Tables side by side, one row for every take that all of them hold; the clip columns are the first one's.

    Raises BadTable when no take is in all of them.
    """
    import pandas as pd

    keys = {name: pd.MultiIndex.from_frame(table.frame[["corpus", "take"]]) for name, table in tables.items()}
    common = None
    for index in keys.values():
        common = index if common is None else common.intersection(index)
    if common is None or not len(common):
        raise BadTable(f"no take stands in all of {list(tables)}; featurize or import the same clips")
    notes = [note for table in tables.values() for note in table.notes]
    wide: list[Any] = []
    for name, table in tables.items():
        here = table.frame.set_axis(keys[name])
        missing = sorted(str(take) for _, take in here.index.difference(common))
        if missing:
            notes.append(f"{len(missing)} takes of {name} are not in all of {list(tables)}: {_some(missing)}")
        here = here.loc[common]
        if not wide:
            wide.append(here[[column for column in here.columns if column in CLIP_COLUMNS]])
        wide.append(here[columns_of(table.frame)].add_prefix(f"{name}."))
    frame = pd.concat(wide, axis=1).reset_index(drop=True)
    return Table(frame, _fingerprint("+".join(tables), [t.fingerprint for t in tables.values()]), tuple(notes))


def _fingerprint(name: str, made_of: Sequence[str]) -> str:
    """16 hex digits, marked as foreign where any of the parts is."""
    digest = hashlib.sha256("\x1f".join([name, *made_of]).encode()).hexdigest()[:16]
    return (FOREIGN if any(map(is_foreign, made_of)) else "") + digest


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
