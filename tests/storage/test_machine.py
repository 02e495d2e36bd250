"""A store and a dict side by side: append, die at any step, meet a rival, lose answers, reopen, read (SPEC 3)."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage import Store, Writer, steps

SCHEMA = pa.schema([("take", pa.string()), ("value", pa.int32())])
BATCHES = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=4)
APPENDING = ("keys checked", "temporary written", "file placed", "committed", "conflict")
SIDES = st.integers(0, 1)


class Death(BaseException):
    """A kill: no `except Exception` and no tidying up sees it."""


class StoreMachine(RuleBasedStateMachine):
    """Two writers' table, and the dict that it must equal."""

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.table = Store(self.folder).table("features/one")
        self.model: dict[str, int] = {}
        self.writers: dict[int, Writer] = {}
        self.values = itertools.count()
        self.clean = True  # nobody died since a writer was opened or closed

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def _open(self) -> Writer:
        return self.table.open(SCHEMA, key=["take"], fingerprint="1")

    @rule(side=SIDES)
    def open(self, side: int) -> None:
        self.writers[side] = self._open()
        self.clean = True

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        self.writers.pop(data.draw(st.sampled_from(sorted(self.writers)))).close()
        self.clean = True

    @rule(step=st.sampled_from(("creating", "created", "fencing", "orphan found")))
    def die_opening(self, step: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(steps, "reached", _dying(step))
            try:
                self._open()
                self.clean = True
            except Death:
                pass

    @precondition(lambda self: self.writers)
    @rule(
        data=st.data(),
        batch=BATCHES,
        theirs=st.none() | BATCHES,
        answer=st.sampled_from(("heard", "heard", "lost", "refused")),
        death=st.sampled_from((None, None, None, *APPENDING)),
    )
    def append(
        self, data: st.DataObject, batch: list[str], theirs: list[str] | None, answer: str, death: str | None
    ) -> None:
        side = data.draw(st.sampled_from(sorted(self.writers)))
        writer, rival = self.writers[side], self.writers.get(1 - side)
        rows = {take: next(self.values) for take in reversed(batch)}
        table = pa.table({"take": batch, "value": pa.array([rows[take] for take in batch], pa.int32())})
        landed: list[bool] = []
        commit = writer._commit

        def reached(step: str) -> None:
            nonlocal theirs
            if step == death:
                raise Death
            if step == "file placed" and theirs and rival:
                takes, theirs = theirs, None
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(steps, "reached", lambda _: None)
                    self._append(rival, takes)

        def answered(actions: list[Any]) -> None:
            nonlocal answer
            said, answer = answer, "heard"
            if said == "refused":
                raise OSError("refused")
            commit(actions)
            if actions:
                landed.append(True)
            if said == "lost":
                raise CommitFailedError("Failed to commit transaction: 0")

        new = set(batch) - set(self.model)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(steps, "reached", reached)
            patch.setattr(writer, "_commit", answered)
            try:
                added = writer.append(table)
            except Death:
                del self.writers[side]
                self.clean = False
                if landed:
                    self._take(rows)
                return
        new -= set(self.model)  # what the rival took meanwhile
        assert added == len(new)
        self._take(rows)

    def _append(self, writer: Writer, batch: list[str]) -> None:
        rows = {take: next(self.values) for take in dict.fromkeys(batch)}
        added = writer.append(pa.table({"take": list(rows), "value": pa.array(rows.values(), pa.int32())}))
        assert added == len(set(rows) - set(self.model))
        self._take(rows)

    def _take(self, rows: dict[str, int]) -> None:
        for take, value in rows.items():
            self.model.setdefault(take, value)

    @invariant()
    def the_table_is_the_dict(self) -> None:
        if hasattr(self, "table") and self.table.exists():
            read = self.table.read().to_pydict()
            assert len(read["take"]) == self.table.count() == len(self.model)
            assert dict(zip(read["take"], read["value"], strict=True)) == self.model

    @invariant()
    def so_is_the_bare_folder_once_someone_has_opened_or_closed(self) -> None:
        if hasattr(self, "table") and self.table.exists() and self.clean and self.model:
            frame = pd.read_parquet(self.table.path)
            assert dict(zip(frame["take"], frame["value"], strict=True)) == self.model
            assert len(frame) == len(self.model)
            assert not [name for name in self.table.files.names(self.table.name) if name.startswith(".")]


def _dying(step: str) -> Any:
    def reached(here: str) -> None:
        if here == step:
            raise Death

    return reached


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=30, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
