"""Folders of files that look like clips."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ravdess.clips import all_takes

Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """``put("Actor_01/x.wav")`` writes a file of unique content, ``put(name, b"…")`` one of that content."""
    unique = itertools.count()

    def write(name: str, content: bytes | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content %d" % next(unique) if content is None else content)
        return path

    return write


@pytest.fixture(scope="session")
def whole_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 7356 names of the publisher's, in the publisher's folders, each with its own few bytes."""
    root = tmp_path_factory.mktemp("whole")
    for take in all_takes():
        for code, top, ending in (("01", "Video", "mp4"), ("02", "Video", "mp4"), ("03", "Audio", "wav")):
            folder = root / f"{top}_{take.channel.title()}_Actors_01-24" / f"Actor_{take.actor}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{code}-{take.take}.{ending}").write_text(f"{code}-{take.take}")
    return root


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The address of an S3 server process with nothing in it."""
    script = Path(__file__).parents[1] / "storage" / "s3_server.py"
    server = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    server.terminate()
    server.wait()
