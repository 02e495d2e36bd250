"""Names inside a store: no path escapes it, and none is hidden from readers by accident (SPEC 1)."""

from __future__ import annotations

import re

from storage.errors import BadName

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def checked(name: object, what: str) -> str:
    """`name` if it is one or more plain parts joined by "/", as in "features/mfcc_stats".

    Raises
    ------
    BadName
        Empty, absolute, with "..", a backslash, NUL or other odd characters, or a part that begins with
        "." or "_" (readers of a folder skip those).
    """
    if not isinstance(name, str):
        raise BadName(f"a {what} is named by a string, not by {type(name).__name__}")
    for part in name.split("/"):
        if not _PART.fullmatch(part) or len(part) > 200:
            raise BadName(
                f"bad {what} name {name!r}: each part between slashes is 1 to 200 of the letters a-z, A-Z, digits "
                "and . _ + = -, and begins with a letter or a digit"
            )
    return name


def checked_part(name: object, what: str) -> str:
    """`name` if it is a single plain part. Raises BadName."""
    if "/" in checked(name, what):
        raise BadName(f"bad {what} name {name!r}: it may hold no '/'")
    return str(name)


def checked_column(name: object) -> str:
    """`name` if it can be a key column: letters, digits and "_", as every query language reads it. Raises BadName."""
    if not isinstance(name, str) or not _COLUMN.fullmatch(name):
        raise BadName(f"bad key column {name!r}: expected letters, digits and '_', not beginning with a digit")
    return name
