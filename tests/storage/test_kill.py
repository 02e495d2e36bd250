"""Real processes, killed with -9 at random moments or running side by side, on disk and in S3."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from storage import Store, Table
from tests.storage.workers import Workers, schema


def plain(table: Table) -> list[str]:
    fs, path = table.files.arrow(table.name)
    return sorted(ds.dataset(path, schema=schema(), filesystem=fs).to_table()["take"].to_pylist())


def takes(table: Table) -> list[str]:
    return sorted(table.read()["take"].to_pylist())


def told(out: Path) -> list[dict[str, Any]]:
    """What the processes said of appends that had returned; a last line may be cut off by the kill."""
    lines = out.read_text().splitlines() if out.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def test_killed_at_random_moments(store: Store, workers: Workers, tmp_path: Path) -> None:
    """Rows whose append had returned are kept, and at the end the table equals an unbroken run's."""
    local = store._files.local
    table, out = store.table("features/one"), tmp_path / "out"
    asked = [f"take {number:03d}" for number in range(80 if local else 40)]
    job = {"store": store.url, "table": table.name, "takes": asked, "batch": 2, "out": str(out)}
    started = time.monotonic()
    workers.run(store=f"{store.url}-unbroken", table=table.name, takes=asked, batch=2)
    unbroken = time.monotonic() - started

    # A few kills to get through the whole run, and the way back to where the last one died.
    died, latest = 0, unbroken / 4
    for _ in range(10 if local else 6):
        pid = workers.start(**job)
        time.sleep(random.uniform(0, latest))
        workers.kill(pid)
        if workers.wait(pid) == -9:
            died += 1
        else:  # it had ended: the machine was slower while the unbroken run was
            latest /= 4
        if table.exists():
            seen = plain(table)
            assert len(seen) == len(set(seen))  # even before anyone tidies up
            assert {take for line in told(out) for take in line["takes"]} <= set(takes(table))
    assert died > 0
    assert workers.run(**job) == 0
    assert takes(table) == plain(table) == asked
    assert sum(line["added"] for line in told(out)) <= len(asked)


def test_two_processes_at_once(store: Store, workers: Workers, tmp_path: Path) -> None:
    """Each take once, both end well, and each row was added by exactly one of them."""
    table, out = store.table("features/one"), tmp_path / "out"
    asked = [f"take {number:03d}" for number in range(120 if store._files.local else 24)]
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    job = {"store": store.url, "table": table.name, "batch": 3, "pause": 0.01}
    pids = [  # they meet in the middle, and race for every version on the way
        workers.start(**job, takes=asked, out=f"{out}0", meet=[here, there]),
        workers.start(**job, takes=asked[::-1], out=f"{out}1", meet=[there, here]),
    ]
    assert [workers.wait(pid) for pid in pids] == [0, 0]
    assert takes(table) == plain(table) == asked
    added = [sum(line["added"] for line in told(Path(f"{out}{number}"))) for number in range(2)]
    assert sum(added) == len(asked)


def test_one_of_two_is_killed(store: Store, workers: Workers, tmp_path: Path) -> None:
    """The survivor's own closing leaves the folder as the log says."""
    table = store.table("features/one")
    asked = [f"take {number:03d}" for number in range(90 if store._files.local else 24)]
    job = {"store": store.url, "table": table.name, "batch": 2, "out": str(tmp_path / "out")}
    victim, survivor = workers.start(**job, takes=asked), workers.start(**job, takes=asked[::-1])
    while len(told(tmp_path / "out")) < 4:
        time.sleep(0.01)
    workers.kill(victim)
    assert workers.wait(victim) in (-9, 0)
    assert workers.wait(survivor) == 0
    assert takes(table) == plain(table) == asked


def test_model_numbers_are_given_once(store: Store, workers: Workers, tmp_path: Path) -> None:
    outs = [tmp_path / "a", tmp_path / "b"]
    pids = [workers.start(store=store.url, models=4, out=str(out)) for out in outs]
    assert [workers.wait(pid) for pid in pids] == [0, 0]
    given = [int(line.rpartition("/")[2]) for out in outs for line in out.read_text().splitlines()]
    assert sorted(given) == list(range(1, 9))
