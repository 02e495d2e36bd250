"""Contract suites: what every feature set, family and corpus promises. Run them on your own plug-in, too.

Each raises AssertionError and says which promise is broken::

    >>> from ravdess.families import family
    >>> from ravdess.testing import check_family
    >>> check_family(family("svm"))
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ravdess.clips import CLIP_COLUMNS, Clip
from ravdess.corpora.contract import check_corpus
from ravdess.errors import BadBundle, BadClip, BadParameter, UnknownName
from ravdess.families import FAMILIES
from ravdess.families.contract import check_frames_family
from ravdess.families.space import draw, grid_around
from ravdess.features import FEATURE_SETS
from ravdess.frames import FRAME_SETS, INDEX_COLUMNS, MODALITIES, Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families import Estimator, Family
    from ravdess.families.space import Params
    from ravdess.features import FeatureSet
    from ravdess.frames import FrameSet

    Rows = tuple[NDArray[np.float32], NDArray[np.str_], NDArray[np.float64]]

__all__ = ["check_corpus", "check_family", "check_feature_set", "check_frame_set"]

SAME = 1e-6


def check_feature_set(feature_set: FeatureSet) -> None:
    """Raise AssertionError, saying which promise of `FeatureSet` is broken."""
    name = feature_set.name
    assert FEATURE_SETS[name] is feature_set, f"{name!r} is not registered under its name"
    assert re.fullmatch("[a-z][a-z0-9_]*", name), f"{name!r} is no lower-case word"
    assert feature_set.columns, f"{name} has no columns"
    assert len(set(feature_set.columns)) == len(feature_set.columns), f"{name} has two columns of one name"
    assert feature_set.source.strip(), f"{name} does not say where its definition comes from"
    _check_fingerprint(feature_set)
    _check_numbers(feature_set)
    _check_refuses_sound(feature_set)


def _check_refuses_sound(one: FeatureSet | FrameSet) -> None:
    sr = one.sample_rate
    tone = _voice(sr)
    for what, y in (
        ("an empty clip", tone[:0]),
        ("a clip of ten samples", tone[:10]),
        ("silence", np.zeros_like(tone)),
        ("a clip with NaN", np.where(np.arange(len(tone)) == sr // 2, np.float32(np.nan), tone)),
    ):
        try:
            one.extract(y, sr)
        except BadClip:
            continue
        raise AssertionError(f"{one.name} makes numbers of {what}")


def _check_fingerprint(one: FeatureSet | FrameSet, **more: object) -> None:
    name, mark = one.name, one.fingerprint
    assert re.fullmatch("[0-9a-f]{16}", mark), f"{name}: {mark!r} is no fingerprint of 16 hex digits"
    changed: dict[str, Any] = {
        "name": f"{name}_2",
        "columns": one.columns[::-1] if len(one.columns) > 1 else ("another", *one.columns),
        "sample_rate": one.sample_rate + 1,
        "parameters": {**one.parameters, "one_more": 1},
        **more,
    }
    for what, value in changed.items():
        other = dataclasses.replace(one, **{what: value}).fingerprint
        assert other != mark, f"{name} keeps its fingerprint when {what} changes"
    told = dataclasses.replace(one, units={}, source="elsewhere").fingerprint
    assert told == mark, f"{name} changes its fingerprint when only its description changes"


def _check_numbers(feature_set: FeatureSet) -> None:
    name, sr = feature_set.name, feature_set.sample_rate
    one, two = _voice(sr), _voice(sr, pitch=260.0, seed=1)
    kept = one.copy()
    first = feature_set.extract(one, sr)
    assert first.shape == (len(feature_set.columns),), (
        f"{name} gives {first.shape} for {len(feature_set.columns)} columns"
    )
    assert first.dtype == np.float32, f"{name} gives {first.dtype}, expected float32"
    assert np.isfinite(first).all(), f"{name} gives a number that is not finite"
    assert np.array_equal(one, kept), f"{name} writes into its input"
    one.flags.writeable = False
    other = feature_set.extract(two, sr)
    assert not np.array_equal(first, other), f"{name} gives the same numbers for two different voices"
    assert np.array_equal(first, feature_set.extract(one, sr)), f"{name} gives other numbers the second time"
    resampled = feature_set.extract(_voice(48000), 48000)
    assert resampled.shape == first.shape, f"{name} gives {resampled.shape} at 48 kHz"
    assert np.isfinite(resampled).all(), f"{name} gives a number that is not finite at 48 kHz"


def check_frame_set(frame_set: FrameSet) -> None:
    """Raise AssertionError, saying which promise of `FrameSet` is broken."""
    name, shape = frame_set.name, frame_set.shape
    assert FRAME_SETS[name] is frame_set, f"{name!r} is not registered under its name"
    assert name not in FEATURE_SETS, f"{name!r} is a feature set, too: --features could not tell them apart"
    assert re.fullmatch("[a-z][a-z0-9_]*", name), f"{name!r} is no lower-case word"
    assert [type(side) for side in shape] == [int] * 3, f"{name}: {shape} is no (h, w, c)"
    assert min(shape) > 0, f"{name}: {shape} holds nothing"
    assert frame_set.modality in MODALITIES, f"{name}: {frame_set.modality!r} is none of {MODALITIES}"
    assert len(set(frame_set.columns)) == len(frame_set.columns), f"{name} has two columns of one name"
    taken = {*CLIP_COLUMNS, *INDEX_COLUMNS} & set(frame_set.columns)
    assert not taken, f"{name}: {sorted(taken)} stand in every index already"
    assert set(frame_set.units) <= {"frames", *frame_set.columns}, f"{name} has units of what is no column"
    assert frame_set.source.strip(), f"{name} does not say where its definition comes from"
    _check_fingerprint(frame_set, shape=(shape[0] + 1, *shape[1:]), modality="another")
    if frame_set.modality == "sound":
        _check_heard(frame_set)
    else:
        _check_seen(frame_set)


def _check_heard(frame_set: FrameSet) -> None:
    name, sr = frame_set.name, frame_set.sample_rate
    assert sr > 0, f"{name} is made from sound of no sample rate"
    one, two = _voice(sr), _voice(sr, pitch=260.0, seed=1)
    one.flags.writeable = False
    first, other = frame_set.extract(one, sr), frame_set.extract(two, sr)
    for made in (first, other, frame_set.extract(_voice(48000), 48000)):
        _check_pictures(frame_set, made)
    assert not np.array_equal(first.frames, other.frames), f"{name} gives the same frames for two different voices"
    again = frame_set.extract(one, sr)
    assert np.array_equal(first.frames, again.frames), f"{name} gives other frames the second time"
    assert first.facts == again.facts, f"{name} gives other facts the second time"
    _check_refuses_sound(frame_set)


def _check_seen(frame_set: FrameSet) -> None:
    from ravdess.corpora.film import film
    from ravdess.picture import pictures

    name = frame_set.name
    assert frame_set.compute is None, f"{name} is made from pictures, but has a function for sound"
    one, two = (film(Clip.parse(f"01-01-{emotion}-01-01-01-0{emotion[1]}"), height=90) for emotion in ("03", "05"))
    first, other, again = (pictures(content, [frame_set], name=name)[0] for content in (one, two, one))
    assert isinstance(first, Pictures), f"{name} refuses a plain film: {first}"
    assert isinstance(other, Pictures), f"{name} refuses a plain film: {other}"
    assert isinstance(again, Pictures), f"{name} refuses a film the second time: {again}"
    for made in (first, other):
        _check_pictures(frame_set, made)
    assert not np.array_equal(first.frames, other.frames), f"{name} gives the same frames for two different films"
    assert np.array_equal(first.frames, again.frames), f"{name} gives other frames the second time"
    assert first.facts == again.facts, f"{name} gives other facts the second time"
    for what, content in (("an empty file", b""), ("text", b"no film" * 50), ("a film cut short", one[:1000])):
        try:
            pictures(content, [frame_set], name=name)
        except BadClip:
            continue
        raise AssertionError(f"{name} makes frames of {what}")


def _check_pictures(frame_set: FrameSet, made: Pictures) -> None:
    name, frames, facts = frame_set.name, *made
    assert frames.dtype == np.uint8, f"{name} gives {frames.dtype}, expected uint8"
    assert frames.shape[1:] == frame_set.shape, (
        f"{name} gives {frames.shape}, expected (n, {', '.join(map(str, frame_set.shape))})"
    )
    assert len(frames) > 0, f"{name} gives no frame"
    assert len(facts) == len(frame_set.columns), f"{name} gives {len(facts)} facts for {len(frame_set.columns)} columns"
    assert np.isfinite(facts).all(), f"{name} gives a fact that is not finite: {facts}"


def check_family(family: Family, *, lent: Any = None) -> None:
    """Raise AssertionError, saying which promise of `Family` or `Estimator` is broken.

    `lent` is the store with the model that the family begins with, if it does.
    """
    assert FAMILIES[family.name] is family, f"{family.name!r} is not registered under its name"
    assert re.fullmatch("[a-z][a-z0-9_]*", family.name), f"{family.name!r} is no lower-case word"
    _check_space(family)
    if family.input == "frames":
        check_frames_family(family, lent=lent)
        return
    _check_fit(family)
    _check_repeats(family)
    _check_weights(family)
    if family.stage_parameter is not None:
        _check_stages(family)
    _check_saved(family)


def _check_space(family: Family) -> None:
    name, space, defaults = family.name, family.space, family.defaults
    for key, domain in space.items():
        assert key in defaults, f"{name} has no default for {key}"
        assert defaults[key] in domain, f"{name}: the default {key}={defaults[key]!r} is outside {domain}"
    staged = family.stage_parameter
    assert (staged is None) == (not family.stages), f"{name} has stages without a stage parameter, or the reverse"
    assert list(family.stages) == sorted(set(family.stages)), f"{name}: stages {family.stages} are not ascending"
    assert staged is None or (staged in defaults and staged not in space), f"{name}: {staged} must be no part of space"
    rng = np.random.default_rng(0)
    for candidate in (draw(space, rng), *grid_around(space, defaults)):
        family.build(candidate)
    for params, expected in (
        ({"no_such_parameter": 1}, UnknownName),
        (dict.fromkeys(list(space)[:1], "no such value"), BadParameter),
    ):
        try:
            family.build(params)
        except expected:
            continue
        raise AssertionError(f"{name} accepts {params}")


def _check_fit(family: Family) -> None:
    name = family.name
    X, y, weight = _rows()
    given: list[Any] = [X, y, weight]
    kept = [array.copy() for array in given]
    for array in given:  # as Ray hands them out
        array.flags.writeable = False
    before = _global_state()
    model = family.build(_quick(family), seed=1)
    assert model.fit(X, y, sample_weight=weight) is model, f"{name}: fit must return the model itself"
    assert all(np.array_equal(a, b) for a, b in zip(given, kept, strict=True)), f"{name} writes into its input"
    assert before == _global_state(), f"{name} draws from numpy's global state"
    assert model.classes_.tolist() == sorted(set(y.tolist())), f"{name}: classes_ are {model.classes_}, not those of y"
    _check_probabilities(name, model, X)
    right = (model.classes_[model.predict_proba(X).argmax(axis=1)] == y).mean()
    assert right > 0.9, f"{name} recognises only {right:.0%} of well separated training rows"
    one = model.predict_proba(X[:1])
    assert np.abs(one - model.predict_proba(X)[:1]).max() < SAME, f"{name} judges a row by its company"
    some = y != y[0]
    fewer = family.build(_quick(family)).fit(X[some], y[some])
    assert y[0] not in fewer.classes_, f"{name}: classes_ name a label that training lacked"
    _check_probabilities(name, fewer, X)
    pair = np.isin(y, model.classes_[:2])
    two = family.build(_quick(family)).fit(X[pair], y[pair])
    _check_probabilities(name, two, X)
    right = (two.classes_[two.predict_proba(X[pair]).argmax(axis=1)] == y[pair]).mean()
    assert right > 0.9, f"{name} recognises only {right:.0%} of two well separated labels"
    try:
        family.build(_quick(family)).fit(X[y == y[0]], y[y == y[0]])
    except BadParameter:
        return
    raise AssertionError(f"{name} fits a single label")


def _global_state() -> str:
    state: dict[str, Any] = np.random.get_state(legacy=False)["state"]
    return f"{state['key'].tolist()} at {state['pos']}"


def _check_probabilities(name: str, model: Estimator, X: NDArray[np.float32]) -> None:
    p = model.predict_proba(X)
    assert p.shape == (len(X), len(model.classes_)), f"{name}: probabilities have shape {p.shape}"
    assert p.dtype == np.float64, f"{name}: probabilities are {p.dtype}, expected float64"
    assert np.isfinite(p).all(), f"{name}: a probability is not finite"
    assert p.min() >= 0, f"{name}: a probability is negative"
    assert np.abs(p.sum(axis=1) - 1).max() < SAME, f"{name}: the probabilities of a row do not sum to 1"


def _check_repeats(family: Family) -> None:
    """The same seed gives the same model, whatever the process has made before and on however many threads."""
    X, y, _ = _rows(hard=True)
    first = family.build(_quick(family), seed=3).fit(X, y)
    said = first.predict_proba(X)
    other = family.build(_quick(family), seed=4).fit(X[::2] * 3, y[::2])
    other.predict_proba(X)
    assert np.array_equal(said, first.predict_proba(X)), f"{family.name}: a model changes when another is fitted"
    again = family.build(_quick(family), seed=3).fit(X, y).predict_proba(X)
    assert np.abs(said - again).max() < SAME, f"{family.name}: the same seed gives another model"
    threaded = family.build(_quick(family), seed=3, threads=2).fit(X, y).predict_proba(X)
    assert np.abs(said - threaded).max() < SAME, f"{family.name}: two threads give another model than one"


def _check_weights(family: Family) -> None:
    name = family.name
    X, y, _ = _rows(hard=True)
    label = y[0]

    def belief(factor: float, scale: float = 1.0) -> NDArray[np.float64]:
        weight = np.where(y == label, factor, 1.0) * scale
        model = family.build(_quick(family), seed=2).fit(X, y, sample_weight=weight)
        return model.predict_proba(X)[:, model.classes_ == label]

    plain = family.build(_quick(family), seed=2).fit(X, y)
    even = belief(1.0)
    assert np.abs(even - plain.predict_proba(X)[:, plain.classes_ == label]).max() < SAME, (
        f"{name}: weights of 1 matter"
    )
    assert np.abs(even - belief(1.0, 2.0)).max() < SAME, f"{name}: doubling every weight changes the model"
    assert belief(8.0).mean() > even.mean() > belief(1 / 8).mean(), f"{name} ignores sample_weight"


def _check_stages(family: Family) -> None:
    name, stages = family.name, family.stages
    X, y, _ = _rows(hard=True)

    def fit(stage: int) -> Any:
        return family.build({str(family.stage_parameter): stage}, seed=5).fit(X, y)

    long = fit(stages[1])
    staged = list(long.staged_predict_proba(X))
    assert len(staged) == 2, f"{name}: {len(staged)} stages of a fit up to the second of {stages}"
    assert np.abs(staged[1] - long.predict_proba(X)).max() < SAME, f"{name}: the last stage is not the whole model"
    short = fit(stages[0]).predict_proba(X)
    assert np.abs(staged[0] - short).max() < SAME, f"{name}: a stage is not the model of a fit that ends there"
    assert np.abs(staged[0] - staged[1]).max() > SAME, f"{name}: a further stage changes nothing"


def _check_saved(family: Family) -> None:
    name = family.name
    X, y, _ = _rows(hard=True)
    model = family.build(_quick(family), seed=6).fit(X, y)
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "model"
        model.save(folder)
        loaded = family.load(folder)
        assert loaded.classes_.tolist() == model.classes_.tolist(), f"{name}: classes_ change by saving and loading"
        moved = np.abs(loaded.predict_proba(X) - model.predict_proba(X)).max()
        assert moved < SAME, f"{name}: a probability moves by {moved:.1g} by saving and loading"
        if family.stage_parameter is not None:
            *_, last = loaded.staged_predict_proba(X)  # type: ignore[attr-defined]  # a StagedEstimator, as it says
            assert np.abs(last - model.predict_proba(X)).max() < SAME, f"{name}: a loaded model has lost its last stage"
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in files:
            start = path.read_bytes()[:2]
            assert not (start[:1] == b"\x80" and start[1:] <= b"\x05"), f"{name} writes a pickle, {path.name}"
        for path in files:
            whole = path.read_bytes()
            for damage in (None, whole[: len(whole) // 2], b"\x80\x04N."):
                path.unlink()
                if damage is not None:
                    path.write_bytes(damage)
                _check_refused(family, folder, path.name)
                path.write_bytes(whole)


def _check_refused(family: Family, folder: Path, damaged: str) -> None:
    try:
        family.load(folder)
    except BadBundle:
        return
    except Exception as error:
        raise AssertionError(f"{family.name} meets a damaged {damaged} with {error!r} instead of BadBundle") from error
    raise AssertionError(f"{family.name} loads a damaged {damaged}")


def _quick(family: Family) -> Params:
    """The defaults with few stages, to keep the suite short."""
    return {} if family.stage_parameter is None else {family.stage_parameter: family.stages[0]}


def _rows(*, hard: bool = False) -> Rows:
    """96 rows of 12 columns with four emotions, far apart or overlapping, and balanced weights."""
    rng = np.random.default_rng(7)
    y = np.array(["sad", "angry", "calm", "happy"] * 24)
    centre = rng.normal(size=(4, 12)) * (0.4 if hard else 3.0)
    X = (centre[np.arange(96) % 4] + rng.normal(size=(96, 12))).astype(np.float32)
    return X, y, np.ones(96)


def _voice(sr: int, pitch: float = 140.0, seed: int = 0) -> NDArray[np.float32]:
    """One and a half seconds of a voice-like sound [shape=(1.5 sr,)], |y| < 1."""
    t = np.arange(int(1.5 * sr)) / sr
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 3 * t))) / sr
    tones = sum(np.sin(k * phase) / k for k in range(1, 12))
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * t / t[-1])
    noise = np.random.default_rng(seed).normal(size=len(t))
    y: NDArray[np.float32] = (0.2 * swell * tones + 0.01 * noise).astype(np.float32)
    return y
