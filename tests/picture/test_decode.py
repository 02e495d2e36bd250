"""Decoding: the wanted pictures to the byte, whatever is left undecoded, and a reason for every file that cannot be."""

from __future__ import annotations

import io
import os
import resource
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravdess.errors import BadClip
from ravdess.picture import frames, h264
from ravdess.picture.decode import decoded
from ravdess.picture.film import film as opened
from ravdess.picture.planes import planes
from tests.mutations import mutated
from tests.picture.clips import drawn, film, plain


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))


def chosen(content: bytes | str, wanted: Any) -> dict[int, Any]:
    with opened(content) as one:
        return dict(decoded(one, wanted))


@pytest.fixture(scope="module")
def clip() -> bytes:
    return film(31)


@given(stride=st.integers(1, 40), start=st.integers(0, 40), stop=st.integers(1, 50))
def test_what_is_picked_is_what_a_plain_loop_decodes(clip: bytes, stride: int, start: int, stop: int) -> None:
    everything = [planes(frame) for frame in plain(clip)]
    wanted = range(start, min(stop, 31), stride)
    got = chosen(clip, wanted)
    assert list(got) == list(wanted)
    assert all(same(got[number], everything[number]) for number in wanted)


def test_unwanted_pictures_that_nobody_refers_to_are_not_decoded(clip: bytes) -> None:
    with opened(clip) as one:
        keep = h264.needed(one.roles, one.numbers, range(0, one.count, 5))
        assert len(keep) == 31
        assert sum(keep) <= 16
        assert sum(h264.needed(one.roles, one.numbers, range(12, 14))) <= 6  # one group of pictures, not from the start
        assert sum(h264.needed(one.roles, one.numbers, range(0))) == 0


@pytest.mark.parametrize(
    ("container", "how"),
    [
        ("matroska", {}),
        ("flv", {}),
        ("avi", {"options": {"x264-params": "bframes=0"}}),
        ("avi", {"codec": "mpeg4"}),
        ("mp4", {"codec": "mpeg4"}),
        ("mp4", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        ("webm", {"codec": "libvpx-vp9"}),
        ("mp4", {"options": {"x264-params": "bframes=5:b-pyramid=normal:open-gop=1:keyint=10"}}),
        ("mp4", {"options": {"x264-params": "slices=3:bframes=2"}}),
        ("mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
        ("mp4", {"container_options": {"movflags": "faststart"}, "sound": True}),
        ("mp4", {"times": [number * number for number in range(24)]}),
    ],
)
def test_every_container_codec_and_order(container: str, how: dict[str, Any]) -> None:
    content = film(container=container, **how)
    everything = [planes(frame) for frame in plain(content, container)]
    got = chosen(content, range(1, 24, 4))
    assert list(got) == list(range(1, 24, 4))
    assert all(same(got[number], everything[number]) for number in got)


def test_rate_is_that_of_the_times() -> None:
    for rate in (25, Fraction(30000, 1001), 60):
        with opened(film(rate=rate)) as one:
            assert one.frame_rate == pytest.approx(float(rate), rel=1e-6)


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_a_turned_clip_comes_upright(turn: int) -> None:
    content = film(3, rotate=turn)
    upright = np.rot90(frames(film(3), stride=1)[2], turn // 90)
    turned = frames(content, stride=1)[2]  # colour differences are enlarged after the turn: rounding differs
    assert turned.shape == upright.shape
    assert np.abs(turned.astype(int) - upright).mean() < 1


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"pix_fmt": "yuv422p"},
        {"pix_fmt": "yuv444p"},
        {"pix_fmt": "yuv422p10le"},
        {"codec": "libx264rgb", "pix_fmt": "rgb24"},
        {"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {"qscale": "2"}},
        {"pixel": Fraction(4, 3)},
        {"width": 162, "height": 122},
    ],
)
def test_colours_are_those_that_were_drawn(how: dict[str, Any]) -> None:
    width, height = how.get("width", 160), how.get("height", 90)
    shown = frames(film(2, **how), stride=1, size=(width, height))[1]
    assert np.abs(shown.astype(int) - drawn(1, width, height)).mean() < 6
    grey = frames(film(2, **how), stride=1, size=(width, height), grey=True)[1, :, :, 0]
    assert np.abs(grey - shown @ (0.299, 0.587, 0.114)).mean() < 3


def test_a_grey_stream_is_grey() -> None:
    grey = frames(film(2, pix_fmt="gray", options={"x264-params": "fullrange=on"}), stride=1, grey=True)[1, :, :, 0]
    assert np.abs(grey - drawn(1) @ (0.299, 0.587, 0.114)).mean() < 6


def test_pixels_that_are_wide_become_square() -> None:
    assert frames(film(1, pixel=Fraction(4, 3))).shape == (1, 90, 214, 3)


def test_rgb_is_the_standards_formula() -> None:
    from ravdess.picture.planes import Planes

    rng = np.random.default_rng(0)
    y, u, v = (rng.integers(0, 256, (40, 40), dtype=np.uint8) for _ in range(3))
    luma, cb, cr = ((y - 16.0) / 219), ((u - 128.0) / 224), ((v - 128.0) / 224)
    red, blue = luma + 1.5748 * cr, luma + 1.8556 * cb  # BT.709
    green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152
    expected = (np.stack((red, green, blue), axis=2) * 255).clip(0, 255)
    got = Planes(y, u, v, full=False, space=1).rgb(40, 40)
    assert np.abs(got - expected).max() <= 1.01


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"\0" * 5000, "no video file"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n", "no video file"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no video file"),
        (b"RIFF\0\0\0\0WAVEfmt ", "no video file"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 4000, "broken"),
        (film(8, codec="ffv1", container="matroska"), "codec 'ffv1'"),
        (film(24)[:2000], "broken"),
        (film(24, container_options={"movflags": "faststart"})[:-900], "cut short"),
        (film(24, container="matroska")[:3500], "cut short"),
    ],
)
def test_a_file_that_is_no_film_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(BadClip, match=reason):
        frames(content)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for path, reason in (
        (tmp_path / "gone.mp4", "No such file"),
        (tmp_path, "not a reg"),
        (tmp_path / "pipe.mp4", "not"),
    ):
        with pytest.raises(BadClip, match=reason):
            frames(path)
    (tmp_path / "film.mp4").write_bytes(film(6))
    assert frames(tmp_path / "film.mp4").shape == (2, 90, 160, 3)


def test_damage_is_never_passed_off_as_a_picture() -> None:
    whole = film(24, container_options={"movflags": "faststart"})
    pictures = frames(whole, stride=1)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for at in rng.integers(2500, len(whole), 6):
            damaged[at] ^= 1 << rng.integers(8)
        try:
            got = frames(bytes(damaged), stride=1)
        except BadClip:
            refused += 1
            continue
        assert got.shape[1:] == pictures.shape[1:]
        assert len(got) >= len(pictures) - 1
    assert refused > 30


def test_hostile_files_cost_a_reason_and_nothing_else() -> None:
    whole = [film(12, container=container) for container in ("mp4", "matroska", "avi", "flv")]
    outcomes: set[object] = set()
    for content in mutated(whole, 120, seed=7):
        try:
            outcomes.add(frames(content).shape[1:3] != (0, 0))
        except BadClip as error:
            outcomes.add(str(error).partition(" ")[0])
    assert len(outcomes) > 3


def test_no_picture_track() -> None:
    import av

    from ravdess.corpora.sample import make
    from ravdess.corpora.sample import parse as name

    heard = make(name("03-01-01-01-01-01-01"))
    with pytest.raises(BadClip, match="no video file"):
        frames(heard)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        track: Any = out.add_stream("aac", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        out.mux(track.encode(frame))
        out.mux(track.encode())
    with pytest.raises(BadClip, match="no picture track"):
        frames(file.getvalue())


def box(kind: bytes, *content: bytes) -> bytes:
    whole = b"".join(content)
    return struct.pack(">I4s", 8 + len(whole), kind) + whole


def test_a_header_that_promises_a_billion_samples_costs_nothing() -> None:
    tables = box(b"stbl", box(b"stsz", struct.pack(">III", 0, 1, 0x3FFFFFFF)))
    bomb = box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", box(b"trak", box(b"mdia", box(b"minf", tables))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadClip, match="promises 1073741823 samples"):
        frames(bomb)
    fragments = box(b"ftyp", b"isom\0\0\0\0") + box(
        b"moof", box(b"traf", box(b"trun", struct.pack(">III", 0, 1 << 31, 0)))
    )
    with pytest.raises(BadClip, match="promises"):
        frames(fragments)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_huge_pictures_are_refused_by_the_header_and_by_the_stream() -> None:
    content = film(1, width=4096, height=2304, codec="mjpeg", pix_fmt="yuvj420p")
    with pytest.raises(BadClip, match="4096x2304 pixels"):
        frames(content)
    # The same stream behind a header that tells another size: the decoder itself refuses.
    lying = content.replace(struct.pack(">HH", 4096, 2304), struct.pack(">HH", 160, 90), 1)
    with pytest.raises(BadClip, match=r"damaged|change|pixels"):
        frames(lying)


@pytest.mark.data
def test_the_publishers_clips_to_the_byte(real_data: Path) -> None:
    clips = sorted((real_data / "ravdess" / "video").rglob("*.mp4"))
    assert clips
    for path in clips[::3]:
        everything = [planes(frame) for frame in plain(path.read_bytes())]
        with opened(path) as one:
            assert one.count == len(everything)
            assert one.frame_rate == pytest.approx(30000 / 1001)
            assert one.size == (1280, 720)
            assert sum(h264.needed(one.roles, one.numbers, range(0, one.count, 5))) < len(one.roles)
            for wanted in (range(0, one.count, 5), range(47, one.count, 9)):
                got = dict(decoded(one, wanted))
                assert list(got) == list(wanted)
                assert all(same(got[number], everything[number]) for number in wanted)
