"""Every registered feature set, frame set and corpus passes its suite, and the suite notices a broken promise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ravdess.corpora import CORPORA
from ravdess.features import FEATURE_SETS, FeatureSet, feature_set
from ravdess.frames import FRAME_SETS, FrameSet, Pictures, frame_set
from ravdess.testing import check_corpus, check_feature_set, check_frame_set


@pytest.mark.parametrize("name", list(FEATURE_SETS))
def test_every_feature_set_keeps_its_promises(name: str) -> None:
    check_feature_set(feature_set(name))


@pytest.mark.parametrize("name", list(FRAME_SETS))
def test_every_frame_set_keeps_its_promises(name: str) -> None:
    check_frame_set(frame_set(name))


@pytest.mark.parametrize("name", list(CORPORA))
def test_every_corpus_keeps_its_promises(name: str) -> None:
    check_corpus(CORPORA[name])


def counting() -> Callable[[Any], Any]:
    calls = iter(range(1000))
    return lambda y: np.array([next(calls), y.std()], dtype=np.float32)


def scribbling(y: Any) -> Any:
    answer = np.array([y.mean(), y.std()], dtype=np.float32)
    y *= 0
    return answer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"compute": lambda y: np.zeros(2, dtype=np.float32)}, "the same numbers for two different voices"),
        ({"compute": lambda y: np.array([y.std(), np.nan], dtype=np.float32)}, "not finite"),
        ({"compute": lambda y: np.array([y.std(), y.max()], dtype=np.float64)}, "float64, expected float32"),
        ({"compute": lambda y: np.array([y.std()], dtype=np.float32)}, r"gives \(1,\) for 2 columns"),
        ({"compute": counting()}, "other numbers the second time"),
        ({"compute": scribbling}, "writes into its input"),
        ({"columns": ("one", "one")}, "two columns of one name"),
        ({"columns": ()}, "has no columns"),
        ({"source": " "}, "does not say where its definition comes from"),
        ({"name": "Bad Name"}, "no lower-case word"),
    ],
)
def test_the_suite_notices_a_broken_feature_set(
    change: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = FeatureSet(
        "two_numbers",
        ("spread", "top"),
        22050,
        lambda y: np.array([y.std(), y.max()], dtype=np.float32),
        source="this test",
    )
    monkeypatch.setitem(FEATURE_SETS._items, sound.name, sound)
    check_feature_set(sound)
    broken = dataclasses.replace(sound, **change)
    monkeypatch.setitem(FEATURE_SETS._items, broken.name, broken)
    with pytest.raises(AssertionError, match=message):
        check_feature_set(broken)


def halves(y: Any) -> Any:
    return levels(y).frames / np.float32(2)


def levels(y: Any) -> Pictures:
    frames = np.abs(y[: len(y) // 256 * 256]).reshape(-1, 16, 16, 1)
    return Pictures((frames * 255).astype(np.uint8), (float(len(y)),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"compute": lambda y: levels(y * 0)}, "the same frames for two different voices"),
        ({"compute": lambda y: Pictures(levels(y).frames[:0], (1.0,))}, "gives no frame"),
        ({"compute": lambda y: Pictures(halves(y), (1.0,))}, "float32, expected uint8"),
        ({"compute": lambda y: levels(y)._replace(facts=())}, "0 facts for 1 columns"),
        ({"compute": lambda y: levels(y)._replace(facts=(np.inf,))}, "not finite"),
        ({"shape": (16, 8, 1)}, r"gives \(\d+, 16, 16, 1\), expected \(n, 16, 8, 1\)"),
        ({"shape": (16, 0, 1)}, "holds nothing"),
        ({"modality": "touch"}, "'touch' is none of"),
        ({"columns": ("take",)}, "stand in every index already"),
        ({"units": {"smell": "dB"}}, "units of what is no column"),
        ({"name": "mfcc_stats"}, "is a feature set, too"),
    ],
)
def test_the_suite_notices_a_broken_frame_set(
    change: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = FrameSet(
        "levels", (16, 16, 1), "sound", ("samples",), sample_rate=22050, compute=levels, source="this test"
    )
    monkeypatch.setitem(FRAME_SETS._items, sound.name, sound)
    check_frame_set(sound)
    broken = dataclasses.replace(sound, **change)
    monkeypatch.setitem(FRAME_SETS._items, broken.name, broken)
    with pytest.raises(AssertionError, match=message):
        check_frame_set(broken)
