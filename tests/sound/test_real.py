"""The real clips, a sample of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ravdess.errors import BadClip
from ravdess.features import feature_set
from ravdess.sound.read import check, read, resample
from tests.sound import plain
from tests.sound.waves import SR

pytestmark = pytest.mark.data


def clips(real_data: Path) -> list[Path]:
    speech = sorted((real_data / "ravdess").glob("s*/Actor_*/*.flac"))
    return [*speech[::50], *sorted((real_data / "ravdess" / "originals").glob("*.wav"))]


def test_equal_to_librosa(real_data: Path) -> None:
    paths = clips(real_data)
    assert len(paths) > 20
    for path in paths:
        y, sr = read(path)
        expected = plain.load(path)
        np.testing.assert_array_equal(resample(y, sr, SR), expected)
        np.testing.assert_allclose(
            feature_set("mfcc_stats").extract(y, sr),
            plain.mfcc_stats(expected),
            rtol=1e-4,
            atol=1e-3,
            err_msg=path.name,
        )
        spectral = feature_set("spectral_stats").extract(y, sr)
        np.testing.assert_allclose(
            spectral[:16], plain.spectral_stats(expected), rtol=1e-4, atol=1e-3, err_msg=path.name
        )


def test_flac_and_wav_of_one_clip_read_alike(real_data: Path) -> None:
    for path in clips(real_data)[:5]:
        samples, rate = soundfile.read(path, dtype="int16")
        to = io.BytesIO()
        soundfile.write(to, samples, rate, format="WAV", subtype="PCM_16")
        np.testing.assert_array_equal(read(path)[0], read(to.getvalue())[0])


def test_every_truncation_of_an_original_is_noticed(real_data: Path) -> None:
    for path in sorted((real_data / "ravdess" / "originals").glob("*.wav")):
        whole = path.read_bytes()
        sound = whole.index(b"data", 12) + 8 + int.from_bytes(whole[whole.index(b"data", 12) + 4 :][:4], "little")
        for cut in (0, 3, 30, 1_000, len(whole) // 2, sound - 1):
            with pytest.raises(BadClip):
                read(whole[:cut])
        np.testing.assert_array_equal(read(whole[:sound])[0], read(path)[0])


def test_a_video_sounds_like_its_take(real_data: Path) -> None:
    heard = 0
    for path in sorted((real_data / "ravdess" / "video").glob("*/01-*.mp4")):
        twin = real_data / "ravdess" / "speech" / path.parent.name / f"03{path.stem[2:]}.flac"
        if not twin.exists():
            continue
        (video, rate), (sound, sr) = read(path), read(twin)
        assert rate == sr
        n = min(len(video), len(sound))
        spectra = np.fft.rfft(video[:n], 2 * n), np.fft.rfft(sound[:n], 2 * n)
        correlation = np.fft.irfft(spectra[0] * spectra[1].conj()).max()
        assert correlation > 0.99 * np.linalg.norm(video) * np.linalg.norm(sound)
        heard += 1
    assert heard


def test_a_silent_track_is_silent(real_data: Path) -> None:
    paths = sorted((real_data / "ravdess" / "video").glob("*/02-*.mp4"))
    assert paths
    for path in paths:
        with pytest.raises(BadClip, match="silent"):
            check(*read(path))


def test_pitch_tells_women_from_men(real_data: Path) -> None:
    """Odd actors are men. No clip's truth is known, but this is."""
    at = feature_set("spectral_stats").columns.index("pitch_hz_p50")
    median = {}
    for folder in sorted((real_data / "ravdess" / "speech").glob("Actor_*")):
        calm = [path for path in sorted(folder.glob("*.flac")) if path.stem[6:8] in ("01", "02")]
        pitches = [feature_set("spectral_stats").extract(*read(path))[at] for path in calm]
        median[int(folder.name[-2:])] = float(np.median(pitches))
    men = [value for actor, value in median.items() if actor % 2]
    women = [value for actor, value in median.items() if not actor % 2]
    assert 80 < np.median(men) < 160 < np.median(women) < 260
    assert max(men) < np.median(women)
    assert np.median(men) < min(women)
