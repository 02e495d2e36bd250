"""The sample corpus: made, said to be made, the same every time, and neither trivial nor hopeless."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.clips import EMOTIONS, Clip
from ravdess.corpora import CORPORA, catalogue, choose, read_bytes
from ravdess.corpora.contract import check_corpus
from ravdess.corpora.sample import COMMENT, CORPUS, Options, make, sample, source, write
from ravdess.corpora.voice import SAMPLE_RATE, length, loudness, speak, style
from ravdess.errors import BadClip, BadName, BadSource

NAME = "03-01-06-01-02-01-12"


@pytest.mark.parametrize("name", list(CORPORA))
def test_every_corpus_keeps_the_contract(name: str) -> None:
    check_corpus(CORPORA[name])


def test_it_says_that_it_is_made(tmp_path: Path) -> None:
    assert CORPUS.made
    assert "made by a program, not recorded" in CORPUS.description
    assert any(CORPUS.description in note for note in sample(actors=1, takes=1).notes)
    write(tmp_path, actors=1, takes=1, modalities=("audio-only", "video-only"), height=48)
    about = json.loads((tmp_path / "ravdess-corpus.json").read_text())
    assert (about["corpus"], about["made"], about["description"]) == ("sample", True, CORPUS.description)
    assert soundfile.SoundFile(next(tmp_path.rglob("*.wav"))).comment == COMMENT
    assert COMMENT.encode() in next(tmp_path.rglob("*.mp4")).read_bytes()


def test_the_default_is_balanced_and_keeps_the_publishers_rules() -> None:
    clips = list(Options().clips())
    assert len(clips) == 24 * 16
    assert set(Counter((clip.actor, clip.emotion) for clip in clips).values()) == {2}
    assert [Clip.parse(clip.name) for clip in clips] == clips


def test_all_takes_of_24_actors_are_the_publishers_own() -> None:
    spoken = Options(takes=60, modalities=("audio-only", "video-only", "audio-video"))
    names = {clip.name for clip in spoken.clips()}
    assert names == {name for name in CORPORA["ravdess"].complete() if name[3:5] == "01"}  # type: ignore[misc]


@given(actors=st.integers(1, 99), takes=st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_any_size(actors: int, takes: int) -> None:
    clips = list(Options(actors, takes).clips())
    assert len({clip.name for clip in clips}) == len(clips) == actors * takes
    for_each = Counter(clip.emotion for clip in clips if clip.actor == "01")
    others = [for_each[emotion] for emotion in EMOTIONS[1:]]
    assert max(others) - min(others) <= 1
    assert all(CORPUS.parse(clip.name) == clip for clip in clips[:50])


@given(
    st.builds(
        Options,
        actors=st.integers(1, 99),
        takes=st.integers(1, 999),
        channels=st.permutations(["speech", "song"]).map(tuple),
        seed=st.integers(-5, 2**40),
        height=st.sampled_from([48, 180, 720]),
    )
)
@settings(deadline=None)
def test_options_round_trip(options: Options) -> None:
    assert Options.parse(source(options).removeprefix("sample:")) == options


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("actors=0", "1 to 99 actors, not 0"),
        ("actors=100", "1 to 99 actors, not 100"),
        ("takes=0", "takes a channel, not 0"),
        ("takes=2.5", "'2.5' is no whole number"),
        ("takes", "unknown option 'takes'"),
        ("colour=red", "unknown option 'colour=red' of the sample corpus, expected actors=…, takes=…"),
        ("channels=speech+opera", r"unknown channels \['speech', 'opera'\], expected some of \['speech', 'song'\]"),
        ("modalities=", r"unknown modalities \[''\]"),
        ("channels=song+song", "unknown channels"),
        ("height=181", "even number"),
    ],
)
def test_wrong_options_are_refused(text: str, reason: str) -> None:
    with pytest.raises(BadSource, match=reason):
        catalogue(f"sample:{text}")


def test_files_and_addresses_hold_the_same(tmp_path: Path) -> None:
    written = write(tmp_path, actors=2, takes=2, channels=("speech", "song"))
    assert written == 8
    listed = sample(actors=2, takes=2, channels=("speech", "song")).clips
    files = catalogue(tmp_path).clips
    assert files["corpus"].to_pylist() == ["sample"] * 8
    assert files.drop(["source", "quick_digest"]).equals(listed.drop(["source", "quick_digest"]))
    for ours, theirs in zip(files["source"].to_pylist(), listed["source"].to_pylist(), strict=True):
        assert read_bytes(ours) == read_bytes(theirs)


def test_writing_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    write(tmp_path, actors=1, takes=3)
    first, second, _ = sorted(tmp_path.rglob("*.wav"))
    whole = first.read_bytes()
    first.write_bytes(whole[:100])
    second.unlink()
    seen: list[tuple[int, int]] = []
    assert write(tmp_path, actors=1, takes=3, progress=lambda done, total: seen.append((done, total))) == 2
    assert first.read_bytes() == whole
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert not list(tmp_path.rglob("*.part"))


def test_another_seed_replaces_what_stands(tmp_path: Path) -> None:
    write(tmp_path, actors=1, takes=1, modalities=("video-only",), height=48)
    first = next(tmp_path.rglob("*.mp4")).read_bytes()
    assert write(tmp_path, actors=1, takes=1, modalities=("video-only",), height=48, seed=1) == 1
    assert next(tmp_path.rglob("*.mp4")).read_bytes() != first
    assert write(tmp_path, actors=1, takes=1, modalities=("video-only",), height=48, seed=1) == 0


def test_sound_is_as_the_publishers_files_are() -> None:
    content = read_bytes(f"sample:seed=0/{NAME}.wav")
    file = soundfile.SoundFile(io.BytesIO(content))
    assert (file.samplerate, file.channels, file.subtype) == (48_000, 1, "PCM_16")
    assert 3.0 < file.frames / 48_000 < 4.6
    assert (file.read(dtype="int16") == speak(Clip.parse(NAME))).all()
    (row,) = catalogue("sample:actors=1,takes=1").clips.to_pylist()
    assert row["size"] == len(read_bytes(row["source"]))


def test_the_same_bytes_in_another_process_and_order() -> None:
    code = (
        "import hashlib; from ravdess.corpora import read_bytes;"
        f"print(hashlib.sha256(read_bytes('sample:seed=3/{NAME}.wav')).hexdigest())"
    )
    read_bytes("sample:seed=3/03-01-01-01-01-01-01.wav")
    here = hashlib.sha256(read_bytes(f"sample:seed=3/{NAME}.wav")).hexdigest()
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert here == there


def test_seeds_takes_and_actors_sound_different() -> None:
    clip = Clip.parse(NAME)
    others = (speak(clip, 1), speak(Clip.parse("03-01-06-01-02-02-12")), speak(Clip.parse("03-01-06-01-02-01-10")))
    for other in others:
        size = min(len(other), len(speak(clip)))
        assert abs(np.corrcoef(speak(clip)[:size], other[:size])[0, 1]) < 0.5


def test_the_three_files_of_a_take_are_one_performance() -> None:
    assert speak(Clip.parse(f"01{NAME[2:]}")).tobytes() == speak(Clip.parse(NAME)).tobytes()


@pytest.mark.parametrize("stem", ["03-01-05-02-01-01-01", "03-02-03-01-02-01-24", "03-01-01-01-01-01-18"])
def test_sound_is_quiet_then_voice_then_quiet(stem: str) -> None:
    clip = Clip.parse(stem)
    sound = speak(clip).astype(float)
    assert len(sound) == length(clip, 0)
    power = np.sqrt(np.mean(sound[: len(sound) // 1000 * 1000].reshape(-1, 1000) ** 2, axis=1))
    assert power[:10].max() < 10
    assert power[-3:].max() < 10
    assert power.max() > 500
    assert np.abs(sound).max() < 32_767


def test_the_pitch_that_is_meant_is_the_pitch_that_is_heard() -> None:
    import librosa

    ratios = []
    for stem in ("03-01-02-01-01-01-01", "03-01-05-02-02-01-02", "03-01-06-01-01-01-07", "03-02-03-01-01-01-08"):
        clip = Clip.parse(stem)
        sound = librosa.resample(speak(clip).astype(np.float32) / 32768, orig_sr=SAMPLE_RATE, target_sr=16_000)
        heard = librosa.yin(sound, fmin=60, fmax=700, sr=16_000)
        loud = librosa.feature.rms(y=sound)[0]
        ratios.append(float(np.median(heard[loud > 0.3 * loud.max()])) / style(clip, 0).pitch)
    assert np.abs(np.log2(ratios)).max() < 0.35  # the melody moves within a few semitones


def test_emotions_differ_as_they_do_in_people() -> None:
    def mean(what: str, emotion: str) -> float:
        code = EMOTIONS.index(emotion) + 1
        stems = (f"03-01-{code:02d}-01-0{s}-0{r}-{a:02d}" for s in (1, 2) for r in (1, 2) for a in range(1, 25))
        return float(np.mean([getattr(style(Clip.parse(stem), 0), what) for stem in stems]))

    assert mean("energy", "angry") > mean("energy", "neutral") > mean("energy", "sad")
    assert mean("pitch", "fearful") > mean("pitch", "neutral")
    assert mean("range", "surprised") > mean("range", "calm")
    assert mean("rate", "fearful") > mean("rate", "sad")


def test_women_speak_higher_than_men_on_average() -> None:
    pitch = {actor: style(Clip.parse(f"03-01-01-01-01-01-{actor:02d}"), 0).pitch for actor in range(1, 25)}
    men, women = ([pitch[actor] for actor in pitch if actor % 2 == odd] for odd in (1, 0))
    assert np.mean(women) > 1.4 * np.mean(men)


def test_unheard_actors_are_told_well_above_chance_and_below_perfect() -> None:
    """The plain recipe (statistics of MFCC, a support vector machine) on actors that it never heard."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from ravdess.features import feature_set

    recipe = feature_set("mfcc_stats")
    clips = list(Options().clips())
    x = np.array([recipe.extract((speak(clip) / 32768).astype(np.float32), SAMPLE_RATE) for clip in clips])
    y, actors = np.array([clip.emotion for clip in clips]), [clip.actor for clip in clips]
    model = make_pipeline(StandardScaler(), SVC(C=10))
    predicted = cross_val_predict(model, x, y, groups=actors, cv=GroupKFold(6))
    assert 0.5 < balanced_accuracy_score(y, predicted) < 0.9


def test_a_wrong_address_is_a_bad_clip() -> None:
    for address in ("sample:seed=x/03-01-01-01-01-01-01.wav", "sample:seed=0/holiday.wav", "sample:", "tape:1/x.wav"):
        with pytest.raises((BadClip, BadName)):
            read_bytes(address)


# pictures


def frames(content: bytes) -> list[Any]:
    import av

    with av.open(io.BytesIO(content), "r") as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sound_of(content: bytes) -> Any:
    import av

    with av.open(io.BytesIO(content), "r") as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


@pytest.mark.parametrize("modality", ["01", "02"])
def test_films_are_packed_as_the_publishers(modality: str) -> None:
    import av

    clip = Clip.parse(f"{modality}{NAME[2:]}")
    content = make(clip, height=96)
    with av.open(io.BytesIO(content), "r") as container:
        picture, track = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, picture.codec_context.profile, picture.pix_fmt) == (
            "h264",
            "High",
            "yuv420p",
        )
        assert (str(picture.average_rate), picture.width, picture.height) == ("30000/1001", 176, 96)
        assert (track.codec_context.name, track.sample_rate, track.layout.name) == ("aac", 48_000, "stereo")
    assert len(frames(content)) == int(length(clip, 0) / 48_000 * 30000 / 1001)
    heard = sound_of(content)
    if modality == "02":
        assert not heard.any()  # a silent track, as the publisher has it
    else:
        meant = speak(clip) / 32768
        aligned = heard.mean(0)[: len(meant)]
        assert np.corrcoef(aligned, meant[: len(aligned)])[0, 1] > 0.99


def test_films_are_the_same_every_time() -> None:
    clip = Clip.parse(f"01{NAME[2:]}")
    assert len({make(clip, height=48) for _ in range(4)}) == 1


def test_lips_follow_the_sound_and_faces_the_emotion() -> None:
    from ravdess.corpora.face import actions

    def acted(stem: str) -> tuple[dict[str, Any], Any]:
        clip = Clip.parse(stem)
        sound = speak(clip)
        loud = loudness(sound, 29.97, int(len(sound) / 48_000 * 29.97))
        return actions(clip, 0, loud), loud

    happy, loud = acted("01-01-03-02-01-01-05")
    assert np.corrcoef(happy["jaw"], loud)[0, 1] > 0.8
    sad, _ = acted("01-01-04-02-01-01-05")
    angry, _ = acted("01-01-05-02-01-01-05")
    surprised, _ = acted("01-01-08-02-01-01-05")
    middle = len(loud) // 2
    assert happy["corner"][middle] > 0.4 > -0.2 > sad["corner"][middle]
    assert surprised["outer"][middle] > 0.4
    assert angry["inner"][middle] < -0.3 < 0.4 < sad["inner"][middle]
    for moved in (happy, sad, angry, surprised):
        assert abs(moved["corner"][0]) < 0.05  # every take begins at rest


def test_a_face_detector_finds_one_face_in_the_middle() -> None:
    import cv2

    from ravdess.corpora.face import actions, look
    from ravdess.corpora.painter import Painter

    detector = cv2.CascadeClassifier(str(Path(cv2.__file__).with_name("data") / "haarcascade_frontalface_default.xml"))
    found = 0
    clips = [Clip.parse(f"02-01-{emotion:02d}-01-01-01-{actor:02d}") for emotion in (1, 3, 6) for actor in range(1, 9)]
    for clip in clips:
        moved = actions(clip, 0, np.full(60, 0.3))
        image = Painter(look(clip, 0), 480, 270).paint({name: float(values[40]) for name, values in moved.items()})
        boxes = detector.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 1.1, 3)
        found += len(boxes) == 1 and abs(boxes[0][0] + boxes[0][2] / 2 - 240) < 30
    assert found >= 0.8 * len(clips)


def test_actors_look_different_and_expressions_move_the_face() -> None:
    first = frames(make(Clip.parse("02-01-03-02-01-01-03"), height=96))
    other = frames(make(Clip.parse("02-01-03-02-01-01-04"), height=96))
    assert np.abs(first[40].astype(int) - other[40]).mean() > 5
    assert np.abs(first[0].astype(int) - first[len(first) // 2])[20:80, 55:115].mean() > 3


def test_a_catalogue_of_pictures_needs_no_files() -> None:
    found = catalogue("sample:actors=1,takes=1,modalities=audio-only+audio-video+video-only,height=48")
    chosen = choose(found.clips, modality="picture")
    assert chosen["modality"].to_pylist() == ["audio-video"]
    assert len(frames(read_bytes(chosen["source"][0].as_py()))) > 80
