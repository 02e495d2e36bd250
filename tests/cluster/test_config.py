"""cluster.yaml and its variants are what Ray's launcher takes, and carry what the package needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "cluster.yaml").read_text()


def variant(name: str) -> dict[str, Any]:
    """The configuration with the commented block of that name in place of `provider` and `auth`."""
    settings: dict[str, Any] = yaml.safe_load(TEXT)
    if name == "local":
        return settings
    block = TEXT.partition(f"---- {name}:")[2].partition("\n# ----")[0]
    lines = [line.removeprefix("# ") for line in block.splitlines()[1:] if line.startswith("# ")]
    replaced = yaml.safe_load("\n".join(lines))
    assert {"provider", "auth"} <= replaced.keys()
    return {**settings, **replaced}


@pytest.mark.parametrize("name", ["local", "AWS", "GCP"])
def test_ray_accepts_the_variant(name: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(variant(name))
    validate_config(prepared)


def test_what_is_mounted_is_what_is_packaged() -> None:
    mounts: dict[str, str] = variant("local")["file_mounts"]
    assert {"ravdess", "storage", "pyproject.toml", "uv.lock"} <= set(mounts.values())
    assert all((ROOT / source).exists() for source in mounts.values())
    assert "." not in mounts.values()


def test_no_command_stops_another_ray() -> None:
    settings = variant("local")
    commands = [*settings["head_start_ray_commands"], *settings["worker_start_ray_commands"]]
    assert not any(command.startswith("ray stop --force") for command in commands)
    assert any("ravdess/bin/ray" in command for command in settings["setup_commands"])
