"""Dropped files, and the few addresses of the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ravdess.predict import Predictor
from ravdess.serve.app import PAGES
from ravdess.serve.doors import HEADERS
from ravdess.serve.hearing import COLUMN, DRAWN
from ravdess.serve.house import MOST_COLUMNS, House
from ravdess.sound.frames import SAMPLE_RATE
from tests.serve.visits import page, visit

TOKEN = "correct-horse"


@pytest.fixture(scope="module")
def open_page(predictor: Predictor) -> Iterator[tuple[TestClient, House]]:
    with page(predictor, uploads_a_minute=10_000) as opened:
        yield opened


def wav(y: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, y, SAMPLE_RATE, format="WAV")
    return file.getvalue()


def test_a_file_gets_the_answers_of_the_predictor(
    open_page: tuple[TestClient, House], predictor: Predictor, made_clips: list[Path]
) -> None:
    for path in made_clips[:4]:
        told = open_page[0].post("/api/file", content=path.read_bytes()).json()
        expected = predictor.file(path.read_bytes())
        assert told["answers"] == [answer.to_json() for answer in expected]


def test_a_long_file_is_judged_window_by_window(
    open_page: tuple[TestClient, House], predictor: Predictor, made_clips: list[Path]
) -> None:
    y = np.concatenate([soundfile.read(path)[0] for path in made_clips[:6]])
    sound = io.BytesIO()
    soundfile.write(sound, y, 48_000, format="FLAC")
    told = open_page[0].post("/api/file", content=sound.getvalue()).json()
    assert len(told["answers"]) > 10
    assert told["answers"] == [answer.to_json() for answer in predictor.file(sound.getvalue())]
    assert told["seconds"] == pytest.approx(len(y) / 48_000, abs=0.01)


@pytest.mark.parametrize("seconds", [0.6, 3.0, 200.0])
def test_what_is_drawn_of_a_file_is_bounded(open_page: tuple[TestClient, House], seconds: float) -> None:
    rng = np.random.default_rng(0)
    quiet = np.zeros(round(seconds * SAMPLE_RATE))
    quiet[: SAMPLE_RATE // 2] = rng.normal(0, 0.1, SAMPLE_RATE // 2)
    told = open_page[0].post("/api/file", content=wav(quiet)).json()
    columns = np.frombuffer(base64.b64decode(told["columns"]), np.uint8).reshape(-1, COLUMN)
    assert len(columns) == pytest.approx(min(seconds * SAMPLE_RATE / DRAWN, MOST_COLUMNS), abs=1.5)
    assert columns[: SAMPLE_RATE // 2 // DRAWN - 1, 2:].mean() > 60
    assert columns[SAMPLE_RATE // 2 // DRAWN + 2 :, 2:].max(initial=0) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"hello", "no sound or video file"),
        (b"PK\x03\x04" + bytes(4000), "no sound or video file"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "no sound or video file"),
        (wav(np.zeros(400 * SAMPLE_RATE)), "too long"),
    ],
)
def test_what_is_no_sound_is_refused_with_its_reason(
    open_page: tuple[TestClient, House], content: bytes, said: str
) -> None:
    told = open_page[0].post("/api/file", content=content)
    assert told.status_code == 200
    assert said in told.json()["refused"]


def test_silence_is_said_and_not_guessed(open_page: tuple[TestClient, House]) -> None:
    (answer,) = open_page[0].post("/api/file", content=wav(np.zeros(3 * SAMPLE_RATE))).json()["answers"]
    assert answer["emotion"] == "not sure"
    assert answer["probabilities"] == {}
    assert "silence" in answer["remarks"][0]


def test_too_large_is_refused_before_it_is_read_and_while(predictor: Predictor) -> None:
    with page(predictor, upload_bytes=100_000) as (client, _):
        assert client.post("/api/file", content=bytes(100_001)).status_code == 413

        def lying() -> Iterator[bytes]:
            for _ in range(20):
                yield bytes(10_000)

        assert client.post("/api/file", content=lying()).status_code == 413  # chunked: no length is told
        assert client.post("/api/file", content=bytes(100_000)).status_code == 200


def test_too_many_are_told_to_wait(predictor: Predictor) -> None:
    with page(predictor, uploads_a_minute=3) as (client, _):
        statuses = [client.post("/api/file", content=b"x").status_code for _ in range(5)]
        assert statuses == [200] * 3 + [429] * 2
    with page(predictor, uploads=0) as (client, _):
        refused = client.post("/api/file", content=b"x")
        assert refused.status_code == 429
        assert "try again" in refused.json()["error"]


def test_only_the_pages_own_files_are_given_out(open_page: tuple[TestClient, House]) -> None:
    client, _ = open_page
    for address, (_, kind) in PAGES.items():
        given = client.get(address)
        assert given.status_code == 200
        assert given.headers["content-type"] == kind
        assert {name: given.headers[name] for name in HEADERS} == HEADERS
        assert "set-cookie" not in given.headers
        assert client.head(address).status_code == 200
    for address in ("/docs", "/openapi.json", "/static/app.js", "/..%2fapp.py", "/%2e%2e/app.py", "/app.py", "/live"):
        assert client.get(address).status_code == 404
    assert client.get("/api/file").status_code == 405


def test_the_pages_own_files_name_nobody_else(open_page: tuple[TestClient, House]) -> None:
    for address in PAGES:
        text = open_page[0].get(address).text
        for part in ("http:", "https:", "//"):
            at = text.find(part)
            while at >= 0:
                line = text[text.rfind("\n", 0, at) + 1 : text.find("\n", at)].strip()
                own = line.startswith("//") or "www.w3.org/2000/svg" in line or "location." in line or " // " in line
                assert own, f"{address}: {line}"
                at = text.find(part, at + 1)
        assert " style=" not in text
        assert "onclick" not in text
        assert "eval(" not in text


def test_a_token_guards_all_but_the_page_itself(predictor: Predictor, made_clips: list[Path]) -> None:
    content = made_clips[0].read_bytes()
    with page(predictor, token=TOKEN) as (client, _):
        assert client.get("/").status_code == 200
        assert client.get("/api/about").status_code == 401
        assert client.post("/api/file", content=content).status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/about", headers=headers).status_code == 200
        assert client.post("/api/file", content=content, headers=headers).json()["answers"]
        with visit(client, token=TOKEN):
            pass
        with pytest.raises(WebSocketDisconnect) as closed, visit(client, token="guess"):
            pass
        assert "token is missing or wrong" in closed.value.reason


def test_other_names_and_origins_stay_outside(open_page: tuple[TestClient, House]) -> None:
    client, _ = open_page
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421
    assert client.post("/api/file", content=b"x", headers={"origin": "http://evil.example"}).status_code == 403
    refused = client.get("/api/about", headers={"origin": "http://evil.example"})
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
