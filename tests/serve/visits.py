"""What visitors do: in tests and benchmarks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.testclient import TestClient, WebSocketTestSession

from ravdess.clips import Clip
from ravdess.corpora import sample
from ravdess.predict import Predictor
from ravdess.serve.app import app
from ravdess.serve.doors import PROTOCOL
from ravdess.serve.house import House
from ravdess.serve.limits import Limits
from ravdess.serve.live import PICTURE, SOUND

PIECE = 1024
"""Samples of a piece, as the page sends them."""


@contextmanager
def page(
    predictor: Predictor, *, other: Predictor | None = None, token: str = "", **limits: Any
) -> Iterator[tuple[TestClient, House]]:
    """The page without a socket; sound may come as fast as it likes unless `limits` say otherwise."""
    house = House(predictor, other=other, about={"emotions": []}, limits=Limits(**{"haste": 1e6, **limits}))
    with TestClient(app(house, token=token), base_url="http://localhost:8000") as client:
        yield client, house


@contextmanager
def visit(client: TestClient, *, token: str = "") -> Iterator[WebSocketTestSession]:
    """A live connection whose greeting was read."""
    offered = [PROTOCOL, *([f"token.{token}"] if token else [])]
    with client.websocket_connect("ws://localhost/live", subprotocols=offered) as socket:
        assert socket.receive_json()["say"] == "hello"
        yield socket


def pcm(y: NDArray[Any]) -> bytes:
    """-1 ... 1 as 16-bit samples."""
    samples: bytes = (np.clip(y, -1, 1) * 32_768).round().clip(-32_768, 32_767).astype("<i2").tobytes()
    return samples


def pieces(y: NDArray[Any]) -> Iterator[bytes]:
    """Messages of sound, as the page sends them."""
    sound = pcm(y)
    for at in range(0, len(sound), 2 * PIECE):
        yield bytes([SOUND]) + sound[at : at + 2 * PIECE]


def picture(jpeg: bytes) -> bytes:
    """A message of a camera picture."""
    return bytes([PICTURE]) + jpeg


@cache
def face() -> tuple[bytes, list[list[float]]]:
    """A picture of a drawn face as the page sends it, and where the same code finds it here."""
    import io

    import av
    import cv2

    from ravdess.serve.looking import look

    film = sample.make(Clip.parse("01-01-03-01-01-01-02"), height=180)
    with av.open(io.BytesIO(film), "r") as file:
        for number, frame in enumerate(file.decode(video=0)):
            jpeg = cv2.imencode(".jpg", frame.to_ndarray(format="bgr24"))[1].tobytes()
            boxes = look(jpeg)[0]["boxes"]
            if len(boxes) == 1:
                return jpeg, boxes
            assert number < 40
    raise AssertionError("no frame")


def until(socket: WebSocketTestSession, **wanted: object) -> dict[str, Any]:
    """The next message that says `wanted`, the others let go."""
    while True:
        message = socket.receive()
        if message["type"] == "websocket.close":
            raise AssertionError(f"closed: {message}")
        if message.get("text"):
            said: dict[str, Any] = json.loads(message["text"])
            if wanted.items() <= said.items():
                return said
            if said["say"] == "error" and wanted["say"] != "error":
                raise AssertionError(said["message"])
