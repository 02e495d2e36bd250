"""One visitor over the WebSocket: what is heard, seen, said, and what is too much."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ravdess.predict import Predictor
from ravdess.serve.endpoint import Turn
from ravdess.serve.hearing import Hearing
from ravdess.serve.house import House
from ravdess.serve.live import Visitor
from ravdess.sound.frames import SAMPLE_RATE
from ravdess.sound.read import read
from tests.predict.models import Table, fitted
from tests.serve.visits import face, page, picture, pieces, until, visit


@pytest.fixture(scope="module")
def open_page(predictor: Predictor) -> Iterator[tuple[TestClient, House]]:
    with page(predictor) as opened:
        yield opened


def loud(path: Path) -> tuple[np.ndarray, int]:
    """A made voice with silence around it."""
    y, sr = read(path)
    return np.concatenate([np.zeros(sr // 2, np.float32), y, np.zeros(sr, np.float32)]), sr


def test_an_utterance_gets_the_answer_of_the_predictor(
    open_page: tuple[TestClient, House], predictor: Predictor, made_clips: list[Path]
) -> None:
    client, _ = open_page
    y, sr = loud(made_clips[4])
    alone, heard = Hearing(sr), []
    with visit(client) as socket:
        socket.send_json({"do": "start", "rate": sr})
        for piece in pieces(y):
            socket.send_bytes(piece)
            heard += [utterance for turn, utterance in alone.feed(piece[1:]).turns if turn is Turn.ENDED]
        said = until(socket, say="answer", kind="final")
    assert len(heard) == 1
    assert heard[0] is not None
    expected = predictor.hear(heard[0].y, SAMPLE_RATE)
    assert said["emotion"] == expected.emotion
    assert said["probabilities"] == dict(expected.probabilities)
    assert said["calibrated"] == dict(expected.calibrated)
    assert said["remarks"] == list(expected.remarks)
    assert said["stop"] - said["start"] == pytest.approx(heard[0].stop - heard[0].start, abs=0.01)


def test_live_answers_come_while_someone_speaks_and_at_the_pause(predictor: Predictor, made_clips: list[Path]) -> None:
    kinds = []
    y, sr = loud(made_clips[4])
    with page(predictor, live=0.1) as (client, _), visit(client) as socket:
        socket.send_json({"do": "start", "rate": sr})
        for number, piece in enumerate(pieces(y)):
            socket.send_bytes(piece)
            if number % 8 == 0:
                time.sleep(0.06)
        while True:
            message = socket.receive()
            said = json.loads(message.get("text") or "{}")
            if said.get("say") == "answer":
                kinds.append(said["kind"])
                assert sum(said["calibrated"].values()) == pytest.approx(1)
                if said["kind"] == "final":
                    break
    assert kinds[0] == "live"
    assert kinds.count("live") >= 3
    assert kinds[-2:] == ["pause", "final"]


def test_a_second_start_is_judged_live_like_the_first(predictor: Predictor, made_clips: list[Path]) -> None:
    y, sr = loud(made_clips[4])
    with page(predictor, live=0.1) as (client, _), visit(client) as socket:
        for _ in range(2):
            socket.send_json({"do": "start", "rate": sr})
            until(socket, say="listening")
            for number, piece in enumerate(pieces(y)):
                socket.send_bytes(piece)
                if number % 8 == 0:
                    time.sleep(0.06)
            assert until(socket, say="answer")["kind"] == "live"
            until(socket, say="answer", kind="final")
            socket.send_json({"do": "stop"})


def test_who_reads_nothing_is_let_go(predictor: Predictor) -> None:
    closed: list[tuple[int, str]] = []

    class Socket:
        async def close(self, code: int, reason: str) -> None:
            closed.append((code, reason))

    async def within() -> None:
        visitor = Visitor(Socket(), House(predictor, about={}))  # type: ignore[arg-type]  # all that is called of one
        for _ in range(200):
            visitor._put(b"columns")
            assert not closed, "columns are left out"
        for _ in range(200):
            visitor._say("voice")
        await asyncio.sleep(0)
        assert visitor._out.qsize() < 200

    asyncio.run(within())
    assert closed[0] == (1008, "messages are not being read")


def test_turning_the_microphone_off_ends_the_utterance(
    open_page: tuple[TestClient, House], made_clips: list[Path]
) -> None:
    y, sr = loud(made_clips[4])
    with visit(open_page[0]) as socket:
        socket.send_json({"do": "start", "rate": sr})
        for piece in pieces(y[: 5 * sr // 2]):
            socket.send_bytes(piece)
        socket.send_json({"do": "stop"})
        socket.send_bytes(next(pieces(y)))  # late, and let go
        assert until(socket, say="answer", kind="final")["emotion"]


def test_a_face_is_found_in_a_camera_picture(open_page: tuple[TestClient, House]) -> None:
    jpeg, boxes = face()
    with visit(open_page[0]) as socket:
        socket.send_bytes(picture(jpeg))
        seen = until(socket, say="face")
    assert seen["boxes"] == boxes
    (x, y, width, height) = boxes[0]
    assert 0.2 < x < x + width < 0.8
    assert 0 <= y < y + height <= 1


@pytest.mark.parametrize(
    ("jpeg", "said"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a JPEG"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "broken JPEG"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + bytes(60), "65535 x 65535"),
        (b"", "is a JPEG"),
    ],
)
def test_pictures_that_are_none_cost_only_themselves(
    open_page: tuple[TestClient, House], jpeg: bytes, said: str
) -> None:
    with visit(open_page[0]) as socket:
        socket.send_bytes(picture(jpeg))
        assert said in until(socket, say="error")["message"]
        time.sleep(0.2)
        socket.send_bytes(picture(face()[0]))
        assert until(socket, say="face")["boxes"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("nonsense", 1003),
        ("[]", 1003),
        ("null", 1003),
        ('{"do": "start"}', 1003),
        ('{"do": "start", "rate": "loud"}', 1003),
        ('{"do": "start", "rate": 1e400}', 1003),
        ('{"do": "leap"}', 1003),
        ('{"do": "stop", "x": "' + "y" * 1000 + '"}', 1003),
        ("[" * 900, 1003),
        (b"", 1003),
        (b"\x07abc", 1003),
        (b"\x01" + bytes(200_001), 1009),
    ],
)
def test_messages_that_no_page_sends_end_the_connection(
    open_page: tuple[TestClient, House], message: str | bytes, code: int
) -> None:
    with visit(open_page[0]) as socket:
        (socket.send_text if isinstance(message, str) else socket.send_bytes)(message)  # type: ignore[arg-type]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == code
    assert closed.value.reason


@pytest.mark.parametrize("piece", [b"\0" + bytes(3), b"\0" + bytes(2 * 48_002)])
def test_sound_that_no_microphone_sends_ends_the_connection(open_page: tuple[TestClient, House], piece: bytes) -> None:
    with visit(open_page[0]) as socket:
        socket.send_json({"do": "start", "rate": 48_000})
        until(socket, say="listening")
        socket.send_bytes(piece)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == 1007


def test_a_rate_that_no_microphone_has_is_said(open_page: tuple[TestClient, House]) -> None:
    with visit(open_page[0]) as socket:
        socket.send_json({"do": "start", "rate": 96})
        assert "expected 8000 to 192000 Hz" in until(socket, say="error")["message"]


def test_sound_faster_than_time_is_refused(predictor: Predictor) -> None:
    with page(predictor, haste=1.0) as (client, _), visit(client) as socket:
        socket.send_json({"do": "start", "rate": 48_000})
        for piece in pieces(np.zeros(3 * 48_000)):
            socket.send_bytes(piece)
        last = next(message for message in iter(socket.receive, None) if message["type"] == "websocket.close")
    assert last["code"] == 1008
    assert "faster than time" in last["reason"]


def test_the_house_has_room_for_so_many_and_for_one_more_when_one_leaves(predictor: Predictor) -> None:
    with page(predictor, clients=2) as (client, _), visit(client):
        with visit(client), client.websocket_connect("ws://localhost/live") as third:
            with pytest.raises(WebSocketDisconnect) as closed:
                third.receive_json()
            assert closed.value.code == 1013
            assert "2 people" in closed.value.reason
        with visit(client):
            pass


def test_who_says_nothing_is_let_go(predictor: Predictor) -> None:
    with page(predictor, idle=0.2) as (client, _), visit(client) as socket:
        assert socket.receive()["code"] == 1000


def test_an_enrolled_model_learns_a_voice_first_and_forgets_it(table: Table, made_clips: list[Path]) -> None:
    enrolled = Predictor(fitted(table, enrolled=True))
    mine = [path for path in made_clips if path.stem.endswith("03")]
    with page(enrolled) as (client, house), visit(client) as socket:

        def speak(paths: list[Path]) -> None:
            for path in paths:
                y, sr = loud(path)
                socket.send_json({"do": "start", "rate": sr})
                for piece in pieces(y):
                    socket.send_bytes(piece)

        speak(mine[:1])
        assert "Your own voice" in until(socket, say="error")["message"]
        refused = client.post("/api/file", content=mine[0].read_bytes()).json()
        assert "Your own voice" in refused["refused"]
        socket.send_json({"do": "enrol"})
        speak(mine[:8])
        socket.send_json({"do": "enrolled"})
        assert until(socket, say="enrolment", state="ready")["utterances"] == 8
        speak(mine[8:9])
        said = until(socket, say="answer", kind="final")
        assert said["probabilities"]
        (session,) = house._visitors
        known = client.post("/api/file", content=mine[0].read_bytes(), headers={"x-session": session}).json()
        assert known["answers"][0]["probabilities"]
        stranger = client.post("/api/file", content=mine[0].read_bytes(), headers={"x-session": "guess"}).json()
        assert "Your own voice" in stranger["refused"]
        socket.send_json({"do": "forget"})
        until(socket, say="enrolment", state="forgotten")
        assert next(iter(house._visitors.values())).enrolled is None
    assert not house._visitors, "nothing of a voice outlives its session"


def test_a_minute_of_silence_is_said(table: Table) -> None:
    with page(Predictor(fitted(table, enrolled=True))) as (client, _), visit(client) as socket:
        socket.send_json({"do": "enrol"})
        socket.send_json({"do": "start", "rate": 22_050})
        for piece in pieces(np.zeros(22_050)):
            socket.send_bytes(piece)
        socket.send_json({"do": "enrolled"})
        assert "no voice was heard" in until(socket, say="error")["message"]
        until(socket, say="enrolment", state="forgotten")


def test_random_messages_never_break_the_house(open_page: tuple[TestClient, House]) -> None:
    client, house = open_page
    rng = np.random.default_rng(0)
    for _ in range(40):
        with visit(client) as socket:
            if rng.random() < 0.7:
                socket.send_json({"do": "start", "rate": int(rng.integers(1, 200_000))})
            for _ in range(3):
                data: Any = bytes([int(rng.integers(0, 3))]) + rng.bytes(int(rng.integers(0, 5000)))
                socket.send_bytes(data)
    with visit(client) as socket:
        socket.send_bytes(picture(face()[0]))
        assert until(socket, say="face")
    assert not house._visitors
