"""Turn clips into feature tables that pandas can read.

Every clip of the source is read once; each take becomes one row of numbers in <store>/features/<set>. What stands
already is left alone, so the same command goes on where it was interrupted, and says so when there is nothing to do.
A file that cannot be used is named with its reason, and the run goes on. Without --source the made sample corpus
is used: voices drawn by a program, for trying things out.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ravdess import terminal

if TYPE_CHECKING:
    from ravdess.corpora import Catalogue
    from ravdess.pipeline import Summary

EXAMPLES = """
  python jobs/featurize.py --source ~/RAVDESS                     folders, zip files, in any nesting
  python jobs/featurize.py --source Audio_Speech_Actors_01-24.zip --source ~/song
  python jobs/featurize.py --source s3://bucket/ravdess --store s3://bucket/store
  python jobs/featurize.py --features mfcc_stats,spectral_stats   on the made sample corpus
  python jobs/featurize.py --source ~/RAVDESS --verify            only count, beside the publisher's numbers
  ray submit cluster.yaml jobs/featurize.py -- --source /data/ravdess --store /data/store

exit status: 0 all done, 1 failed, 2 wrong usage, 3 done but some files were rejected
"""
SHOWN = 20


def arguments() -> argparse.ArgumentParser:
    """The job's arguments."""
    parser = terminal.parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--source",
        action="append",
        metavar="PATH",
        help="a folder, zip file, sound or video file, s3:// prefix, or sample:actors=4,takes=8,seed=0; repeatable "
        "(default: the made sample corpus)",
    )
    parser.add_argument(
        "--features",
        default="mfcc_stats",
        metavar="SET[,SET…]",
        help="feature sets to compute from one reading of each file (default: %(default)s)",
    )
    parser.add_argument("--corpus", help="whose naming rule the files follow (default: ravdess)")
    parser.add_argument("--every-file", action="store_true", help="a row a file, in tables <set>_every_file")
    parser.add_argument("--retry-rejects", action="store_true", help="try unchanged files again that were rejected")
    parser.add_argument(
        "--time-limit", type=float, default=60.0, metavar="S", help="seconds a clip may take (default: %(default)g)"
    )
    parser.add_argument("--cpus", type=int, metavar="N", help="CPUs of a Ray started here (default: all)")
    parser.add_argument("--verify", action="store_true", help="print what the source holds, compute nothing")
    return parser


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    from ravdess.corpora import catalogue

    if not args.source:
        terminal.say("no --source: using the made sample corpus (voices drawn by a program, not recorded)")
    found = catalogue(args.source or "sample:", corpus=args.corpus)
    if args.verify:
        return _verify(found, as_json=args.json)

    from ravdess.pipeline import featurize
    from storage import Store

    names = [name for name in args.features.split(",") if name]
    bar: list[terminal.Progress] = []

    def begin(to_do: int, done: int) -> None:
        terminal.say(f"{to_do:,} clips to do, {done:,} done before; starting Ray")
        bar.append(terminal.Progress("featurize", total=to_do + done, done=done, unit="clips").__enter__())

    rejects = 0

    def progress(clips: int, rejected: int) -> None:
        nonlocal rejects
        rejects += rejected
        bar[0].update(clips, note=f"{rejects} rejected" if rejects else "")

    try:
        summary = featurize(
            found,
            Store(args.store),
            names,
            every_file=args.every_file,
            retry_rejects=args.retry_rejects,
            time_limit=args.time_limit,
            cpus=args.cpus,
            begin=begin,
            progress=progress,
        )
    finally:
        for one in bar:
            one.__exit__(None, None, None)
    terminal.close(_as_json(summary), _lines(summary), as_json=args.json)
    return terminal.REJECTS if summary.rejects else terminal.DONE


def _verify(found: Catalogue, *, as_json: bool) -> int:
    rejects = found.rejects.to_pylist()
    summary = {"counts": found.counts().to_pylist(), "rejects": rejects, "notes": found.notes}
    terminal.close(summary, [found.verify()], as_json=as_json)
    return terminal.REJECTS if rejects else terminal.DONE


def _as_json(summary: Summary) -> dict[str, object]:
    return {
        "features": {
            name: {"rows": made.rows, "computed": made.computed, "rejects": made.rejects, "path": made.path}
            for name, made in summary.features.items()
        },
        "rejects": summary.rejects,
        "notes": summary.notes,
        "ray_started": summary.ray_started,
    }


def _lines(summary: Summary) -> list[str]:
    lines = [f"note: {note}" for note in summary.notes]
    lines += [f"rejected: {reject['source']}: {reject['reason']}" for reject in summary.rejects[:SHOWN]]
    if len(summary.rejects) > SHOWN:
        lines.append(f"rejected: … and {len(summary.rejects) - SHOWN} more; all stand in the table 'rejects'")
    if not summary.ray_started:
        lines.append("nothing to do: every clip has its row, or was rejected before")
    for name, made in summary.features.items():
        lines.append(f"{name}: {made.rows:,} rows ({made.computed:,} new), {made.rejects:,} files rejected")
    path = next(iter(summary.features.values())).path
    lines.append(f'read it: pandas.read_parquet("{path}")')
    return lines


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
