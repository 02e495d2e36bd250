"""Damaged files through the page: each gets an answer or a reason, and costs only itself."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import Clip
from ravdess.corpora import sample
from tests.mutations import mutated, real_files
from tests.serve.serving import running


def through_the_page(bundle: Bundle, files: list[bytes], count: int, tmp_path: Path) -> Counter[str]:
    """Send `count` damaged copies, and see that the page still answers and that nothing was written."""
    bundle.save(tmp_path / "model")
    folders = {name: str(tmp_path / name.lower()) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    for folder in folders.values():
        Path(folder).mkdir()
    (tmp_path / "here").mkdir()
    before = sorted(tmp_path.rglob("*"))
    page = Path(__file__).with_name("serving.py")
    kinds: Counter[str] = Counter()
    limits = '{"uploads_a_minute": 100000}'
    with running(page, tmp_path / "model", limits, environment=folders, cwd=tmp_path / "here") as (address, process):
        with httpx.Client(base_url=address, timeout=60) as client:
            whole = client.post("/api/file", content=files[0]).json()["answers"]
            for number, data in enumerate(mutated(files, count)):
                told = client.post("/api/file", content=data)
                assert told.status_code == 200, f"{number}: {told.status_code} {told.text}"
                kinds[next(iter(told.json()))] += 1
                if "refused" in told.json():
                    assert re.search(r"\w{3,} \w+", told.json()["refused"]), f"{number}: {told.text}"
            assert client.post("/api/file", content=files[0]).json()["answers"] == whole
        ours = psutil.Process(process.pid)
        family = [ours, *ours.children(recursive=True)]
        assert len(family) <= 5, "broken workers were replaced, not piled up"
        opened = {file.path for one in family for file in one.open_files()}
        assert not {path for path in opened if os.access(path, os.W_OK) and path.startswith(str(tmp_path))}
    assert sorted(tmp_path.rglob("*")) == before
    return kinds


def test_damaged_made_files_cost_only_themselves(bundle: Bundle, made_clips: list[Path], tmp_path: Path) -> None:
    film = sample.make(Clip.parse("01-01-03-01-01-01-02"), height=48)
    kinds = through_the_page(bundle, [made_clips[0].read_bytes(), film], 60, tmp_path)
    assert kinds["answers"] >= 5
    assert kinds["refused"] >= 20


@pytest.mark.data
def test_damaged_real_files_cost_only_themselves(bundle: Bundle, real_data: Path, tmp_path: Path) -> None:
    kinds = through_the_page(bundle, real_files(real_data), 200, tmp_path)
    assert kinds["answers"] >= 20
    assert kinds["refused"] >= 80
