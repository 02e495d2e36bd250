"""The job as people run it: a process of its own, judged by its exit status, its output and the store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from storage import Store
from tests.search import toys

JOB = str(Path(__file__).parents[2] / "jobs" / "tune.py")
ASKED = ("--features=toy", "--family=svm", "--protocol=holdout", "--samples=6", "--grid=2", "--cpus=2")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, JOB, *map(str, arguments)]


def tune(*arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """Run the job with --json and return its summary."""
    ran = subprocess.run(
        command(*arguments, "--json"), capture_output=True, text=True, timeout=400, cwd="/", check=False
    )
    assert ran.returncode == status, ran.stderr
    summary: dict[str, Any] = json.loads(ran.stdout)
    return summary


def fill(store: Path, table: pd.DataFrame | None = None) -> Path:
    """A store with a table of toy features."""
    rows = pa.Table.from_pandas(toys.table() if table is None else table, preserve_index=False)
    with Store(store).table("features/toy").open(rows.schema, key=["corpus", "take"], fingerprint="toy-1") as writer:
        writer.append(rows)
    return store


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--search", "magic"], 2, "invalid choice: 'magic'"),
        (["--samples", "0"], 2, "0 is not at least 1"),
        (["--grid", "many"], 2, "expected a whole number or all"),
        (["--family", "svn"], 1, "unknown family 'svn', expected one of"),
        (["--protocol", "kfold"], 1, "unknown protocol 'kfold', expected one of"),
        (["--test-actors", "01"], 1, "test actors can be named for holdout only"),
        (["--protocol", "holdout", "--test-actors", "77"], 1, "unknown test actor '77'"),
        (["--corpus", "crema"], 1, "has no corpus 'crema'"),
        (["--channel", "song"], 1, "none of them song"),
        (["--features", "egemaps"], 1, "unknown feature set 'egemaps'"),
        (["--family", "cnn"], 1, "cnn takes frames, and toy is a feature table; frames are asked for as in --features"),
        (["--features", "face_48,face_96"], 1, "a search is of one set, not of face_48,face_96: ask for one after"),
        (["--features", "toy+face_48"], 1, "face_48 is a set of frames, and only tables are joined; search each alone"),
        (
            ["--features", "face_48"],
            1,
            "has no frames face_48; make them with: python jobs/featurize.py --features face",
        ),
    ],
)
def test_wrong_usage_is_said_in_one_line(tmp_path: Path, arguments: list[str], status: int, said: str) -> None:
    ran = subprocess.run(
        command("--store", fill(tmp_path), "--features", "toy", *arguments),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == status
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_nothing_is_made_for_a_family_that_cannot_use_it(tmp_path: Path) -> None:
    ran = subprocess.run(
        command("--store", tmp_path / "store", "--family", "cnn"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: cnn takes frames, and mfcc_stats is a feature table")
    assert not Store(tmp_path / "store").feature_sets()


@pytest.mark.ray
def test_killed_in_the_middle_it_goes_on_and_redoes_nothing_that_finished(tmp_path: Path) -> None:
    store = fill(tmp_path / "store")
    # The job's own process group, so that its Ray dies with it and nobody else's does.
    job = subprocess.Popen(
        command("--store", store, *ASKED), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    finished: list[Path] = []
    deadline = time.monotonic() + 200
    while len(finished) < 3 and job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
        finished = list(store.glob("runs/*/trials/*.json"))
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert len(finished) >= 3
    assert not list(store.glob("runs/*/results.parquet"))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in store.glob("runs/*/trials/*.json")}

    summary = tune("--store", store, *ASKED)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
    everything = list(store.glob("runs/*/trials/*.json"))
    assert summary["effort"]["trials"] == len(everything) - len(before)
    assert len(list(store.glob("runs/*"))) == 1

    from ravdess.search import search
    from ravdess.search.run import InProcess

    whole = search(
        toys.table(), Store(tmp_path / "whole"), families=["svm"], features="toy", protocol="holdout",
        samples=6, grid=2, fingerprint="toy-1", runner=lambda data, families: InProcess(data, families, seed=0),
    )  # fmt: skip
    assert summary["run"] == whole.run
    pd.testing.assert_frame_equal(
        pd.read_parquet(Path(summary["path"], "predictions.parquet")),
        pd.read_parquet(Path(whole.path, "predictions.parquet")),
    )

    began = time.monotonic()
    assert tune("--store", store, *ASKED)["results"] == summary["results"]
    assert time.monotonic() - began < 20  # a finished run is only printed: no Ray


def test_another_request_under_a_runs_name_is_refused_with_the_difference(tmp_path: Path) -> None:
    store = fill(tmp_path)
    Store(store).folder("runs/mine").write("request.json", b'{"seed": 4}')
    ran = subprocess.run(
        command("--store", store, *ASKED, "--run", "mine"), capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 1
    assert "run 'mine' was begun with another request" in ran.stderr
    assert "seed: 4 → 0" in ran.stderr


@pytest.mark.ray
def test_without_a_table_the_made_corpus_is_used_and_said(tmp_path: Path) -> None:
    ran = subprocess.run(
        command("--store", tmp_path, "--samples", "1", "--grid", "0", "--protocol", "holdout", "--cpus", "2"),
        capture_output=True, text=True, timeout=400, cwd="/", check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "using the made sample corpus" in ran.stderr
    assert "made sample corpus, not people" in ran.stdout
    assert "pandas.read_parquet(" in ran.stdout
    assert Store(tmp_path).models() == ["made-svm-mfcc_stats"]
