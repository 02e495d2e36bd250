"""The page in Chromium, whose microphone and camera are files."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import EMOTIONS, Clip
from ravdess.combiner import Combiner
from ravdess.corpora import sample
from ravdess.extract import extract
from ravdess.features import feature_set
from ravdess.fused import FusedBundle, availabilities
from ravdess.predict import Predictor
from tests.predict.models import fitted
from tests.serve.serving import JOB, running

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--disable-domain-reliability", "--no-pings",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
)  # fmt: skip


class Seen:
    """A page, and what it did that it should not."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.trouble: list[str] = []
        home = address.partition("#")[0]
        page.on("console", lambda told: self.note(told.text, wrong=told.type in ("error", "warning")))
        page.on("pageerror", lambda error: self.note(str(error), wrong=True))
        page.on("request", lambda asked: self.note(asked.url, wrong=not asked.url.startswith((home, "blob:"))))
        page.goto(address)

    def note(self, what: str, *, wrong: bool) -> None:
        """Remember what should not be."""
        if wrong:
            self.trouble.append(what)


class Browser:
    """Chromium with a voice and a face, on one page's address."""

    def __init__(self, chromium: Any, address: str, pictures: Path) -> None:
        self._chromium, self.address, self._pictures = chromium, address, pictures

    @contextmanager
    def open(self, *, address: str = "", refusals: int = 0, **options: Any) -> Iterator[Any]:
        """A fresh page, which must do nothing that it should not, but is refused so many calls."""
        given = {"viewport": {"width": 1280, "height": 900}, "permissions": ["microphone", "camera"], **options}
        context = self._chromium.new_context(**given)
        context.set_default_timeout(20_000)
        seen = Seen(context.new_page(), address or self.address)
        if not address:
            seen.page.wait_for_selector("html[data-ready]")
        yield seen.page
        context.close()
        refused = [one for one in seen.trouble if "status of 401" in one]
        assert len(refused) == refusals
        assert seen.trouble == refused

    def shoot(self, page: Any, name: str, **options: Any) -> None:
        """A screenshot, kept in the folder that RAVDESS_SCREENSHOTS names."""
        page.screenshot(path=self._pictures / f"{name}.png", animations="disabled", **options)
        assert (self._pictures / f"{name}.png").stat().st_size > 10_000


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    """One for all browsers; skips where there is no Chromium."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as started:
        yield started


@contextmanager
def browsing(playwright: Any, address: str, voice: Path, face: Path, tmp_path: Path) -> Iterator[Browser]:
    """Chromium, whose microphone is the file `voice` and whose camera is `face`."""
    pictures = Path(os.environ.get("RAVDESS_SCREENSHOTS", tmp_path))
    pictures.mkdir(parents=True, exist_ok=True)
    devices = [f"--use-file-for-fake-audio-capture={voice}", f"--use-file-for-fake-video-capture={face}"]
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *devices])
    yield Browser(chromium, address, pictures)
    chromium.close()


@contextmanager
def attended(playwright: Any, voice: Path, face: Path, tmp_path: Path) -> Iterator[tuple[Browser, Any]]:
    """The page of the model in `tmp_path`, with `voice` and `face` before it: it shows the face, and listens."""
    with (
        running(JOB, "--model", tmp_path / "model", "--port", "0") as (address, _),
        browsing(playwright, address, voice, face, tmp_path) as browser,
        browser.open() as page,
    ):
        page.click("#camera")
        page.wait_for_selector("#boxes .box:not([hidden])")
        page.click("#microphone")
        yield browser, page


def surest(predictor: Predictor, paths: list[Path]) -> tuple[Path, Any]:
    """The clip of which the model is surest, and what it says of it."""
    answers = [(path, predictor.file(path)[0]) for path in paths]
    return max(answers, key=lambda pair: (pair[1].emotion == pair[1].likeliest, pair[1].confidence))


def as_camera(film: bytes, to: Path) -> Path:
    """A film as the Motion JPEG that Chromium takes for a camera."""
    import av
    import cv2

    with av.open(io.BytesIO(film), "r") as file, to.open("wb") as camera:
        for frame in file.decode(video=0):
            camera.write(cv2.imencode(".jpg", cv2.resize(frame.to_ndarray(format="bgr24"), (640, 360)))[1].tobytes())
    return to


def listening_model(paths: list[Path], corpus: str) -> Bundle:
    """A model of `voice_stats`: of the sets, the one that a room's silence does not move."""
    one = feature_set("voice_stats")
    X = np.array([extract(str(path), [one]).values[0] for path in paths])
    emotion = np.array([EMOTIONS[int(path.stem[6:8]) - 1] for path in paths])
    actor = np.array([path.stem[-2:] for path in paths])
    named: dict[str, Any] = {"features": one.name, "fingerprint": one.fingerprint, "columns": one.columns}
    return fitted((X, emotion, actor), corpora=(corpus,), **named)


@pytest.fixture(scope="module")
def bundle(made_clips: list[Path]) -> Bundle:
    """Of half of the made voices."""
    return listening_model(made_clips[:48], "sample")


@pytest.fixture(scope="module")
def predictor(bundle: Bundle) -> Iterator[Predictor]:
    with Predictor(bundle) as one:
        yield one


@pytest.fixture(scope="module")
def said(bundle: Bundle, made_clips: list[Path], predictor: Predictor) -> tuple[Path, Any]:
    """A made clip, and the model's answer to it."""
    return surest(predictor, made_clips[:24])


@pytest.fixture(scope="module")
def browser(
    playwright: Any, said: tuple[Path, Any], bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("page")
    bundle.save(folder / "model")
    face = as_camera(sample.make(Clip.parse("01-01-03-01-01-01-02"), height=360), folder / "face.mjpeg")
    with (
        running(JOB, "--model", folder / "model", "--port", "0") as (address, _),
        browsing(playwright, address, said[0], face, folder) as opened,
    ):
        yield opened


def heard(page: Any, count: int) -> str:
    """The word that stands there when so many utterances were heard."""
    page.wait_for_selector(f"#heard li:nth-child({count})")
    return str(page.locator("#heard li").first.locator("span").nth(1).inner_text()).partition(",")[0]


def test_it_hears_a_voice_and_shows_the_emotion_that_the_file_has(browser: Browser, said: tuple[Path, Any]) -> None:
    path, answer = said
    with browser.open() as page:
        browser.shoot(page, "start")
        page.click("#microphone")
        page.wait_for_selector(".state[data-is=speaking]")
        page.wait_for_selector("html[data-answers]")
        browser.shoot(page, "listening")
        assert heard(page, 2) == answer.emotion
        assert answer.emotion in page.inner_text("#announce")
        browser.shoot(page, "result")
        page.click("#microphone")
        assert page.inner_text("#state-text") == "Nothing is listening."
        page.set_input_files("#file", path)
        page.wait_for_selector("html[data-file]")
        assert page.inner_text("#word") == answer.emotion
        shown = {row.split("\n")[0]: row.split("\n")[1] for row in page.locator("#bars li").all_inner_texts()}
        assert shown == {word: f"{round(100 * p)} %" for word, p in answer.calibrated.items()}
        drawn = page.evaluate(
            "() => { const {width, height} = sound; const data = sound.getContext('2d')"
            ".getImageData(0, height / 2, width, height / 2).data; return new Set(data).size }"
        )
        assert drawn > 10, "the spectrogram of the file is drawn"


def test_it_sees_a_face_and_says_that_it_does_not_judge_it(browser: Browser) -> None:
    with browser.open() as page:
        page.click("#camera")
        page.wait_for_selector("#boxes .box:not([hidden])")
        box, frame = page.locator("#boxes .box").first.bounding_box(), page.locator("#frame").bounding_box()
        assert frame["x"] < box["x"] < box["x"] + box["width"] < frame["x"] + frame["width"]
        assert "One face. This page has no picture model" in page.inner_text("#face-caption")
        page.click("#camera")
        assert page.locator("#face").is_hidden()


def test_a_file_that_is_none_is_said_and_leaves_the_page_whole(
    browser: Browser, said: tuple[Path, Any], tmp_path: Path
) -> None:
    bad = tmp_path / "zip bomb <b>.mp4"
    bad.write_bytes(b"PK\x03\x04" + bytes(5000))
    with browser.open() as page:
        page.set_input_files("#file", bad)
        page.wait_for_selector("#alert:not([hidden])")
        assert "zip bomb <b>.mp4: no sound or video file" in page.inner_text("#alert")
        browser.shoot(page, "error")
        page.set_input_files("#file", said[0])
        page.wait_for_selector("html[data-file]")
        assert page.locator("#alert").is_hidden()
        assert page.inner_text("#word") == said[1].emotion


def test_it_fits_a_phone(browser: Browser, said: tuple[Path, Any]) -> None:
    options: dict[str, Any] = {"viewport": {"width": 360, "height": 760}, "device_scale_factor": 2, "is_mobile": True}
    with browser.open(**options, has_touch=True) as page:
        page.set_input_files("#file", said[0])
        page.wait_for_selector("html[data-file]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for button in page.locator("button:visible").all():
            assert button.bounding_box()["height"] >= 44, "large enough for a thumb"
        browser.shoot(page, "phone", full_page=True)


CONTRAST = """() => {
  const channel = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  return [...document.querySelectorAll("h1, h2, p, span, button, dt, dd, li, figcaption")]
    .filter((one) => one.checkVisibility() && [...one.childNodes].some((node) => node.data?.trim()))
    .map((one) => [one.textContent.trim().slice(0, 30), ratio(parts(getComputedStyle(one).color), ground(one))])
    .filter(([, contrast]) => contrast < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_legible_in_light_and_dark(browser: Browser, said: tuple[Path, Any], scheme: str) -> None:
    with browser.open(color_scheme=scheme) as page:
        page.set_input_files("#file", said[0])
        page.wait_for_selector("html[data-file]")
        page.wait_for_timeout(400)  # until the bars and the colours have moved
        paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (np.mean([int(part) for part in paper[4:-1].split(",")]) > 128) == (scheme == "light")
        assert page.evaluate(CONTRAST) == []
        browser.shoot(page, scheme, full_page=True)


def test_a_keyboard_and_a_screen_reader_are_enough(browser: Browser) -> None:
    with browser.open(reduced_motion="reduce") as page:
        order = []
        for _ in range(4):
            page.keyboard.press("Tab")
            order.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert order == ["skip", "microphone", "camera", "choose"]
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("#camera[aria-pressed=true]")
        assert page.evaluate("getComputedStyle(document.querySelector('.fill')).transitionProperty") == "none"
        tree = page.locator("body").aria_snapshot()
        for part in ('heading "Can it read our emotions?" [level=1]', 'button "Look away" [pressed]', "- main"):
            assert part in tree
        assert page.locator("[aria-live=polite]").count() == 1
        for one in page.locator("button, input, canvas, video, progress").all():
            named = "e => e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim() || e.ariaHidden"
            assert one.evaluate(named), one


def test_a_token_is_asked_for_and_let_in(
    playwright: Any, bundle: Bundle, said: tuple[Path, Any], tmp_path: Path
) -> None:
    bundle.save(tmp_path / "model")
    token = ("--token", "correct-horse")
    with (
        running(JOB, "--model", tmp_path / "model", "--port", "0", *token) as (address, process),
        browsing(playwright, address, said[0], said[0], tmp_path) as browser,
    ):
        home, _, carried = address.partition("#token=")
        assert carried == "correct-horse"
        with browser.open(address=home, refusals=1) as page:
            page.fill("#token", carried)
            page.keyboard.press("Enter")
            page.wait_for_selector("html[data-ready]")
            assert page.locator("#door").is_hidden()
        with browser.open() as page:  # the token stands in the address
            page.click("#microphone")
            page.wait_for_selector("#microphone[aria-pressed=true]")
            process.send_signal(2)
            page.wait_for_selector("#alert:not([hidden])")
            assert "stopped" in page.inner_text("#alert")
            assert page.get_attribute("#microphone", "aria-pressed") == "false"
            assert process.wait(20) == 0


def test_a_server_that_falls_behind_is_said_and_what_follows_is_of_the_present(
    playwright: Any, bundle: Bundle, said: tuple[Path, Any], tmp_path: Path
) -> None:
    bundle.save(tmp_path / "model")
    with (
        running(JOB, "--model", tmp_path / "model", "--port", "0") as (address, process),
        browsing(playwright, address, said[0], said[0], tmp_path) as browser,
        browser.open() as page,
    ):
        page.click("#microphone")
        page.wait_for_selector(".state[data-is=speaking]")
        process.send_signal(signal.SIGSTOP)
        page.wait_for_selector(".state[data-is=busy]")
        assert "left out" in page.inner_text("#state-text")
        time.sleep(2)
        process.send_signal(signal.SIGCONT)
        page.wait_for_selector(".state[data-is=listening]", timeout=2000)
        heard(page, page.locator("#heard li").count() + 1)


def seeing_model(films: list[bytes], emotions: list[str]) -> Bundle:
    """A small network that has learnt these faces by heart."""
    from ravdess.families import family
    from ravdess.frames import frame_set
    from ravdess.picture import pictures
    from ravdess.takes import HeldTakes

    one = frame_set("face_48")
    takes = HeldTakes([made.frames for film in films for made in pictures(film, [one])])  # type: ignore[union-attr]
    params = {"width": 16, "depth": 1, "epochs": 5, "views": 128, "batch_size": 16, "learning_rate": 4e-3}
    model = family("separable_cnn").build(params).fit(takes, np.array(emotions))
    about: dict[str, Any] = {"features": one.name, "fingerprint": one.fingerprint, "shape": one.shape}
    return Bundle(model, "separable_cnn", params, columns=(), standardiser=None, corpora=("sample",), **about)


@pytest.fixture(scope="module")
def films() -> list[bytes]:
    """One actor, angry and happy."""
    return [sample.make(Clip.parse(f"01-01-0{number}-01-01-01-02"), height=360) for number in (5, 3)]


@pytest.fixture(scope="module")
def eye(films: list[bytes]) -> Bundle:
    return seeing_model(films, ["angry", "happy"])


def test_it_judges_the_face_that_the_camera_shows_as_the_file_is_judged(
    playwright: Any, eye: Bundle, films: list[bytes], tmp_path: Path
) -> None:
    eye.save(tmp_path / "model")
    film = tmp_path / "film.mp4"
    film.write_bytes(films[1])
    predict: list[str | Path] = [
        sys.executable,
        JOB.replace("serve.py", "predict.py"),
        film,
        "--model",
        tmp_path / "model",
        "--json",
    ]
    ran = subprocess.run(predict, capture_output=True, check=True, timeout=120, cwd=tmp_path)
    (said,) = json.loads(ran.stdout)["predictions"]
    assert said["emotion"] == "happy"
    face = as_camera(films[1], tmp_path / "face.mjpeg")
    with (
        running(JOB, "--model", tmp_path / "model", "--port", "0") as (address, _),
        browsing(playwright, address, face, face, tmp_path) as browser,
        browser.open() as page,
    ):
        assert page.locator("#microphone").is_hidden()
        page.click("#camera")
        page.wait_for_selector("#boxes .box:not([hidden])")
        page.wait_for_function("() => Number(document.documentElement.dataset.answers) >= 4")
        assert page.inner_text("#kind") == "What the camera shows"
        assert page.inner_text("#word") == said["emotion"]
        assert "One face. It is judged." in page.inner_text("#face-caption")
        browser.shoot(page, "seeing")
        page.click("#camera")
        assert heard(page, 1) == said["emotion"]
        assert page.inner_text("#kind") == "What the camera showed"
        page.set_input_files("#file", film)
        page.wait_for_selector("html[data-file]")
        assert page.inner_text("#word") == said["emotion"]
        shown = {row.split("\n")[0]: row.split("\n")[1] for row in page.locator("#bars li").all_inner_texts()}
        assert shown == {word: f"{round(100 * p)} %" for word, p in said["calibrated"].items()}


def test_a_fusion_judges_an_utterance_by_voice_and_face(  # noqa: PLR0917
    playwright: Any,
    eye: Bundle,
    films: list[bytes],
    bundle: Bundle,
    predictor: Predictor,
    made_clips: list[Path],
    tmp_path: Path,
) -> None:
    members = (bundle, eye)
    names = availabilities([one.features for one in members])
    combiners = {name: Combiner(np.ones(some := len(name.split("+"))), np.zeros((8 * some, 8))) for name in names}
    FusedBundle(members, combiners, "late").save(tmp_path / "model")
    voice, _ = surest(predictor, [path for path in made_clips[:48] if path.stem[6:8] == "03"])
    face = as_camera(films[1], tmp_path / "face.mjpeg")
    with attended(playwright, voice, face, tmp_path) as (browser, page):
        # Until the camera's pictures and the sound keep up with each other. In one go: what the camera shows meanwhile
        # would take the answer's place.
        word = page.wait_for_function(
            "() => { document.querySelector('#heard button')?.click();"
            " const [kind, word] = ['#kind', '#word'].map((one) => document.querySelector(one).textContent);"
            " return kind === 'An utterance, by voice and face' && word; }",
            polling=500,
        )
        assert word.json_value() == "happy"
        browser.shoot(page, "both")


@pytest.mark.data
def test_it_hears_and_sees_a_real_person(playwright: Any, real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "ravdess" / "speech"
    paths = [path for actor in ("03", "05", "08", "11", "16") for path in sorted(folder.glob(f"Actor_{actor}/*"))[::2]]
    bundle = listening_model(paths, "ravdess")
    bundle.save(tmp_path / "model")
    with Predictor(bundle) as predictor:
        path, answer = surest(predictor, sorted(folder.glob("Actor_01/*"))[::2])
        y, sr = predictor.decode(path)
    voice = tmp_path / "voice.wav"
    voice.write_bytes(sample.wav((y * 32_768).astype("<i2").tobytes(), sr))
    film = sorted((real_data / "ravdess" / "video").glob("*/01-*.mp4"))[0]
    face = as_camera(film.read_bytes(), tmp_path / "face.mjpeg")
    with attended(playwright, voice, face, tmp_path) as (_, page):
        assert heard(page, 2) == answer.emotion
        page.set_input_files("#file", path)
        page.wait_for_selector("html[data-file]")
        assert page.inner_text("#word") == answer.emotion
