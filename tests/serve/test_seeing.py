"""A page with a model that sees: camera pictures become takes as a film's do, and are judged live and at the end."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import Clip
from ravdess.corpora import sample
from ravdess.frames import frame_set
from ravdess.picture import pictures
from ravdess.predict import Predictor, Worker
from ravdess.sound.read import read
from tests.predict.seeing import Thumbnails, thumbnails
from tests.serve.visits import page, picture, pieces, until, visit


@pytest.fixture(scope="module", autouse=True)
def family() -> Iterator[None]:
    with thumbnails():
        yield


@pytest.fixture(scope="module")
def films() -> list[bytes]:
    """One actor, angry and happy."""
    return [sample.make(Clip.parse(f"01-01-0{emotion}-01-01-01-02"), height=240) for emotion in (5, 3)]


@pytest.fixture(scope="module")
def eye(films: list[bytes]) -> Bundle:
    """A model that tells these two films apart."""
    one = frame_set("face_48")
    takes: Any = [made.frames for film in films for made in pictures(film, [one])]  # type: ignore[union-attr]
    model = Thumbnails({"kind": "plain"}).fit(takes, np.array(["angry", "happy"]))
    return Bundle(model, "thumbnails", {}, one.name, one.fingerprint, (), None, corpora=("sample",), shape=one.shape)


def jpegs(film: bytes, every: int = 6) -> list[bytes]:
    """Its pictures as a camera sends them: small JPEGs, five a second."""
    import av
    import cv2

    made = []
    opened: Any = av.open(io.BytesIO(film))
    with opened as file:
        for at, frame in enumerate(file.decode(video=0)):
            if at % every == 0:
                small = cv2.resize(frame.to_ndarray(format="bgr24"), (320, 180), interpolation=cv2.INTER_AREA)
                made.append(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
    return made


def shown(socket: Any, some: list[bytes]) -> dict[str, Any]:
    """Send camera pictures, all of them again until a live answer has come, and give the last of these.

    A server that keeps the latest `len(some)` pictures then has these, in their order.
    """
    answer: dict[str, Any] = {}
    late = time.monotonic() + 30
    while not answer and time.monotonic() < late:
        for jpeg in some:
            socket.send_bytes(picture(jpeg))
            while (said := json.loads(socket.receive()["text"]))["say"] != "face":
                answer = said if said.get("kind") == "look" else answer
    return answer


def test_camera_pictures_become_the_take_that_the_film_is(films: list[bytes]) -> None:
    some = jpegs(films[0], every=5)
    names = ["face_48", "frames_256"]
    with Worker("ravdess.serve.looking:look") as worker:
        facts, raw = worker.call(b"".join(some), sizes=[len(one) for one in some], sets=names)
        assert (facts["face"], facts["several"]) == (True, False)
        at = 0
        for name, made in zip(names, pictures(films[0], [frame_set(name) for name in names]), strict=True):
            shape = facts["shapes"][name]
            take = np.frombuffer(raw, np.uint8, int(np.prod(shape)), at).reshape(shape)
            at += take.size
            assert take.shape == made.frames.shape  # type: ignore[union-attr]
            apart = np.abs(take.astype(int) - made.frames.astype(int))  # type: ignore[union-attr]
            assert np.median(apart) <= 6, "but for the loss of JPEG and of size"
        facts, _ = worker.call(some[0])
        assert len(facts["boxes"]) == 1


@pytest.mark.parametrize(("number", "emotion"), [(0, "angry"), (1, "happy")])
def test_what_the_camera_shows_is_judged_live_and_when_it_is_off(
    eye: Bundle, predictor: Predictor, films: list[bytes], number: int, emotion: str
) -> None:
    with Predictor(eye) as seeing:
        (expected,) = seeing.file(films[number])
        some = jpegs(films[number])
        limits: dict[str, Any] = {"pictures": 1e6, "live": 0.0, "album": len(some)}
        with page(predictor, other=seeing, **limits) as (client, house), visit(client) as socket:
            assert house.sees
            assert not house.sees_speakers
            live = shown(socket, some)
            assert live["by"] == ["picture"]
            socket.send_json({"do": "look away"})
            seen = until(socket, say="answer", kind="seen")
            assert seen["likeliest"] == expected.likeliest == emotion
            told = client.post("/api/file", content=pictures_of(films[number])).json()
            assert [one["likeliest"] for one in told["answers"]] == [emotion], "a film without sound is seen"
            assert told["columns"] == ""


def pictures_of(film: bytes) -> bytes:
    from tests.predict.test_seeing import pictures_of as cut

    return cut(film)


def test_a_page_that_only_sees_judges_no_voice(eye: Bundle, films: list[bytes]) -> None:
    with Predictor(eye) as seeing, page(seeing, haste=1e6) as (client, _), visit(client) as socket:
        assert client.get("/api/about").json()["hears"] is False
        y, sr = read(films[0])
        socket.send_json({"do": "start", "rate": sr})
        for piece in pieces(np.concatenate([y, np.zeros(sr, np.float32)])):
            socket.send_bytes(piece)
        socket.send_json({"do": "stop"})
        blank = jpegs(films[0])[0]
        socket.send_bytes(picture(blank))
        said = until(socket, say="face")
        assert said["boxes"]
        told = client.post("/api/file", content=films[1]).json()
        assert [(one["likeliest"], one["by"]) for one in told["answers"]] == [("happy", ["picture"])]
        assert len(told["columns"]) > 1000, "what it does not hear is drawn"


def test_no_face_is_said(eye: Bundle) -> None:
    import cv2

    wall = cv2.imencode(".jpg", np.full((180, 320, 3), 128, np.uint8))[1].tobytes()
    with Predictor(eye) as seeing, page(seeing, pictures=1e6, live=0.0) as (client, _), visit(client) as socket:
        answer = shown(socket, [wall])
        assert answer["emotion"] == "not sure"
        assert answer["remarks"] == ["no face: most of the pictures that were looked at show none"]


def test_a_damaged_camera_picture_costs_only_itself(eye: Bundle, films: list[bytes]) -> None:
    some = jpegs(films[0])[:3]
    with Worker("ravdess.serve.looking:look") as worker:
        from ravdess.errors import BadClip

        for bad in (b"GIF89a", some[0][:200], some[0][:40] + b"\xff" * 100):
            with pytest.raises(BadClip):
                worker.call(some[0] + bad, sizes=[len(some[0]), len(bad)], sets=["face_48"])
        assert worker.call(some[0], sizes=[len(some[0])], sets=["face_48"])[0]["face"]
