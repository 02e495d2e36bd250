"""The contact sheet as people ask for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

JOB = str(Path(__file__).parents[2] / "jobs" / "featurize.py")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, JOB, *arguments, "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, check=False)


def test_a_preview_is_drawn_and_nothing_computed(tmp_path: Path) -> None:
    ran = run(tmp_path, "--source", "sample:actors=4,takes=2,modalities=video-only,height=90", "--preview", "2")
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout)
    assert summary["clips"] == ["02-01-01-01-01-01-01", "02-01-01-01-01-01-03"]  # spread over the actors
    assert summary["preview"] == str(tmp_path / "preview.png")
    assert (tmp_path / "preview.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert [path.name for path in tmp_path.iterdir()] == ["preview.png"]


def test_a_source_without_pictures_says_so(tmp_path: Path) -> None:
    ran = run(tmp_path, "--source", "sample:actors=1,takes=1", "--preview")
    assert ran.returncode == 1
    assert "no pictures to preview" in ran.stderr
    assert run(tmp_path, "--preview", "0").returncode == 2
