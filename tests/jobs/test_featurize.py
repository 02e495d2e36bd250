"""The job as people run it: a process of its own, judged by its exit status, its output and the store."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ravdess.corpora import sample
from storage import Store

JOB = str(Path(__file__).parents[2] / "jobs" / "featurize.py")


def featurize(*arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """Run the job with --json and return its summary."""
    command = [sys.executable, JOB, *map(str, arguments), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd="/", check=False)
    assert ran.returncode == status, ran.stderr
    summary: dict[str, Any] = json.loads(ran.stdout)
    return summary


def rows(store: Path, name: str = "mfcc_stats") -> pd.DataFrame:
    return pd.read_parquet(store / "features" / name).sort_values("take", ignore_index=True)


def test_wrong_usage_and_absent_sources_are_said() -> None:
    ran = subprocess.run([sys.executable, JOB, "--nonsense"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    ran = subprocess.run(
        [sys.executable, JOB, "--source", "/no/such/place"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "/no/such/place" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_verify_counts_and_computes_nothing(tmp_path: Path) -> None:
    summary = featurize("--source", "sample:actors=2,takes=4", "--verify", "--store", tmp_path / "store")
    assert sum(row["files"] for row in summary["counts"]) == 8
    assert not (tmp_path / "store").exists()


@pytest.mark.ray
def test_damaged_files_are_named_and_nothing_is_done_twice(tmp_path: Path) -> None:
    source, store = tmp_path / "clips", tmp_path / "store"
    sample.write(source, actors=2, takes=8)
    whole = next(source.rglob("*.wav")).read_bytes()
    damaged = {
        "03-01-01-01-01-01-20.wav": whole[: len(whole) // 2],
        "03-01-02-01-01-01-20.wav": b"",
        "03-01-03-01-01-01-20.wav": b"some text, not sound\n" * 50,
        "my song.wav": whole,
    }
    for name, content in damaged.items():
        (source / name).write_bytes(content)
    (source / "03-01-04-01-01-01-20.wav").mkdir()
    summary = featurize("--source", source, "--store", store, status=3)
    made = summary["features"]["mfcc_stats"]
    assert (made["rows"], made["computed"], made["rejects"]) == (16, 16, 5)
    reasons = {Path(reject["source"]).name: reject["reason"] for reject in summary["rejects"]}
    assert reasons.keys() == {*damaged, "03-01-04-01-01-01-20.wav"}
    assert all(reasons.values())
    assert len(rows(store)) == 16

    again = featurize("--source", source, "--store", store, status=3)
    assert again["ray_started"] is False
    assert again["features"]["mfcc_stats"] == {**made, "computed": 0}
    assert again["rejects"] == summary["rejects"]


@pytest.mark.ray
def test_killed_at_any_moment_the_rerun_gives_the_unbroken_table(tmp_path: Path) -> None:
    source = "sample:actors=6,takes=32"
    featurize("--source", source, "--store", tmp_path / "whole")
    store = tmp_path / "killed"
    chance = random.Random(7)
    for _ in range(3):
        job = subprocess.Popen(
            [sys.executable, JOB, "--source", source, "--store", str(store)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while not Store(store).table("features/mfcc_stats").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 4))  # all of it takes about six
        os.kill(job.pid, signal.SIGKILL)
        job.wait()
    summary = featurize("--source", source, "--store", store)
    assert summary["features"]["mfcc_stats"]["rows"] == 192
    pd.testing.assert_frame_equal(rows(store), rows(tmp_path / "whole"))


@pytest.mark.ray
@pytest.mark.parametrize("where", ["local", pytest.param("s3", marks=pytest.mark.s3)])
def test_two_jobs_at_once_on_one_store_both_end_well(
    tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    place = str(tmp_path)
    if where == "s3":
        request.getfixturevalue("s3_endpoint")
        place = "s3://bucket/two-jobs"
    command = [sys.executable, JOB, "--source", "sample:actors=4,takes=16", "--store", place, "--json"]
    jobs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    summaries = []
    for job in jobs:
        stdout, stderr = job.communicate(timeout=300)
        assert job.returncode == 0, stderr
        summaries.append(json.loads(stdout)["features"]["mfcc_stats"])
    assert sum(made["computed"] for made in summaries) == 64
    takes = Store(place).features("mfcc_stats")["take"]
    assert len(takes) == 64
    assert takes.is_unique


@pytest.mark.ray
@pytest.mark.s3
def test_clips_and_store_may_both_lie_on_s3(tmp_path: Path, s3_endpoint: str) -> None:
    from pyarrow import fs

    sample.write(tmp_path / "clips", actors=1, takes=8)
    server = fs.S3FileSystem(endpoint_override=s3_endpoint.removeprefix("http://"), scheme="http", region="us-east-1")
    fs.copy_files(str(tmp_path / "clips"), "bucket/clips", destination_filesystem=server)
    summary = featurize("--source", "s3://bucket/clips", "--store", "s3://bucket/store-of-clips")
    assert summary["features"]["mfcc_stats"]["rows"] == 8
    featurize("--source", tmp_path / "clips", "--store", tmp_path / "store")
    far = Store("s3://bucket/store-of-clips").features("mfcc_stats").sort_values("take", ignore_index=True)
    pd.testing.assert_frame_equal(far.drop(columns="source"), rows(tmp_path / "store").drop(columns="source"))


def shards(store: Path, name: str) -> dict[str, int]:
    return {path.name: zlib.crc32(path.read_bytes()) for path in (store / "frames" / name / "_shards").glob("*.npy")}


@pytest.mark.ray
def test_frames_killed_at_any_moment_end_as_the_unbroken_ones(tmp_path: Path) -> None:
    source, store = "sample:actors=4,takes=32", tmp_path / "killed"
    arguments = ["--source", source, "--features", "logmel,mfcc_stats", "--store"]
    whole = featurize(*arguments, tmp_path / "whole")
    assert whole["features"].keys() == {"logmel", "mfcc_stats"}
    job = subprocess.Popen(
        [sys.executable, JOB, *arguments, str(store)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (store / "frames" / "logmel" / "_shards").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(random.Random(3).uniform(0, 1))
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    summary = featurize(*arguments, store)
    made = summary["features"]["logmel"]
    assert (made["rows"], made["frames"]) == (128, whole["features"]["logmel"]["frames"])
    assert shards(store, "logmel") == shards(tmp_path / "whole", "logmel")
    index, expected = (
        pd.read_parquet(top / "frames" / "logmel").sort_values("take", ignore_index=True)
        for top in (store, tmp_path / "whole")
    )
    pd.testing.assert_frame_equal(index, expected)


@pytest.mark.ray
@pytest.mark.s3
def test_two_jobs_at_once_make_frames_on_s3(tmp_path: Path, s3_endpoint: str) -> None:
    place = "s3://bucket/frames-of-two-jobs"
    source = "sample:actors=2,takes=4"
    command = [sys.executable, JOB, "--source", source, "--features", "logmel", "--store", place, "--json"]
    jobs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    made = []
    for job in jobs:
        stdout, stderr = job.communicate(timeout=300)
        assert job.returncode == 0, stderr
        made.append(json.loads(stdout)["features"]["logmel"])
    assert sum(one["computed"] for one in made) == 8
    featurize("--source", source, "--features", "logmel", "--store", tmp_path)
    far, near = Store(place).frames("logmel"), Store(tmp_path).frames("logmel")
    names = sorted(near)
    assert sorted(far) == names
    for a, b in zip(far.only(names), near.only(names), strict=True):
        np.testing.assert_array_equal(a, b)
