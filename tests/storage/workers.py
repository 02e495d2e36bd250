"""Processes to kill: `python workers.py` loads everything once, then forks one process for each job it is told.

A job is a JSON object: `store`, `table`, `takes` to append in batches of `batch`, `crash` = a step of
`storage.steps` to die at by SIGKILL, `rival` = takes that another writer adds when this one's first file is placed,
`meet` = an own file to make and others' to wait for before the first batch, `pause` = seconds to sleep before each,
`models` = how many model numbers to ask for. It writes a line to the file `out` for each append that returned.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Workers:
    """The parent of all jobs."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore::DeprecationWarning", __file__]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, **question: Any) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(question), file=self._server.stdin, flush=True)
        return int(self._server.stdout.readline())

    def start(self, **job: Any) -> int:
        """Start a job; returns its process id."""
        return self._ask(job=job, environ=dict(os.environ))

    def kill(self, pid: int) -> None:
        """SIGKILL. A job that ended stays a zombie until `wait`, so the id is still its own."""
        os.kill(pid, signal.SIGKILL)

    def wait(self, pid: int) -> int:
        """The exit status, negative for the signal that killed it."""
        return self._ask(wait=pid)

    def run(self, **job: Any) -> int:
        return self.wait(self.start(**job))

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:  # a test gave up while a job went on
            self._server.kill()
            self._server.wait()


def rows(takes: list[str]) -> Any:
    import pyarrow as pa

    return pa.table({"take": takes, "x": pa.array(map(len, takes), pa.float32())}, schema())


def schema() -> Any:
    import pyarrow as pa

    return pa.schema([("take", pa.string()), ("x", pa.float32())])


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _work(job: dict[str, Any]) -> None:
    from storage import Store, Table, steps

    store = Store(job["store"])

    def say(text: str) -> None:
        if "out" in job:
            with Path(job["out"]).open("a") as out:
                out.write(f"{text}\n")

    for _ in range(job.get("models", 0)):
        say(store.new_model("svm").name)
    if "table" not in job:
        return
    table, rival = store.table(job["table"]), job.get("rival")

    def reached(step: str) -> None:
        nonlocal rival
        if step == job.get("crash"):
            _die()
        if step == "file placed" and rival:
            takes, rival = rival, None
            _open(table).append(rows(takes))

    def _open(table: Table) -> Any:
        return table.open(schema(), key=["take"], fingerprint="1")

    steps.reached = reached
    takes, batch = job["takes"], job.get("batch", 1000)
    with _open(table) as writer:
        if "meet" in job:  # everyone has opened before anyone begins
            mine, all_there = Path(job["meet"][0]), [Path(path) for path in job["meet"]]
            mine.touch()
            patience = time.monotonic() + 60
            while not all(path.exists() for path in all_there):
                assert time.monotonic() < patience, "the others did not come"
                time.sleep(0.005)
        for first in range(0, len(takes), batch):
            some = takes[first : first + batch]
            time.sleep(job.get("pause", 0))
            say(json.dumps({"takes": some, "added": writer.append(rows(some))}))


def _serve() -> None:
    for module in ("pyarrow.dataset", "pyarrow.fs", "storage.writer"):  # loaded once, before the forks
        importlib.import_module(module)
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            answer = os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                status = 1
                try:
                    os.environ.update(question["environ"])
                    _work(question["job"])
                    status = 0
                finally:
                    sys.stderr.flush()
                    os._exit(status)
        print(answer, flush=True)


if __name__ == "__main__":
    _serve()
