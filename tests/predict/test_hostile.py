"""Damaged files cost themselves alone: each gets an answer or a reason, and nothing is written anywhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ravdess.bundle import Bundle
from ravdess.errors import BadClip
from ravdess.predict import Decoder, Limits, Predictor
from ravdess.sound.read import read
from tests.mutations import mutated, real_files


def originals(made_clips: list[Path]) -> list[bytes]:
    """One made voice in six formats, two of them video containers."""
    import av

    y, sr = read(made_clips[0])
    files = [made_clips[0].read_bytes()]
    for form in ("FLAC", "OGG", "MP3"):
        file = io.BytesIO()
        soundfile.write(file, y, sr, format=form)
        files.append(file.getvalue())
    for form, codec in (("mp4", "aac"), ("webm", "libopus")):
        file = io.BytesIO()
        with av.open(file, "w", format=form) as made:
            stream: Any = made.add_stream(codec, rate=48_000, layout="mono")
            frame = av.AudioFrame.from_ndarray((y * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate = sr
            size = stream.frame_size or 960
            pace = av.AudioResampler(format=stream.format, layout="mono", rate=48_000, frame_size=size)
            for part in [*pace.resample(frame), *pace.resample(None)]:
                made.mux(stream.encode(part))
            made.mux(stream.encode(None))
        files.append(file.getvalue())
    return files


def through_predict(bundle: Bundle, whole: list[bytes], count: int) -> tuple[int, list[str]]:
    """How many of `count` damaged copies were heard, and why the others were not."""
    heard, reasons = 0, []
    with Predictor(bundle, Decoder(Limits(seconds=20))) as predictor:
        for first in (predictor.file(data)[0] for data in whole):  # undamaged, all are heard; a film may be silent
            assert first.probabilities or first.remarks
        for number, data in enumerate(mutated(whole, count, seed=3)):
            try:
                answers = predictor.file(data, name=f"../../{number}.mp4")
            except BadClip as error:
                reasons.append(str(error))
            else:
                heard += 1
                assert answers
                assert all(abs(sum(one.probabilities.values()) - 1) < 1e-6 for one in answers if one.probabilities)
        assert predictor.file(whole[0])[0].probabilities, "and the next whole file is served"
    assert all(reasons)
    return heard, reasons


def test_each_damaged_file_gets_an_answer_or_a_reason(
    bundle: Bundle, made_clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heard, reasons = through_predict(bundle, originals(made_clips), 48)
    assert heard
    assert reasons
    assert list(tmp_path.iterdir()) == []


@pytest.mark.data
def test_each_damaged_real_file_gets_an_answer_or_a_reason(
    bundle: Bundle, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heard, reasons = through_predict(bundle, real_files(real_data), 200)
    assert heard >= 20
    assert len(reasons) >= 80
    assert list(tmp_path.iterdir()) == []
