"""The commit protocol, a step at a time (SPEC 3): what each fault leaves, and what the next writer makes of it."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset as ds
import pytest

from storage import Store, Table, Writer, steps
from storage.errors import CommitFailed, Damaged, Unreachable
from storage.log import DATA_FILE, adds
from tests.storage.workers import Workers, rows, schema


@pytest.fixture
def table(store: Store) -> Table:
    return store.table("features/one")


def opened(table: Table) -> Writer:
    return table.open(schema(), key=["take"], fingerprint="1")


def plain(table: Table) -> list[str]:
    """The takes that a reader of the bare folder sees, sorted."""
    fs, path = table.files.arrow(table.name)
    return sorted(ds.dataset(path, schema=schema(), filesystem=fs).to_table()["take"].to_pylist())


def takes(table: Table) -> list[str]:
    return sorted(table.read()["take"].to_pylist())


def data_files(table: Table) -> list[str]:
    return [name for name in table.files.names(table.name) if DATA_FILE.fullmatch(name)]


def hidden(table: Table) -> list[str]:
    """Temporary files, of data and of log entries."""
    names = table.files.names(table.name) + table.files.names(f"{table.name}/_delta_log")
    return [name for name in names if name.endswith(".tmp") or "#" in name]


@contextmanager
def at(step: str, do: Callable[[], object]) -> Iterator[None]:
    """Do something once, when `step` is reached first."""
    done: list[str] = []

    def reached(here: str) -> None:
        if here == step and not done:
            done.append(here)
            do()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "reached", reached)
        yield
    assert done, f"{step} was never reached"


class TestDeath:
    """A process is killed with SIGKILL at each step; whoever opens the table next finds all in order."""

    @pytest.mark.parametrize("step", steps.STEPS)
    def test_at_each_step(self, store: Store, table: Table, workers: Workers, tmp_path: Path, step: str) -> None:
        if step == "temporary written" and not store._files.local:
            pytest.skip("S3 has no temporary files")
        told = {"store": store.url, "table": table.name, "out": str(tmp_path / "out")}
        before: list[str] = []
        if step not in ("creating", "created"):
            assert workers.run(**told, takes=["old"]) == 0
            before = ["old"]
        if step in ("fencing", "orphan found"):
            assert workers.run(**told, takes=["lost"], crash="file placed") == -9
        rival = {"rival": ["theirs"]} if step == "conflict" else {}
        before += rival.get("rival", [])
        assert workers.run(**told, takes=["new", "newer"], crash=step, **rival) == -9

        with opened(table) as writer:
            after = before + ["new", "newer"] * (step == "committed")
            assert takes(table) == plain(table) == sorted(after)
            assert hidden(table) == []
            assert data_files(table) == [add.path for add in adds(table.load())]
            assert writer.append(rows(["new", "newer", "newest"])) == 3 - 2 * (step == "committed")
        assert takes(table) == plain(table) == sorted([*before, "new", "newer", "newest"])

    def test_before_anyone_reopens_no_row_stands_twice(self, store: Store, table: Table, workers: Workers) -> None:
        for step in ("file placed", "committed"):
            workers.run(store=store.url, table=table.name, takes=[step], crash=step)
            assert len(plain(table)) == len(set(plain(table)))

    def test_the_last_to_close_sweeps_for_the_dead(self, store: Store, table: Table, workers: Workers) -> None:
        with opened(table) as writer:
            assert workers.run(store=store.url, table=table.name, takes=["a"], crash="file placed") == -9
            writer.append(rows(["a"]))
            assert plain(table) == ["a", "a"]  # until then
        assert plain(table) == takes(table) == ["a"]

    def test_also_when_the_log_has_gone_on_since(self, store: Store, table: Table, workers: Workers) -> None:
        told = {"store": store.url, "table": table.name}
        with opened(table):
            assert workers.run(**told, takes=["a"]) == 0
            assert workers.run(**told, takes=["b"], crash="file placed") == -9
        assert plain(table) == takes(table) == ["a"]


class TestRivals:
    """Another writer comes in between, at the worst moment."""

    @pytest.mark.parametrize("step", ["keys checked", "file placed"])
    def test_both_add_the_same_and_more(self, table: Table, step: str) -> None:
        with opened(table) as ours, opened(table) as theirs:
            with at(step, lambda: theirs.append(rows(["b", "c"]))):
                assert ours.append(rows(["a", "b"])) == 1
            assert takes(table) == plain(table) == ["a", "b", "c"]
            with at(step, lambda: theirs.append(rows(["d"]))):
                assert ours.append(rows(["d"])) == 0
            assert theirs.append(rows(["a", "b", "c", "d", "e"])) == 1
        assert takes(table) == plain(table) == ["a", "b", "c", "d", "e"]

    def test_opening_fences_a_living_writer_who_then_tries_again(self, table: Table) -> None:
        with opened(table) as ours:
            with at("file placed", lambda: opened(table).close()):
                assert ours.append(rows(["a"])) == 1
            assert takes(table) == plain(table) == ["a"]

    @pytest.mark.parametrize("step", ["fencing", "orphan found"])
    def test_two_sweep_at_once(self, store: Store, table: Table, workers: Workers, step: str) -> None:
        workers.run(store=store.url, table=table.name, takes=["a"], crash="file placed")
        with at(step, lambda: opened(table).close()):
            opened(table).close()
        assert takes(table) == plain(table) == []

    def test_a_sweeper_meets_a_commit(self, table: Table) -> None:
        ours = opened(table)
        commit = ours._commit

        def sweep_first(actions: list[Any]) -> None:
            with at("fencing", lambda: commit(actions)):  # the file is listed as unlogged, then it lands
                opened(table).close()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ours, "_commit", sweep_first)
            assert ours.append(rows(["a"])) == 1
        assert takes(table) == plain(table) == ["a"]

    def test_two_creators(self, table: Table) -> None:
        with at("creating", lambda: opened(table).append(rows(["a"]))), opened(table) as writer:
            assert writer.append(rows(["a", "b"])) == 1
        assert takes(table) == plain(table) == ["a", "b"]

    def test_a_stale_writer_is_refused_by_the_log_itself(self, table: Table) -> None:
        ours, theirs = opened(table), opened(table)
        theirs._commit([])
        with pytest.raises(Exception, match="Failed to commit transaction"):
            ours._commit([])

    def test_who_always_loses_gives_up(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, theirs = opened(table), opened(table)
        monkeypatch.setattr("storage.writer.ATTEMPTS", 3)
        numbers = iter(range(100))

        def rival(step: str) -> None:
            if step == "keys checked":
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(steps, "reached", lambda _: None)
                    theirs.append(rows([f"their {next(numbers)}"]))

        monkeypatch.setattr(steps, "reached", rival)
        with pytest.raises(CommitFailed, match="other writers won 3 times"):
            ours.append(rows(["a"]))
        assert takes(table) == plain(table) == ["their 0", "their 1", "their 2"]


class TestAnswers:
    """The answer to a commit is lost or wrong: the log alone says what happened (SPEC 3.2)."""

    def test_it_landed_and_the_answer_says_conflict(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        from deltalake.exceptions import CommitFailedError

        writer = opened(table)
        commit = writer._commit

        def landed_but(actions: list[Any]) -> None:
            commit(actions)
            raise CommitFailedError("Failed to commit transaction: 0")

        monkeypatch.setattr(writer, "_commit", landed_but)
        assert writer.append(rows(["a"])) == 1
        assert writer.append(rows(["a"])) == 0
        assert takes(table) == plain(table) == ["a"]

    @pytest.mark.parametrize("late", ["before the fence", "after the fence"])
    def test_it_is_still_on_its_way(self, table: Table, monkeypatch: pytest.MonkeyPatch, late: str) -> None:
        writer = opened(table)
        commit, waiting = writer._commit, list[tuple[Writer, list[Any]]]()

        def delayed(actions: list[Any]) -> None:
            if actions and not waiting:
                stale = opened(table)  # holds the version that the request was sent for
                waiting.append((stale, actions))
                raise TimeoutError("no answer")
            commit(actions)

        def arrive() -> None:
            waiting[0][0]._commit(waiting[0][1])

        monkeypatch.setattr(writer, "_commit", delayed)
        monkeypatch.setattr(Writer, "_sweep", lambda _: None)
        if late == "before the fence":
            with at("fencing", arrive):
                assert writer.append(rows(["a"])) == 1
        else:
            assert writer.append(rows(["a"])) == 1
            with pytest.raises(Exception, match="Failed to commit transaction"):
                arrive()
        assert takes(table) == plain(table) == ["a"]

    def test_the_keys_of_a_rival_could_not_be_read(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        ours = opened(table)
        opened(table).append(rows(["a"]))
        read = Table.take_keys

        def fail(*_: Any) -> None:
            raise Damaged("no network just now")

        monkeypatch.setattr(Table, "take_keys", fail)
        with pytest.raises(Damaged):
            ours.append(rows(["a", "b"]))
        monkeypatch.setattr(Table, "take_keys", read)
        assert ours.append(rows(["a", "b"])) == 1  # it would be 2 if the writer had gone on unknowing
        ours.close()
        assert takes(table) == plain(table) == ["a", "b"]

    def test_the_log_cannot_be_written(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        writer = opened(table)

        def full(_: list[Any]) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(writer, "_commit", full)
        with pytest.raises(Unreachable, match=r"log of table 'features/one'.*No space left on device"):
            writer.append(rows(["a"]))
        monkeypatch.undo()
        assert writer.append(rows(["a"])) == 1
        writer.close()
        assert takes(table) == plain(table) == ["a"]


@pytest.mark.s3
class TestServer:
    """The same faults where they come from: the server."""

    @pytest.fixture
    def table(self, s3_store: Store) -> Table:
        return s3_store.table("features/one")

    def arm(self, kind: str) -> None:
        urllib.request.urlopen(
            f"{os.environ['AWS_ENDPOINT_URL']}/_fault?kind={kind.replace(' ', '+')}", data=b""
        ).close()

    def test_the_answer_is_lost(self, table: Table) -> None:
        """The client tries again, is told that the entry exists, and deltalake calls its own commit a conflict."""
        with opened(table) as writer:
            self.arm("lose answer")
            assert writer.append(rows(["a"])) == 1
        assert table.version() == 1
        assert takes(table) == plain(table) == ["a"]

    def test_so_it_is_when_the_table_is_made(self, table: Table) -> None:
        self.arm("lose answer")
        with opened(table) as writer:
            assert writer.append(rows(["a"])) == 1

    def test_the_server_refuses(self, table: Table) -> None:
        with opened(table) as writer:
            self.arm("refuse")
            assert writer.append(rows(["a"])) == 1  # after a fence
        assert table.version() == 2
        assert takes(table) == plain(table) == ["a"]

    def test_the_server_lets_commits_replace_each_other(self, table: Table) -> None:
        with opened(table) as writer:
            self.arm("replace")
            with pytest.raises(CommitFailed, match="must honour 'If-None-Match"):
                writer.append(rows(["a"]))

    def test_no_such_bucket(self, s3_store: Store) -> None:
        nowhere = Store(s3_store.url.replace("bucket", "nobucket"))
        with pytest.raises(Unreachable, match="is the bucket there"):
            opened(nowhere.table("clips"))
        with pytest.raises(Unreachable, match="NO_SUCH_BUCKET"):
            nowhere.folder("runs/a").write("x", b"")


class TestLeftovers:
    """What killed processes leave on a disk."""

    @pytest.fixture
    def table(self, local_store: Store) -> Table:
        return local_store.table("features/one")

    def test_temporaries_of_the_dead_go_and_of_the_living_stay(self, table: Table) -> None:
        import fcntl

        opened(table).close()
        dead, living = (Path(table.path, f".part-{name * 8}.parquet.{'0' * 32}.tmp") for name in "ab")
        dead.write_bytes(b"half")
        with living.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            opened(table).close()
            assert not dead.exists()
            assert living.exists()
        opened(table).close()
        assert not living.exists()

    def test_a_writer_swept_before_it_locks_starts_over(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        from storage import files

        lock, swept = files._lock, list[bool]()

        def sweep_first(descriptor: int) -> bool:
            if not swept:
                swept.append(True)
                opened(table).close()
            return lock(descriptor)

        with opened(table) as writer:
            monkeypatch.setattr(files, "_lock", sweep_first)
            assert writer.append(rows(["a"])) == 1
        assert takes(table) == plain(table) == ["a"]

    def test_staged_log_entries(self, table: Table) -> None:
        with opened(table) as writer:
            writer.append(rows(["a"]))
        log = Path(table.path, "_delta_log")
        taken, free = log / f"{1:020d}.json#1", log / f"{2:020d}.json#1"
        for path in (taken, free):
            path.write_text('{"add":')
        with opened(table) as writer:
            assert not taken.exists()
            assert free.exists()  # it may be a living writer's next commit
            assert writer.append(rows(["b"])) == 1
        assert not free.exists()
        assert takes(table) == ["a", "b"]

    def test_an_empty_log_folder_is_no_table(self, local_store: Store, table: Table) -> None:
        Path(table.path, "_delta_log").mkdir(parents=True)
        Path(table.path, "_delta_log", f"{0:020d}.json#1").write_text('{"proto')
        assert not table.exists()
        assert local_store.feature_sets() == []
        with opened(table) as writer:
            assert writer.append(rows(["a"])) == 1
        assert hidden(table) == []

    def test_an_unfinished_checkpoint(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("storage.opening.CHECKPOINT_INTERVAL", 3)
        with opened(table) as writer:
            for take in "abcdefg":
                writer.append(rows([take]))
        log = Path(table.path, "_delta_log")
        checkpoints = sorted(log.glob("*.checkpoint.parquet"))
        assert [int(path.name[:20]) for path in checkpoints] == [2, 5]
        (log / f"{checkpoints[1].name}#1").write_bytes(checkpoints[1].read_bytes()[:50])  # killed while writing
        checkpoints[1].unlink()
        (log / "_last_checkpoint#1").write_text('{"vers')
        (log / "_last_checkpoint").unlink()  # killed between the checkpoint and the hint to it
        assert takes(table) == plain(table) == list("abcdefg")
        with opened(table) as writer:
            assert writer.append(rows(list("gh"))) == 1
        assert takes(table) == plain(table) == pd.read_parquet(table.path)["take"].tolist() == list("abcdefgh")

    def test_what_is_not_ours_stays(self, table: Table) -> None:
        opened(table).close()
        for name in ("notes.txt", "theirs.parquet", "part-1.parquet"):
            Path(table.path, name).write_bytes(b"PAR1")
        opened(table).close()
        assert table.files.names(table.name) == ["notes.txt", "part-1.parquet", "theirs.parquet"]

    def test_a_file_of_a_version_to_come_is_left_alone(self, table: Table) -> None:
        """It is from another table; no fence can say that it is dead, and none is tried."""
        opened(table).close()
        far = Path(table.path, f"part-{10**19:020d}-{'0' * 32}.parquet")
        far.write_bytes(b"PAR1")
        opened(table).close()
        assert far.exists()
        assert table.version() == 0
