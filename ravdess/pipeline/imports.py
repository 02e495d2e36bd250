"""Foreign tables -> feature tables of the store. No Ray: a file is read here, in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ravdess.clips import CLIP_COLUMNS
from ravdess.errors import BadImport
from ravdess.foreign import fingerprint, is_foreign
from ravdess.foreign.compare import compare, listed_by_catalogue, listed_by_publisher, some, told
from ravdess.foreign.judge import Standing, Verdict, digest_of, judge, rows
from ravdess.foreign.read import ForeignFile, identify
from ravdess.foreign.survey import Survey, survey
from ravdess.pipeline import provenance
from ravdess.pipeline.todo import row_schema

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from ravdess.corpora import Catalogue, Corpus
    from storage import Store, Table

KEY: Final = ("corpus", "take")
COMMIT_CELLS: Final = 4_000_000
"""Numbers that one commit holds at most: 16 MB."""
_NAMED: Final = 100
_COLUMNS_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Imported:
    """What became of one file.

    Attributes
    ----------
    name, corpus, version, fingerprint : str
        The feature set, the corpus of its clips, what was declared of the measuring program, the set's fingerprint.
    path : str
        Where the table lies; `pandas.read_parquet` reads it.
    file, plan, verdict : ForeignFile, Survey, Verdict
        The file, what its columns are, what its rows are.
    rows, computed : int
        Rows that the table holds now, of every file, and that this call added.
    differing : list of str
        Takes that stand in the table with other numbers than in the file.
    lacking, unlisted : list of str
        Takes that the source (or the publisher's list) has and the file has not, and the other way round.
    notes : list of str
    """

    name: str
    corpus: str
    version: str
    fingerprint: str
    path: str
    file: ForeignFile
    plan: Survey
    verdict: Verdict
    rows: int
    computed: int
    differing: list[str]
    lacking: list[str]
    unlisted: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def rejects(self) -> list[dict[str, str]]:
        """The first refused rows: clip, source, stage, reason."""
        return provenance.rejects_of(self.file, self.verdict)

    def as_json(self) -> dict[str, object]:
        """The provenance and the counts; takes are named up to a hundred."""
        return {
            **{name: getattr(self, name) for name in ("name", "corpus", "version", "fingerprint", "path")},
            "file": str(self.file.path),
            "sha256": self.file.sha256,
            "size": self.file.size,
            "rows": self.verdict.rows,
            "takes": len(self.verdict.takes),
            "computed": self.computed,
            "repeated": self.verdict.repeated,
            "refused": self.verdict.refusals,
            "differing": _counted(self.differing),
            "lacking": _counted(self.lacking),
            "unlisted": _counted(self.unlisted),
            "columns": list(self.plan.names),
            "constant": list(self.plan.constant),
            "left_out": self.plan.left_out,
            "renamed": self.plan.renamed,
        }


def _counted(takes: Sequence[str]) -> dict[str, object]:
    return {"count": len(takes), "takes": takes[:_NAMED]}


def import_tables(
    store: Store,
    asked: Sequence[tuple[str, str]],
    *,
    catalogue: Catalogue | None = None,
    corpus: str | None = None,
    version: str = "",
) -> list[Imported]:
    """Take up files as feature sets, each row under the take that it names.

    Names and files are looked at before anything is written. What stands is kept; a file adds its rows once.

    Parameters
    ----------
    store : Store
    asked : sequence of (name, path)
        Feature set and csv or Parquet file. One name may have several files of the same columns.
    catalogue : Catalogue, optional
        Whose takes are compared with the files'; without one the publisher's list.
    corpus : str, optional
        Whose naming rule the files follow; default: the catalogue's if it has but one, else "ravdess".
    version : str
        Declared version of the program that measured, a part of the fingerprint.

    Raises
    ------
    BadImport
        A registered feature set's name, or a file that is no such table or does not fit the one that stands.
    """
    from ravdess.corpora import CORPORA

    found = sorted(set(catalogue.clips["corpus"].to_pylist())) if catalogue else []
    of = CORPORA[corpus or (found[0] if len(found) == 1 else "ravdess")]
    for name, _ in asked:
        _check_name(store, name)
    files = [(name, identify(path)) for name, path in asked]
    return [_import(store, name, file, corpus=of, catalogue=catalogue, version=version) for name, file in files]


def _check_name(store: Store, name: str) -> None:
    """Refuse a name that is promised to a registered set, or that the store cannot hold."""
    from ravdess.features import FEATURE_SETS

    store.table(f"features/{name}")
    if name.removesuffix("_every_file") in FEATURE_SETS:
        raise BadImport(f"{name!r} is a feature set that is computed here; import under another name")


def _import(
    store: Store, name: str, file: ForeignFile, *, corpus: Corpus, catalogue: Catalogue | None, version: str
) -> Imported:
    table = store.table(f"features/{name}")
    fixed = _standing_columns(table, name, version)
    plan = survey(file, corpus.parse, fixed=fixed, passed_over=provenance.passed_over(store, name))
    mark = fingerprint(name, plan.names, version)
    verdict = judge(file, plan, corpus.parse)
    if not verdict.takes:
        first = verdict.refused[0]
        raise BadImport(
            f"{file.path} has no row that can be used, of {verdict.rows}; nothing is kept. "
            f"Row {first.row}: {first.reason}"
        )
    new, differing = _compare_standing(table, corpus.name, plan, verdict, file.sha256)
    computed = 0
    if new:
        with table.open(row_schema(plan.names), key=KEY, fingerprint=mark) as writer:
            for batch in _batches(file, plan, verdict, new, corpus):
                computed += writer.append(batch)
    provenance.record_rejects(store, file, verdict, fingerprint=mark)
    provenance.record(store, file, plan, verdict, name=name, fingerprint=mark, corpus=corpus.name, version=version)
    notes = _notes(name, file, plan, verdict, differing)
    lacking, unlisted = _against(name, corpus, catalogue, verdict, notes)
    return Imported(
        name=name,
        corpus=corpus.name,
        version=version,
        fingerprint=mark,
        path=table.path,
        file=file,
        plan=plan,
        verdict=verdict,
        rows=table.count(),
        computed=computed,
        differing=differing,
        lacking=lacking,
        unlisted=unlisted,
        notes=notes,
    )


def _standing_columns(table: Table, name: str, version: str) -> list[str] | None:
    """The features of the table that stands, if one does. Raises BadImport when it is none that this may add to."""
    if not table.exists():
        return None
    columns = [column for column in table.schema().names if column not in CLIP_COLUMNS]
    stands = table.fingerprint() or ""
    if not is_foreign(stands):
        raise BadImport(f"{table.path} was computed, not imported; import under another name than {name!r}")
    if stands != fingerprint(name, columns, version):
        raise BadImport(
            f"{table.path} was imported with another --import-version than {version!r}; what stands under a name "
            "never changes: import it under another name"
        )
    return columns


def _compare_standing(
    table: Table, corpus: str, plan: Survey, verdict: Verdict, sha256: str
) -> tuple[set[str], list[str]]:
    """The takes that the table lacks, and those that stand there with other numbers."""
    if not table.exists():
        return set(verdict.takes), []
    version = table.version()
    stands = table.read(columns=[*KEY, "source_digest"], version=version).to_pydict()
    found = zip(*stands.values(), strict=True)
    here = {take: (at, digest) for at, (of, take, digest) in enumerate(found) if of == corpus and take in verdict.takes}
    new = verdict.takes.keys() - here.keys()
    if all(digest == sha256 for _, digest in here.values()):  # rows of this very file
        return new, []
    numbers = _numbers(table, plan.names, version)
    return new, sorted(take for take, (at, _) in here.items() if digest_of(numbers[at]) != verdict.takes[take].digest)


def _numbers(table: Table, columns: Sequence[str], version: int) -> NDArray[np.float32]:
    """A table's numbers [shape=(n, d)], read some columns at a time: Arrow takes a multiple of what it gives."""
    import numpy as np

    parts = []
    for start in range(0, len(columns), _COLUMNS_AT_ONCE):
        some = table.read(columns=columns[start : start + _COLUMNS_AT_ONCE], version=version)
        parts.append(np.column_stack([column.to_numpy() for column in some.columns]))
    return np.concatenate(parts, axis=1)


def _batches(file: ForeignFile, plan: Survey, verdict: Verdict, new: set[str], corpus: Corpus) -> Iterator[pa.Table]:
    """Rows for the table, as many at a time as one commit should hold."""
    standing: list[Standing] = []
    numbers: list[NDArray[np.float32]] = []
    for more, values in rows(file, plan, verdict, new, corpus.parse):
        standing += more
        numbers.append(values)
        if len(standing) * len(plan.names) >= COMMIT_CELLS:
            yield _rows(file, plan, standing, numbers, corpus)
            standing, numbers = [], []
    if standing:
        yield _rows(file, plan, standing, numbers, corpus)


def _rows(
    file: ForeignFile, plan: Survey, standing: list[Standing], numbers: list[NDArray[np.float32]], corpus: Corpus
) -> pa.Table:
    """Rows of the feature table: the columns that each clip's name tells, where the row stood, the numbers."""
    import numpy as np
    import pyarrow as pa

    clips = [one.clip for one in standing]
    columns: dict[str, Any] = {name: [getattr(clip, name, "") for clip in clips] for name in CLIP_COLUMNS}
    columns["clip"] = [clip.name for clip in clips]
    columns["corpus"] = [corpus.name] * len(clips)
    columns["source"] = [provenance.source_of(file, one.row) for one in standing]
    columns["source_digest"] = [file.sha256] * len(clips)
    stacked = np.concatenate(numbers)
    columns |= {name: pa.array(np.ascontiguousarray(stacked[:, at])) for at, name in enumerate(plan.names)}
    return pa.table(columns, schema=row_schema(plan.names))


def _notes(name: str, file: ForeignFile, plan: Survey, verdict: Verdict, differing: Sequence[str]) -> list[str]:
    """What a person should know of a file of which something stands."""
    notes = list(file.notes)
    if plan.left_out:
        notes.append(f"{name}: left out: {some(f'{column} ({why})' for column, why in plan.left_out.items())}")
    if plan.renamed:
        notes.append(f"{name}: renamed: {some(f'{old} -> {new}' for old, new in plan.renamed.items())}")
    if plan.constant:
        notes.append(f"{name}: {len(plan.constant)} columns are the same in every row: {some(plan.constant)}")
    if verdict.repeated:
        notes.append(f"{name}: {verdict.repeated} rows say again what an earlier one said; each take counts once")
    if differing:
        notes.append(
            f"{name}: {len(differing)} takes stand with other numbers than {file.path.name} has: {some(differing)}; "
            "what stands is kept, import the file under another name to have its numbers"
        )
    return notes


def _against(
    name: str, corpus: Corpus, catalogue: Catalogue | None, verdict: Verdict, notes: list[str]
) -> tuple[list[str], list[str]]:
    """The takes that the file lacks, and that the source's or publisher's list lacks; said in `notes` too."""
    whose = "the source" if catalogue else f"the publisher's {corpus.name}"
    listed = listed_by_catalogue(catalogue.clips, corpus.name) if catalogue else listed_by_publisher(corpus)
    if listed is None:
        return [], []
    lacking, unlisted, channels = compare((one.clip for one in verdict.takes.values()), listed)
    if lacking:
        whole = f"{whose} ({' and '.join(channels)})"
        notes.append(f"{name}: {len(lacking)} takes of {whole} are not in it: {told(lacking, listed)}")
    if unlisted:
        notes.append(f"{name}: {len(unlisted)} of its takes are not in {whose}: {told(unlisted, listed)}")
    return lacking, unlisted
