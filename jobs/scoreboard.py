"""From clips to the scoreboard: features, the searches of the table families, and the table beside published numbers.

Runs the other jobs one after another and says how long each took. Each goes on where it was interrupted, so this does
too; what is finished is only read. Without --face there is sound alone; with --networks a network on log-mel spectra is
searched last, and what it adds to the tables of sound.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ravdess import terminal

EXAMPLES = """
  python jobs/scoreboard.py --source ~/ravdess --face openface_au.csv      → scoreboard.html and scoreboard.md
  python jobs/scoreboard.py --source ~/ravdess --list                      only print the commands
  python jobs/scoreboard.py --source ~/ravdess --networks                  audio_cnn on logmel and its fusion as well
  make scoreboard SOURCE=~/ravdess FACE=openface_au.csv

exit status: 0 all done, 1 a step failed, 2 wrong usage, 3 done but a file was rejected or a candidate failed
"""
SOUND: Final = ("mfcc_stats", "voice_stats")
OTHERS: Final = ("voice_stats_slower", "voice_stats_faster")
"""To train on beside `voice_stats`."""
FACE: Final = "openface"
ROOT: Final = f"{FACE}_root"
"""Square roots, made of the imported table."""
BOTH: Final = f"{SOUND[-1]}+{ROOT}"
QUICK: Final = ("lda", "svm")
"""Fits of less than half a second: several candidates and their neighbours."""
SLOW: Final = ("random_forest", "xgboost", "lightgbm", "mlp")
"""Fits of seconds: the defaults alone, and on voices' and faces' measures only what adds to a fusion."""
FOREST: Final = ("random_forest",)
SPECTRA: Final = "logmel"
NETWORK: Final = "audio_cnn"
SEVERAL: Final = ("--samples", "6", "--grid", "2")
ONE: Final = ("--samples", "1", "--grid", "0")
ENROLLED: Final = ("--normalise", "actor")
AUGMENTED: Final = "augmented"
"""Of `voice_stats`: its discriminants, which slower and faster voices help; they help no kernel that nobody enrols."""


class Step(NamedTuple):
    """A job and its arguments, without the store."""

    job: str
    arguments: tuple[str, ...]

    @property
    def words(self) -> str:
        return shlex.join(["python", f"jobs/{self.job}.py", *self.arguments])


def steps(source: Sequence[str], face: str | None, out: str, *, networks: bool = False) -> Iterator[Step]:
    """Every step in order: the quick searches first."""
    sources = [word for one in source for word in ("--source", one)]
    yield Step("featurize", (*sources, "--features", ",".join((*SOUND, *OTHERS))))
    if face:
        yield Step("featurize", ("--import", f"{FACE}={face}"))
    strong = (SOUND[-1], *((ROOT, BOTH) if face else ()))
    for how in ((), ENROLLED):
        for name in (*SOUND, *((FACE, ROOT, BOTH) if face else ())):
            yield searched("emobox", name, "quick", QUICK, (*SEVERAL, *how))
        for name in strong:
            yield searched("luna", name, "quick", QUICK[:1], (*SEVERAL, *how))
        for protocol in ("emobox", "luna"):
            yield searched(protocol, SOUND[-1], AUGMENTED, QUICK[:1], (*SEVERAL, "--augment", *how))
        if face:
            yield searched("emobox", ROOT, "slow", FOREST, (*ONE, *how))
        for protocol in ("emobox", "luna"):
            yield from fusions(protocol, how, face=bool(face))
    yield searched("emobox", SOUND[0], "slow", SLOW, ONE)
    if networks:
        yield Step("featurize", (*sources, "--features", SPECTRA))
        yield searched("emobox", SPECTRA, "network", (NETWORK,), ONE)
        runs = (SOUND[-1], AUGMENTED, "lda"), (SOUND[-1], "quick", "svm"), (SPECTRA, "network", NETWORK)
        members = [f"{named('emobox', features, zoo, ())}/{family}" for features, zoo, family in runs]
        yield fused("emobox", f"{SOUND[-1]}+{SPECTRA}", members, ())
    yield Step("report", ("--scoreboard", "--out", out))


def searched(protocol: str, features: str, zoo: str, families: Sequence[str], how: Sequence[str]) -> Step:
    """A search under the name that a fusion finds it by."""
    asked = ("--features", features, "--protocol", protocol, *how)
    return Step("tune", ("--family", ",".join(families), *asked, "--run", named(protocol, features, zoo, how)))


def named(protocol: str, features: str, zoo: str, how: Sequence[str]) -> str:
    """The name of a run, so that a fusion can name its members."""
    return "-".join([protocol, features, zoo, *(["enrolled"] if ENROLLED[0] in how else [])])


def fusions(protocol: str, how: Sequence[str], *, face: bool) -> Iterator[Step]:
    """Ensembles of the strong families on one kind of features, and of both kinds."""

    def run(features: str, family: str) -> str:
        return f"{named(protocol, features, 'slow' if family in SLOW else 'quick', how)}/{family}"

    ears, eyes = f"{named(protocol, SOUND[-1], AUGMENTED, how)}/lda", run(ROOT, "lda")
    if protocol == "emobox":
        yield fused(protocol, SOUND[-1], (ears, run(SOUND[-1], "svm")), how)
    if protocol == "emobox" and face:
        forest = run(ROOT, "random_forest")
        yield fused(protocol, ROOT, (eyes, run(ROOT, "svm"), forest), how)
        yield fused(protocol, BOTH, (ears, eyes, run(BOTH, "lda"), forest), how)
    elif face:
        yield fused(protocol, BOTH, (ears, eyes, run(BOTH, "lda")), how)


def fused(protocol: str, features: str, members: Sequence[str], how: Sequence[str]) -> Step:
    """An ensemble of finished runs."""
    asked = ("--family", "fusion", "--members", ",".join(members))
    return Step("tune", (*asked, "--run", named(protocol, features, "fusion", how)))


def arguments() -> argparse.ArgumentParser:
    """The job's arguments."""
    parser = terminal.parser(__doc__, EXAMPLES)
    parser.add_argument("--source", action="append", required=True, metavar="PATH", help="clips, as for featurize")
    parser.add_argument("--face", metavar="FILE", help="csv or Parquet of face measurements, a row a clip")
    parser.add_argument("--networks", action="store_true", help=f"{NETWORK} on {SPECTRA} and its fusion, too")
    parser.add_argument("--out", default="scoreboard.html", metavar="FILE", help="default: %(default)s")
    parser.add_argument("--list", action="store_true", help="print the commands and run nothing")
    return parser


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    planned = list(steps(args.source, args.face, args.out, networks=args.networks))
    store = ("--store", args.store)
    if args.list:
        print("\n".join(f"{one.words} {shlex.join(store)}" for one in planned))
        return terminal.DONE
    began, status = time.monotonic(), terminal.DONE
    told: list[tuple[float, str, str]] = []
    for at, step in enumerate(planned, 1):
        terminal.say(f"[{at} of {len(planned)}] {step.words}")
        start = time.monotonic()
        job = Path(__file__).with_name(f"{step.job}.py")
        command = [sys.executable, str(job), *step.arguments, *store, "--json"]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  # this interpreter and our own jobs
        seconds = time.monotonic() - start
        if ran.returncode not in (terminal.DONE, terminal.REJECTS):
            terminal.say(f"this step failed; the same command goes on from there: {step.words} {shlex.join(store)}")
            return terminal.FAILED
        status = max(status, ran.returncode)
        said = _said(step, json.loads(ran.stdout))
        terminal.say(f"    {terminal.duration(seconds)}: {said}")
        told.append((seconds, step.words, said))
    whole = time.monotonic() - began
    rows = [[terminal.duration(seconds), words, said] for seconds, words, said in told]
    out = Path(args.out).resolve()
    lines = [terminal.table(rows, ["time", "step", "result"]), "", f"{terminal.duration(whole)} in all"]
    listed = [{"command": words, "seconds": round(seconds, 1), "said": said} for seconds, words, said in told]
    summary = {"path": str(out), "markdown": str(out.with_suffix(".md")), "seconds": round(whole, 1), "steps": listed}
    terminal.close(summary, [*lines, f"read it: {out.as_uri()}"], as_json=args.json)
    return status


def _said(step: Step, summary: dict[str, object]) -> str:
    """What a step found, in a few words."""
    if step.job == "tune":
        results = summary["results"]
        assert isinstance(results, list)
        return ", ".join(f"{row['family']} {row['uar']:.3f}" for row in results)
    if step.job == "featurize":
        features = summary["features"]
        assert isinstance(features, dict)
        return ", ".join(f"{name}: {made['rows']} rows, {made['computed']} new" for name, made in features.items())
    return str(summary["path"])


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
