"""What the README shows is run: every Python snippet, every command's arguments, every file it names."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ravdess.corpora import catalogue
from storage import Store
from tests.pipeline.in_process import make_frames

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    line.partition(" #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, made_store: Path, made_clips: list[Path]) -> Path:
    """A folder with a store/ of made clips, as the jobs would leave it, and a clip."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(made_store, folder / "store")
    shutil.copy(made_clips[0], folder / "clip.wav")
    make_frames(catalogue("sample:actors=2,takes=8"), Store(folder / "store"), "logmel")
    return folder


def test_there_are_snippets_for_the_three_readers() -> None:
    assert {"pandas", "duckdb", "polars"} <= set(re.findall(r"import (\w+)", "".join(SNIPPETS)))


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[code.split("\n")[0] for code in SNIPPETS])
def test_the_snippet_runs(snippet: str, folder: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", snippet], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize("command", [line for line in COMMANDS if "jobs/" in line])
def test_the_jobs_take_the_arguments_that_are_shown(command: str) -> None:
    words = shlex.split(command.replace("ray submit cluster.yaml", "python").replace(" -- ", " "))
    assert words[0] == "python"
    script = f"import runpy; job = runpy.run_path({words[1]!r}); job['arguments']().parse_args({words[2:]!r})"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("make")])
def test_make_knows_the_target(command: str) -> None:
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, check=True)


def test_the_files_it_links_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", TEXT)
    assert links
    assert all((ROOT / link).exists() for link in links)
