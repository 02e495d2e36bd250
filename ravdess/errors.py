"""The errors of this package: a small typed family. Each says what was wrong, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class RavdessError(Exception):
    """Anything that this package refuses. Catch this to catch them all."""

    def __str__(self) -> str:  # KeyError would print the repr of its message
        return " ".join(str(part) for part in self.args)


class UnknownName(RavdessError, KeyError):
    """A name that no register holds."""

    def __init__(self, kind: str, name: object, expected: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}, expected one of {sorted(expected)}")


class NameTaken(RavdessError, ValueError):
    """Two things were registered under one name; neither replaces the other."""


class BadName(RavdessError, ValueError):
    """A file name that is no clip of the corpus."""


class BadClip(RavdessError, ValueError):
    """A clip that cannot be used; the message is the reason that stands in the reject row."""


class BadSource(RavdessError, ValueError):
    """A source of clips that is absent, unreadable or of no known kind."""


class DownloadFailed(RavdessError, RuntimeError):
    """A file that could not be fetched, or not verified."""


class WorkersFailed(RavdessError, RuntimeError):
    """Ray's workers do nothing at all, which is no fault of the clips."""


class NoRoom(RavdessError, RuntimeError):
    """What is asked for would not fit on the store's disk."""


class LeakError(RavdessError, ValueError):
    """An actor or a take would stand on both sides of a split."""


class BadTable(RavdessError, ValueError):
    """A feature table that a search cannot use (no rows, mixed corpora, missing columns, not finite)."""


class BadImport(RavdessError, ValueError):
    """A table from elsewhere that cannot be taken up as a feature set."""


class BadBundle(RavdessError, ValueError):
    """A saved model that is incomplete, changed, or made from other features."""


class NoModel(RavdessError, LookupError):
    """There is no such model to ask; the message says which there are, or how to make one."""


class RunMismatch(RavdessError, ValueError):
    """A run is being resumed with another table, family, protocol or seed than it began with."""


class SearchFailed(RavdessError, RuntimeError):
    """No candidate could be fitted; the message gives the first reason."""


class BadAddress(RavdessError, OSError):
    """An address on which the page cannot listen."""


class MissingExtra(RavdessError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'ravdess[{extra}]'")


class BadParameter(RavdessError, ValueError):
    """A hyperparameter outside its domain."""


class Reject(NamedTuple):
    """Why a clip gives no row: the stage that refused it ("read", "extract", "worker") and the reason."""

    stage: str
    reason: str
