"""Which rows of a feature table or frame set a search uses, checked, in order, with a digest of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ravdess.clips import CHANNELS, CLIP_COLUMNS, EMOTIONS
from ravdess.errors import BadTable, UnknownName

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ravdess.takes import Shape, Takes

Input: TypeAlias = "NDArray[np.float32] | Takes"
"""What is fitted on: rows of numbers, or takes of frames, which are read where they are used."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that a search uses, sorted by take.

    Attributes
    ----------
    clips : pd.DataFrame
        The clip columns, one row a take.
    X : np.ndarray [shape=(n, d), dtype=float32], or Takes
        The features as they stand in the table; of a frame set the takes, unread.
    columns : tuple of str
        Names of the d features; none of a frame set.
    corpus : str
    channel : "speech", "song" or "both"
    digest : str
        16 hex digits of the rows' content: keys, labels and numbers; for the bytes of frames stands their CRC.
    """

    clips: pd.DataFrame
    X: Input
    columns: tuple[str, ...]
    corpus: str
    channel: str
    digest: str

    @property
    def y(self) -> NDArray[np.str_]:
        """The emotion of each row [shape=(n,)]."""
        return self.clips["emotion"].to_numpy(dtype=np.str_)

    @property
    def frames(self) -> Shape | None:
        """(h, w, c) of a frame set's frames; None for a feature table."""
        return None if isinstance(self.X, np.ndarray) else self.X.shape

    @property
    def made(self) -> bool:
        """Whether the corpus is one that a program makes."""
        from ravdess.corpora import CORPORA

        return self.corpus in CORPORA and CORPORA[self.corpus].made


def choose_rows(
    table: pd.DataFrame,
    *,
    features: str,
    channel: str = "speech",
    corpus: str | None = None,
    takes: Callable[[list[str]], Takes] | None = None,
    unlabelled: bool = False,
) -> Rows:
    """Pick and check the rows of one corpus and channel.

    Parameters
    ----------
    table : pd.DataFrame
        A feature table of the store: the clip columns, then the features. Or the index of a frame set.
    features : str
        The feature set's name. Where a set of that name is registered, the table must hold its columns.
    channel : "speech", "song" or "both"
    corpus : str, optional
        Needed when the table holds several.
    takes : callable, optional
        Of a frame set: ``takes(names) -> Takes``, those takes in that order.
    unlabelled : bool
        Whether an emotion may be unknown, "": where a teacher labels.

    Raises
    ------
    BadTable
        No rows, absent columns, several corpora, a take twice, an unknown emotion, or a number that is not finite.
    """
    import pandas as pd

    if channel not in (*CHANNELS, "both"):
        raise UnknownName("channel", channel, (*CHANNELS, "both"))
    if absent := [name for name in CLIP_COLUMNS if name not in table.columns]:
        raise BadTable(f"the table of {features} lacks the columns {absent}; make it with the featurize job")
    columns = _feature_columns(table, features) if takes is None else _index_columns(table, features)
    corpora = sorted(table["corpus"].unique())
    if corpus is None:
        if len(corpora) > 1:
            raise BadTable(f"the table of {features} holds the corpora {corpora}; name one with --corpus")
        corpus = corpora[0] if corpora else ""
    elif corpus not in corpora:
        raise BadTable(f"the table of {features} has no corpus {corpus!r}, it holds {corpora}")
    used = table[table["corpus"] == corpus]
    if channel != "both":
        used = used[used["channel"] == channel]
    if not len(used):
        raise BadTable(
            f"the table of {features} has {len(table)} rows, none of them {channel} of corpus {corpus!r}; "
            "run the featurize job first, or choose another --channel"
        )
    used = used.sort_values("take", kind="stable", ignore_index=True)
    if twice := used["take"][used["take"].duplicated()].tolist():
        raise BadTable(f"{len(twice)} takes stand in the table of {features} more than once, such as {twice[0]}")
    if strange := sorted(set(used["emotion"]) - {*EMOTIONS, *([""] if unlabelled else [])}):
        raise BadTable(f"unknown emotions {strange} in the table of {features}, expected some of {list(EMOTIONS)}")
    clips = pd.DataFrame(used[list(CLIP_COLUMNS)])
    if takes is not None:
        frames = takes(used["take"].tolist())
        if differ := int((frames.counts != used["count"].to_numpy()).sum()):
            raise BadTable(f"{differ} takes of {features} have another number of frames than the index says")
        # Their bytes are what the CRC says, or reading them fails.
        digest = _digest(clips, used[["count", "crc32"]].to_numpy(dtype="<i8"), ("frames", *map(str, frames.shape)))
        return Rows(clips, frames, (), corpus, channel, digest)
    X = used[list(columns)].to_numpy(dtype=np.float32)
    if len(wrong := np.argwhere(~np.isfinite(X))):
        row, column = wrong[0]
        raise BadTable(
            f"{len(np.unique(wrong[:, 0]))} rows of {features} hold numbers that are not finite, such as "
            f"{columns[column]} of take {used['take'][row]}; delete the table and featurize again"
        )
    return Rows(clips, X, columns, corpus, channel, _digest(clips, X.astype("<f4", copy=False), columns))


def _feature_columns(table: pd.DataFrame, features: str) -> tuple[str, ...]:
    """The table's columns that are no clip columns; a registered set's columns must be all there."""
    from ravdess.features import FEATURE_SETS

    columns = tuple(str(name) for name in table.columns if name not in CLIP_COLUMNS)
    expected = FEATURE_SETS[features].columns if features in FEATURE_SETS else columns
    if absent := sorted(set(expected) - set(columns)):
        raise BadTable(f"the table of {features} lacks {len(absent)} of the set's columns, such as {absent[0]}")
    if not expected:
        raise BadTable(f"the table of {features} has no feature columns; make it with the featurize job")
    return tuple(expected)


def _index_columns(table: pd.DataFrame, features: str) -> tuple[str, ...]:
    """The columns of a frame set's index that tell what the frames are."""
    if absent := [name for name in ("count", "crc32") if name not in table.columns]:
        raise BadTable(f"the index of {features} lacks the columns {absent}; make it with the featurize job")
    return ("count", "crc32")


def _digest(clips: pd.DataFrame, X: NDArray[Any], columns: tuple[str, ...]) -> str:
    """Hash what a search depends on. Where a file lay and which file of a take it was are no part of it."""
    digest = hashlib.sha256("\x1f".join(columns).encode())
    for name in ("corpus", "take", "actor", "gender", "emotion"):
        digest.update("\x1f".join(clips[name].astype(str)).encode())
    digest.update(np.ascontiguousarray(X).tobytes())
    return digest.hexdigest()[:16]
