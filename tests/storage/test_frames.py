"""Frame shards and their index (SPEC 6)."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import re
import signal
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import Slice, Store, steps
from storage.errors import BadName, BadRows, Damaged, Mismatch, NotFound, Unreachable
from storage.frames import _header

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
    assert fetched == ([128] if store._files.local else [128, rows, rows])


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


def read(store: Store, slices: Sequence[Slice]) -> list[Any]:
    log(store, [str(at) for at in range(len(slices))], slices)
    return [np.array(take) for take in store.frames("face").values()]


class TestFrameByFrame:
    """A shard that is filled as its frames come is the one that would be written whole."""

    @settings(max_examples=30, deadline=None)
    @given(takes=st.lists(st.tuples(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans()), min_size=1))
    def test_it_is_the_shard_written_whole(self, takes: list[tuple[list[int], bool]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            store, other = Store(folder), Store(f"{folder}/other")
            whole = []
            with store.shards("frames/face").begin("01") as shard:
                for number, (blocks, kept) in enumerate(takes):
                    parts = pictures(*blocks, seed=number)
                    for part in parts:
                        shard.append(part)
                    if kept:
                        whole.append(np.concatenate(parts))
                        shard.end_take()
                    else:
                        shard.drop_take()
                    assert shard.size == sum(part.nbytes for part in whole)
                if not whole:
                    with pytest.raises(BadRows, match="got no take"):
                        shard.keep()
                    return
                slices = shard.keep()
            assert slices == other.shards("frames/face").write("01", whole)
            path = "frames/face/_shards/" + slices[0]["shard"]
            assert Path(folder, path).read_bytes() == Path(folder, "other", path).read_bytes()
            assert hashlib.sha256(Path(folder, path).read_bytes()).hexdigest()[:16] in path
            np.testing.assert_array_equal(np.load(Path(folder, path)), np.concatenate(whole))

    def test_nobody_reads_it_before_it_is_kept(self, store: Store) -> None:
        shards, parts = store.shards("frames/face"), pictures(3, 2)
        with shards.begin("01") as shard:
            for part in parts:
                shard.append(part)
                shard.end_take()
            shard.append(parts[0])  # a take that has not ended
            assert [name for name in store._files.names("frames/face/_shards") if name[0] != "."] == []
            slices = shard.keep()
        for kept, part in zip(read(store, slices), parts, strict=True):
            np.testing.assert_array_equal(kept, part)
        with shards.begin("01") as shard:
            shard.append(parts[0])
        with pytest.raises(RuntimeError), shards.begin("01") as shard:
            raise RuntimeError
        assert store._files.names("frames/face/_shards") == [slices[0]["shard"]]

    def test_a_take_moves_to_another_shard(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("storage.frames._BLOCK", 200)
        shards, (first, second, third) = store.shards("frames/face"), pictures(3, 20, 5)
        with shards.begin("01") as one, shards.begin("01") as other:
            for shard, part in ((one, first), (other, third)):
                shard.append(part)
                shard.end_take()
            other.append(second)
            other.move_take(one)
            one.end_take()
            moved, left = one.keep(), other.keep()
        assert moved == store.shards("frames/face").write("01", [first, second])
        assert left == store.shards("frames/face").write("01", [third])

    def test_the_header_is_as_long_for_any_number_of_frames(self) -> None:
        for shape in ((6, 5, 3), (1, 1, 1), (720, 1280, 3)):
            assert len({len(_header((count, *shape))) for count in (0, 1, 10**4, 256_000_000)}) == 1

    def test_a_shard_of_many_parts(self, store: Store) -> None:
        """S3 takes such a file in several."""
        frames = np.random.default_rng(0).integers(0, 256, (120, 240, 400, 1), np.uint8)
        with store.shards("frames/face").begin("01") as shard:
            for frame in frames:
                shard.append(frame[None])
            shard.end_take()
            slices = shard.keep()
        np.testing.assert_array_equal(read(store, slices)[0], frames)

    @pytest.mark.parametrize("kept", [False, True])
    def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_has_is_not(
        self, local_store: Store, kept: bool
    ) -> None:
        child = os.fork()
        if not child:
            try:
                shard = local_store.shards("frames/face").begin("01")
                shard.append(pictures(2)[0])
                if kept:
                    shard.end_take()
                    vars(steps)["reached"] = lambda _: os.kill(os.getpid(), signal.SIGKILL)
                    shard.keep()
                os.kill(os.getpid(), signal.SIGKILL)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        (dead,) = local_store._files.names("frames/face/_shards")
        assert re.fullmatch(r"\.01\.[0-9a-f]{32}\.tmp", dead)
        with local_store.shards("frames/face").begin("02") as living:
            living.append(pictures(1)[0])
            assert dead not in local_store._files.names("frames/face/_shards")
            (slot,) = local_store.shards("frames/face").write("01", pictures(2))
            living.end_take()
            (other,) = living.keep()
        assert sorted([slot["shard"], other["shard"]]) == local_store._files.names("frames/face/_shards")

    def test_swept_before_it_locks_it_is_written_again(
        self, local_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parts = pictures(2, 300)
        with monkeypatch.context() as patch:
            patch.setattr("storage.files._lock", lambda _: False)
            shard = local_store.shards("frames/face").begin("01")
        local_store._files.sweep("frames/face/_shards")
        assert local_store._files.names("frames/face/_shards") == []
        for part in parts:
            shard.append(part)
            shard.end_take()
        slices = shard.keep()
        assert local_store._files.names("frames/face/_shards") == [slices[0]["shard"]]
        for kept, part in zip(read(local_store, slices), parts, strict=True):
            np.testing.assert_array_equal(kept, part)

    def test_a_full_disk_leaves_nothing(self, local_store: Store) -> None:
        class Full(io.BytesIO):
            def write(self, _: Any) -> int:
                raise OSError(28, "No space left on device")

        with local_store.shards("frames/face").begin("01") as shard:
            shard._draft.file = Full()
            with pytest.raises(Unreachable, match=r"No space left on device; check access and free space"):
                shard.append(pictures(1)[0])
        assert local_store._files.names("frames/face/_shards") == []


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
