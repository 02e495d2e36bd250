"""Write what was found as one HTML file that opens from disk and asks no other host.

A report of one run, or of everything in the store: results with intervals, confusion, each actor and emotion, how the
search went and which hyperparameters mattered, how far confidence can be trusted, the clips, and how to make it again.
The same store gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravdess import terminal

if TYPE_CHECKING:
    from ravdess.report.read import Run
    from storage import Store

EXAMPLES = """
  python jobs/report.py                                   the whole store → report.html
  python jobs/report.py --run NAME --out run.html         one run
  python jobs/report.py --no-examples                     without waveforms and pictures of single clips
  python jobs/report.py --scoreboard                      beside what others published → scoreboard.html, scoreboard.md

exit status: 0 all done, 1 failed, 2 wrong usage
"""


def arguments() -> argparse.ArgumentParser:
    """The job's arguments."""
    parser = terminal.parser(__doc__, EXAMPLES)
    parser.add_argument("--run", metavar="NAME", help="only this run (default: the whole store)")
    parser.add_argument(
        "--scoreboard", action="store_true", help="one table of all runs beside published numbers, as HTML and Markdown"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write it (default: report.html, or scoreboard.html and .md)"
    )
    parser.add_argument(
        "--figures", type=Path, metavar="DIR", help="with --scoreboard: its overview as DIR/scoreboard.svg, too"
    )
    parser.add_argument("--no-examples", action="store_true", help="show no single clips")
    return parser


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    from storage import Store

    store = Store(args.store)
    if args.scoreboard and args.run:
        terminal.say("--scoreboard shows every run and --run one: ask for one of them")
        return terminal.USAGE
    if args.scoreboard:
        _scoreboard(args, store)
    else:
        _report(args, store)
    return terminal.DONE


def _report(args: argparse.Namespace, store: Store) -> None:
    from ravdess import report

    examples = not args.no_examples
    whole = (
        report.run_page(store, args.run, examples=examples) if args.run else report.store_page(store, examples=examples)
    )
    out = args.out or Path("report.html")
    _write(out, whole)
    runs = [args.run] if args.run else report.finished_runs(store)
    summary: dict[str, Any] = {"path": str(out.resolve()), "runs": runs, "bytes": len(whole.encode())}
    lines = [
        f"{len(runs)} run{'s' * (len(runs) != 1)} in {summary['bytes'] / 1e6:.1f} MB",
        f"read it: {out.resolve().as_uri()}",
    ]
    terminal.close(summary, lines, as_json=args.json)


def _scoreboard(args: argparse.Namespace, store: Store) -> None:
    from ravdess import report
    from ravdess.report import scoreboard
    from ravdess.report.board import board as gathered

    runs = [report.read_run(store, name) for name in report.finished_runs(store)]
    board = gathered(runs, _headlines(store, runs))
    out = args.out or Path("scoreboard.html")
    text = out.with_suffix(".md")
    _write(out, scoreboard.scoreboard_page(board, store.url))
    _write(text, scoreboard.markdown(board))
    drawn = args.figures / "scoreboard.svg" if args.figures else None
    if drawn:
        _write(drawn, scoreboard.glance(board).alone("UAR of every row of the scoreboard"))
    rows = [row._asdict() for row in (*board.rows, *board.leaky)]
    summary = {
        "path": str(out.resolve()),
        "markdown": str(text.resolve()),
        "runs": [run.name for run in runs],
        "rows": rows,
    }
    ours = sum(row["kind"] != "published" for row in rows)
    lines = [f"{ours} rows from {len(runs)} runs, {len(rows) - ours} published ones"]
    lines += [f"read it: {out.resolve().as_uri()}", f"and: {text.resolve()}", *([f"figure: {drawn}"] if drawn else [])]
    terminal.close(summary, lines, as_json=args.json)


def _headlines(store: Store, runs: list[Run]) -> list[tuple[str, Any]]:
    """For each protocol, what inner folds would have chosen among all runs."""
    from ravdess.search.headline import headline

    protocols = sorted({str(run.summary["protocol"]) for run in runs if run.kind in ("plain", "enrolled")})
    return [(protocol, one) for protocol in protocols for one in headline(store, protocol=protocol)]


def _write(path: Path, content: str) -> None:
    """All of the file or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
