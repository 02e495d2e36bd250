"""What the jobs share: arguments, progress, the closing summary, exit statuses. Imports nothing heavy."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REJECTS: Final = 3
"""Exit statuses: all done; failed; wrong usage (argparse's own); done, but some files were rejected."""


def parser(doc: str, examples: str) -> argparse.ArgumentParser:
    """An argument parser with the job's docstring, its examples, and the arguments that every job has."""
    made = argparse.ArgumentParser(
        description=doc.strip(),
        epilog=f"examples:\n{examples.strip(chr(10))}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "--store",
        default=os.environ.get("RAVDESS_STORE", "store"),
        metavar="DIR|s3://…",
        help="where features, runs and models are kept (default: $RAVDESS_STORE, else store/)",
    )
    made.add_argument(
        "--json", action="store_true", help="print the closing summary as JSON on stdout, and nothing else"
    )
    return made


def positive(text: str) -> int:
    """A whole number of at least 1, for an argument's type."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def run(job: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run a job; what this project refuses becomes one line on stderr and status 1, an interrupt status 130."""
    try:
        return job(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        print("\ninterrupted; what was finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("ravdess", "storage"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return FAILED


class Progress:
    """One line of progress: live on a terminal, a plain line every few seconds elsewhere (on stderr).

    >>> with Progress("featurize", total=1200, unit="clips") as progress:
    ...     progress.update(64, note="3 rejects")
    """

    def __init__(
        self,
        label: str,
        *,
        total: int,
        unit: str = "",
        done: int = 0,
        every: float = 10.0,
        stream: TextIO | None = None,
        left: float | None = None,
    ) -> None:
        """`left` is a guess of the seconds that all of it takes, where the caller has one."""
        self._label, self._total, self._unit, self._done, self._every = label, total, unit, done, every
        self._stream = sys.stderr if stream is None else stream
        self._note = ""
        self._details: Sequence[str] = ()
        self._left = left
        self._bar: Any = None
        self._lines: list[Any] = []
        self._said = time.monotonic()
        self._first = done
        self._began: tuple[float, int] | None = None  # when work was first seen to move, and from where

    def __enter__(self) -> Progress:
        if self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=self._total,
                initial=self._done,
                desc=self._label,
                unit=f" {self._unit}",
                file=self._stream,
                dynamic_ncols=True,
            )
            if self._left is not None:
                self._bar.set_postfix_str(f"about {duration(self._left)} left")
        else:
            self._say()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            for line in reversed(self._lines):
                line.close()
            self._bar.close()
        elif self._done != self._first:
            self._say()

    def update(self, done: int, *, note: str = "", left: float | None = None, details: Sequence[str] = ()) -> None:
        """Move on by `done` units.

        Parameters
        ----------
        done : int
        note : str
            What stands behind the count.
        left : float, optional
            Seconds that the rest should take, where the caller knows better than by the count.
        details : sequence of str
            Lines below on a terminal, parts of the line elsewhere.
        """
        self._done += done
        self._note, self._left, self._details = note, left, details
        self._began = self._began or (time.monotonic(), self._done)
        if self._bar is not None:
            if left is not None:
                self._bar.bar_format = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
                note = f"about {duration(left)} left" + (f", {note}" if note else "")
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done)
            self._show(details)
        elif time.monotonic() - self._said >= self._every:
            self._say()

    def _show(self, details: Sequence[str]) -> None:
        """Lines below the bar."""
        from tqdm import tqdm

        for at, words in enumerate(details):
            if at == len(self._lines):
                line = tqdm(
                    total=0,
                    bar_format="{desc}",
                    position=at + 1,
                    leave=False,
                    file=self._stream,
                    dynamic_ncols=True,
                )
                self._lines.append(line)
            self._lines[at].set_description_str(f"  {words}")

    def _say(self) -> None:
        self._said = time.monotonic()
        parts = [f"{self._label}: {self._done:,} of {self._total:,} {self._unit}".rstrip()]
        if self._done < self._total:
            moved = self._done - self._began[1] if self._began else 0
            if self._left is not None:
                parts.append(f"about {duration(self._left)} left")
            elif moved and self._began:
                left = (self._said - self._began[0]) / moved * (self._total - self._done)
                parts.append(f"about {duration(left)} left")
        parts += [words for words in (self._note, *self._details) if words]
        print(", ".join(parts), file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Seconds as people say them: "8 s", "3 min 20 s", "2 h 05 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: float) -> str:
    """Bytes as people say them: "340 kB", "12.1 MB", "3.4 GB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Rows as aligned plain text; numbers stand to the right."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    right = [bool(rows) and all(_is_number(row[at]) for row in rows) for at in range(len(header))]
    lines = [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _is_number(cell: object) -> bool:
    return not str(cell).strip("+-.,%0123456789 –—")


def close(summary: Mapping[str, object], lines: Iterable[str], *, as_json: bool) -> None:
    """Print a job's closing summary: `summary` as JSON on stdout with --json, else `lines` for people."""
    if as_json:
        json.dump(summary, sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        print("\n".join(lines))


def say(text: str) -> None:
    """Tell people something while a job runs (on stderr, so that --json stays clean)."""
    print(text, file=sys.stderr, flush=True)
