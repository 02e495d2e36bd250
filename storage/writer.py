"""The commit protocol: rows are added whole, each key once, whoever dies or writes beside (SPEC 3)."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.transaction import AddAction

from storage import opening, steps
from storage.datafile import add_action, parquet
from storage.errors import Closed, CommitFailed, StorageError
from storage.keys import KeyIndex, digests, firsts
from storage.log import DATA_FILE, adds, arrow_schema, pa_mask
from storage.schemas import fitted
from storage.table import Table

if TYPE_CHECKING:
    from storage.keys import Digests

ATTEMPTS: Final = 100
"""How often an append tries to win against other writers before it gives up."""

_STAGED_ENTRY: Final = re.compile(r"(?P<version>[0-9]{20})\.json#[0-9]+")


class Writer:
    """Adds rows to one table, made by `Table.open`; use it as a context manager.

    Any number of processes may have one on the same table. One writer may be used by several threads; they take
    turns.
    """

    def __init__(self, table: Table, delta: DeltaTable) -> None:
        self._table = table
        self._files = table.files
        self._delta = delta
        self._delta_schema = delta.schema()
        self.schema = arrow_schema(delta)
        self.key = list(table.meta(delta).key)
        self._lock = threading.Lock()
        self._closed = False
        self._behind = True
        self._known: set[str] = set()
        self._index = KeyIndex()
        self._sweep()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.close()
        except (StorageError, OSError):
            if error is None:  # the first error says more than that tidying up failed too
                raise

    def close(self) -> None:
        """Sweep once more, for writers that were killed meanwhile, and refuse further rows."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._sweep()

    def append(self, rows: pa.Table) -> int:
        """Add the rows whose key the table does not hold, all of them or none.

        Parameters
        ----------
        rows : pyarrow.Table
            The table's columns in any order. Of rows that share a key the first is taken.

        Returns
        -------
        int >= 0
            The rows that were added. They are on disk, and stay there, once this returns.

        Raises
        ------
        BadRows
            A column is missing, unexpected or of another type, or a key is null.
        CommitFailed
            Other writers won every time, or the server lets two commits have one version.
        Unreachable
            The disk or the server refused.
        """
        with self._lock:
            if self._closed:
                raise Closed(f"the writer of {self._table.where} is closed; open another")
            rows = fitted(rows, self.schema, self.key, self._table.where)
            asked = digests(rows, self.key)
            first = firsts(asked)
            if self._behind:
                self._take_up()
            for attempt in range(ATTEMPTS):
                new = first & ~self._index.holds(asked)
                if not new.any():
                    return 0
                steps.reached("keys checked")
                if self._commit_rows(rows if new.all() else rows.filter(pa_mask(new)), asked[new]):
                    return int(new.sum())
                time.sleep(random.uniform(0, 0.01 * min(attempt, 20)))  # noqa: S311  # at once, then spread out
            raise CommitFailed(f"{self._table.where}: other writers won {ATTEMPTS} times running; try again")

    def missing(self, rows: pa.Table) -> pa.Table:
        """The rows whose key the table does not hold now: what is left to do.

        Parameters
        ----------
        rows : pyarrow.Table
            With the key columns, and any others.
        """
        with self._lock:
            self._take_up()
            return rows.filter(pa_mask(~self._index.holds(digests(rows, self.key))))

    def _commit_rows(self, rows: pa.Table, keys: Digests) -> bool:
        """Place a data file and commit it at the next version; False, and no file, if that was taken (SPEC 3.2)."""
        version = self._delta.version()
        name = f"part-{version:020d}-{os.urandom(16).hex()}.parquet"
        data = parquet(rows)
        self._files.put(self._path(name), data)
        steps.reached("file placed")
        try:
            self._commit([add_action(name, data.size, rows, self.key)])
            failure = None
            steps.reached("committed")
        except Exception as error:  # what it means is read from the log, not from the error (SPEC 3.2)
            failure = error
        self._take_up(own=(name, keys))
        if name not in self._known and self._delta.version() == version:
            self._fence(version, failure)  # not refused and not there: it may still be on its way
        if name in self._known:
            self._sync(version + 1)
            return True
        if failure is None:
            raise CommitFailed(
                f"{self._table.where}: a commit was accepted and is not in the log; the S3 server must honour "
                "'If-None-Match: *' on PUT, this one lets writers replace each other's commits"
            )
        steps.reached("conflict")
        self._files.delete(self._path(name))
        return False

    def _commit(self, actions: list[AddAction]) -> None:
        """Write the log entry after the version that was loaded last; raises when there is one (SPEC 3.1)."""
        self._delta.create_write_transaction(
            actions,  # type: ignore[arg-type]  # a list of AddAction is one of the union that it wants
            "append",
            self._delta_schema,
            commit_properties=CommitProperties(max_commit_retries=0),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False),
        )

    def _sync(self, version: int) -> None:
        """Have the commit outlive a power cut too: deltalake only links its files (SPEC 3.2)."""
        names = [f"{version:020d}.json"]
        if (version + 1) % opening.CHECKPOINT_INTERVAL == 0:
            names += [f"{version:020d}.checkpoint.parquet", "_last_checkpoint"]
        self._files.sync(*(self._path(f"_delta_log/{name}") for name in names))

    def _take_up(self, own: tuple[str, Digests] | None = None) -> None:
        """Read the log's new entries and the keys of the files that they name; the keys of `own` are given."""
        self._behind = True  # until the keys are in: a failure between leaves a version whose keys are unknown
        with self._table.talking():
            self._delta.update_incremental()
            new = adds(self._delta, self._known)
        if own is not None and any(add.path == own[0] for add in new):
            self._index.add(own[1])
            new = [add for add in new if add.path != own[0]]
            self._known.add(own[0])
        if new:
            self._table.take_keys(self._index, new, self.schema, self.key)
            self._known |= {add.path for add in new}
        self._behind = False

    def _fence(self, version: int, cause: Exception | None = None) -> None:
        """Take the version after `version` with an empty commit, if nobody has; no file that waits for it can win."""
        for _ in range(3):  # once is enough, whoever wins; more is for a server that hiccups
            steps.reached("fencing")
            try:
                self._commit([])
            except Exception as error:  # the log tells whether it landed
                cause = cause or error
            self._take_up()
            if self._delta.version() > version:
                return
        raise self._table.unreachable(cause) from cause

    def _sweep(self) -> None:
        """Delete the files of killed writers; one that may still be committed is never touched (SPEC 3.4)."""
        self._files.sweep(self._table.name)
        versions = {
            name: int(match["version"])
            for name in self._files.names(self._table.name)
            if (match := DATA_FILE.fullmatch(name))
        }
        self._take_up()
        unlogged = versions.keys() - self._logged()
        if self._delta.version() in {versions[name] for name in unlogged}:
            self._fence(self._delta.version())  # they may be a living writer's: make their turn pass
            unlogged -= self._logged()
        for name in sorted(unlogged):
            if versions[name] < self._delta.version():
                steps.reached("orphan found")
                self._files.delete(self._path(name))
        self._sweep_log()

    def _logged(self) -> set[str]:
        """The data files that the log names now; of those known, someone may have compacted some away."""
        return {add.path for add in adds(self._delta)}

    def _sweep_log(self) -> None:
        """Delete log entries that were staged on a disk and never linked, where their version is taken (SPEC 3.5)."""
        if not self._files.local:  # S3 stages nothing
            return
        for name in self._files.names(self._path("_delta_log")):
            match = _STAGED_ENTRY.fullmatch(name)
            if match and int(match["version"]) <= self._delta.version():
                self._files.delete(self._path(f"_delta_log/{name}"))

    def _path(self, name: str) -> str:
        return f"{self._table.name}/{name}"
