"""The steps of the commit protocol at which a process may die (SPEC 3.6). They do nothing here: tests crash there."""

from __future__ import annotations

from typing import Final

STEPS: Final = (
    "creating",  # the folder may be there, the table's first log entry is not
    "created",  # the table stands, its maker has not loaded it yet
    "keys checked",  # the rows to add are known, nothing is written
    "temporary written",  # local only: the file is complete under its temporary name
    "file placed",  # the data file is in place, the log does not name it
    "committed",  # the log names the file, its writer has not looked yet
    "conflict",  # another commit took the version, the own file is still there
    "fencing",  # files without a commit were found, the fence is not committed
    "orphan found",  # a dead file is about to be deleted
)


def reached(step: str) -> None:
    """Pass the step of that name, one of STEPS."""
