"""A model of made voices, and sounds to ask it about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import EMOTIONS
from ravdess.corpora import catalogue, read_bytes
from ravdess.extract import extract
from ravdess.features import feature_set
from tests.predict.models import Table, fitted


@pytest.fixture(scope="session")
def made_clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """96 made voices as .wav files: 6 actors, 16 takes each."""
    folder = tmp_path_factory.mktemp("made")
    clips = catalogue("sample:actors=6,takes=16").clips.to_pandas()
    paths = [folder / f"{name}.wav" for name in clips["clip"]]
    for path, source in zip(paths, clips["source"], strict=True):
        path.write_bytes(read_bytes(source))
    return paths


@pytest.fixture(scope="session")
def table(made_clips: list[Path]) -> Table:
    """Their features, emotions and actors."""
    one = feature_set("mfcc_stats")
    X = np.array([extract(str(path), [one]).values[0] for path in made_clips])
    y = np.array([EMOTIONS[int(path.stem[6:8]) - 1] for path in made_clips])
    return X, y, np.array([path.stem[-2:] for path in made_clips])


@pytest.fixture(scope="session")
def bundle(table: Table) -> Bundle:
    """Fitted on all made clips."""
    return fitted(table)
