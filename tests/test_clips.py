"""The names of RAVDESS."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.clips import ACTORS, EMOTIONS, MODALITIES, Clip, all_takes
from ravdess.errors import BadName, RavdessError

TAKES = {take.take for take in all_takes()}


def test_the_publishers_own_example() -> None:
    # Livingstone & Russo's example: video-only, speech, fearful, normal, "dogs", first repetition, actor 12, female.
    clip = Clip.parse("02-01-06-01-02-01-12")
    assert clip == Clip("video-only", "speech", "fearful", "normal", "dogs", 1, "12")
    assert (clip.name, clip.take, clip.gender) == ("02-01-06-01-02-01-12", "01-06-01-02-01-12", "female")


def test_the_publishers_counts() -> None:
    takes = all_takes()
    assert Counter(take.channel for take in takes) == {"speech": 1440, "song": 1012}
    assert len({take.take for take in takes}) == 2452
    spoken = Counter((take.actor, take.emotion) for take in takes if take.channel == "speech")
    assert set(spoken) == {(actor, emotion) for actor in ACTORS for emotion in EMOTIONS}
    assert {count for (_, emotion), count in spoken.items() if emotion == "neutral"} == {4}
    assert {count for (_, emotion), count in spoken.items() if emotion != "neutral"} == {8}
    sung = {take.actor for take in takes if take.channel == "song"}
    assert sung == set(ACTORS) - {"18"}


def test_names_round_trip_and_sort_as_listed() -> None:
    takes = all_takes()
    assert [Clip.parse(take.name) for take in takes] == takes
    assert [take.name for take in takes] == sorted(take.name for take in takes)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_take_is_one_performance_in_every_modality(modality: str) -> None:
    code = MODALITIES.index(modality) + 1
    clip = Clip.parse(f"{code:02d}-02-03-02-01-02-07")
    assert (clip.modality, clip.take, clip.gender) == (modality, "02-03-02-01-02-07", "male")


@pytest.mark.parametrize(
    ("stem", "reason"),
    [
        ("03-01-01-02-01-01-01", "neutral was never performed with strong intensity"),
        ("03-02-07-01-01-01-01", "disgust was never sung"),
        ("03-02-08-01-01-01-01", "surprised was never sung"),
        ("03-02-02-01-01-01-18", "actor 18 has no song"),
        ("04-01-02-01-01-01-01", "modality 04 is out of range 01 to 03"),
        ("00-01-02-01-01-01-01", "modality 00 is out of range"),
        ("03-03-02-01-01-01-01", "channel 03"),
        ("03-01-09-01-01-01-01", "emotion 09 is out of range 01 to 08"),
        ("03-01-02-03-01-01-01", "intensity 03"),
        ("03-01-02-01-03-01-01", "statement 03"),
        ("03-01-02-01-01-03-01", "repetition 03 is out of range 01 to 02"),
        ("03-01-02-01-01-01-25", "actor 25 is out of range 01 to 24"),
        ("03-01-02-01-01-01", "seven two-digit parts"),
        ("03-01-02-01-01-01-01-01", "seven two-digit parts"),
        ("3-1-2-1-1-1-1", "seven two-digit parts"),
        ("03_01_02_01_01_01_01", "seven two-digit parts"),
        ("03-01-02-01-01-01-01 (1)", "seven two-digit parts"),
        ("03-01-02-01-01-01-01\n", "seven two-digit parts"),
        ("٠٣-٠١-٠٢-٠١-٠١-٠١-٠١", "seven two-digit parts"),
        ("", "seven two-digit parts"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_rule(stem: str, reason: str) -> None:
    with pytest.raises(BadName, match=reason) as caught:
        Clip.parse(stem)
    assert repr(stem) in str(caught.value)
    assert isinstance(caught.value, RavdessError)


@given(st.tuples(*(st.integers(0, most) for most in (4, 3, 9, 3, 3, 3, 25))))
@settings(max_examples=300, deadline=None)
def test_any_seven_numbers_are_a_clip_of_that_name_or_refused(codes: tuple[int, ...]) -> None:
    stem = "-".join(f"{code:02d}" for code in codes)
    legal = stem[3:] in TAKES and codes[0] in {1, 2, 3}
    try:
        clip = Clip.parse(stem)
    except BadName:
        assert not legal
    else:
        assert legal
        assert (clip.name, clip.take) == (stem, stem[3:])


@given(st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_a_clip_or_refused(stem: str) -> None:
    if stem[3:] in TAKES and stem[:3] in {"01-", "02-", "03-"}:
        assert Clip.parse(stem).name == stem
        return
    with pytest.raises(BadName) as caught:
        Clip.parse(stem)
    assert repr(stem) in str(caught.value)


def test_only_who_asks_gets_more_actors_and_repetitions() -> None:
    stem = "03-01-08-02-02-07-31"
    with pytest.raises(BadName):
        Clip.parse(stem)
    clip = Clip.parse(stem, actors=99, repetitions=99)
    assert (clip.name, clip.repetition, clip.actor, clip.gender) == (stem, 7, "31", "male")
