"""Processes to kill, and stores to test on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import Store
from tests.storage.workers import Workers

_numbers = itertools.count()


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
