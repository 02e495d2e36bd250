"""Family `temporal`: a GRU or attention over the frames of a take, in order."""

from __future__ import annotations

from ravdess.families import FAMILIES
from ravdess.families.training import SEEN, SPACE, Course
from ravdess.families.views import SEQUENCES, refuse_sound
from ravdess.networks import temporal as network
from ravdess.networks.separable_cnn import SMALLEST

COURSE = Course(
    name=network.NAME,
    network=network.build,
    views=SEQUENCES,
    space={**network.SPACE, **SPACE},
    defaults={"epochs": 20, **network.DEFAULTS, **SEEN, "views": 1, "least_steps": 16},
    stages=(5, 10, 20),
    work=1300.0,
)

FAMILIES.register(COURSE.family(refuse_sound(SMALLEST)))
