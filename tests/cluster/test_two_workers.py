"""Two Ray nodes on one host share one job, and give the table that one gives."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import psutil
import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.ray]
RAY = str(Path(sys.executable).parent / "ray")
JOB = Path(__file__).parents[2] / "jobs" / "featurize.py"

WHO_WORKED = """
import sys
import numpy as np, pyarrow as pa, ray
from ravdess.corpora import catalogue
from ravdess.features import FeatureSet
from ravdess.pipeline.stream import stream

def compute(y):
    return np.array([int(ray.get_runtime_context().get_node_id()[:5], 16)], np.float32)

ray.init(sys.argv[1], log_to_driver=False)
clips = catalogue("sample:actors=4,takes=32").clips
clips = clips.append_column("wanted", pa.array([1] * len(clips))).append_column("row", pa.array(range(len(clips))))
sets = [FeatureSet("node", ("node",), 22050, compute)]
batches = list(stream(clips, sets, cpus=2, time_limit=60))
nodes = {value for batch in batches for [value] in batch["values:node"].to_pylist()}
print(sum(map(len, batches)), len(nodes))
"""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A cluster of two nodes with one CPU each."""
    folder = Path(tempfile.mkdtemp(prefix="rv", dir="/tmp"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # a node that joins shows no token by itself
    size = ("--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats")
    head = ("--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(stop, folder)
        for role in (head, (f"--address=127.0.0.1:{port}",)):
            subprocess.run([RAY, "start", *role, *size], check=True, capture_output=True, timeout=120)
        yield f"127.0.0.1:{port}"


def stop(folder: Path) -> None:
    """End the processes of the cluster that lives in a folder, and no others, as `ray stop` would."""
    ours = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or ())
    ]
    for process in ours:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(ours, timeout=10)


def test_two_nodes_share_a_job_and_give_the_same_table(address: str, tmp_path: Path) -> None:
    tables = []
    for name, settings in (("two", {"RAY_ADDRESS": address}), ("one", {})):
        command = [sys.executable, str(JOB), "--source", "sample:actors=4,takes=32", "--store", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True, timeout=300, env={**os.environ, **settings})
        table = pd.read_parquet(tmp_path / name / "features" / "mfcc_stats")
        tables.append(table.sort_values("take", ignore_index=True))
    assert len(tables[0]) == 128
    pd.testing.assert_frame_equal(tables[0], tables[1])


def test_both_nodes_work(address: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WHO_WORKED, address], check=True, capture_output=True, text=True, timeout=300
    )
    assert ran.stdout.split() == ["128", "2"]
