"""What is to do, and what commits make of the tables. No Ray: the outcomes are made here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ravdess.corpora import Catalogue, catalogue, sample
from ravdess.errors import Reject
from ravdess.features import FeatureSet, feature_set
from ravdess.pipeline.outcomes import Outcome, outcomes_table
from ravdess.pipeline.recorded import Recorded
from ravdess.pipeline.todo import Todo, count_rejects
from storage import Store, Table
from storage.errors import StorageError

MFCC = feature_set("mfcc_stats")
OTHER = replace(MFCC, name="other_stats", columns=MFCC.columns[:5])


@pytest.fixture(scope="module")
def found() -> Catalogue:
    return catalogue("sample:actors=2,takes=4")


def outcomes(todo: Todo[FeatureSet], rows: Sequence[int], reject: Reject | None = None) -> pa.Table:
    """What the stream would yield for some rows: each set's numbers are the row's index, or a reject."""
    made = []
    for row in rows:
        wanted = todo.clips["wanted"][row].as_py()
        values = [
            (reject or np.full(len(one.columns), row, np.float32)) if wanted >> place & 1 else None
            for place, one in enumerate(todo.sets)
        ]
        made.append(Outcome(row, f"digest {row}", tuple(values)))
    return outcomes_table(todo.sets, made)


def test_done_clips_are_not_done_again(found: Catalogue, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Todo(found, store, [MFCC]) as todo:
        assert len(todo) == 8
        todo.commit([outcomes(todo, [0, 1, 2])])
    with Todo(found, store, [MFCC]) as todo:
        assert (len(todo), todo.done) == (5, 3)
        todo.commit([outcomes(todo, range(5))])
    with Todo(found, store, [MFCC]) as todo:
        assert (len(todo), todo.done) == (0, 8)
    frame = pd.read_parquet(tmp_path / "features" / "mfcc_stats")
    assert sorted(frame["take"]) == sorted(found.clips["take"].to_pylist())
    assert list(frame.columns[13:]) == list(MFCC.columns)
    assert (frame.dtypes[13:] == np.float32).all()


def test_numbers_stand_in_the_row_of_their_clip(found: Catalogue, tmp_path: Path) -> None:
    with Todo(found, Store(tmp_path), [MFCC, OTHER]) as todo:
        todo.commit([outcomes(todo, [5, 2]), outcomes(todo, [0])])
        clips = todo.clips["clip"].to_pylist()
    for one in (MFCC, OTHER):
        frame = Store(tmp_path).features(one.name).set_index("clip")
        for row in (0, 2, 5):
            assert (frame.loc[clips[row], list(one.columns)] == row).all()
            assert frame.loc[clips[row], "source_digest"] == f"digest {row}"


def test_another_set_wants_only_what_it_lacks(found: Catalogue, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Todo(found, store, [MFCC]) as todo:
        todo.commit([outcomes(todo, range(6))])
    with Todo(found, store, [MFCC, OTHER]) as todo:
        assert sorted(todo.clips["wanted"].to_pylist()) == [2] * 6 + [3] * 2
        todo.commit([outcomes(todo, range(8))])
        assert todo.computed == {"mfcc_stats": 2, "other_stats": 8}


def test_a_reject_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    folder, store = tmp_path / "clips", Store(tmp_path / "store")
    sample.write(folder, actors=1, takes=2)
    refuse = Reject("read", "truncated")
    with Todo(catalogue(folder), store, [MFCC]) as todo:
        todo.commit([outcomes(todo, [0], refuse), outcomes(todo, [1])])
        assert todo.rejected(MFCC) == 1
        assert todo.rejects()["reason"].to_pylist() == ["truncated"]
    with Todo(catalogue(folder), store, [MFCC]) as todo:
        assert len(todo) == 0
        assert todo.rejected(MFCC) == 1
    with Todo(catalogue(folder), store, [MFCC], retry_rejects=True) as todo:
        assert len(todo) == 1
    damaged, other = (next(folder.rglob(f"{clip}.wav")) for clip in sorted(path.stem for path in folder.rglob("*.wav")))
    damaged.write_bytes(other.read_bytes()[:-2])
    with Todo(catalogue(folder), store, [MFCC]) as todo:
        assert todo.clips["clip"].to_pylist() == [damaged.stem]
        assert any("changed" in note for note in todo.notes)
        todo.commit([outcomes(todo, [0])])
        assert not todo.rejects().num_rows
    assert len(store.features("mfcc_stats")) == 2


def test_what_one_set_refuses_another_may_take(found: Catalogue, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Todo(found, store, [MFCC]) as todo:
        todo.commit([outcomes(todo, [0], Reject("extract", "too short"))])
    with Todo(found, store, [OTHER]) as todo:
        assert len(todo) == 8
        assert todo.rejected(OTHER) == 0
        todo.commit([outcomes(todo, [1], Reject("read", "truncated"))])
    with Todo(found, store, [MFCC]) as todo:
        assert len(todo) == 6, "what cannot be read cannot be read by any set"


def test_what_two_sets_refuse_alike_is_told_once(found: Catalogue, tmp_path: Path) -> None:
    with Todo(found, Store(tmp_path), [MFCC, OTHER]) as todo:
        todo.commit(
            [outcomes(todo, [4, 1], Reject("extract", "too short")), outcomes(todo, [2], Reject("read", "cut"))]
        )
        clips = sorted(todo.clips["clip"].to_pylist()[row] for row in (1, 2, 4))
        told = todo.rejects()
    assert told.column_names == ["clip", "source", "stage", "reason"]
    assert told["clip"].to_pylist() == clips
    assert sorted(told["reason"].to_pylist()) == ["cut", "too short", "too short"]


def test_two_jobs_at_once_add_every_take_once(found: Catalogue, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Todo(found, store, [MFCC]) as one, Todo(found, store, [MFCC]) as other:
        one.commit([outcomes(one, range(5))])
        other.commit([outcomes(other, range(8))])
        one.commit([outcomes(one, range(5, 8))])
        assert (one.computed["mfcc_stats"], other.computed["mfcc_stats"]) == (5, 3)
    assert pd.read_parquet(tmp_path / "features" / "mfcc_stats")["take"].is_unique


def test_every_file_gives_a_row_a_file_in_a_table_of_its_own(tmp_path: Path) -> None:
    folder, store = tmp_path / "clips", Store(tmp_path / "store")
    sample.write(folder, actors=1, takes=1, modalities=("audio-only",))
    path = next(folder.rglob("*.wav"))
    twin = path.with_name(f"01{path.stem[2:]}.mp4")
    shutil.copy(path, twin)  # the name alone counts here: nothing is read
    with Todo(catalogue(folder), store, [MFCC]) as todo:
        assert todo.clips["modality"].to_pylist() == ["audio-only"]
    with Todo(catalogue(folder), store, [MFCC], every_file=True) as todo:
        assert len(todo) == 2
        todo.commit([outcomes(todo, [0, 1])])
    assert len(store.features("mfcc_stats_every_file")) == 2


def test_another_definition_under_the_same_name_is_refused(found: Catalogue, tmp_path: Path) -> None:
    with Todo(found, Store(tmp_path), [MFCC]):
        pass
    other = FeatureSet("mfcc_stats", MFCC.columns, MFCC.sample_rate, MFCC.compute, parameters={"n_mfcc": 14})
    with pytest.raises(StorageError, match="mfcc_stats"), Todo(found, Store(tmp_path), [other]):
        pass


def test_the_catalogue_is_recorded_with_its_rejects(tmp_path: Path) -> None:
    folder, store = tmp_path / "clips", Store(tmp_path / "store")
    sample.write(folder, actors=1, takes=2)
    (folder / "99-01-01-01-01-01-01.wav").write_bytes(b"RIFF")
    for _ in range(2):
        with Todo(catalogue(folder), store, [MFCC]) as todo:
            assert todo.rejected(MFCC) == 1
    assert len(store.clips()) == 2
    rejects = store.rejects()
    assert rejects["stage"].tolist() == ["catalogue"]
    assert rejects["when"].notna().all()


def test_rejects_are_counted_by_clip_not_by_set(found: Catalogue, tmp_path: Path) -> None:
    with Todo(found, Store(tmp_path), [MFCC, OTHER]) as todo:
        batch = pa.concat_tables([outcomes(todo, [0, 1], Reject("read", "x")), outcomes(todo, [2])])
        assert count_rejects(batch, todo.sets) == 2


def test_a_catalogue_is_recorded_and_its_rejects_are_read_once(
    found: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def noting(what: str, true: Callable[..., Any]) -> Callable[..., Any]:
        def note(table: Table, *arguments: Any, **options: Any) -> Any:
            asked.append((what, table.name))
            return true(table, *arguments, **options)

        return note

    store = Store(tmp_path)
    with Recorded(found, store) as books, Todo(books, store, [MFCC]) as todo:
        todo.commit([outcomes(todo, [0], Reject("read", "truncated"))])
    for what in ("open", "read"):
        monkeypatch.setattr(Table, what, noting(what, getattr(Table, what)))
    with Recorded(found, store) as books:
        for one in (MFCC, OTHER):
            with Todo(books, store, [one]) as todo:
                assert (len(todo), todo.rejected(one), len(todo.rejects())) == (7, 1, 1)
    assert [asked.count((what, "rejects")) for what in ("open", "read")] == [1, 1]
    assert asked.count(("open", "clips")) == 1


def test_a_reject_of_one_part_is_known_to_the_next(found: Catalogue, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Recorded(found, store) as books:
        with Todo(books, store, [MFCC]) as todo:
            todo.commit([outcomes(todo, [3], Reject("read", "truncated"))])
        with Todo(books, store, [OTHER]) as todo:
            assert (len(todo), todo.rejected(OTHER)) == (7, 1)


def test_much_is_committed_at_once_and_little_in_time(
    found: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Store(tmp_path).table("features/mfcc_stats")
    with Todo(found, Store(tmp_path), [MFCC]) as todo:
        todo.commit_all(outcomes(todo, [row]) for row in range(4))
        assert table.version() == 1
        monkeypatch.setattr("ravdess.pipeline.todo.COMMIT_BYTES", 2 * outcomes(todo, [4]).nbytes)
        todo.commit_all(outcomes(todo, [row]) for row in range(4, 8))
        assert (table.version(), table.count()) == (3, 8)
