"""What every job has: help that comes at once, with examples, and loads nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("*.py"))
HEAVY = {
    "numpy", "pandas", "pyarrow", "scipy", "sklearn", "deltalake", "ray", "tensorflow", "keras", "xgboost", "lightgbm",
    "librosa", "av", "cv2", "matplotlib", "fastapi", "starlette", "uvicorn",
}  # fmt: skip


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_help_answers_at_once_and_loads_nothing_heavy(job: Path) -> None:
    before = os.times()
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", job, "--help"], capture_output=True, text=True, check=True
    )
    after = os.times()
    assert "examples:" in ran.stdout
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "argparse" in loaded
    assert not loaded & HEAVY
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1.0
