"""What all tests share."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports Ray: no usage report, no rebuilt environment under `uv run`.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

# A Ray of this process's own, which tests that run at the same time do not find. Its sockets need a short path.
_RAY_HOME = tempfile.mkdtemp(prefix="rv", dir="/tmp")
os.environ["RAY_TMPDIR"] = _RAY_HOME
atexit.register(shutil.rmtree, _RAY_HOME, ignore_errors=True)

# A busy machine is no failure.
settings.register_profile("ravdess", deadline=None)
settings.load_profile("ravdess")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``--dist loadgroup``: a file's tests share a process, and all that start Ray come one after another."""
    for item in items:
        starts_ray = any(item.get_closest_marker(name) for name in ("ray", "cluster"))
        item.add_marker(pytest.mark.xdist_group("ray" if starts_ray else item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real clips; the test skips where there is none."""
    folder = Path(os.environ.get("RAVDESS_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "ravdess").is_dir():
        pytest.skip(f"no real clips in {folder} (RAVDESS_DATA names the folder)")
    return folder


@pytest.fixture(scope="session")
def made_clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """96 made voices as .wav files: 6 actors, 16 takes each."""
    from ravdess.corpora import catalogue, read_bytes

    folder = tmp_path_factory.mktemp("made")
    clips = catalogue("sample:actors=6,takes=16").clips
    paths = [folder / f"{name}.wav" for name in clips["clip"].to_pylist()]
    for path, source in zip(paths, clips["source"].to_pylist(), strict=True):
        path.write_bytes(read_bytes(source))
    return paths


@pytest.fixture(scope="session")
def made_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of these voices' features, a finished run "small" of two families on them, and its two models."""
    from ravdess.corpora import catalogue
    from ravdess.extract import extract
    from ravdess.features import feature_set
    from ravdess.pipeline.outcomes import Outcome, outcomes_table
    from ravdess.pipeline.todo import Todo
    from ravdess.search import search
    from ravdess.search.run import InProcess
    from storage import Store

    store, sets = Store(tmp_path_factory.mktemp("store")), [feature_set("mfcc_stats")]
    with Todo(catalogue("sample:actors=6,takes=16"), store, sets) as todo:
        sources = todo.clips["source"].to_pylist()
        todo.commit([outcomes_table(sets, [Outcome(row, *extract(one, sets)) for row, one in enumerate(sources)])])
    search(
        store.features("mfcc_stats"),
        store,
        families=["svm", "lightgbm"],
        protocol="loao",
        samples=1,
        grid=0,
        run="small",
        runner=lambda data, families: InProcess(data, families, seed=0),
    )
    return Path(store.url)


@pytest.fixture(scope="session")
def ray_started() -> Iterator[int]:
    """One Ray for the whole session; its number of CPUs."""
    import ray

    from ravdess.cluster import start_ray

    yield start_ray(2)
    ray.shutdown()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a running S3 server with a bucket "bucket", reached by the AWS_* variables for the session."""
    script = Path(__file__).parent / "storage" / "s3_server.py"
    server = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        from pyarrow.fs import S3FileSystem

        S3FileSystem(
            endpoint_override=endpoint.removeprefix("http://"),
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
        ).create_dir("bucket")
        yield endpoint
    server.terminate()
    server.wait()
