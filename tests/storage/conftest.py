"""An S3 server, processes to kill, and stores to test on."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import Store
from tests.storage.workers import Workers

_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a running S3 server with a bucket "bucket", reached by the AWS_* variables for the session."""
    script = Path(__file__).with_name("s3_server.py")
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


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    parent = Workers()
    yield parent
    parent.close()


@pytest.fixture
def local_store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def s3_store(s3_endpoint: str) -> Store:
    assert s3_endpoint
    return Store(f"s3://bucket/store-{next(_numbers)}")


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store, once on disk and once in S3."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
