"""Every benchmark in turn, each beside what one would do otherwise; prints Markdown tables for the README.

python tests/benchmarks/run.py           about an hour on two cores
python tests/benchmarks/run.py --quick   smaller sizes, a few minutes
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS: dict[str, tuple[list[str], list[str]]] = {
    "sound_cpu.py": ([], ["--clips", "20", "--rounds", "3"]),
    "picture_cpu.py": ([], ["--clips", "2", "--rounds", "2"]),
    "stream.py": ([], ["--rounds", "3"]),
    "wall.py": ([], ["--clips", "1200", "--repeat", "1"]),
    "memory.py": ([], ["--clips", "1000", "10000"]),
    "search.py": ([], ["--candidates", "12", "--repeat", "1"]),
}


def main() -> None:
    """Run the scripts one after the other, so that none disturbs another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    quick = parser.parse_args().quick
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n", flush=True)
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    for script, (whole, small) in SCRIPTS.items():
        subprocess.run([sys.executable, HERE / script, *(small if quick else whole)], check=True, env=environment)
        print(flush=True)


if __name__ == "__main__":
    main()
