"""What a fit is given beside its CPUs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ravdess.families import Family

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
