"""Foreign tables: numbers that others measured of the clips, taken up as a feature set.

`read` opens a csv or Parquet file and yields it in pieces, `keys` finds the clip that a row names, `judge` says which
columns are numbers and which rows stand, `compare` which takes are missing. Nothing here knows Ray or the store;
`ravdess.pipeline.imports` keeps what stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

FOREIGN: Final = "foreign:"
"""How the fingerprint of every imported table begins; no registered set's does (those are hexadecimal)."""


def fingerprint(name: str, columns: Sequence[str], version: str = "") -> str:
    """What fixes the meaning of a foreign table, as far as anyone here can know.

    Parameters
    ----------
    name : str
        The feature set's name.
    columns : sequence of str
        Its columns in order.
    version : str
        Whatever the importer declared, such as the version of the program that measured.

    Returns
    -------
    str
        `FOREIGN` and 16 hex digits.
    """
    identity = json.dumps({"name": name, "columns": list(columns), "version": version}, sort_keys=True)
    return FOREIGN + hashlib.sha256(identity.encode()).hexdigest()[:16]


def is_foreign(fingerprint: str) -> bool:
    """Whether a table or model with that fingerprint holds imported numbers."""
    return fingerprint.startswith(FOREIGN)


def needs(features: str, columns: Sequence[str]) -> str:
    """What a model of foreign features must be given, as a sentence for people."""
    some = ", ".join(columns) if len(columns) <= 3 else f"{columns[0]}, {columns[1]}, … {columns[-1]}"
    return (
        f"the features {features!r} are foreign: they were imported and cannot be computed here from a clip; "
        f"measure the same {len(columns)} columns ({some}) by the same program and give them as a table"
    )
