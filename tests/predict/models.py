"""A small model of made voices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ravdess.bundle import Bundle
from ravdess.calibration import Calibration
from ravdess.enrolment import Enrolment
from ravdess.families import family
from ravdess.features import feature_set
from ravdess.novelty import usual
from ravdess.scaling import Standardiser

Table = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Features, emotions and actors of some clips."""


def fitted(table: Table, *, enrolled: bool = False, **change: Any) -> Bundle:
    """A small SVM bundle of the table."""
    X, y, actor = table
    one = feature_set("mfcc_stats")
    speakers = Enrolment.fit(X, actor) if enrolled else None
    ready = speakers.transform(X, actor) if speakers else X
    scale = Standardiser.fit(ready)
    whole: dict[str, Any] = {
        "estimator": family("svm").build({}).fit(scale.transform(ready), y),
        "family": "svm",
        "params": {},
        "features": one.name,
        "fingerprint": one.fingerprint,
        "columns": one.columns,
        "standardiser": scale,
        "enrolled": enrolled,
        "speakers": speakers,
        "corpora": ("sample",),
        "calibration": Calibration(temperature=0.8, threshold=0.3),
        "usual": usual(ready, actor),
    }
    return Bundle(**{**whole, **change})
