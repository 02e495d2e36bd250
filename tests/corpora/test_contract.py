"""A corpus is one object: the catalogue takes a new one as it is, and the contract finds a bad one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ravdess.corpora import CORPORA, Corpus, catalogue, choose, read_bytes
from ravdess.corpora.contract import check_corpus
from ravdess.corpora.entry import Entry
from ravdess.errors import BadName, NameTaken
from tests.corpora.conftest import Put


@dataclass(frozen=True)
class Word:
    """A clip of a corpus whose names are "<actor>_<emotion>_<word>"."""

    actor: str
    emotion: str
    statement: str
    gender: str = "female"
    channel: str = "speech"
    intensity: str = "normal"
    repetition: int = 1
    modality: str = "audio-only"

    @property
    def name(self) -> str:
        return f"{self.actor}_{self.emotion}_{self.statement}"

    @property
    def take(self) -> str:
        return self.name


def parse(stem: str) -> Word:
    parts = stem.split("_")
    if len(parts) != 3 or parts[0] not in {"OAF", "YAF"} or parts[1] not in {"happy", "sad"} or not parts[2].isalpha():
        raise BadName(f"{stem!r} is no name of this corpus, expected <actor>_<emotion>_<word>")
    actor, emotion, statement = parts
    return Word(actor, emotion, statement)


TOY = Corpus(
    name="toy",
    description="two actors say words",
    licence="CC0 1.0",
    source="tests",
    parse=parse,
    examples=("OAF_happy_back", "YAF_sad_bar", "OAF_sad_base"),
)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    def add(corpus: Corpus) -> Corpus:
        list(CORPORA)  # everything that is there is loaded
        monkeypatch.setitem(CORPORA._items, corpus.name, corpus)
        return corpus

    return add


def test_a_corpus_with_names_of_its_own(register: Any, put: Put, tmp_path: Path) -> None:
    check_corpus(register(TOY))
    put("OAF/OAF_happy_back.wav", b"one")
    put("YAF/YAF_sad_bar.wav", b"two")
    put("YAF/YAF_bored_bar.wav", b"three")
    found = catalogue(tmp_path, corpus="toy")
    assert [
        (row["actor"], row["emotion"], row["corpus"]) for row in choose(found.clips, modality="sound").to_pylist()
    ] == [
        ("OAF", "happy", "toy"),
        ("YAF", "sad", "toy"),
    ]
    assert found.rejects["clip"].to_pylist() == ["YAF_bored_bar"]
    assert "toy" in found.verify()


def test_a_made_corpus_of_ones_own(register: Any) -> None:
    def entries(options: str) -> Iterator[Entry]:
        for stem in ("OAF_happy_back", "OAF_sad_base", "YAF_happy_bar", "YAF_sad_bar"):
            yield Entry(f"toy:{options}/{stem}.wav", 1)

    made = replace(TOY, made=True, entries=entries, read=lambda uri: uri.encode())
    check_corpus(register(made))
    found = catalogue("toy:loud")
    assert read_bytes(found.clips["source"][0].as_py()) == b"toy:loud/OAF_happy_back.wav"


BROKEN: dict[str, dict[str, Any]] = {
    "accepts the name": {"parse": lambda stem: parse(stem) if stem else parse("OAF_sad_base")},
    "refuses 'notes' without naming it": {"parse": lambda stem: parse(stem if stem != "notes" else "other")},
    "says nothing of its licence": {"licence": " "},
    "fewer than three examples": {"examples": ("OAF_happy_back",)},
    "has the gender 'woman'": {"parse": lambda stem: replace(parse(stem), gender="woman")},
    "but calls it": {"parse": lambda stem: replace(parse(stem), statement="another")},
    "lists 'OAF_sad_base' under 'x'": {"complete": lambda: {"x": parse("OAF_sad_base")}},
    "lists without reading": {"entries": lambda _: iter(())},
    "does not say that it is made": {"entries": lambda _: iter(()), "read": lambda _: b""},
    "is empty": {"made": True, "entries": lambda _: iter(()), "read": lambda _: b""},
    "not in lower case": {"name": "Toy"},
}


@pytest.mark.parametrize("reason", BROKEN)
def test_the_contract_finds_what_is_broken(register: Any, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        check_corpus(register(replace(TOY, **BROKEN[reason])))


def test_an_unregistered_corpus_breaks_the_contract() -> None:
    with pytest.raises(KeyError, match="unknown corpus 'toy'"):
        check_corpus(TOY)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(NameTaken, match="'ravdess' is registered already"):
        CORPORA.register(replace(CORPORA["ravdess"], licence="other"))
