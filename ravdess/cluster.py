"""Starting Ray, or joining the cluster that is there."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any


def settle_environment() -> None:
    """Set the variables that Ray reads when it is imported. Call this before any import of it."""
    # No usage reports; and under `uv run` Ray would zip this folder and rebuild the environment in each worker.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # tasks without a GPU see none; asked, not warned
    if "ray" not in sys.modules and (Path.home() / ".ray" / "auth_token").exists():
        # `ray start --head` asks for this token as soon as it is there; a client sends it only when told to. Told too
        # late, it would start a Ray that asks it for a token which it doesn't send.
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def cluster_there() -> bool:
    """Whether `start_ray` would join a Ray that runs already. Asks without importing Ray, in a fraction of a second."""
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        return True
    named = os.environ.get("RAY_ADDRESS", "")
    if named:
        return named != "local"
    home = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108  # Ray's own rule
    try:
        host, _, port = (home / "ray" / "ray_current_cluster").read_text(encoding="utf-8").strip().rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=0.5):
            return True
    except (OSError, ValueError):  # none, or one that is dead
        return False


def start_ray(cpus: int | None = None) -> int:
    """Connect to Ray once and return the number of CPUs in reach.

    A cluster named by ``RAY_ADDRESS``, or one that ``ray start`` runs on this machine, is joined as it is;
    otherwise Ray starts here with `cpus` CPUs (default: all) and ends with this process.

    Parameters
    ----------
    cpus : int > 0, optional
        Size of a Ray that is started here. An existing cluster has its own size, which stays.
    """
    settle_environment()
    import ray

    if not ray.is_initialized():
        quiet: dict[str, Any] = {"include_dashboard": False, "logging_level": "error", "log_to_driver": False}
        try:
            ray.init(num_cpus=cpus, **quiet)
        except ValueError:  # sizes are refused by an existing cluster
            ray.init(**quiet)
        except ConnectionError:
            if os.environ.get("RAY_ADDRESS"):
                raise
            ray.init("local", num_cpus=cpus, **quiet)  # the address that a dead cluster left behind
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray ships no types
    return int(resources.get("CPU", 1))
