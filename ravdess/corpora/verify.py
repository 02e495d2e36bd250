"""How much of a corpus is there: counts by modality and channel beside the publisher's, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ravdess.clips import CHANNELS, MODALITIES
from ravdess.corpora import columns

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.corpora import ClipName
    from ravdess.corpora.catalogue import Catalogue

_SHOWN = 5  # of the missing or rejected files; the tables have them all


def counts(found: Catalogue) -> pa.Table:
    """Files by corpus, modality and channel: corpus, modality, channel, files, expected (null where unknown)."""
    here = Counter(_rows(found.clips, "corpus", "modality", "channel"))
    rows = []
    for name in _corpora(found):
        complete = _complete(name)
        whole = Counter((clip.modality, clip.channel) for clip in complete.values())
        for channel in CHANNELS:
            for modality in reversed(MODALITIES):
                files, expected = here[name, modality, channel], whole[modality, channel] if complete else None
                if files or expected:
                    rows.append((name, modality, channel, files, expected))
    text, whole_number = columns.strings, columns.numbers
    return columns.table(
        rows,
        {"corpus": text, "modality": text, "channel": text, "files": whole_number, "expected": whole_number},
    )


def verify(found: Catalogue) -> str:
    """The counts as a plain text table, then what is missing, rejected and worth knowing."""
    lines = []
    for name in _corpora(found):
        lines += _table(found, name)
        lines += [""]
    lines += _rejected(found)
    lines += [f"note: {note}" for note in found.notes]
    if found.ignored:
        lines.append(f"{_files(found.ignored)} of other kinds passed over")
    return "\n".join(lines).strip() + "\n"


def _table(found: Catalogue, name: str) -> list[str]:
    complete = _complete(name)
    present = [row[1:] for row in _rows(found.clips, "corpus", "clip", "take", "actor") if row[0] == name]
    names = {clip for clip, _, _ in present}
    rows = [row for row in counts(found).to_pylist() if row["corpus"] == name]
    body = [
        (row["channel"], row["modality"], row["files"], row["expected"], _state(row, complete, names)) for row in rows
    ]
    files, takes = sum(row["files"] for row in rows), len({take for _, take, _ in present})
    for label, here, whole in (
        ("files", files, len(complete)),
        ("takes", takes, len({clip.take for clip in complete.values()})),
    ):
        body.append(("all" if label == "files" else "", label, here, whole or None, "complete" * (here == whole)))
    head = [f"{name:<8}{'':<14}{'here':>7}{'publisher':>11}"] if complete else [f"{name:<8}{'':<14}{'here':>7}"]
    return head + [
        f"{channel:<8}{modality:<14}{files:>7}{'' if expected is None else f'{expected:>11}'}  {state}".rstrip()
        for channel, modality, files, expected, state in body
    ]


def _state(row: Mapping[str, object], complete: Mapping[str, ClipName], names: set[str]) -> str:
    """What is missing of one modality and channel: "complete", "none", or whole actors, then single clips."""
    kind = (row["modality"], row["channel"])
    wanted = {name: clip for name, clip in complete.items() if (clip.modality, clip.channel) == kind}
    if not wanted or not row["files"]:
        return "none" if wanted else ""
    missing = sorted(wanted.keys() - names)
    if not missing:
        return "complete"
    heard = {clip.actor for name, clip in wanted.items() if name in names}
    actors = sorted({clip.actor for clip in wanted.values()})
    silent = [actor for actor in actors if actor not in heard]
    single = [name for name in missing if wanted[name].actor in heard]
    said = [f"{'actor' if len(silent) == 1 else 'actors'} {_runs(silent, actors)}"] if silent else []
    if single:
        more = f" and {len(single) - _SHOWN} more" if len(single) > _SHOWN else ""
        said.append(f"{_files(len(single))}: {', '.join(single[:_SHOWN])}{more}")
    return f"missing {'; '.join(said)}"


def _runs(some: Sequence[str], every: Sequence[str]) -> str:
    """Which of `every` are `some`, neighbours together: "02-05, 08"."""
    places = [every.index(one) for one in some]
    starts = [one for one, place in zip(some, places, strict=True) if place - 1 not in places]
    ends = [one for one, place in zip(some, places, strict=True) if place + 1 not in places]
    return ", ".join(start if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


def _rejected(found: Catalogue) -> list[str]:
    rows = _rows(found.rejects, "source", "reason")
    lines = [f"{_files(len(rows))} rejected:"] if rows else []
    lines += [f"  {source}: {reason}" for source, reason in rows[: 4 * _SHOWN]]
    if len(rows) > 4 * _SHOWN:
        lines.append(f"  and {len(rows) - 4 * _SHOWN} more")
    return lines


def _corpora(found: Catalogue) -> list[str]:
    """The corpora of the clips; the publisher's when there are none, so that all of it is missing."""
    return sorted(set(found.clips["corpus"].to_pylist())) or ["ravdess"]


def _complete(name: str) -> Mapping[str, ClipName]:
    from ravdess.corpora import CORPORA

    complete = CORPORA[name].complete
    return complete() if complete else {}


def _rows(table: pa.Table, *names: str) -> list[tuple[str, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"
