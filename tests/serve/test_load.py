"""A few who speak, look and drop files at once, for seconds: the benchmark in small."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ravdess.bundle import Bundle
from tests.benchmarks.serve import BEHIND, load
from tests.serve.serving import running


def test_four_at_once_are_answered_in_time_and_memory_stays(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "model")
    with running(Path(__file__).with_name("serving.py"), tmp_path / "model", "{}") as (address, process):
        told = asyncio.run(load(address, process.pid, clients=4, seconds=5.0))
    assert told["errors"] == {}
    answers = told["answers"]
    assert min(answers.get(kind, 0) for kind in ("live", "pause", "final", "file", "face")) >= 1, answers
    # A machine that others use, too, may be slow, and sound is then left out; what is shown is of the present even so.
    assert told["age of live verdicts, s"][-1] < BEHIND + 2
    first, *_, last = told["memory by quarters, MiB"]
    assert last - first < 60, told
