from __future__ import annotations

import os
import struct
import tracemalloc
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravdess.errors import BadClip
from ravdess.sound.read import LARGEST, LONGEST, read
from tests.sound.waves import Floats, chunk, encoded, form, integers, noise, riff, sine, video, wav

Y = noise(0.3, seed=1)
PAIR = np.stack([Y, noise(0.3, seed=2)], axis=1)
EXACT = integers(Y).astype(np.float32) / 32_768


def samples(y: Floats) -> bytes:
    return integers(y).tobytes()


# --- the right result ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [Y, PAIR, np.repeat(PAIR, 3, axis=1)], ids=["mono", "stereo", "six channels"])
@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize(
    "how",
    [
        {"format": "WAV", "subtype": "PCM_U8"},
        {"format": "WAV", "subtype": "PCM_16"},
        {"format": "WAV", "subtype": "PCM_24"},
        {"format": "WAV", "subtype": "PCM_32"},
        {"format": "WAV", "subtype": "FLOAT"},
        {"format": "WAV", "subtype": "DOUBLE"},
        {"format": "WAV", "subtype": "PCM_16", "endian": "BIG"},
        {"format": "WAV", "subtype": "PCM_24", "endian": "BIG"},
        {"format": "WAV", "subtype": "ULAW"},
        {"format": "WAVEX", "subtype": "PCM_16"},
        {"format": "WAVEX", "subtype": "PCM_24"},
        {"format": "WAVEX", "subtype": "FLOAT"},
        {"format": "RF64", "subtype": "PCM_16"},
        {"format": "W64", "subtype": "PCM_16"},
        {"format": "AIFF", "subtype": "PCM_16"},
        {"format": "FLAC", "subtype": "PCM_16"},
        {"format": "FLAC", "subtype": "PCM_24"},
    ],
    ids=lambda how: "-".join(how.values()),
)
def test_reads_what_libsndfile_wrote(y: Floats, rate: int, how: dict[str, Any]) -> None:
    import io

    import librosa
    import soundfile

    data = encoded(y, rate, **how)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    got, sr = read(data)
    assert sr == rate
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, librosa.to_mono(expected.T))


@pytest.mark.parametrize(
    "how", [{"format": "OGG", "subtype": "VORBIS"}, {"format": "OGG", "subtype": "OPUS"}, {"format": "MP3"}]
)
def test_reads_what_a_lossy_codec_left(how: dict[str, Any]) -> None:
    y = sine(440, 1, sr=48_000)
    got, sr = read(encoded(np.stack([y, y], axis=1), 48_000, **how))
    assert (len(got), sr) == (48_000, 48_000)
    assert np.abs(got - y)[4_000:-4_000].max() < 0.05


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([chunk(b"FLLR", bytes(4_044))], [chunk(b"LIST", b"INFOISFT\x04\0\0\0abcd")]),
        ([chunk(b"bext", b"x" * 603)], [chunk(b"_PMX", b"<xmp/>" * 99), chunk(b"LIST", b"odd")]),
        ([chunk(b"JUNK", b"")], []),
        ([chunk(b"LIST", b"data" * 9)], [chunk(b"data", b"\1\2" * 9)]),
    ],
    ids=["FLLR, LIST", "bext of odd size, _PMX", "empty JUNK", "the word data elsewhere"],
)
def test_other_chunks_are_no_sound(before: list[bytes], after: list[bytes]) -> None:
    got, sr = read(riff(form(), *before, chunk(b"data", samples(Y)), *after))
    np.testing.assert_array_equal(got, EXACT)
    assert sr == 22_050


def test_a_file_that_lost_only_what_follows_its_sound_is_whole() -> None:
    data = riff(form(), chunk(b"data", samples(Y)), chunk(b"LIST", b"INFO" * 50))
    np.testing.assert_array_equal(read(data[:-100])[0], EXACT)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
@pytest.mark.parametrize("whole", [0, 36, 0xFFFFFFFF, 0x7FFFF024])
def test_a_streamed_wav_knows_no_size(size: int, whole: int) -> None:
    got, _ = read(riff(form(), chunk(b"data", samples(Y), size=size), size=whole))
    np.testing.assert_array_equal(got, EXACT)


def test_a_frame_half_written_is_left_out() -> None:
    data = riff(form(channels=2), chunk(b"data", samples(Y)[:4_002]))
    assert len(read(data)[0]) == 1_000


def test_a_path_a_string_and_bytes_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "03-01-01-01-01-01-01.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples(Y))
    for source in (path, str(path), path.read_bytes()):
        got, sr = read(source)
        np.testing.assert_array_equal(got, EXACT)
        assert sr == 48_000


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "aac"), ("mov", "pcm_s24le"), ("matroska", "aac"), ("avi", "mp3"), ("flv", "aac")]
)
def test_the_sound_of_a_video(container: str, codec: str) -> None:
    rate = 44_100 if container == "flv" else 48_000
    got, sr = read(video(sine(440, 2, sr=rate), rate, container=container, codec=codec))
    assert sr == rate
    assert len(got) / sr == pytest.approx(2, abs=0.06)  # codecs work in packets of some 1024 samples
    middle = np.abs(np.fft.rfft(got[sr // 2 : sr // 2 + sr]))
    assert middle.argmax() == 440
    assert np.abs(got[sr // 2 : -sr // 2]).max() == pytest.approx(0.5, abs=0.05)


def test_an_mp4_ends_where_its_container_says() -> None:
    assert len(read(video(sine(440, 2, sr=48_000)))[0]) == pytest.approx(96_000, abs=1_100)


def test_a_flac_of_unknown_length() -> None:
    data = bytearray(encoded(Y, 48_000, format="FLAC", subtype="PCM_16"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)  # total samples, 0: not known; the writer was a pipe
    got, sr = read(bytes(data))
    assert sr == 48_000
    np.testing.assert_allclose(got, EXACT, atol=1e-4)


# --- a reason --------------------------------------------------------------------------------------------------------

CLAIMS_HOURS = bytearray(encoded(Y, 48_000, format="FLAC"))
CLAIMS_HOURS[21] |= 0x0F
CLAIMS_HOURS[22:26] = b"\xff" * 4
FLAC = encoded(Y, 48_000, format="FLAC", subtype="PCM_16")
MP4 = video(sine(440, 2, sr=48_000))
MP3 = encoded(noise(2.0), 48_000, format="MP3")

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"empty file"),
    "text": (b"Dear reader, this is no sound.\n" * 20, r"no sound or video file.*begins with b'Dear reader,'"),
    "zeros": (bytes(5_000), r"no sound or video file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(500), r"no sound or video file"),
    "a playlist": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", r"no sound or video file"),
    "wav, half of it": (wav(Y)[: len(wav(Y)) // 2], r"truncated: its 'data' chunk promises 13230 bytes .* holds 6593"),
    "wav, one byte short": (wav(Y)[:-1], r"truncated"),
    "wav, 24 bit, cut": (encoded(Y, format="WAV", subtype="PCM_24")[:-9], r"truncated"),
    "wav, µ-law, cut": (encoded(Y, format="WAV", subtype="ULAW")[:-2_000], r"truncated"),
    "wav, cut in its header": (wav(Y)[:30], r"ends before its sound begins"),
    "wav, its first word alone": (b"RIFF", r"no sound or video file|broken"),
    "wav without sound chunk": (riff(form(), chunk(b"LIST", b"INFO")), r"no 'data' chunk"),
    "wav without fmt": (riff(chunk(b"data", samples(Y))), r"no complete 'fmt ' chunk"),
    "wav, no channels": (riff(form(channels=0), chunk(b"data", samples(Y))), r"0 channels"),
    "wav, rate 0": (riff(form(rate=0), chunk(b"data", samples(Y))), r"sample rate 0 Hz, expected 1000 to 192000"),
    "wav, rate absurd": (riff(form(rate=2**31), chunk(b"data", samples(Y))), r"sample rate 2147483648 Hz"),
    "wav, unknown codec": (riff(form(tag=0x1234), chunk(b"data", samples(Y))), r"broken|no sound"),
    "wav, hours promised": (riff(form(), chunk(b"data", samples(Y), size=2**30)), r"truncated: .*1073741824"),
    "wav, hours there": (riff(form(rate=1_000), chunk(b"data", bytes(2_000 * 601))), r"too long: .* 601 s"),
    "rf64, petabytes": (
        riff(
            chunk(b"ds64", struct.pack("<QQQI", 2**50, 2**50, 2**49, 0)),
            form(),
            chunk(b"data", samples(Y), size=0xFFFFFFFF),
            magic=b"RF64",
            size=0xFFFFFFFF,
        ),
        r"truncated: .* promises 1125899906842624 bytes",
    ),
    "flac, hours promised": (bytes(CLAIMS_HOURS), r"too long: its header says 1431656 s"),
    "flac, half of it": (FLAC[: len(FLAC) // 2], r"broken or truncated"),
    "flac, one byte short": (FLAC[:-1], r"broken or truncated"),
    "flac, a wrong byte": (FLAC[:5_000] + bytes([FLAC[5_000] ^ 0x10]) + FLAC[5_001:], r"broken or truncated"),
    "flac, its header alone": (FLAC[:42], r"broken or truncated"),
    "ogg, half of it": (encoded(noise(2.0), format="OGG")[:9_000], r"truncated: the Ogg stream breaks off"),
    "aiff, half of it": (encoded(Y, format="AIFF")[:6_000], r"truncated: its 'SSND' chunk"),
    "aiff without sound": (b"FORM\0\0\0\x04AIFF", r"no 'SSND' chunk"),
    "mp3, half of it": (MP3[: len(MP3) // 2], r"truncated: its header promises"),
    "mp4, half of it": (MP4[: len(MP4) // 2], r"broken or truncated video|truncated"),
    "mp4, its first word alone": (MP4[:64], r"broken or truncated video"),
    "mp4 without sound": (video(None), r"no sound track"),
    "mkv, half of it": (video(sine(440, 2, sr=48_000), container="matroska")[:20_000], r"truncated: it promises 2"),
    "avi, half of it": (video(sine(440, 2, sr=48_000), container="avi", codec="mp3")[:20_000], r"truncated"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_has_its_reason(name: str) -> None:
    data, reason = BAD[name]
    tracemalloc.start()
    try:
        with pytest.raises(BadClip, match=reason):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 16e6, "a promise was allocated"
    finally:
        tracemalloc.stop()


def test_the_name_helps_the_reason() -> None:
    with pytest.raises(BadClip, match=r"though it is named 'a\.wav'"):
        read(b"Dear reader", name="a.wav")


def test_what_is_no_file_has_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(BadClip, match="a directory, expected a sound file"):
        read(tmp_path / "a.wav")
    with pytest.raises(BadClip, match="cannot be read: No such file"):
        read(tmp_path / "b.wav")
    os.mkfifo(tmp_path / "c.wav")
    with pytest.raises(BadClip, match="a device or pipe"):  # and does not wait for a writer
        read(tmp_path / "c.wav")
    with (tmp_path / "d.wav").open("wb") as file:
        file.truncate(LARGEST + 1)  # sparse: takes no room
    with pytest.raises(BadClip, match=f"expected at most {LARGEST}"):
        read(tmp_path / "d.wav")


def test_a_compressed_bomb_is_refused_before_it_unfolds() -> None:
    data = encoded(np.zeros(int(1_000 * (LONGEST + 1)), np.float32), 1_000, format="FLAC")
    assert len(data) < 50_000
    with pytest.raises(BadClip, match="too long"):
        read(data)


@given(st.integers(0, len(wav(Y)) - 1))
def test_no_truncated_wav_passes(cut: int) -> None:
    with pytest.raises(BadClip):
        read(wav(Y)[:cut])


@given(st.integers(0, len(FLAC) - 1))
def test_no_truncated_flac_passes(cut: int) -> None:
    with pytest.raises(BadClip):
        read(FLAC[:cut])


EXTENSIBLE = encoded(PAIR[:200], format="WAVEX", subtype="PCM_24")


@given(
    st.dictionaries(st.integers(0, 79), st.integers(0, 255), max_size=6), st.sampled_from([wav(Y[:200]), EXTENSIBLE])
)
def test_a_header_of_wrong_bytes_gives_samples_or_a_reason(wrong: dict[int, int], data: bytes) -> None:
    broken = bytearray(data)
    for at, value in wrong.items():
        broken[at] = value
    try:
        y, sr = read(bytes(broken))
    except BadClip:
        return
    assert y.ndim == 1
    assert y.dtype == np.float32
    assert len(y) <= len(data)
    assert 1_000 <= sr <= 192_000
