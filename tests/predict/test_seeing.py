"""Films: the numbers of the frames' own road, fusions by what is there, and nothing guessed where no face is."""

from __future__ import annotations

import io
import json
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ravdess.clips import EMOTIONS
from ravdess.corpora import sample
from ravdess.errors import BadClip, BadTable
from ravdess.features import feature_set
from ravdess.frames import FrameSet, Pictures, frame_set
from ravdess.fused import FusedBundle
from ravdess.picture import pictures
from ravdess.predict import NOT_SURE, Decoder, Limits, Predictor, Scene, Stretch
from ravdess.predict.remarks import NO_FACE, SEVERAL
from ravdess.predict.windows import spans
from ravdess.search.shelf import default_model, kept_models, load_model
from ravdess.sound.read import read
from storage import Store
from tests.mutations import mutated
from tests.predict.seeing import ACTOR, filled, films, thumbnails

JOB = str(Path(__file__).parents[2] / "jobs" / "predict.py")


@pytest.fixture(scope="module", autouse=True)
def family() -> Iterator[None]:
    with thumbnails():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of three actors."""
    made = tmp_path_factory.mktemp("films")
    films(made)
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, folder: Path, family: None) -> Store:
    return filled(tmp_path_factory.mktemp("seeing"), folder)


@pytest.fixture(scope="module")
def unseen(folder: Path) -> list[Path]:
    """Films of an actor whom the models of fold loao-03 never saw."""
    return sorted(folder.glob(f"*-{ACTOR}.mp4"))


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(Limits(seconds=30)).start(sees=True) as one:
        yield one


def said_of(run: pd.DataFrame, clip: str) -> Any:
    return run.set_index("clip").loc[clip, [f"p_{word}" for word in EMOTIONS]].to_numpy(dtype=float)


def job(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    made = runpy.run_path(JOB)
    made["main"](made["arguments"]().parse_args([*map(str, arguments), "--json"]))
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.parametrize("model", ["eye/thumbnails", "both/fusion"])
def test_films_of_an_unseen_actor_get_the_runs_out_of_fold_predictions(
    store: Store, unseen: list[Path], capsys: pytest.CaptureFixture[str], model: str
) -> None:
    told = job(capsys, *unseen, "--store", store.url, "--model", f"{model}/loao-{ACTOR}")
    out_of_fold = pd.read_parquet(f"{store.url}/runs/{model.partition('/')[0]}/predictions.parquet")
    assert len(told["predictions"]) == 4
    for one in told["predictions"]:
        assert one["by"] == (["picture"] if model.startswith("eye") else ["sound", "picture"])
        p = [one["probabilities"][word] for word in EMOTIONS]
        np.testing.assert_allclose(p, said_of(out_of_fold, one["clip"]), atol=1e-5)


def test_a_fusion_answers_by_what_is_there_and_says_what_is_not(
    store: Store, unseen: list[Path], decoder: Decoder
) -> None:
    bundle = load_model(store, "both/fusion/loao-03")
    assert isinstance(bundle, FusedBundle)
    predictor = Predictor(bundle, decoder)
    film = unseen[0].read_bytes()
    (whole,) = predictor.file(film)
    (heard,) = predictor.file(sound_of(film))
    (seen,) = predictor.file(pictures_of(film))
    assert [one.by for one in (whole, heard, seen)] == [("sound", "picture"), ("sound",), ("picture",)]
    assert len({tuple(one.probabilities.values()) for one in (whole, heard, seen)}) == 3
    assert heard.remarks[-1].startswith("judged by sound alone, no picture: ")
    assert seen.remarks[-1].startswith("judged by pictures alone, no sound: ")
    assert whole.remarks == ()
    y, sr = read(film)
    X = {"mfcc_stats": [feature_set("mfcc_stats").extract(y, sr)], "face_48": [faces(film)]}
    expected = bundle.predict_proba(X)[0]
    np.testing.assert_allclose(list(whole.probabilities.values()), expected, atol=1e-9)


def faces(film: bytes | Path, one: FrameSet | None = None) -> Any:
    (take,) = pictures(film, [one or frame_set("face_48")])
    assert isinstance(take, Pictures)
    return take.frames


def sound_of(film: bytes) -> bytes:
    """A film's sound alone, as .wav."""
    y, sr = read(film)
    return sample.wav((y * 32_767).astype("<i2").tobytes(), sr)


def pictures_of(film: bytes) -> bytes:
    """A film's pictures alone, as they are."""
    import av

    file = io.BytesIO()
    source: Any = av.open(io.BytesIO(film))
    made: Any = av.open(file, "w", format="mp4")
    copied = made.add_stream_from_template(source.streams.video[0])
    for packet in source.demux(video=0):
        if packet.dts is not None:
            packet.stream = copied
            made.mux(packet)
    made.close()
    source.close()
    return file.getvalue()


def film_of(*images: Any, rate: int = 30) -> bytes:
    """A silent film of these pictures."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as made:
        stream = made.add_stream("libx264", rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"preset": "ultrafast", "crf": "12"}
        for image in images:
            made.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        made.mux(stream.encode())
    return file.getvalue()


def shown(film: Path) -> list[Any]:
    import av

    with av.open(str(film)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def test_no_face_and_several_faces_are_said_and_not_guessed(store: Store, unseen: list[Path], decoder: Decoder) -> None:
    predictor = Predictor(load_model(store, "eye/thumbnails/loao-03"), decoder)
    images = shown(unseen[0])[:60]
    (one,) = predictor.file(film_of(*images))
    assert one.remarks == ()
    assert one.emotion == one.likeliest, "a judge's model is not calibrated, so it is always sure"
    (wall,) = predictor.file(film_of(*[np.full_like(images[0], 128)] * 60))
    assert (wall.emotion, wall.remarks) == (NOT_SURE, (NO_FACE,))
    assert wall.probabilities, "the model's own numbers are told, as a run has them"
    (two,) = predictor.file(film_of(*[np.hstack([image, image]) for image in images]))
    assert (two.emotion, two.remarks) == (NOT_SURE, (SEVERAL,))
    both = Predictor(load_model(store, "both/fusion/loao-03"), decoder)
    y, sr = read(unseen[0])
    blank = Scene(0, 2, False, False, {"face_48": np.zeros((5, 48, 48, 1), np.uint8)})
    answer = both.judge(Stretch(0, 2, both.decode(unseen[0]), blank))
    assert answer.by == ("sound",)
    assert answer.remarks == (NO_FACE,)
    assert answer.probabilities == both.hear(y, sr).probabilities


def test_a_long_film_is_judged_by_windows_each_a_take_of_its_own(
    store: Store, unseen: list[Path], decoder: Decoder
) -> None:
    images = shown(unseen[0])
    long = [images[at % len(images)] for at in range(360)]
    wall = [np.full_like(images[0], 128)] * 150
    film = film_of(*long, *wall)  # 12 s of a face, then 5 s of a wall
    scenes = decoder.watch(film, ["face_48"])
    assert [(one.start, one.end) for one in scenes] == [pytest.approx(one) for one in spans(17.0)]
    cut = replace(frame_set("face_48"), parameters={**frame_set("face_48").parameters, "start": 120, "stop": 210})
    np.testing.assert_array_equal(scenes[4].takes["face_48"], faces(film, cut))
    predictor = Predictor(load_model(store, "eye/thumbnails/loao-03"), decoder)
    answers = predictor.file(film, name="long")
    assert [one.start for one in answers][:10] == [float(at) for at in range(10)]
    assert answers[-1].end < 16
    assert all(one.probabilities and one.end - one.start == pytest.approx(3) for one in answers)
    with pytest.raises(BadClip, match="s of pictures, expected at most 10 s"), Decoder(longest=10) as short:
        short.watch(film, ["face_48"])


def test_a_model_that_only_sees_says_so_of_sound(store: Store, unseen: list[Path], decoder: Decoder) -> None:
    predictor = Predictor(load_model(store, "eye/thumbnails/loao-03"), decoder)
    with pytest.raises(BadTable, match="takes pictures only"):
        predictor.hear(np.zeros(22_050, np.float32), 22_050)
    with pytest.raises(BadClip, match=r"no video file|no picture track"):
        predictor.file(sound_of(unseen[0].read_bytes()))


def test_members_of_imported_features_are_passed_over_and_named(
    store: Store, unseen: list[Path], decoder: Decoder
) -> None:
    bundle = load_model(store, "both/fusion/loao-03")
    assert isinstance(bundle, FusedBundle)
    ear, eye = bundle.members
    foreign = replace(ear, features="au", fingerprint="foreign:0123456789abcdef")
    combiners = {name.replace("mfcc_stats", "au"): one for name, one in bundle.combiners.items()}
    combiners = {"+".join(sorted(name.split("+"))): one for name, one in combiners.items()}
    predictor = Predictor(FusedBundle((foreign, eye), combiners, "late"), decoder)
    assert "1 of its 2 members are passed over: no file gives au" in predictor.note
    (answer,) = predictor.file(unseen[0])
    assert answer.by == ("picture",)
    expected = bundle.predict_proba({"face_48": [faces(unseen[0])]})[0]
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=1e-9)


def test_the_best_model_that_can_use_what_there_is_is_asked(
    store: Store, unseen: list[Path], capsys: Any, tmp_path: Path
) -> None:
    kept = {one.title: one for one in kept_models(store)}
    best = max(kept.values(), key=lambda one: one.uar or 0)
    assert default_model(store, films=True) == best
    assert default_model(store).title == "svm-mfcc_stats/1"
    assert kept["fusion-face_48+mfcc_stats/1"].answered is not None, "a fusion is calibrated, too"
    assert job(capsys, unseen[0], "--store", store.url)["model"]["name"] == best.title
    wav = tmp_path / "voice.wav"
    wav.write_bytes(sound_of(unseen[0].read_bytes()))
    assert job(capsys, unseen[0], wav, "--store", store.url)["model"]["name"] == "svm-mfcc_stats/1"


def test_each_damaged_film_gets_an_answer_or_a_reason(
    store: Store, unseen: list[Path], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = [path.read_bytes() for path in unseen[:2]]
    seen, reasons = 0, []
    bundles = [load_model(store, name) for name in ("eye/thumbnails/loao-03", "both/fusion/loao-03")]
    with Decoder(Limits(seconds=20)) as decoder:
        predictors = [Predictor(bundle, decoder) for bundle in bundles]
        for number, data in enumerate(mutated(whole, 60, seed=5)):
            try:
                answers = predictors[number % 2].file(data, name=f"../../{number}.mp4")
            except BadClip as error:
                reasons.append(str(error))
            else:
                seen += 1
                assert answers
        assert predictors[0].file(whole[0])[0].probabilities, "and the next whole file is served"
    assert seen
    assert reasons
    assert all(reasons)
    assert list(tmp_path.iterdir()) == []
