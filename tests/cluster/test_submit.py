"""`ray up`, `ray submit` and `ray down` for real: cluster.yaml as it stands, over ssh, beside another Ray."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ravdess.corpora import sample
from tests.cluster.sshd import Sshd, missing, sshd

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(bool(missing()), reason=f"programs that are not installed: {missing()}"),
]
ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).parent / "ray")
BYSTANDER = """
import sys, ray
ray.init("local", num_cpus=1, include_dashboard=False, logging_level="error", log_to_driver=False)
echo = ray.remote(lambda text: text)
print("ready", flush=True)
for line in sys.stdin:
    print(ray.get(echo.remote(line.strip())), flush=True)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A short path: Ray's socket names have a length limit."""
    path = Path(tempfile.mkdtemp(prefix="rv", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def bystander() -> Iterator[subprocess.Popen[str]]:
    """Another Ray of the same user on the same machine, which must live through all of this."""
    process = subprocess.Popen(
        [sys.executable, "-c", BYSTANDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Sshd]:
    with sshd(folder / "ssh") as server:
        yield server


@pytest.fixture(scope="module")
def config(folder: Path, server: Sshd) -> Path:
    """cluster.yaml with nothing changed but whose machine it is."""
    settings = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    settings["auth"] = server.auth
    settings["cluster_name"] = folder.name
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def ray(*arguments: str | Path, status: int = 0) -> str:
    """Run Ray's command line from the project's folder, as a person would."""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    ran = subprocess.run(
        [RAY, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
        timeout=1200,
    )
    assert ran.returncode == status, ran.stdout
    return ran.stdout


def summary(output: str) -> dict[str, Any]:
    """The job's JSON, which stands among what the launcher prints."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(output[output.index("\n{\n") + 1 :])[0]
    return found


def test_up_submit_and_down(folder: Path, config: Path, server: Sshd, bystander: subprocess.Popen[str]) -> None:
    clips, store, alone = folder / "clips", folder / "store", folder / "alone"
    sample.write(clips, actors=4, takes=16)
    ray("up", "-y", "--no-config-cache", config)
    try:
        output = ray("submit", config, "jobs/featurize.py", "--", "--source", clips, "--store", store, "--json")
        assert summary(output)["features"]["mfcc_stats"]["rows"] == 64

        command = [sys.executable, str(ROOT / "jobs" / "featurize.py"), "--source", str(clips), "--store", str(alone)]
        subprocess.run(command, check=True, capture_output=True)
        tables = [
            pd.read_parquet(place / "features" / "mfcc_stats").sort_values("take", ignore_index=True)
            for place in (store, alone)
        ]
        pd.testing.assert_frame_equal(tables[0], tables[1])

        tune = ("--family", "svm", "--samples", "2", "--protocol", "loao", "--store", store, "--json")
        output = ray("submit", config, "jobs/tune.py", "--", *tune)
        assert summary(output)["results"][0]["family"] == "svm"

        laptop = "/home/me/only-on-my-laptop"
        output = ray("submit", config, "jobs/featurize.py", "--", "--source", laptop, "--store", store, status=1)
        assert laptop in output
        assert "Traceback" not in output.partition(laptop)[0]
    finally:
        ray("down", "-y", config)
    gone = subprocess.run(["pgrep", "-f", "raylet.*/tmp/ravdess-ray"], capture_output=True, text=True, check=False)
    assert not gone.stdout, "ray down left this cluster running"
    assert bystander.stdin is not None
    assert bystander.stdout is not None
    bystander.stdin.write("still here\n")
    bystander.stdin.flush()
    assert bystander.stdout.readline() == "still here\n"
