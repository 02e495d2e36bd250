"""The page as a process of its own: the job itself, or this file with other limits than the job's.

python tests/serve/serving.py MODEL_FOLDER '{"uploads_a_minute": 100000}'
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

JOB = str(Path(__file__).parents[2] / "jobs" / "serve.py")


@contextmanager
def running(
    *command: str | Path, environment: Mapping[str, str] | None = None, cwd: str | Path = "/"
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A page's address and its process, which is interrupted at the end and must end well."""
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
    )
    try:
        assert process.stderr is not None
        told: list[str] = []
        while not told or not told[-1].startswith("http"):  # TensorFlow may have something to say before
            line = process.stderr.readline()
            assert line, "".join(told)
            told.append(line)
        address = told[-1].strip()
        yield address, process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def main(folder: str, limits: str) -> None:
    """Serve the bundle in `folder`."""
    from ravdess.bundle import Bundle
    from ravdess.predict import Predictor
    from ravdess.serve.about import about
    from ravdess.serve.house import House
    from ravdess.serve.limits import Limits
    from ravdess.serve.process import serve

    bundle = Bundle.load(Path(folder))
    told = about(bundle, name="test/1", picture="No picture model.")
    house = House(Predictor(bundle), about=told, limits=Limits(**json.loads(limits)))
    house.warm()
    serve(house, port=0, ready=lambda address: print(address, file=sys.stderr, flush=True))
    print(json.dumps(house.counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
