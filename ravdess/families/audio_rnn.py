"""Family `audio_rnn`: a GRU with attention pooling on log-mel windows.

Variation while training: moved in time and pitch, louder or softer, slower or faster, SpecAugment, mixup.
"""

from __future__ import annotations

from ravdess.families import FAMILIES
from ravdess.families.training import DEFAULTS, SPACE, Course
from ravdess.families.views import HEARD, HEARD_SPACE, WINDOWS, refuse_pictures
from ravdess.networks import audio_rnn as network

COURSE = Course(
    name=network.NAME,
    network=network.build,
    views=WINDOWS,
    space={**network.SPACE, **HEARD_SPACE, **SPACE},
    defaults={"epochs": 40, **network.DEFAULTS, **HEARD, **DEFAULTS, "learning_rate": 3e-3},
    stages=(5, 15, 40),
    work=900.0,
)

FAMILIES.register(COURSE.family(refuse_pictures))
