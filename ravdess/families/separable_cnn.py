"""Family `separable_cnn`: depthwise separable convolutions on single frames."""

from __future__ import annotations

from ravdess.families import FAMILIES
from ravdess.families.training import SEEN, SPACE, Course
from ravdess.families.views import FRAMES, refuse_sound
from ravdess.networks import separable_cnn as network

COURSE = Course(
    name=network.NAME,
    network=network.build,
    views=FRAMES,
    space={**network.SPACE, **SPACE},
    defaults={"epochs": 20, **network.DEFAULTS, **SEEN, "learning_rate": 4e-3},
    stages=(5, 10, 20),
    work=3000.0,
)

FAMILIES.register(COURSE.family(refuse_sound(network.SMALLEST)))
