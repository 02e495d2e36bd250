"""The job as people run it: a process that answers, keeps strangers out, and stops at Ctrl-C."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.serve.serving import JOB, running


def test_the_page_says_what_predict_says_and_stops_at_an_interrupt(made_store: Path, made_clips: list[Path]) -> None:
    predict = Path(JOB).with_name("predict.py")
    ran = subprocess.run(
        [sys.executable, predict, made_clips[4], "--store", made_store, "--json"],
        capture_output=True, text=True, check=True, timeout=120, cwd="/",
    )  # fmt: skip
    (expected,) = json.loads(ran.stdout)["predictions"]
    with running(JOB, "--store", made_store, "--port", "0", "--json") as (address, process):
        (answer,) = httpx.post(f"{address}api/file", content=made_clips[4].read_bytes(), timeout=60).json()["answers"]
        told = httpx.get(f"{address}api/about").json()
        listening = [one for one in _listening(process.pid) if one.laddr.port == int(address.split(":")[2].strip("/"))]
        assert {one.laddr.ip for one in listening} <= {"127.0.0.1", "::1"}, "this machine alone reaches it"
        process.send_signal(2)
        assert process.wait(20) == 0
        assert process.stdout is not None
        summary = json.loads(process.stdout.read())
    assert {name: answer[name] for name in answer if name != "clip"} == {
        name: expected[name] for name in answer if name != "clip"
    }
    assert summary["files"] == 1
    assert summary["address"] == address
    assert told["licence"]
    assert "a program made" in told["trained"]


def _listening(pid: int) -> list:  # type: ignore[type-arg]  # of psutil's own kind
    import psutil

    return [one for one in psutil.Process(pid).net_connections() if one.status == "LISTEN"]


def test_another_address_needs_a_token_which_is_made_and_shown(made_store: Path) -> None:
    with running(JOB, "--store", made_store, "--port", "0", "--host", "127.0.0.2") as (address, _):
        page, _, token = address.partition("#token=")
        assert len(token) >= 20
        assert httpx.get(page).status_code == 200
        assert httpx.get(f"{page}api/about").status_code == 401
        assert httpx.get(f"{page}api/about", headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_what_goes_wrong_is_said_in_one_line(made_store: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, status, said in (
            (["--store", tmp_path], 1, "make one with: python jobs/featurize.py"),
            (["--store", made_store, "--model", "svm-nothing"], 1, "no model 'svm-nothing'"),
            (["--store", made_store, "--host", "127.0.0.1", "--port", port], 1, "choose another with --port"),
            (["--store", made_store, "--host", "no.such.host.invalid"], 1, "cannot listen on no.such.host.invalid"),
            (["--port", "70000"], 2, "expected a number from 0 to 65535"),
        ):
            ran = subprocess.run(
                [sys.executable, JOB, *map(str, arguments)],
                capture_output=True, text=True, timeout=60, cwd="/", check=False,
            )  # fmt: skip
            assert ran.returncode == status, ran.stderr
            assert said in ran.stderr
            assert "Traceback" not in ran.stderr


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from ravdess.errors import MissingExtra
    from ravdess.serve.process import needs_extra

    needs_extra()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else find(name))
    with pytest.raises(MissingExtra, match=r"fastapi is not installed; .*ravdess\[serve\]"):
        needs_extra()
