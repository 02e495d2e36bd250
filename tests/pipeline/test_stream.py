"""The part that runs on Ray Data: every clip once, whatever becomes of its worker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from ravdess.corpora import catalogue, read_bytes
from ravdess.errors import WorkersFailed
from ravdess.extract import extract
from ravdess.features import FeatureSet, feature_set
from ravdess.pipeline.stream import stream
from ravdess.sound.read import read, resample

if TYPE_CHECKING:
    from ravdess.features import Floats

pytestmark = pytest.mark.ray
MFCC = feature_set("mfcc_stats")


@pytest.fixture(scope="module")
def clips() -> pa.Table:
    table = catalogue("sample:actors=3,takes=16").clips
    rows = pa.array(range(len(table)))
    return table.append_column("wanted", pa.array([1] * len(table))).append_column("row", rows)


def rigged(clips: pa.Table, row: int, act: Callable[[], None]) -> FeatureSet:
    """The sum of the samples as a feature set, which does something else for the clip of one row."""
    y, sr = read(read_bytes(clips["source"][row].as_py()))
    victim = float(np.abs(resample(y, sr, 22050)).sum())

    def compute(y: Floats) -> Floats:
        if abs(float(np.abs(y).sum()) - victim) < 1e-6 * victim:
            act()
        return np.array([y.sum()], np.float32)

    return FeatureSet("rigged", ("sum",), 22050, compute)


def test_every_clip_comes_once_with_its_own_numbers(clips: pa.Table, ray_started: int) -> None:
    clips = clips.set_column(clips.column_names.index("wanted"), "wanted", pa.array([1, 2, 3] * 16))
    other = replace(MFCC, name="other")
    got = pa.concat_tables(list(stream(clips, [MFCC, other], cpus=ray_started, time_limit=60))).sort_by("row")
    assert got["row"].to_pylist() == list(range(48))
    for place, name in enumerate(("mfcc_stats", "other")):
        asked = [bool(wanted >> place & 1) for wanted in clips["wanted"].to_pylist()]
        assert got[f"values:{name}"].is_valid().to_pylist() == asked
        assert got[f"stage:{name}"].null_count == 48
    for row in (0, 15, 47):
        alone = extract(clips["source"][row].as_py(), [MFCC])
        assert got["digest"][row].as_py() == alone.digest
        if row % 3 != 1:
            np.testing.assert_array_equal(np.float32(got["values:mfcc_stats"][row].as_py()), alone.values[0])


def test_rounds_share_out_the_clips_that_are_left(
    clips: pa.Table, ray_started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ravdess.pipeline.stream.ROUND", 16)
    monkeypatch.setattr("ravdess.pipeline.stream.CHUNK", 4)
    left = np.array([0, 3, *range(5, 47)])
    batches = stream(clips, [MFCC], cpus=ray_started, time_limit=60, left=left)
    rows = [row for batch in batches for row in batch["row"].to_pylist()]
    for start in range(0, len(left), 16):  # a round ends before the next begins
        assert sorted(rows[start : start + 16]) == left[start : start + 16].tolist()


@pytest.mark.parametrize("act", [lambda: os._exit(1), lambda: time.sleep(600)], ids=["killed", "hung"])
def test_a_clip_that_takes_its_worker_along_costs_one_clip(
    clips: pa.Table, ray_started: int, act: Callable[[], None]
) -> None:
    got = pa.concat_tables(list(stream(clips, [rigged(clips, 20, act)], cpus=ray_started, time_limit=3)))
    assert sorted(got["row"].to_pylist()) == list(range(48))
    rejects = got.filter(got["stage:rigged"].is_valid())
    assert rejects["row"].to_pylist() == [20]
    assert rejects["stage:rigged"].to_pylist() == ["worker"]
    assert "3 s" in rejects["reason:rigged"][0].as_py()


def test_workers_that_can_do_nothing_are_no_reason_to_reject_clips(clips: pa.Table, ray_started: int) -> None:
    def compute(y: Floats) -> Floats:
        os._exit(1)

    broken = FeatureSet("broken", ("sum",), 22050, compute)
    with pytest.raises(WorkersFailed, match="48 clips"):
        list(stream(clips, [broken], cpus=ray_started, time_limit=60))
