"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before anything imports Ray: no usage report, no rebuilt environment under `uv run`.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

# A busy machine is no failure.
settings.register_profile("ravdess", deadline=None)
settings.load_profile("ravdess")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real clips; the test skips where there is none."""
    folder = Path(os.environ.get("RAVDESS_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "ravdess").is_dir():
        pytest.skip(f"no real clips in {folder} (RAVDESS_DATA names the folder)")
    return folder


@pytest.fixture(scope="session")
def ray_started() -> Iterator[int]:
    """One Ray for the whole session; its number of CPUs."""
    import ray

    from ravdess.cluster import start_ray

    yield start_ray(2)
    ray.shutdown()
