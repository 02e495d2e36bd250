"""What is installed holds all that the code reads: style sheets, the page's files, the format's description."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_every_file_of_the_packages_is_part_of_the_wheel(tmp_path: Path) -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests")
    # Hatchling takes all files of these but those that git ignores, as long as nothing else is said.
    assert build == {"targets": {"wheel": {"packages": packages}}}
    read = [
        path.relative_to(ROOT).as_posix()
        for name in packages
        for path in (ROOT / name).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert {"ravdess/py.typed", "ravdess/report/style.css", "ravdess/serve/static/index.html"} < set(read)
    if shutil.which("git") is None:
        pytest.skip("git, whose rules decide what is left out, is not installed")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    asked = ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin"]
    told = subprocess.run(
        asked, check=False, input="\n".join([*read, "x/__pycache__/y.pyc"]), capture_output=True, text=True
    )
    assert told.stdout.split() == ["x/__pycache__/y.pyc"]
