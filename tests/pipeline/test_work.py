"""Plain processes first, Ray where it pays: every clip comes once, whoever does it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from ravdess.cluster import cluster_there
from ravdess.corpora import catalogue
from ravdess.errors import Reject
from ravdess.extract import extract
from ravdess.features import FeatureSet, feature_set
from ravdess.pipeline import work
from ravdess.pipeline.hands import MOST
from ravdess.pipeline.outcomes import Outcome, outcomes_table
from ravdess.pipeline.work import Extraction

if TYPE_CHECKING:
    from ravdess.features import Floats

MFCC = feature_set("mfcc_stats")
MARK = "RAVDESS_TEST_VICTIM"


@pytest.fixture(scope="module")
def clips() -> pa.Table:
    table = catalogue("sample:actors=6,takes=16").clips
    return table.append_column("wanted", pa.array([1] * len(table)))


def sum_or_die(y: Floats) -> Floats:
    """The sum of the samples; the clip whose sum the environment names takes its process along."""
    total = np.float32(y.sum())
    if str(total) == os.environ.get(MARK):
        os._exit(1)
    return np.array([total], np.float32)


DEADLY = FeatureSet("deadly", ("sum",), 22050, sum_or_die)


class Ray:
    """Stands in for `start_ray` and `stream`: remembers what was left for it, and refuses each clip of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left: list[int] | None = None
        patch.setattr(work, "cluster_there", lambda: False)
        patch.setattr(work, "start_ray", lambda cpus: 2)
        patch.setattr(work, "stream", self._stream)

    def _stream(self, clips: pa.Table, sets: Any, *, left: Any, **how: Any) -> Iterator[pa.Table]:
        self.left = left.tolist()
        no = Reject("worker", "by Ray")
        yield outcomes_table(sets, [Outcome(row, "", (no,) * len(sets)) for row in self.left])


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Ray:
    return Ray(monkeypatch)


def test_little_work_is_done_without_ray(clips: pa.Table, ray: Ray) -> None:
    extraction = Extraction(clips, [MFCC], cpus=2, time_limit=60)
    got = pa.concat_tables(list(extraction)).sort_by("row")
    assert got["row"].to_pylist() == list(range(96))
    assert (extraction.on_ray, ray.left) == (False, None)
    for row in (0, 50, 95):
        alone = extract(clips["source"][row].as_py(), [MFCC])
        assert got["digest"][row].as_py() == alone.digest
        np.testing.assert_array_equal(np.float32(got["values:mfcc_stats"][row].as_py()), alone.values[0])


def test_what_a_dead_process_had_in_hand_is_left_to_ray(
    clips: pa.Table, ray: Ray, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = extract(clips["source"][40].as_py(), [DEADLY]).values[0]
    assert isinstance(alone, np.ndarray)
    monkeypatch.setenv(MARK, str(alone[0]))
    extraction = Extraction(clips, [DEADLY], cpus=2, time_limit=60)
    got = pa.concat_tables(list(extraction))
    assert sorted(got["row"].to_pylist()) == list(range(96))
    assert extraction.on_ray
    assert ray.left is not None
    assert 40 in ray.left
    assert len(ray.left) <= 2 * MOST  # the other process did the rest


def test_sets_that_no_other_process_can_load_are_left_to_ray(clips: pa.Table, ray: Ray) -> None:
    local = FeatureSet("local", ("sum",), 22050, lambda y: np.array([y.sum()], np.float32))
    list(Extraction(clips, [local], cpus=2, time_limit=60))
    assert ray.left == list(range(96))


def test_ray_takes_over_long_work_and_nothing_is_done_twice(
    clips: pa.Table, ray: Ray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "RAY_SECONDS", 0.0)
    got = pa.concat_tables(list(Extraction(clips, [MFCC], cpus=1, time_limit=60)))
    assert sorted(got["row"].to_pylist()) == list(range(96))
    assert ray.left
    refused = got.filter(got["stage:mfcc_stats"].is_valid())["row"].to_pylist()
    assert refused == ray.left


def test_a_cluster_is_there_when_somebody_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(__import__("sys").modules, "ray", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    for address, there in (("10.0.0.1:6379", True), ("auto", True), ("local", False)):
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert cluster_there() is there
    monkeypatch.delenv("RAY_ADDRESS")
    assert not cluster_there()
    told = tmp_path / "ray" / "ray_current_cluster"
    told.parent.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        told.write_text(f"127.0.0.1:{server.getsockname()[1]}\n")
        assert cluster_there()
    assert not cluster_there()  # the address that a dead one left behind
