"""Family `cnn`: Model I on single frames, meant for 720 × 1280 RGB."""

from __future__ import annotations

from ravdess.families import FAMILIES
from ravdess.families.training import SEEN, SPACE, Course
from ravdess.families.views import FRAMES, refuse_sound
from ravdess.networks import cnn as network

COURSE = Course(
    name=network.NAME,
    network=network.build,
    views=FRAMES,
    space={**network.SPACE, **SPACE},
    defaults={"epochs": 20, **network.DEFAULTS, **SEEN},
    stages=(5, 10, 20),
    work=31.0,
)

FAMILIES.register(COURSE.family(refuse_sound(network.SMALLEST)))
