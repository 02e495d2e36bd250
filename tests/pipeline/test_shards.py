"""Frame sets through Ray Data: shards that no kill, retry or neighbour changes, and an index with each take once."""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.corpora import catalogue, choose, read_bytes, sample
from ravdess.errors import BadClip, NoRoom, Reject, UnknownName, WorkersFailed
from ravdess.extract import Shown
from ravdess.frames import FRAME_SETS, FrameSet, Pictures, frame_set
from ravdess.picture import take
from ravdess.picture.decode import decoded
from ravdess.pipeline import groups, shards
from ravdess.pipeline.groups import TAKES, cut
from ravdess.pipeline.shards import FramesTodo, featurize_frames
from ravdess.sound.read import read, resample
from storage import Store
from storage.errors import Unreachable
from tests.picture.clips import film

LOGMEL = frame_set("logmel")
SOURCE = "sample:actors=2,takes=8"


def files(store: Store, name: str = "rigged") -> dict[str, str]:
    """Name and SHA-256 of every shard."""
    folder = Path(store.table(f"frames/{name}").path, "_shards")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def index(store: Store, name: str = "rigged") -> pd.DataFrame:
    frame = pd.read_parquet(store.table(f"frames/{name}").path)
    assert frame["take"].is_unique
    return frame.sort_values("take", ignore_index=True)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FrameSet]:
    """Register the samples as frames, with something done at the clip whose samples sum up to `victim`."""

    def rigged(victim: float = np.nan, act: Callable[[], Any] | None = None, name: str = "rigged") -> FrameSet:
        def compute(y: Any) -> Pictures:
            total = float(np.abs(y).sum())
            if act is not None and (np.isnan(victim) or abs(total - victim) < 1e-6 * victim):
                act()
            kept = np.abs(y[: len(y) // 1024 * 1024]) * 255
            return Pictures(kept.astype(np.uint8).reshape(-1, 32, 32, 1), (total,))

        made = FrameSet(name, (32, 32, 1), "sound", ("total",), sample_rate=22050, compute=compute, source="here")
        monkeypatch.setitem(FRAME_SETS._items, name, made)
        return made

    list(FRAME_SETS)
    return rigged


def total(clips: pa.Table, row: int) -> float:
    y, sr = read(read_bytes(clips["source"][row].as_py()))
    return float(np.abs(resample(y, sr, 22050)).sum())


def test_the_cuts_hang_on_the_catalogue_alone() -> None:
    clips = catalogue("sample:actors=2,takes=40").clips
    n = clips.num_rows
    rng = np.random.default_rng(0)

    def cuts(wanted: Any) -> list[list[str]]:
        rows = clips.append_column("row", pa.array(np.arange(n))).append_column("wanted", pa.array(wanted))
        return [group["clip"].to_pylist() for group in cut(rows, "picture")]

    whole = cuts(np.ones(n, np.int64))
    assert [len(group) for group in whole] == [16, 16, 8] * 2
    assert all(len({clip[-2:] for clip in group}) == 1 and group == sorted(group) for group in whole)
    wanted = rng.integers(0, 2, n)
    todo = {clip for clip, bits in zip(clips["clip"].to_pylist(), wanted, strict=True) if bits}
    assert cuts(wanted) == [some for group in whole if (some := [clip for clip in group if clip in todo])]


def test_a_worker_ends_a_shard_before_it_grows_too_large(
    tmp_path: Path, rig: Callable[..., FrameSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, clips = rig(), catalogue("sample:actors=1,takes=5").clips
    monkeypatch.setattr(groups, "SHARD_BYTES", 200_000)
    chunk = clips.select(["clip", "source", "actor"]).append_column("row", pa.array(range(5)))
    chunk = chunk.append_column("wanted", pa.array([1] * 5))
    keep = {"rigged": Store(tmp_path).shards("frames/rigged")}
    (batch,) = groups.work_through(chunk, sets=[one], shards=keep, time_limit=60)
    slices = batch["slice:rigged"].to_pylist()
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "frames/rigged/_shards").iterdir()}
    assert len(sizes) > 1
    assert max(sizes.values()) <= 200_128
    assert {slot["shard"] for slot in slices} == sizes.keys()
    assert batch["size:rigged"][0].as_py() == sum(slot["count"] for slot in slices) * 1024
    (probe,) = groups.work_through(chunk, sets=[one], shards=None, time_limit=60)
    assert probe["size:rigged"].to_pylist() == batch["size:rigged"].to_pylist()
    assert probe["slice:rigged"].null_count == 5
    monkeypatch.setattr(groups, "LARGEST_TAKE", 10)
    (refused,) = groups.work_through(chunk, sets=[one], shards=keep, time_limit=60)
    assert all("more than the 10 of a shard" in reason for reason in refused["reason:rigged"].to_pylist())


class TestFrameByFrame:
    """What a group's frames come to is what would be written of its whole takes, whatever befalls one of them."""

    @staticmethod
    def made(folder: Path, chunk: pa.Table, one: FrameSet) -> list[Any]:
        keep = {one.name: Store(folder).shards(f"frames/{one.name}")}
        (batch,) = groups.work_through(chunk, sets=[one], shards=keep, time_limit=60)
        return list(zip(batch[f"slice:{one.name}"].to_pylist(), batch[f"reason:{one.name}"].to_pylist(), strict=True))

    @settings(max_examples=40, deadline=None)
    @given(
        takes=st.lists(
            st.tuples(st.integers(1, 12), st.integers(0, 3), st.sampled_from(("well", "well", "broken", "refused"))),
            min_size=1,
            max_size=9,
        )
    )
    def test_takes_fill_shards_in_order(self, takes: list[tuple[int, int, str]]) -> None:
        """Takes of so many frames, of which so many more were promised; a shard has ten at most."""
        one = frame_set("face_48")
        arrays = [
            np.random.default_rng(at).integers(0, 256, (count, *one.shape), np.uint8)
            for at, (count, _, _) in enumerate(takes)
        ]

        def extract(source: str, sets: Any, emit: Any, *, begin: Any, name: str) -> Shown:
            count, more, fate = takes[int(source)]
            if fate != "refused":
                begin(0, count + more)
                for frame in arrays[int(source)][: 1 if fate == "broken" else None]:
                    emit(0, frame[None])
            return Shown("", ((1.0,) if fate == "well" else Reject("extract", fate),))

        rows = range(len(takes))
        chunk = pa.table(
            {
                "row": rows,
                "clip": map(str, rows),
                "source": map(str, rows),
                "actor": ["a b"] * len(takes),
                "wanted": [1] * len(takes),
            }
        )
        waiting: list[list[int]] = [[]]
        for at, (count, _, fate) in enumerate(takes):
            if fate == "well":
                if waiting[-1] and sum(takes[other][0] for other in waiting[-1]) + count > 10:
                    waiting.append([])
                waiting[-1].append(at)
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(groups, "SHARD_BYTES", 10 * one.frame_bytes)
            patch.setattr(groups, "extract_frames", extract)
            got = self.made(Path(folder, "made"), chunk, one)
            whole = Store(Path(folder, "whole"))
            expected: list[Any] = [(None, fate) for _, _, fate in takes]
            for some in waiting:
                if some:
                    slices = whole.shards("frames/face_48").write("a-b", [arrays[at] for at in some])
                    for at, slot in zip(some, slices, strict=True):
                        expected[at] = (dict(slot), None)
            assert got == expected
            if any(waiting):
                assert files(Store(Path(folder, "made")), "face_48") == files(whole, "face_48")
            else:
                assert not list(Path(folder, "made", "frames", "face_48").glob("_shards/*"))

    def test_a_film_that_breaks_halfway_leaves_no_trace(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        chunk, one = self.films(tmp_path), frame_set("face_48")
        came: list[int] = []

        def breaking(film: Any, wanted: Any) -> Any:
            for number, planes in decoded(film, wanted):
                if film.count == 60 and number == 40:
                    raise BadClip("damaged pictures: on purpose")
                came.append(number)
                yield number, planes

        monkeypatch.setattr(take, "SEEN", 3)
        monkeypatch.setattr(take, "decoded", breaking)
        first, broken, last = self.made(tmp_path / "made", chunk, one)
        assert 35 in came
        assert broken == (None, "damaged pictures: on purpose")
        assert files(Store(tmp_path / "made"), "face_48").keys() == {first[0]["shard"]}
        monkeypatch.undo()
        monkeypatch.setattr(take, "SEEN", 3)
        without = self.made(tmp_path / "without", chunk.filter(pa.array([True, False, True])), one)
        assert [first, last] == without

    def test_a_worker_killed_halfway_through_a_film_changes_nothing(self, tmp_path: Path) -> None:
        chunk, one = self.films(tmp_path), frame_set("face_48")
        unbroken = self.made(tmp_path / "unbroken", chunk, one)
        child = os.fork()
        if not child:

            def dying(film: Any, wanted: Any) -> Any:
                for number, planes in decoded(film, wanted):
                    if film.count == 60 and number == 40:
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield number, planes

            try:
                vars(take)["decoded"] = dying
                self.made(tmp_path / "broken", chunk, one)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        folder = tmp_path / "broken" / "frames" / "face_48" / "_shards"
        assert [path.suffix for path in folder.iterdir()] == [".tmp"]
        assert self.made(tmp_path / "broken", chunk, one) == unbroken
        assert files(Store(tmp_path / "broken"), "face_48") == files(Store(tmp_path / "unbroken"), "face_48")

    @staticmethod
    def films(folder: Path) -> pa.Table:
        """Three films, of 31, 60 and 24 pictures."""
        paths = []
        for count in (31, 60, 24):
            paths.append(folder / f"{count}.mp4")
            paths[-1].write_bytes(film(count))
        sources = [str(path) for path in paths]
        return pa.table({"row": range(3), "clip": sources, "source": sources, "actor": ["01"] * 3, "wanted": [1] * 3})


@pytest.mark.ray
def test_frames_stand_in_the_store_and_nothing_is_done_twice(tmp_path: Path, ray_started: int) -> None:
    store, found = Store(tmp_path), catalogue(SOURCE)
    told: list[Any] = []
    made = featurize_frames(found, store, ["logmel"], begin=lambda *n: told.append(n))
    one = made.frames["logmel"]
    assert (one.rows, one.computed, one.rejects, made.ray_started, told) == (16, 16, 0, True, [(16, 0)])
    frames = store.frames("logmel")
    rows = index(store, "logmel").set_index("take")
    assert one.frames == rows["count"].sum() == one.bytes // 64
    for clip in found.clips.to_pylist():
        y, sr = read(read_bytes(clip["source"]))
        expected = LOGMEL.extract(y, sr)
        np.testing.assert_array_equal(frames[clip["take"]], expected.frames)
        row = rows.loc[clip["take"]]
        np.testing.assert_array_equal(
            row[list(LOGMEL.columns)].to_numpy(np.float32), np.array(expected.facts, np.float32)
        )
        assert row["source_digest"] == hashlib.sha256(read_bytes(clip["source"])).hexdigest()
        assert row["shard"].startswith(f"{clip['actor']}-")
        assert row["emotion"] == clip["emotion"]
    again = featurize_frames(found, store, ["logmel"])
    assert (again.ray_started, again.frames["logmel"]) == (False, replace(one, computed=0))
    with pytest.raises(UnknownName, match="unknown frame set 'mfcc_stats'"):
        featurize_frames(found, store, ["mfcc_stats"])


@pytest.mark.ray
def test_new_takes_get_new_shards(tmp_path: Path, rig: Callable[..., FrameSet], ray_started: int) -> None:
    rig()
    store = Store(tmp_path)
    featurize_frames(catalogue("sample:actors=1,takes=3"), store, ["rigged"])
    before, stood = files(store), index(store)
    made = featurize_frames(catalogue("sample:actors=2,takes=5"), store, ["rigged"])
    assert (made.frames["rigged"].rows, made.frames["rigged"].computed) == (10, 7)
    assert before.items() < files(store).items()
    both = index(store)
    kept = both[both["take"].isin(stood["take"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, stood)


@pytest.mark.ray
def test_a_worker_that_dies_once_changes_no_shard(
    tmp_path: Path, rig: Callable[..., FrameSet], ray_started: int
) -> None:
    found = catalogue(SOURCE)
    flag = tmp_path / "died"

    def once() -> None:
        if not flag.exists():
            flag.touch()
            os._exit(1)

    unbroken, broken = Store(tmp_path / "unbroken"), Store(tmp_path / "broken")
    rig()
    featurize_frames(found, unbroken, ["rigged"])
    rig(total(found.clips, 5), once)
    made = featurize_frames(found, broken, ["rigged"])
    assert flag.exists()
    assert (made.frames["rigged"].rows, made.rejects.num_rows) == (16, 0)
    assert files(broken) == files(unbroken)
    pd.testing.assert_frame_equal(index(broken), index(unbroken))


@pytest.mark.ray
def test_a_take_that_always_kills_its_worker_costs_one_take(
    tmp_path: Path, rig: Callable[..., FrameSet], ray_started: int
) -> None:
    store, found = Store(tmp_path), catalogue(SOURCE)
    one = rig(total(found.clips, 5), lambda: os._exit(1))
    made = featurize_frames(found, store, ["rigged"])
    assert (made.frames["rigged"].rows, made.frames["rigged"].rejects) == (15, 1)
    assert made.rejects["stage"].to_pylist() == ["worker"]
    assert made.rejects["source"][0] == found.clips["source"][5]
    assert featurize_frames(found, store, ["rigged"]).ray_started is False
    assert len(files(store)) == 2
    with FramesTodo(found, store, [replace(one, name="other")]) as todo:
        assert len(todo) == 16, "what kills one set's worker says nothing of another set"


@pytest.mark.ray
def test_failures_that_are_no_takes_fault_reject_none(
    tmp_path: Path, rig: Callable[..., FrameSet], ray_started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, found = Store(tmp_path), catalogue("sample:actors=2,takes=2")
    one = rig()
    monkeypatch.setattr(shards, "_FEW", 3)
    with FramesTodo(found, store, [one]):
        Path(store.table("frames/rigged").path, "_shards").write_text("in the way")
    with pytest.raises(Unreachable, match="_shards"):
        featurize_frames(found, store, ["rigged"])
    rig(act=lambda: os._exit(1))
    with pytest.raises(WorkersFailed, match="4 takes"):
        featurize_frames(found, store, ["rigged"])
    monkeypatch.setattr(shards, "LONG", 4)
    monkeypatch.setattr(shards, "_free", lambda store: 10**4)
    rig()
    said: list[Any] = []
    with pytest.raises(NoRoom, match=r"need about 0.0 GB .* give another --store"):
        featurize_frames(found, store, ["rigged"], room=lambda need, free: said.append((need, free)))
    assert store.rejects().empty
    Path(store.table("frames/rigged").path, "_shards").unlink()
    monkeypatch.undo()
    rig()
    monkeypatch.setattr(shards, "LONG", 4)
    made = featurize_frames(found, store, ["rigged"], room=lambda need, free: said.append((need, free)))
    (need, free), _ = said
    assert free == 10**4
    assert need["rigged"] == pytest.approx(made.frames["rigged"].bytes, rel=0.4)


def test_a_source_without_pictures_says_so_and_is_not_done(tmp_path: Path) -> None:
    made = featurize_frames(catalogue("sample:actors=1,takes=1"), Store(tmp_path), ["face_48"])
    assert made.frames["face_48"].rows == 0
    assert "the source has neither audio-video nor video-only files that can be used: nothing for face_48" in made.notes


def test_groups_are_small_enough_to_lose() -> None:
    assert TAKES["picture"] * 17_000_000 < 3e8, "frames_640x360 of a group"
    assert groups.SHARD_BYTES <= 256_000_000


@pytest.mark.ray
def test_every_file_has_frames_of_its_own(tmp_path: Path, ray_started: int) -> None:
    folder, store = tmp_path / "clips", Store(tmp_path / "store")
    sample.write(folder, actors=1, takes=2, modalities=("audio-only", "audio-video"))
    made = featurize_frames(catalogue(folder), store, ["logmel"], every_file=True)
    assert made.frames["logmel"].rows == 4
    clips = sorted(store.frames("logmel_every_file"))
    assert [clip[:2] for clip in clips] == ["01", "01", "03", "03"]
    assert store.frames("logmel_every_file")[clips[0]].shape[1:] == (64, 1, 1)


@pytest.mark.data
@pytest.mark.ray
def test_the_publishers_takes_stand_once_and_a_silent_track_is_no_sound(
    tmp_path: Path, real_data: Path, ray_started: int
) -> None:
    found, store = catalogue(str(real_data / "ravdess" / "video")), Store(tmp_path)
    files = found.clips["clip"].to_pylist()
    made = featurize_frames(found, store, ["face_48"])
    stood = index(store, "face_48")
    assert not made.rejects.num_rows
    assert set(stood["take"]) == {name[3:] for name in files}
    assert len(stood) < len(files)
    assert all(clip[:2] == "01" or f"01{clip[2:]}" not in files for clip in stood["clip"])
    frames = store.frames("face_48")
    assert all(len(frames[take]) == count for take, count in zip(stood["take"], stood["count"], strict=True))
    assert (stood["face_found"] > 0.9).all()
    heard = choose(found.clips, modality="sound")["clip"].to_pylist()
    assert sorted(heard) == sorted(name for name in files if name.startswith("01"))
