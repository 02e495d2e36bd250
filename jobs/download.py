"""Fetch RAVDESS from its publisher, or write the made sample corpus.

The zip files of Zenodo record 1188976 are fetched with their checksums verified; a broken download goes on where it
stopped, and what stands already is left alone. No unpacking is needed: the other jobs read zip files in place. The
data are CC BY-NC-SA 4.0, Livingstone & Russo (2018), doi 10.1371/journal.pone.0196391.

parts: speech and song are the sound alone (one file each for all actors), video-speech and video-song the films (one
file an actor), video both of these, all the whole record.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravdess import terminal

if TYPE_CHECKING:
    from ravdess.corpora.fetch import Remote

EXAMPLES = """
  python jobs/download.py                            the spoken clips, sound only, into data/
  python jobs/download.py speech song --to /data/ravdess
  python jobs/download.py video-speech --actors 1,2,5-8
  python jobs/download.py all --dry-run              list files and sizes, fetch nothing
  python jobs/download.py --sample --to made         the made sample corpus as .wav files
  python jobs/download.py --sample actors=4,takes=8,modalities=audio-only+audio-video,height=720 --to made
  then: python jobs/featurize.py --source data

exit status: 0 all done, 1 failed (the rest is fetched all the same), 2 wrong usage, 3 done but the record held names
that are not safe to write
"""
MEGABYTE = 1_000_000


def arguments() -> argparse.ArgumentParser:
    """The job's arguments."""
    from ravdess.corpora import zenodo

    parser = terminal.parser(__doc__, EXAMPLES)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        type=_part,
        help=f"{', '.join(zenodo.PARTS)} or all (default: speech)",
    )
    parser.add_argument(
        "--actors", type=_actors, default=(), metavar="N[,N-N…]", help="films of these actors only (default: all 24)"
    )
    parser.add_argument("--to", type=Path, default=Path("data"), metavar="DIR", help="folder (default: %(default)s/)")
    parser.add_argument("--check", action="store_true", help="read files that stand already, and verify them again")
    parser.add_argument("--dry-run", action="store_true", help="list what would be fetched")
    parser.add_argument("--retries", type=int, default=6, metavar="N", help="failures in a row (default: %(default)s)")
    parser.add_argument("--record-url", default=zenodo.RECORD, metavar="URL", help="default: %(default)s")
    parser.add_argument(
        "--sample",
        nargs="?",
        const="",
        metavar="OPTIONS",
        help="write the made sample corpus instead; options as in actors=4,takes=8,channels=speech+song,"
        "modalities=audio-only+audio-video+video-only,seed=0,height=180",
    )
    return parser


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    if args.sample is not None:
        return _sample(args)
    from ravdess.corpora import fetch, zenodo

    watcher = fetch.Watcher(said=terminal.say)
    found, refused = zenodo.files(args.record_url, retries=args.retries, watcher=watcher)
    chosen = zenodo.wanted(found, args.parts or ["speech"], args.actors)
    if not chosen:
        terminal.say("the record holds no such file")
    there = {one.name for one in chosen if (fetch.verified if args.check else fetch.stands)(one, args.to)}
    missing = [one for one in chosen if one.name not in there]
    states = {one.name: "stands already" if one.name in there else _to_fetch(one, args.to) for one in chosen}
    if not args.dry_run and missing:
        _check_room(args.to, sum(one.size - fetch.held(one, args.to) for one in missing))
        states |= _fetch_all(missing, args)
    summary: dict[str, Any] = {
        "folder": str(args.to),
        "files": [{"name": one.name, "bytes": one.size, "state": states[one.name]} for one in chosen],
        "refused": refused,
    }
    terminal.close(summary, _lines(args, chosen, states, refused), as_json=args.json)
    if any(state.startswith("failed") for state in states.values()) or not chosen:
        return terminal.FAILED
    return terminal.REJECTS if refused else terminal.DONE


def _to_fetch(one: Remote, folder: Path) -> str:
    from ravdess.corpora import fetch

    held = fetch.held(one, folder)
    return f"to fetch, {_size(held)} of it is here" if held else "to fetch"


def _fetch_all(missing: list[Remote], args: argparse.Namespace) -> dict[str, str]:
    """Fetch file by file; one that fails does not keep the others from coming."""
    from ravdess.corpora import fetch
    from ravdess.errors import DownloadFailed

    states = {}
    total, held = sum(one.size for one in missing), sum(fetch.held(one, args.to) for one in missing)
    note = ""

    def moved(count: int) -> None:  # the bar counts whole megabytes
        nonlocal held
        before, held = held // MEGABYTE, held + count
        if held // MEGABYTE != before:
            progress.update(held // MEGABYTE - before, note=note)

    with terminal.Progress("download", total=-(-total // MEGABYTE), done=held // MEGABYTE, unit="MB") as progress:
        for number, one in enumerate(missing, 1):
            note = f"{one.name}, file {number} of {len(missing)}"
            try:
                fetch.fetch(one, args.to, retries=args.retries, watcher=fetch.Watcher(moved, terminal.say))
                states[one.name] = "fetched"
            except DownloadFailed as error:
                states[one.name] = f"failed: {error}"
    return states


def _check_room(folder: Path, needed: int) -> None:
    """Refuse before the first byte rather than after the last that fits."""
    from ravdess.errors import DownloadFailed

    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(nearest).free
    if free < needed:
        raise DownloadFailed(
            f"{_size(needed)} to fetch, but {nearest} has room for {_size(free)}: make room, or choose fewer parts"
        )


def _lines(args: argparse.Namespace, chosen: list[Remote], states: dict[str, str], refused: list[str]) -> list[str]:
    lines = [
        terminal.table([(one.name, _size(one.size), states[one.name]) for one in chosen], ("file", "size", "state"))
    ]
    lines += [f"refused: {one}" for one in refused]
    if args.actors and any(one.name.lower().startswith("audio") for one in chosen):
        lines.append("the sound of all actors comes in one file; --actors chooses among the films")
    lines.append(f"{len(chosen)} files, {_size(sum(one.size for one in chosen))}, in {args.to}")
    if any(state in ("fetched", "stands already") for state in states.values()):
        lines.append(f"use it: python jobs/featurize.py --source {args.to}")
    return lines


def _sample(args: argparse.Namespace) -> int:
    """Write the made corpus."""
    from ravdess.corpora.sample import CORPUS, Options, write

    options = Options.parse(args.sample)
    total = sum(1 for _ in options.clips())
    made = 0
    if not args.dry_run:
        with terminal.Progress("sample", total=total, unit="clips") as progress:
            made = write(args.to, **vars(options), progress=lambda done, _: progress.update(1))
    summary = {"folder": str(args.to), "clips": total, "made": made, "description": CORPUS.description}
    lines = [
        f"{total} clips, {made} of them made now, in {args.to}",
        f"they are {CORPUS.description}",
        f"use it: python jobs/featurize.py --source {args.to}",
    ]
    terminal.close(summary, lines, as_json=args.json)
    return terminal.DONE


def _part(text: str) -> str:
    from ravdess.corpora import zenodo

    if text not in (*zenodo.PARTS, "all"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no part of the record, expected {', '.join(zenodo.PARTS)} or all"
        )
    return text


def _actors(text: str) -> tuple[int, ...]:
    """Read "1,2,5-8"."""
    actors: set[int] = set()
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        try:
            span = range(int(first), int(last or first) + 1)
        except ValueError:
            span = range(0)
        if not span or not set(span) <= set(range(1, 25)):
            raise argparse.ArgumentTypeError(
                f"{piece!r} is no actor or range of actors, expected 1 to 24, as in 1,2,5-8"
            )
        actors |= set(span)
    return tuple(sorted(actors))


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
