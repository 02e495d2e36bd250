"""Where imported numbers came from, and which rows were refused, in the store (storage/SPEC.md 4.5)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ravdess.pipeline.recorded import REJECT_COLUMNS, REJECTS_MADE, reject_schema

if TYPE_CHECKING:
    from ravdess.foreign.judge import Verdict
    from ravdess.foreign.read import ForeignFile
    from ravdess.foreign.survey import Survey
    from storage import Store

IMPORTS: Final = "imports"
STAGE: Final = "import"
KEY: Final = ("name", "fingerprint", "corpus", "source_digest")
_KINDS: Final = {
    **dict.fromkeys(("name", "fingerprint", "corpus", "version", "file", "source_digest"), "string"),
    **dict.fromkeys(("size", "rows", "takes", "repeated", "refused"), "int64"),
    **dict.fromkeys(("columns", "left_out", "renamed"), "string"),
}


def passed_over(store: Store, name: str) -> set[str]:
    """Columns that were left out of the files that a feature set was imported from."""
    table = store.table(IMPORTS)
    if not table.exists():
        return set()
    told = table.read(columns=["name", "left_out"]).to_pylist()
    return {column for row in told if row["name"] == name for column in json.loads(row["left_out"])}


def source_of(file: ForeignFile, row: int) -> str:
    """The address of a row, 1 being the one below the header: what stands in the column `source`."""
    return f"{file.path}#row={row}"


def rejects_of(file: ForeignFile, verdict: Verdict) -> list[dict[str, str]]:
    """The refused rows that are named: clip (as the file spells it), source, stage, reason."""
    return [
        {"clip": one.key, "source": source_of(file, one.row), "stage": STAGE, "reason": one.reason}
        for one in verdict.refused
    ]


def record_rejects(store: Store, file: ForeignFile, verdict: Verdict, *, fingerprint: str) -> None:
    """Add the refused rows to the table ``rejects``; those that stand there are passed over."""
    import pyarrow as pa

    if not verdict.refused:
        return
    common = {"quick_digest": file.sha256, "fingerprint": fingerprint, "when": datetime.now(UTC)}
    listed = [{**row, **common} for row in rejects_of(file, verdict)]
    rows = pa.Table.from_pylist(listed, schema=reject_schema()).select([*REJECT_COLUMNS, "when"])
    key = ("source", "quick_digest", "fingerprint")
    with store.table("rejects").open(rows.schema, key=key, fingerprint=REJECTS_MADE) as writer:
        writer.append(rows)


def record(
    store: Store,
    file: ForeignFile,
    plan: Survey,
    verdict: Verdict,
    *,
    name: str,
    fingerprint: str,
    corpus: str,
    version: str,
) -> None:
    """Add the file to the table ``imports``, unless it stands there."""
    import pyarrow as pa

    said: dict[str, Any] = {
        "name": name,
        "fingerprint": fingerprint,
        "corpus": corpus,
        "version": version,
        "file": str(file.path),
        "source_digest": file.sha256,
        "size": file.size,
        "rows": verdict.rows,
        "takes": len(verdict.takes),
        "repeated": verdict.repeated,
        "refused": verdict.refusals,
        "columns": json.dumps(plan.names),
        "left_out": json.dumps(plan.left_out),
        "renamed": json.dumps(plan.renamed),
        "when": datetime.now(UTC),
    }
    schema = pa.schema([*_KINDS.items(), ("when", pa.timestamp("us", "UTC"))])
    rows = pa.Table.from_pylist([said], schema=schema)
    table = store.table(IMPORTS)
    if table.missing(rows).num_rows:
        with table.open(schema, key=KEY, fingerprint="imports/1") as writer:
            writer.append(rows)
