"""Where a store may lie, and that nothing leaves it (SPEC 1, 2)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage import Store
from storage.errors import BadName, BadUrl, StorageError, Unreachable
from storage.names import checked, checked_column
from tests.storage.workers import rows, schema


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for url in ("a/store", "~/a/store", tmp_path / "a" / "store", f"file://{tmp_path}/a/store"):
        assert Store(url).url == str(tmp_path / "a" / "store")
    monkeypatch.chdir("/")  # a store stays where it was when the program goes elsewhere
    assert Store("s3://bucket/some/where/").url == "s3://bucket/some/where"
    assert Store("s3://bucket").folder("runs/a").path("b") == "s3://bucket/runs/a/b"
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "url", ["", "gs://bucket/x", "file://host/x", "s3://", "s3:///x", "s3://b/../x", "a\0b", "50%20"]
)
def test_bad_addresses(url: str) -> None:
    with pytest.raises(BadUrl):
        Store(url)


@pytest.mark.parametrize("name", ["a b", "a#b", "ü", "a?b", "a=1,b", "a%b", "a:b"])
def test_odd_folders_hold_a_store(tmp_path: Path, name: str) -> None:
    table = Store(tmp_path / name).table("features/one")
    for take in "ab":
        with table.open(schema(), key=["take"], fingerprint="") as writer:
            assert writer.append(rows([take])) == 1
    assert table.count() == table.read().num_rows == 2
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", [None, 1, "", ".", "..", "a/..", "/a", "a/", "a\0", "-a", "a\n", "A" * 201])
def test_bad_names(name: object) -> None:
    with pytest.raises(BadName):
        checked(name, "table")


@pytest.mark.parametrize("name", ["", "a b", "1a", "a,b", "a`", None])
def test_bad_key_columns(name: object) -> None:
    with pytest.raises(BadName):
        checked_column(name)


def test_no_link_is_followed_out_of_the_store(tmp_path: Path) -> None:
    store, outside = Store(tmp_path / "store"), tmp_path / "store-outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"1")
    store.folder("runs/a").write("b", b"1")
    (tmp_path / "store" / "runs" / "out").symlink_to(outside)
    (tmp_path / "store" / "runs" / "a" / "in").symlink_to(tmp_path / "store" / "runs" / "a" / "b")
    (tmp_path / "store" / "features").symlink_to(outside)
    for ask in (
        lambda: store.folder("runs/out").read("secret"),
        lambda: store.folder("runs/out").write("new", b""),
        lambda: store.folder("runs/out").list(),
        lambda: store.table("features/x").exists(),
        lambda: store.table("features/x").open(schema(), key=["take"], fingerprint=""),
    ):
        with pytest.raises(BadName, match="leads outside the store"):
            ask()
    assert store.folder("runs/a").read("in") == b"1"  # inside, links are as good as files
    assert list(outside.iterdir()) == [outside / "secret"]


def test_the_store_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "disk")
    Store(tmp_path / "store").folder("runs/a").write("b", b"1")
    assert Store(tmp_path / "disk").folder("runs/a").read("b") == b"1"


def test_a_file_stands_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    store = Store(tmp_path / "store")
    assert store.tables() == store.runs() == []
    with pytest.raises(Unreachable, match=r"cannot reach 'runs/a/b' in store .*check access and free space"):
        store.folder("runs/a").write("b", b"")
    with pytest.raises(StorageError):
        store.table("clips").open(schema(), key=["take"], fingerprint="")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Store(tmp_path).folder("runs/a")
    folder.write("b", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unreachable, match="No space left"):
        folder.write("b", b"new")
    assert [path.name for path in Path(folder.path()).iterdir()] == ["b"]
    assert folder.read("b") == b"old"


def test_leftovers_in_a_folder_are_hidden_and_swept(tmp_path: Path) -> None:
    left = tmp_path / "runs" / "a" / f".b.{'0' * 32}.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    folder = Store(tmp_path).folder("runs/a")
    assert folder.list() == []
    assert left.exists()
    folder.write("b", b"1")
    assert not left.exists()


def test_importing_is_cheap() -> None:
    """No heavy library comes with the package, a store that is made, or a name that is refused."""
    code = (
        "import sys, storage; storage.Store('s3://bucket/x').table('features/a');"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'deltalake'} & set(sys.modules); sys.exit(bool(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_public_names() -> None:
    import storage

    for name in storage.__all__:
        assert getattr(storage, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Stroe'"):
        storage.Stroe  # noqa: B018
