"""The process with limits: what breaks it costs one call, and from inside nothing can be opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ravdess.errors import BadClip, WorkersFailed
from ravdess.predict.worker import Limits, Worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are Linux's here")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One that does what it is told, with small limits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        with Worker(
            "tests.predict.misbehaving:act", Limits(seconds=3.0, memory=1 << 30, given=1000, answer=1 << 20)
        ) as worker:
            worker.call(b"echo")
            yield worker


def test_it_answers_from_one_warm_process_that_sees_no_credentials(worker: Worker) -> None:
    facts, raw = worker.call(b"echo", name="x", longest=2.5)
    assert facts["options"] == {"name": "x", "longest": 2.5}
    assert raw == b"rawrawraw"
    assert facts["pid"] == worker.call(b"echo")[0]["pid"] != os.getpid()
    assert not [name for name in facts["environment"] if "AWS" in name or "SECRET" in name]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"refuse", "^no clip$"),
        (b"?", "nobody thought of this"),
        (b"die", "broke the process that read it .signal SIGKILL"),
        (b"hang", "not read within 3 s"),
        (b"eat", "more memory than the 1024 MiB allowed"),
        (b"flood", "broke the process"),
        (b"x" * 1001, "1001 bytes, expected at most 1000"),
    ],
)
def test_what_goes_wrong_is_a_reason_and_the_next_call_is_served(worker: Worker, data: bytes, reason: str) -> None:
    with pytest.raises(BadClip, match=reason):
        worker.call(data)
    assert worker.call(b"echo")[1] == b"rawrawraw"


@pytest.mark.parametrize("deed", [b"write", b"read", b"connect"])
def test_from_inside_nothing_can_be_opened(worker: Worker, deed: bytes) -> None:
    with pytest.raises(BadClip, match="Too many open files"):
        worker.call(deed)
    assert not Path("written-by-a-worker").exists()


def test_what_a_library_prints_is_no_answer(worker: Worker) -> None:
    assert worker.call(b"print") == ({}, b"")


def test_a_process_that_cannot_start_says_why() -> None:
    with Worker("no_such_module:f") as broken, pytest.raises(WorkersFailed, match="No module named 'no_such_module'"):
        broken.call(b"")
