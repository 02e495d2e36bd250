"""A model of made voices, and sounds to ask it about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import EMOTIONS
from ravdess.extract import extract
from ravdess.features import feature_set
from tests.predict.models import Table, fitted


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
