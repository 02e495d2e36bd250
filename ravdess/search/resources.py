"""What a fit is given beside its CPUs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ravdess.families import Family
    from ravdess.takes import Shape

PACE: Final = 1e10
"""Multiplications and additions of a network on one CPU in a second, in rough figures (7e9 to 2e10 measured)."""
START: Final = 3.0
"""Seconds until a network is built and its first step traced (1.7 to 7 measured)."""
STEP: Final = 7e-3
"""Seconds of a step whatever the network: its views are drawn, its weights moved (7.5 ms measured of `cnn`)."""
SHARE: Final = 0.25
"""Of a GPU: small networks leave most of one idle, and TensorFlow takes memory as it grows."""


def gpu_share(families: Iterable[Family]) -> float:
    """How much of a GPU a fit asks for: a share where Ray has one and there are networks over frames; else nothing.

    Ray hides GPUs from whoever asks for none.
    """
    import ray

    wanted = any(family.input == "frames" for family in families)
    there = ray.cluster_resources()  # type: ignore[no-untyped-call]  # ray's own
    return SHARE if wanted and there.get("GPU", 0) else 0


def seconds_a_fit(family: Family, shape: Shape | None, takes: int) -> float:
    """A rough guess of what a fit on so many takes of (h, w, c) lasts on one CPU; 0 where nobody need know."""
    if shape is None or not family.stages or not (work := family.work(shape)):
        return 0.0
    told = family.defaults
    views, least, batch = (float(told.get(name) or 0) for name in ("views", "least_steps", "batch_size"))
    examples = family.stages[-1] * max(takes * views, least * batch)
    steps = examples / max(1.0, batch)
    return START + steps * STEP + 3 * work * examples / PACE  # back takes twice what forth does
