"""Frame shards and their index (SPEC 6)."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from storage import Slice, Store
from storage.errors import BadName, BadRows, Damaged, Mismatch, NotFound

INDEX = pa.schema(
    [("take", pa.string()), ("shard", pa.string()), ("first", pa.int64()), ("count", pa.int64()), ("crc32", pa.int64())]
)


def pictures(*counts: int, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (count, 6, 5, 3), dtype=np.uint8) for count in counts]


def log(store: Store, takes: Sequence[str], slices: Sequence[Slice], key: Sequence[str] = ("take",)) -> None:
    rows = [{"take": take, **slot} for take, slot in zip(takes, slices, strict=True)]
    with store.table("frames/face").open(INDEX, key=key, fingerprint="") as writer:
        writer.append(pa.Table.from_pylist(rows, INDEX))


def test_what_was_written_is_read(store: Store) -> None:
    parts = pictures(3, 1, 40)
    slices = store.shards("frames/face").write("01", parts)
    assert [(slot["first"], slot["count"]) for slot in slices] == [(0, 3), (3, 1), (4, 40)]
    log(store, ["a", "b", "c"], slices)
    frames = store.frames("face")
    assert list(frames) == ["a", "b", "c"]
    assert "b" in frames
    for _ in range(2):
        for take, part in zip(frames, parts, strict=True):
            assert frames[take].dtype == np.uint8
            assert not frames[take].flags.writeable
            np.testing.assert_array_equal(frames[take], part)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(frames))["c"], parts[2])
    with pytest.raises(NotFound, match=r"no take 'd' in table 'frames/face' .* 3 takes"):
        frames["d"]


def test_the_same_pictures_give_the_same_file_and_others_another(store: Store) -> None:
    shards = store.shards("frames/face")
    once, again = shards.write("01", pictures(2, 3)), store.shards("frames/face").write("01", pictures(2, 3))
    assert once == again
    regrouped = shards.write("01", pictures(2, 3)[1:])
    assert regrouped[0]["shard"] != once[0]["shard"]
    log(store, ["a", "b"], once)  # the rerun of a task never touched what was logged
    np.testing.assert_array_equal(store.frames("face")["b"], pictures(2, 3)[1])
    assert len(store._files.names("frames/face/_shards")) == 2


def test_numpy_reads_a_shard(local_store: Store) -> None:
    parts = pictures(2, 3)
    slot = local_store.shards("frames/face").write("01", [np.asfortranarray(part) for part in parts])[1]
    path = Path(local_store.table("frames/face").path, "_shards", slot["shard"])
    array = np.load(path, mmap_mode="r")
    np.testing.assert_array_equal(array, np.concatenate(parts))
    assert slot["crc32"] == zlib.crc32(parts[1].tobytes())


def test_only_the_rows_asked_for_are_fetched(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    log(store, ["a", "b"], store.shards("frames/face").write("01", pictures(200, 2)))
    frames, fetched = store.frames("face"), []
    kind = type(store._files)
    get_range = kind.get_range

    def counted(self: Any, path: str, start: int, length: int) -> bytes:
        data: bytes = get_range(self, path, start, length)
        fetched.append(len(data))
        return data

    monkeypatch.setattr(kind, "get_range", counted)
    assert len(frames["b"]) == len(frames["b"]) == 2
    rows = 2 * 6 * 5 * 3
    assert fetched == ([4096] if store._files.local else [4096, rows, rows])


def test_bad_pictures(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = store.shards("frames/face")
    one, two = pictures(1, 2)
    for bad in ([], [one.astype(np.float32)], [one[0]], [one, two[:, :5]], [one[:0]]):
        with pytest.raises(BadRows, match=r"expected uint8 arrays of one shape \(n, h, w, c\)"):
            shards.write("01", bad)
    for name in ("../01", "", "a/b", "_x"):
        with pytest.raises(BadName):
            shards.write(name, [one])
    for name in ("clips", "features/x", "frames/../x"):
        with pytest.raises(BadName):
            store.shards(name)
    monkeypatch.setattr("storage.frames.MAX_SHARD_BYTES", 200)
    shards.write("01", [two])
    with pytest.raises(BadRows, match="270 bytes are more than 200"):
        shards.write("01", [one, two])


class TestDamage:
    @pytest.fixture
    def shard(self, local_store: Store) -> Path:
        slices = local_store.shards("frames/face").write("01", pictures(2, 3))
        log(local_store, ["a", "b"], slices)
        return Path(local_store.table("frames/face").path, "_shards", slices[0]["shard"])

    def test_a_changed_byte(self, local_store: Store, shard: Path) -> None:
        data = bytearray(shard.read_bytes())
        data[-1] ^= 1
        shard.write_bytes(data)
        frames = local_store.frames("face")
        assert len(frames["a"]) == 2  # the other take is whole
        with pytest.raises(Damaged, match=r"take 'b' of table 'frames/face' .* have changed; compute it again"):
            frames["b"]

    @pytest.mark.parametrize("bad", [b"", b"\x93NUMPY", b"no array at all" * 100, None])
    def test_no_such_array(self, local_store: Store, shard: Path, bad: bytes | None) -> None:
        if bad is None:
            shard.unlink()
        else:
            shard.write_bytes(bad)
        with pytest.raises(Damaged, match="is unreadable"):
            local_store.frames("face")["a"]

    def test_an_array_of_something_else(self, local_store: Store, shard: Path) -> None:
        for bad in (np.zeros((5, 6, 5, 3)), np.zeros(9, np.uint8), np.asfortranarray(np.zeros((5, 6, 5, 3), np.uint8))):
            np.save(shard, bad)
            with pytest.raises(Damaged, match=r"expected uint8 \(n, h, w, c\)"):
                local_store.frames("face")["a"]
        np.save(shard, pictures(1)[0])
        with pytest.raises(Damaged, match="it holds 1 pictures, not 0 to 2"):
            local_store.frames("face")["a"]

    def test_pickled_objects_are_never_loaded(self, local_store: Store, shard: Path) -> None:
        np.save(shard, np.array([{}], dtype=object), allow_pickle=True)
        with pytest.raises(Damaged):
            local_store.frames("face")["a"]

    def test_an_index_that_points_elsewhere(self, local_store: Store, shard: Path, tmp_path: Path) -> None:
        np.save(tmp_path / "secret-0123456789abcdef.npy", pictures(2)[0])
        for number, name in enumerate(("../../../../secret-0123456789abcdef.npy", "/etc/passwd", "x", "a\0b")):
            log(local_store, [f"x{number}"], [Slice(shard=name, first=0, count=2, crc32=0)])
            with pytest.raises(Damaged, match="no shard's name"):
                local_store.frames("face")[f"x{number}"]

    def test_a_take_twice(self, local_store: Store) -> None:
        slices = local_store.shards("frames/face").write("01", pictures(2, 3))
        log(local_store, ["a", "a"], slices, key=["take", "first"])
        with pytest.raises(Mismatch, match="twice"):
            local_store.frames("face")
