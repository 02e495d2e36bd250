"""Turn clips into feature tables that pandas can read, and into frames that numpy can map.

Every clip of the source is read once; each take becomes one row of numbers in <store>/features/<set>, or a run of
uint8 pictures in <store>/frames/<set>, whose index is such a table. What stands already is left alone, so
the same command goes on where it was interrupted, and says so when there is nothing to do. A file that cannot be used
is named with its reason, and the run goes on. Without --source the made sample corpus is used: voices and faces drawn
by a program, for trying things out.

With --import the numbers come from a table that someone else made (csv or Parquet, a row a clip): OpenFace action
units, wav2vec 2.0 embeddings, … They become a feature set like any other, and take part in every search.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravdess import terminal

if TYPE_CHECKING:
    from ravdess.corpora import Catalogue
    from ravdess.pipeline import Summary
    from ravdess.pipeline.imports import Imported
    from ravdess.pipeline.recorded import Recorded
    from ravdess.pipeline.shards import FrameSummary

EXAMPLES = """
  python jobs/featurize.py --source ~/RAVDESS                     folders, zip files, in any nesting
  python jobs/featurize.py --source Audio_Speech_Actors_01-24.zip --source ~/song
  python jobs/featurize.py --source s3://bucket/ravdess --store s3://bucket/store
  python jobs/featurize.py --features mfcc_stats,spectral_stats   on the made sample corpus
  python jobs/featurize.py --source ~/RAVDESS --verify            only count, beside the publisher's numbers
  python jobs/featurize.py --source ~/RAVDESS --preview 8          draw preview.png: faces and crops of eight takes
  python jobs/featurize.py --source ~/RAVDESS --features face_96,face_48   pictures, as arrays beside an index
  python jobs/featurize.py --import openface=openface_au.csv      then: python jobs/tune.py --features openface
  ray submit cluster.yaml jobs/featurize.py -- --source /data/ravdess --store /data/store

exit status: 0 all done, 1 failed, 2 wrong usage, 3 done but some files or imported rows were rejected
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
        metavar="SET[,SET…]",
        help="feature sets, and frame sets such as logmel or face_96, to make from one reading of each file "
        "(default: mfcc_stats; none with --import)",
    )
    parser.add_argument("--corpus", help="whose naming rule the files follow (default: ravdess)")
    parser.add_argument(
        "--import",
        action="append",
        dest="imports",
        type=_named,
        metavar="NAME=FILE",
        help="keep a csv or Parquet file, with a column of clip or take names, as the feature set NAME; repeatable. "
        "Its takes are compared with those of --source, else with the publisher's list",
    )
    parser.add_argument(
        "--import-version", default="", metavar="TEXT", help="of the program that measured what is imported"
    )
    parser.add_argument("--every-file", action="store_true", help="a row a file, in tables <set>_every_file")
    parser.add_argument("--retry-rejects", action="store_true", help="try unchanged files again that were rejected")
    parser.add_argument(
        "--time-limit", type=float, default=60.0, metavar="S", help="seconds a clip may take (default: %(default)g)"
    )
    parser.add_argument("--cpus", type=int, metavar="N", help="CPUs of a Ray started here (default: all)")
    parser.add_argument(
        "--preview",
        type=int,
        nargs="?",
        const=6,
        metavar="N",
        help="draw preview.png, pictures and face crops of N takes (6), and compute nothing",
    )
    parser.add_argument("--verify", action="store_true", help="print what the source holds, compute nothing")
    return parser


def _named(text: str) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE, as in openface=openface_au.csv, not {text!r}")
    return name, file


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    from ravdess.corpora import catalogue

    if args.verify and args.imports:
        terminal.say("--verify computes nothing and --import keeps a table: ask for one of them")
        return terminal.USAGE
    if args.preview is not None and (args.preview < 1 or args.imports):
        terminal.say("--preview draws at least one take, and keeps no table")
        return terminal.USAGE
    measured = bool(args.features or not args.imports)
    tables, frames = _split(args.features) if measured else ([], [])
    if measured and not args.source:
        terminal.say("no --source: using the made sample corpus (voices and faces drawn by a program, not recorded)")
    sample = _sample(tables, frames, drawn=args.preview is not None)
    found = catalogue(args.source or sample, corpus=args.corpus) if measured or args.source else None
    if args.verify and found:
        return _verify(found, as_json=args.json)
    if args.preview is not None and found:
        return _preview(found, args.preview, as_json=args.json)

    summary: dict[str, Any] = {"features": {}, "rejects": [], "notes": [], "ray_started": False}
    lines: list[str] = []
    rejects: list[dict[str, str]] = []
    if args.imports:
        imported = _import(args, found if args.source else None)
        _merge(summary, _imports_as_json(imported))
        rejects += [reject for one in imported for reject in one.rejects]
        lines += _import_lines(imported, args.store)
    if found and measured:
        from ravdess.pipeline.recorded import Recorded
        from storage import Store

        with Recorded(found, Store(args.store)) as books:
            if tables:
                made = _featurize(args, books, tables)
                _merge(summary, _as_json(made))
                rejects += made.rejects.to_pylist() if args.json else []
                lines += _lines(made)
            if frames:
                shards = _frames(args, books, frames)
                _merge(summary, _frames_as_json(shards))
                rejects += shards.rejects.to_pylist() if args.json else []
                lines += _frame_lines(shards, args.store)
    summary["rejects"] = list({tuple(reject.values()): reject for reject in rejects}.values())
    terminal.close(summary, lines, as_json=args.json)
    refused = any(made["rejects"] for made in summary["features"].values())
    return terminal.REJECTS if refused else terminal.DONE


def _sample(tables: Sequence[str], frames: Sequence[str], *, drawn: bool) -> str:
    """The made clips that such sets can be made from, when no source is given."""
    from ravdess.frames import frame_set

    seen = drawn or any(frame_set(name).modality == "picture" for name in frames)
    heard = not drawn and bool(tables or any(frame_set(name).modality == "sound" for name in frames))
    kinds = ["audio-only"] * (heard or not seen) + ["video-only"] * seen
    return f"sample:modalities={'+'.join(kinds)}"


def _preview(found: Catalogue, most: int, *, as_json: bool) -> int:
    """Draw a contact sheet of some takes, spread over all that have pictures."""
    from ravdess.corpora import choose
    from ravdess.picture.preview import sheet

    seen = choose(found.clips, modality="picture")
    if not seen.num_rows:
        terminal.say("no pictures to preview: the source has neither audio-video nor video-only files")
        return terminal.FAILED
    rows = sorted(seen.to_pylist(), key=lambda row: (row["corpus"], row["actor"]))
    most = min(most, len(rows))
    takes = [(row["clip"], row["source"]) for row in (rows[at * len(rows) // most] for at in range(most))]
    path = Path("preview.png").absolute()
    path.write_bytes(sheet(takes))
    summary = {"preview": str(path), "clips": [name for name, _ in takes], "notes": found.notes}
    lines = [*(f"note: {note}" for note in found.notes), f"drawn: {len(takes)} of {seen.num_rows:,} takes", f"{path}"]
    terminal.close(summary, lines, as_json=as_json)
    return terminal.DONE


def _import(args: argparse.Namespace, found: Catalogue | None) -> list[Imported]:
    from ravdess.pipeline.imports import import_tables
    from storage import Store

    return import_tables(
        Store(args.store), args.imports, catalogue=found, corpus=args.corpus, version=args.import_version
    )


def _split(names: str | None) -> tuple[list[str], list[str]]:
    """The feature sets and the frame sets among the names that were asked for. Raises UnknownName for neither."""
    from ravdess.errors import UnknownName
    from ravdess.features import FEATURE_SETS
    from ravdess.frames import FRAME_SETS

    asked = [name for name in (names or "mfcc_stats").split(",") if name]
    for name in asked:
        if name not in FEATURE_SETS and name not in FRAME_SETS:
            raise UnknownName("feature set", name, [*FEATURE_SETS, *FRAME_SETS])
    return [name for name in asked if name in FEATURE_SETS], [name for name in asked if name in FRAME_SETS]


class _Shown:
    """The progress of one part of the job; it begins when there is something to do."""

    def __init__(self, label: str, unit: str) -> None:
        self._label, self._unit, self._rejects = label, unit, 0
        self._bar: terminal.Progress | None = None

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(*error)

    def begin(self, to_do: int, done: int) -> None:
        self.__exit__(None, None, None)
        terminal.say(f"{to_do:,} {self._unit} to do, {done:,} done before")
        self._bar = terminal.Progress(self._label, total=to_do + done, done=done, unit=self._unit).__enter__()

    def progress(self, clips: int, rejected: int) -> None:
        self._rejects += rejected
        if self._bar is not None:
            self._bar.update(clips, note=f"{self._rejects} rejected" if self._rejects else "")


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    """What features and frames are told alike."""
    return {name: getattr(args, name) for name in ("every_file", "retry_rejects", "time_limit", "cpus")}


def _featurize(args: argparse.Namespace, books: Recorded, names: list[str]) -> Summary:
    from ravdess.pipeline import featurize

    with _Shown("featurize", "clips") as shown:
        return featurize(books, books.store, names, begin=shown.begin, progress=shown.progress, **_asked(args))


def _frames(args: argparse.Namespace, books: Recorded, names: list[str]) -> FrameSummary:
    from ravdess.pipeline.shards import featurize_frames

    with _Shown("frames", "takes") as shown:
        return featurize_frames(
            books, books.store, names, begin=shown.begin, progress=shown.progress, room=_say_room, **_asked(args)
        )


def _say_room(need: Mapping[str, int], free: int | None) -> None:
    sets = ", ".join(f"{name} {terminal.size(size)}" for name, size in need.items())
    there = "" if free is None else f"; {terminal.size(free)} are free"
    terminal.say(f"this will take about {terminal.size(sum(need.values()))} on disk ({sets}){there}")


def _merge(summary: dict[str, Any], more: dict[str, Any]) -> None:
    """Put one part of the job's summary beside what stands in it."""
    for name, value in more.items():
        before = summary.get(name)
        if isinstance(before, dict):
            summary[name] = {**before, **value}
        elif isinstance(before, list):
            summary[name] = before + [one for one in value if one not in before]
        else:
            summary[name] = before or value


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
        "notes": summary.notes,
        "ray_started": summary.ray_started,
    }


def _frames_as_json(summary: FrameSummary) -> dict[str, object]:
    return {
        "features": {name: vars(made) for name, made in summary.frames.items()},
        "notes": summary.notes,
        "ray_started": summary.ray_started,
    }


def _imports_as_json(imported: Sequence[Imported]) -> dict[str, Any]:
    features: dict[str, dict[str, Any]] = {}
    for one in imported:
        before = features.get(one.name, {"computed": 0, "rejects": 0})
        features[one.name] = {
            "rows": one.rows,
            "computed": before["computed"] + one.computed,
            "rejects": before["rejects"] + one.verdict.refusals,
            "path": one.path,
        }
    return {
        "features": features,
        "notes": [note for one in imported for note in one.notes],
        "imports": [one.as_json() for one in imported],
    }


def _import_lines(imported: Sequence[Imported], store: str) -> list[str]:
    lines = [f"note: {note}" for one in imported for note in one.notes]
    for one in imported:
        lines += [f"rejected: {reject['source']}: {reject['reason']}" for reject in one.rejects[:SHOWN]]
        if one.verdict.refusals > SHOWN:
            lines.append(f"rejected: … {one.verdict.refusals} rows of {one.file.path.name}; see the table 'rejects'")
    if not any(one.computed for one in imported):
        lines.append("nothing to do: every row that can be used stands already")
    lines += [
        f"{one.name}: {one.rows:,} rows ({one.computed:,} new), {one.verdict.refusals:,} rows rejected, "
        f"{len(one.plan.names):,} columns, from {one.file.path.name} (sha256 {one.file.sha256[:12]}…)"
        for one in imported
    ]
    lines += [f'read it: pandas.read_parquet("{path}")' for path in dict.fromkeys(one.path for one in imported)]
    names = dict.fromkeys(one.name for one in imported)
    return lines + [f"search it: python jobs/tune.py --store {store} --features {name} --family svm" for name in names]


def _frame_lines(summary: FrameSummary, store: str) -> list[str]:
    lines = _problem_lines(summary)
    if not summary.ray_started and any(made.rows or made.rejects for made in summary.frames.values()):
        lines.append("nothing to do: every take has its frames, or was rejected before")
    lines += [
        f"{name}: {made.rows:,} takes ({made.computed:,} new), {made.frames:,} frames, {terminal.size(made.bytes)}, "
        f"{made.rejects:,} files rejected"
        for name, made in summary.frames.items()
    ]
    name, made = next(iter(summary.frames.items()))
    lines.append(f'its index: pandas.read_parquet("{made.path}"); its frames: numpy.load(…, mmap_mode="r") of _shards/')
    lines.append(f'or: storage.Store("{store}").frames("{name}")[take] -> uint8 (n, height, width, channels)')
    return lines


def _problem_lines(summary: Summary | FrameSummary) -> list[str]:
    lines = [f"note: {note}" for note in summary.notes]
    shown = summary.rejects.slice(0, SHOWN).to_pylist()
    lines += [f"rejected: {reject['source']}: {reject['reason']}" for reject in shown]
    if summary.rejects.num_rows > SHOWN:
        lines.append(f"rejected: … and {summary.rejects.num_rows - SHOWN} more; all stand in the table 'rejects'")
    return lines


def _lines(summary: Summary) -> list[str]:
    lines = _problem_lines(summary)
    if not summary.tried:
        lines.append("nothing to do: every clip has its row, or was rejected before")
    for name, made in summary.features.items():
        lines.append(f"{name}: {made.rows:,} rows ({made.computed:,} new), {made.rejects:,} files rejected")
    path = next(iter(summary.features.values())).path
    lines.append(f'read it: pandas.read_parquet("{path}")')
    return lines


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
