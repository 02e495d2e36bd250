"""Answers: the numbers of the features' own road, and nothing guessed where there is nothing to judge."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ravdess.bundle import Bundle
from ravdess.errors import BadBundle, BadClip, BadTable
from ravdess.predict import NOT_SURE, Predictor
from ravdess.sound.read import read
from tests.predict.models import Table, fitted

SR = 22_050


@pytest.fixture(scope="module")
def predictor(bundle: Bundle) -> Iterator[Predictor]:
    """One for all tests, its decoder warm."""
    with Predictor(bundle) as predictor:
        yield predictor


def test_a_file_gets_the_numbers_of_its_features(
    predictor: Predictor, made_clips: list[Path], table: Table, bundle: Bundle
) -> None:
    expected = bundle.predict_proba(table[0][:8])
    for path, p in zip(made_clips, expected, strict=False):
        (answer,) = predictor.file(path)
        assert np.abs(np.array(list(answer.probabilities.values())) - p).max() <= 1e-9
        assert list(answer.probabilities) == list(bundle.labels)
        assert answer.clip == path.stem
        assert answer.likeliest == bundle.labels[p.argmax()]
        assert answer.emotion in {answer.likeliest, NOT_SURE}
        assert bundle.calibration is not None
        assert answer.confidence == pytest.approx(float(bundle.calibration.apply(p[None]).max()))


def test_below_the_threshold_it_is_not_sure(table: Table, made_clips: list[Path], bundle: Bundle) -> None:
    from ravdess.calibration import Calibration

    y, sr = read(made_clips[0])
    for threshold, sure in ((0.0, True), (1.0, False)):
        answer = Predictor(fitted(table, calibration=Calibration(threshold=threshold))).hear(y, sr)
        assert answer.emotion == (answer.likeliest if sure else NOT_SURE)
        assert answer.remarks == ()


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.zeros(3 * SR), "silence"),
        (np.full(3 * SR, 0.25), "silence"),
        (np.random.default_rng(0).normal(size=3 * SR) * 1e-5, "silence|nearly silent"),
        (np.sin(np.arange(2000)), "too short to judge: 0.09 s"),
        (np.sin(np.arange(3 * SR) * 0.1) * 0.3, "like music, a tone or noise"),
        (np.random.default_rng(0).normal(size=3 * SR) * 0.1, "like music, a tone or noise"),
    ],
)
def test_what_is_no_voice_is_said_and_not_guessed(predictor: Predictor, y: np.ndarray, said: str) -> None:
    answer = predictor.hear(y.astype(np.float32), SR)
    assert answer.emotion == NOT_SURE
    assert any(re.match(said, remark) for remark in answer.remarks), answer.remarks


def test_far_from_the_training_data_is_said(predictor: Predictor, made_clips: list[Path]) -> None:
    y, sr = read(made_clips[3])
    near = predictor.hear(y, sr).distance
    assert near is not None
    assert near < 1.2
    rng = np.random.default_rng(0)
    clicks = np.where(rng.random(4 * SR) < 1e-3, 0.5, 0) + rng.normal(size=4 * SR) * 1e-3
    answer = predictor.hear(clicks.astype(np.float32), SR)
    assert answer.emotion == NOT_SURE
    assert [remark for remark in answer.remarks if remark.startswith("far from the training data")]


def test_a_long_recording_is_judged_where_something_is_heard(predictor: Predictor, made_clips: list[Path]) -> None:
    y, sr = read(made_clips[0])
    long = np.concatenate([np.zeros(10 * sr, np.float32), np.tile(y, 3), np.zeros(10 * sr, np.float32)])
    answers = predictor.timeline(long, sr, clip="long")
    assert len(answers) >= len(np.tile(y, 3)) / sr - 3
    assert all(answer.end - answer.start == pytest.approx(3, abs=1e-3) for answer in answers)
    assert answers[0].start >= 7
    assert answers[-1].end <= len(long) / sr - 7
    assert all(answer.clip == "long" and answer.probabilities for answer in answers)
    silent = predictor.timeline(np.zeros(60 * sr, np.float32), sr)
    assert [answer.remarks for answer in silent] == [("silence: there is no voice to judge",)]


def test_an_enrolled_model_measures_a_voice_by_its_own_clips(table: Table, made_clips: list[Path]) -> None:
    bundle = fitted(table, enrolled=True)
    predictor = Predictor(bundle)
    mine = [at for at, actor in enumerate(table[2]) if actor == "03"]
    voices = [read(made_clips[at]) for at in mine]
    who = predictor.enrolment(voices)
    expected = bundle.predict_proba(table[0], table[2])[mine]
    said = [list(predictor.hear(y, sr, enrol=who).probabilities.values()) for y, sr in voices]
    np.testing.assert_allclose(said, expected, atol=1e-6)
    assert predictor.hear(*voices[0], enrol=voices).probabilities == predictor.hear(*voices[0], enrol=who).probabilities
    with pytest.raises(BadTable, match="measures a voice against other clips of the same person"):
        predictor.hear(*voices[0])
    first, last = (predictor.hear(*voices[0], enrol=voices[:count]).probabilities for count in (1, len(voices)))
    assert first != last
    assert sum(predictor.hear(*voices[0], enrol=[]).probabilities.values()) == pytest.approx(1)


def test_enrolling_for_a_model_that_does_not_is_refused(predictor: Predictor, made_clips: list[Path]) -> None:
    voices = [read(path) for path in made_clips[:2]]
    with pytest.raises(BadTable, match="not enrolled"):
        predictor.hear(*voices[0], enrol=voices)


def test_a_damaged_file_is_refused_with_a_reason(predictor: Predictor, made_clips: list[Path], tmp_path: Path) -> None:
    whole = made_clips[0].read_bytes()
    for data, why in ((whole[:3000], "truncated"), (b"", "empty"), (b"#EXTM3U\n/etc/passwd\n", "no sound or video")):
        with pytest.raises(BadClip, match=why):
            predictor.file(data, name="x.mp3")
    with pytest.raises(BadClip, match="No such file"):
        predictor.file(tmp_path / "absent.wav")
    with pytest.raises(BadClip, match="a directory"):
        predictor.file(tmp_path)
    with pytest.raises(BadClip, match="not finite"):
        predictor.hear(np.full(SR, np.nan, np.float32), SR)


@pytest.mark.parametrize("form", ["FLAC", "OGG", "MP3", "AIFF"])
def test_other_formats_are_heard(predictor: Predictor, made_clips: list[Path], form: str) -> None:
    y, sr = read(made_clips[0])
    file = io.BytesIO()
    soundfile.write(file, y, sr, format=form)
    (answer,) = predictor.file(file.getvalue(), name="x")
    assert answer.end == pytest.approx(len(y) / sr, abs=0.1)
    assert answer.probabilities


def test_a_model_of_features_that_no_sound_gives_is_refused(bundle: Bundle) -> None:
    import dataclasses

    with pytest.raises(BadBundle, match="needs 'face_stats', which this version of ravdess does not make"):
        Predictor(dataclasses.replace(bundle, features="face_stats"))
    with pytest.raises(BadBundle, match="imported"):
        Predictor(dataclasses.replace(bundle, features="openface", fingerprint="foreign:0123456789abcdef"))


class Loudest:
    """Says "angry" of what is loud: a stand-in for a network on frames."""

    classes_ = np.array(["angry", "calm"])

    def predict_proba(self, takes: Any) -> Any:
        loud = np.array([takes[at].mean() / 255 for at in range(len(takes))])
        return np.stack([loud, 1 - loud], axis=1)


def test_a_model_of_frames_made_from_sound_hears_as_well(bundle: Bundle, made_clips: list[Path]) -> None:
    import dataclasses

    from ravdess.frames import frame_set

    logmel = frame_set("logmel")
    change: dict[str, Any] = {"estimator": Loudest(), "features": "logmel", "fingerprint": logmel.fingerprint}
    other = dataclasses.replace(bundle, **change, columns=(), standardiser=None, shape=logmel.shape, usual=None)
    y, sr = read(made_clips[0])
    answer = Predictor(other).hear(y, sr)
    assert answer.probabilities["angry"] == pytest.approx(logmel.extract(y, sr).frames.mean() / 255)
    assert answer.distance is None
