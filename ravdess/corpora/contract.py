"""What every corpus promises, as a check that `ravdess.testing` runs on each registered one."""

from __future__ import annotations

import itertools

from ravdess.clips import CHANNELS, EMOTIONS, GENDERS, INTENSITIES, MODALITIES
from ravdess.corpora import CORPORA, Corpus, catalogue, choose, read_bytes
from ravdess.errors import BadName


def check_corpus(corpus: Corpus) -> None:
    """Raise AssertionError, saying which promise of `Corpus` is broken."""
    assert CORPORA[corpus.name] is corpus, f"{corpus.name!r} is not registered under its name"
    assert corpus.name.isidentifier(), f"{corpus.name!r} is no word"
    assert corpus.name.islower(), f"{corpus.name!r} is not in lower case"
    for what in ("description", "licence", "source"):
        assert getattr(corpus, what).strip(), f"the corpus {corpus.name!r} says nothing of its {what}"
    assert len(set(corpus.examples)) >= 3, f"the corpus {corpus.name!r} gives fewer than three examples of its names"
    for stem in corpus.examples:
        _check_name(corpus, stem)
    for stem in ("", "notes", "../../etc/passwd", f"{corpus.examples[0]}-01", f" {corpus.examples[0]}"):
        said = _refusal(corpus, stem)
        assert said is not None, f"the corpus {corpus.name!r} accepts the name {stem!r}"
        assert stem in said, f"{corpus.name!r} refuses {stem!r} without naming it: {said}"
    if corpus.complete:
        for stem, clip in corpus.complete().items():
            assert stem == clip.name, f"{corpus.name!r} lists {clip.name!r} under {stem!r}"
            assert corpus.parse(stem) == clip, f"{corpus.name!r} reads {stem!r} as something else than it lists"
    assert (corpus.entries is None) == (corpus.read is None), f"{corpus.name!r} lists without reading, or the reverse"
    assert corpus.made or not corpus.entries, f"{corpus.name!r} makes its clips, but does not say that it is made"
    if corpus.entries:
        _check_made(corpus)


def _refusal(corpus: Corpus, stem: str) -> str | None:
    try:
        corpus.parse(stem)
    except BadName as error:
        return str(error)
    return None


def _check_name(corpus: Corpus, stem: str) -> None:
    clip = corpus.parse(stem)
    assert clip.name == stem, f"{corpus.name!r} reads {stem!r} but calls it {clip.name!r}"
    assert clip == corpus.parse(stem), f"{stem!r} is read in two ways"
    for what, allowed in (
        ("emotion", EMOTIONS),
        ("gender", GENDERS),
        ("channel", CHANNELS),
        ("intensity", INTENSITIES),
        ("modality", MODALITIES),
    ):
        value = getattr(clip, what)
        assert value in allowed, f"{stem!r} has the {what} {value!r}, expected one of {allowed}"
    for what in ("actor", "statement", "take"):
        assert getattr(clip, what), f"{stem!r} lacks its {what}"
    assert 1 <= clip.repetition <= 127, f"{stem!r} is repetition {clip.repetition}, which no int8 above 0 holds"


def _check_made(corpus: Corpus) -> None:
    found = catalogue(f"{corpus.name}:")
    assert found.clips.num_rows, f"{corpus.name}: is empty"
    assert not found.rejects.num_rows, f"{corpus.name}: rejects clips of its own"
    assert set(found.clips["corpus"].to_pylist()) == {corpus.name}, f"{corpus.name}: lists clips of another corpus"
    assert found.clips.equals(catalogue(f"{corpus.name}:").clips), f"{corpus.name}: lists other clips the second time"
    heard = choose(found.clips, modality="sound").to_pylist()
    for actor, clips in itertools.groupby(sorted(heard, key=lambda row: str(row["actor"])), lambda row: row["actor"]):
        emotions = {row["emotion"] for row in clips}
        assert len(emotions) > 1, f"{corpus.name}: gives actor {actor} the emotions {emotions} only"
    first = found.clips["source"][0].as_py()
    assert read_bytes(first) == read_bytes(first), f"{first} is made differently the second time"
