"""Family `deep_cnn`: Model III on single frames, meant for 256 × 256 grey."""

from __future__ import annotations

from ravdess.families import FAMILIES
from ravdess.families.training import SEEN, SPACE, Course
from ravdess.families.views import FRAMES, refuse_sound
from ravdess.networks import deep_cnn as network

COURSE = Course(
    name=network.NAME,
    network=network.build,
    views=FRAMES,
    space={**network.SPACE, **SPACE},
    defaults={"epochs": 20, **network.DEFAULTS, **SEEN, "learning_rate": 5e-4, "least_steps": 1},
    stages=(5, 10, 20),
    work=1.1e5,
)

FAMILIES.register(COURSE.family(refuse_sound(network.SMALLEST)))
