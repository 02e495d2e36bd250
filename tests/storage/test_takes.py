"""Takes in a chosen order, from a disk and from S3 (SPEC 6.3)."""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage import Store, Takes
from storage.errors import Damaged, Mismatch, NotFound
from tests.storage.test_frames import INDEX, log, pictures

NAMES = [f"take{number}" for number in range(9)]


@pytest.fixture
def parts() -> list[Any]:
    return pictures(3, 1, 40, 2, 5, 7, 1, 1, 20)


@pytest.fixture
def takes(store: Store, parts: list[Any]) -> Takes:
    """Nine takes in three shards, asked for backwards."""
    slices = [slot for at in (0, 3, 6) for slot in store.shards("frames/face").write(f"0{at}", parts[at : at + 3])]
    log(store, NAMES, slices)
    return store.frames("face").only(NAMES[::-1])


def test_takes_are_read_by_place(takes: Takes, parts: list[Any]) -> None:
    assert (len(takes), takes.shape) == (9, (6, 5, 3))
    assert takes.counts.tolist() == [len(part) for part in parts[::-1]]
    for got, part in zip(pickle.loads(pickle.dumps(takes)), parts[::-1], strict=True):
        np.testing.assert_array_equal(got, part)
    np.testing.assert_array_equal(takes[-1], parts[0])
    for some, expected in (
        (takes[2:4], [6, 5]),
        (takes[np.array([8, 0, 0])], [0, 8, 8]),
        (takes[np.arange(9) % 4 == 1], [7, 3]),
        (takes[[]], []),
    ):
        assert [len(take) for take in some] == [len(parts[at]) for at in expected]
        for got, at in zip(some, expected, strict=True):
            np.testing.assert_array_equal(got, parts[at])


@pytest.mark.parametrize("large", [True, False])
def test_of_what_exceeds_memory_only_the_frames_that_are_needed_are_read(
    tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.mapped.LARGE", 0 if large else 1 << 60)
    store, wanted = Store(tmp_path), np.arange(10, 400, 80)
    written = np.random.default_rng(0).integers(0, 256, (400, 256, 256, 1), np.uint8)
    log(store, NAMES[:1], store.shards("frames/face").write("00", [written]))
    (shard,) = (tmp_path / "frames/face/_shards").iterdir()
    forget(shard)
    if cached(shard):
        pytest.skip("this file system keeps what it is told to forget")
    takes = store.frames("face").only(NAMES[:1])
    np.testing.assert_array_equal(takes.gather(wanted), written[wanted])
    if large:  # a frame of 16 pages, not at a page's beginning, lies in 17; the header is read on its own
        assert cached(shard) <= len(wanted) * 17 + 64
    np.testing.assert_array_equal(takes[0], written)


def forget(path: Path) -> None:
    """Have the system's cache let go of a file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cached(path: Path) -> int:
    """Pages of a file that are in the system's cache."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        there = np.zeros(-(-len(mapped) // mmap.PAGESIZE), np.uint8)
        begin = np.frombuffer(mapped, np.uint8)
        call = ctypes.CDLL(None, use_errno=True).mincore
        call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        assert call(begin.ctypes.data, len(mapped), there.ctypes.data) == 0, os.strerror(ctypes.get_errno())
        del begin
    return int((there & 1).sum())


@pytest.mark.parametrize("held", [True, False])
def test_a_gather_gives_each_frame_that_was_asked_for(
    takes: Takes, parts: list[Any], held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.takes.HELD", 10**6 if held else 0)
    monkeypatch.setattr("storage.takes.RESIDENT", 5000)
    every = np.concatenate(parts[::-1])
    rng = np.random.default_rng(0)
    for places in (np.arange(80), rng.permutation(80), rng.integers(0, 80, 200), np.array([79]), np.array([], int)):
        np.testing.assert_array_equal(takes.gather(places), every[places])
        out = np.zeros((len(places), 6, 5, 3), np.uint8)
        assert takes.gather(places, out) is out
        np.testing.assert_array_equal(out, every[places])
    for wrong in ([80], [-1, 3]):
        with pytest.raises(IndexError, match="there are frames 0 to 79"):
            takes.gather(np.array(wrong))


def test_threads_share_takes(takes: Takes, parts: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.takes.RESIDENT", 1)
    every, wrong = np.concatenate(parts[::-1]), []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(30):
            places = rng.integers(0, 80, 8)
            wrong.extend([seed] * (not np.array_equal(takes.gather(places), every[places])))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_wrong_is_said(local_store: Store) -> None:
    slices = local_store.shards("frames/face").write("01", pictures(2, 3))
    log(local_store, ["a", "b"], slices)
    frames = local_store.frames("face")
    with pytest.raises(NotFound, match="no take 'c'"):
        frames.only(["a", "c"])
    with pytest.raises(NotFound, match="no take asked for"):
        frames.only([])
    shard = Path(local_store.table("frames/face").path, "_shards", slices[0]["shard"])
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    takes = frames.only(["a", "b"])
    assert len(takes[0]) == 2
    with pytest.raises(Damaged, match="have changed; compute it again"):
        takes[1]
    shard.write_bytes(data[:-1])
    with pytest.raises(Damaged, match="is unreadable"):
        frames.only(["a"]).gather(np.array([0]))
    shard.unlink()
    with pytest.raises(Damaged, match="is unreadable"):
        frames.only(["a"])


@pytest.mark.parametrize("wrong", [{"first": -1}, {"count": 0}, {"first": 2**62}, {"count": 2**62}])
def test_an_index_that_names_impossible_frames(store: Store, wrong: dict[str, int]) -> None:
    good, bad = store.shards("frames/face").write("01", pictures(2, 3))
    log(store, ["a", "b"], [good, {**bad, **wrong}])  # type: ignore[typeddict-item]  # a damaged one
    frames = store.frames("face")
    assert len(frames.only(["a"])[0]) == 2
    with pytest.raises(Damaged, match="take 'b' would be frames"):
        frames.only(["a", "b"])


def test_a_shard_that_is_shorter_than_the_index_says(local_store: Store) -> None:
    (slot,) = local_store.shards("frames/face").write("01", pictures(2))
    log(local_store, ["a"], [{**slot, "count": 3}])
    with pytest.raises(Damaged, match=r"it holds .* at least 3"):
        local_store.frames("face").only(["a"])[0]


def test_takes_of_two_corpora_are_told_apart(local_store: Store) -> None:
    import pyarrow as pa

    parts = pictures(2, 3)
    schema = INDEX.insert(0, pa.field("corpus", pa.string()))
    rows = [
        {"corpus": corpus, "take": "a", **local_store.shards("frames/face").write("01", [part])[0]}
        for corpus, part in zip(("one", "two"), parts, strict=True)
    ]
    with local_store.table("frames/face").open(schema, key=["corpus", "take"], fingerprint="") as writer:
        writer.append(pa.Table.from_pylist(rows, schema))
    assert local_store.frame_sets() == ["face"]
    with pytest.raises(Mismatch, match="of one corpus"):
        local_store.frames("face")
    for corpus, part in zip(("one", "two"), parts, strict=True):
        frames = pickle.loads(pickle.dumps(local_store.frames("face", corpus=corpus)))
        np.testing.assert_array_equal(frames["a"], part)
        np.testing.assert_array_equal(frames.only(["a"])[0], part)
