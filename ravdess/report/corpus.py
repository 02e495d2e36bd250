"""What the clips are: how many of what, which were refused and why, and what some look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.clips import CHANNELS, EMOTIONS
from ravdess.errors import RavdessError
from ravdess.report import figures
from ravdess.report.html import Raw, heat, joined, paragraph, table, tag
from ravdess.report.png import image

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ravdess.report.read import Shelf

KEPT: Final = ("corpus", "take", "actor", "gender", "channel", "emotion")
REASONS: Final = 20
NAMES: Final = 5
COLUMNS: Final = 180
"""Steps of time of a drawn waveform."""


def takes(store: Shelf) -> pd.DataFrame:
    """Every take of the store once: of its features and frames, and of its catalogue."""
    import pandas as pd

    names = [name for name in store.tables() if name == "clips" or name.startswith(("features/", "frames/"))]
    found = [store.table(name).read(columns=list(KEPT)).to_pandas() for name in names]
    if not found:
        return pd.DataFrame(columns=list(KEPT))
    every = pd.concat(found, ignore_index=True).drop_duplicates(["corpus", "take"])
    kept: pd.DataFrame = every.sort_values(["corpus", "take"], ignore_index=True)
    return kept


def overview(store: Shelf, *, examples: bool = True) -> Raw:
    """The corpus's part of a report; `examples` shows waveforms, spectra and pictures of single clips."""
    every = takes(store)
    parts: list[Raw] = []
    for corpus, mine in every.groupby("corpus"):
        parts += _counts(str(corpus), mine)
    if not parts:
        parts.append(paragraph("There are no clips in this store."))
    parts += [_sets(store), _rejects(store)]
    if examples and len(every):
        parts += [tag("h3", "Examples"), *_examples(store)]
    return joined(parts)


def _counts(corpus: str, mine: pd.DataFrame) -> list[Raw]:
    channels = [one for one in CHANNELS if (mine["channel"] == one).any()]
    genders = sorted(set(mine["gender"]))
    counted = mine.groupby(["emotion", "channel"]).size()
    of_gender = mine.groupby(["emotion", "gender"]).size()
    rows: list[list[object]] = [
        [
            word,
            *(int(counted.get((word, one), 0)) for one in channels),
            *(int(of_gender.get((word, one), 0)) for one in genders),
            int((mine["emotion"] == word).sum()),
        ]
        for word in EMOTIONS
    ]
    rows.append(["all", *(sum(int(str(row[at])) for row in rows) for at in range(1, len(channels) + len(genders) + 2))])
    people = mine.groupby(["actor", "emotion"]).size()
    most = max(1, int(people.max()))
    actors = sorted(set(mine["actor"]))
    cells = [
        [
            (count / most * 0.6, str(count), f"actor {actor}, {word}: {count} takes")
            for word in EMOTIONS
            for count in [int(people.get((actor, word), 0))]
        ]
        for actor in actors
    ]
    header = ["emotion", *channels, *genders, "takes"]
    return [
        table(
            f"{corpus}: {len(mine):,} takes of {len(actors)} actors; a take is one performance, in whichever files.",
            header,
            rows,
            numbers=range(1, len(header)),
        ),
        heat(f"{corpus}: takes of each actor (row) and emotion (column).", "actor", actors, cells, columns=EMOTIONS),
    ]


def _sets(store: Shelf) -> Raw:
    rows = []
    for name in store.tables():
        if name.startswith(("features/", "frames/")):
            one = store.table(name)
            rows.append([name, f"{one.count():,}", one.version(), one.fingerprint() or ""])
    return table(
        "Features and frames in the store.", ["table", "takes", "version", "fingerprint"], rows, numbers=(1, 2)
    )


def _rejects(store: Shelf) -> Raw:
    rejects = store.rejects() if "rejects" in store.tables() else None
    if rejects is None or not len(rejects):
        return paragraph("No file was rejected.")
    rows: list[list[object]] = []
    for (stage, reason), some in rejects.groupby(["stage", "reason"]):
        names = sorted(set(some["clip"].astype(str)))
        more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
        rows.append([reason, stage, some["source"].nunique(), ", ".join(names[:NAMES]) + more])
    rows.sort(key=lambda row: (-int(str(row[2])), str(row[0])))
    left = f" The {REASONS} most frequent of {len(rows)} reasons." if len(rows) > REASONS else ""
    caption = f"{rejects['source'].nunique():,} files were rejected, by reason.{left}"
    return table(caption, ["reason", "stage", "files", "clips"], rows[:REASONS], numbers=(2,))


def _examples(store: Shelf) -> list[Raw]:
    """One take of each emotion by one actor, as it sounds and, where there are pictures, as it looks."""
    from ravdess.features import FEATURE_SETS

    sound = [name.removeprefix("features/") for name in store.tables() if name.startswith("features/")]
    sound = [name for name in sound if name in FEATURE_SETS]
    pictures = _picture_set(store)
    if not sound and not pictures:
        return [paragraph("There is no sound or picture in this store to show.", class_="muted")]
    wanted = ["corpus", "take", "actor", "channel", "emotion", "intensity", "source"]
    name = f"features/{sound[0]}" if sound else f"frames/{pictures}"
    chosen = _one_each(store.table(name).read(columns=wanted).to_pandas())
    frames = store.frames(pictures) if pictures else {}
    cards, unread = [], ""
    for _, row in chosen.iterrows():
        shown: list[Raw] = []
        if sound:
            try:
                shown += _heard(str(row["source"]), str(row["emotion"]))
            except (RavdessError, OSError) as error:
                unread = str(error)
        if row["take"] in frames:
            shown.append(_seen(frames[row["take"]], str(row["emotion"])))
        if shown:
            about = f"{row['emotion']}, {row['intensity']} intensity, actor {row['actor']}, take {row['take']}"
            cards.append(tag("figure", *shown, tag("figcaption", about)))
    notes = [paragraph(f"Clips that could not be read again are not shown: {unread}", class_="muted")] if unread else []
    said = "Waveform, and log-mel spectrum (dark to light: 80 dB; 0 to 11 kHz, in mel) of one take of each emotion"
    said += f", with three pictures of {pictures}." if pictures else "."
    return [paragraph(said, class_="muted"), tag("div", *cards, class_="takes"), *notes] if cards else notes


def _one_each(rows: pd.DataFrame) -> pd.DataFrame:
    """The first take of each emotion, spoken and strong where there is one, of the first actor with most emotions."""
    rows = rows.assign(
        sung=rows["channel"] != "speech", soft=rows["intensity"] != "strong", at=rows["emotion"].map(EMOTIONS.index)
    )
    variety = rows.groupby(["corpus", "actor"])["emotion"].nunique()
    corpus, actor = min(variety.index, key=lambda key: (-variety[key], key))
    mine = rows[(rows["corpus"] == corpus) & (rows["actor"] == actor)]
    first: pd.DataFrame = mine.sort_values(["at", "sung", "soft", "take"]).drop_duplicates("emotion")
    return first


def _heard(source: str, emotion: str) -> list[Raw]:
    from ravdess.corpora import read_bytes
    from ravdess.sound.frames import SAMPLE_RATE, power_blocks
    from ravdess.sound.mfcc import mel_filters
    from ravdess.sound.read import read, resample

    y, sr = read(read_bytes(source), name=source)
    y = resample(y, sr, SAMPLE_RATE)
    peaks = [(float(part.min()), float(part.max())) for part in np.array_split(y, COLUMNS) if len(part)]
    loudest = max(1e-9, *(max(-low, high) for low, high in peaks))
    drawn = figures.wave([(low / loudest, high / loudest) for low, high in peaks], len(y) / SAMPLE_RATE)
    mel = np.concatenate([mel_filters().of(power) for _, power in power_blocks(y)], axis=1)
    level = 10 * np.log10(np.maximum(mel, 1e-10))
    shades = np.clip((level - level.max() + 80) / 80 * 255, 0, 255).astype(np.uint8)
    return [drawn.html(f"waveform, {emotion}"), image(shades[::-1], f"log-mel spectrum, {emotion}", shades=True)]


def _seen(frames: NDArray[np.uint8], emotion: str) -> Raw:
    chosen = [len(frames) * quarter // 4 for quarter in (1, 2, 3)]
    return tag(
        "div", *(image(frames[at], f"{emotion}, picture {at + 1} of {len(frames)}") for at in chosen), class_="faces"
    )


def _picture_set(store: Shelf) -> str:
    """The frame set to show: one of faces before any other of pictures; empty where there is none."""
    from ravdess.frames import FRAME_SETS

    there = [name.removeprefix("frames/") for name in store.tables() if name.startswith("frames/")]
    known: dict[str, Any] = {name: FRAME_SETS[name] for name in FRAME_SETS}
    pictures = [name for name in there if name in known and known[name].modality == "picture"]
    return min(pictures, key=lambda name: (not name.startswith("face"), name), default="")
