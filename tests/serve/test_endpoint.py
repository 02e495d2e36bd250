"""Where utterances begin and end, on levels whose truth is known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravdess.serve.endpoint import ABOVE, BELOW, END, LEAST, ONSET, PAUSE, Endpointer, Turn

ROOM = -70.0
VOICE = -25.0


def turns(levels: list[float], longest: int = 1000) -> tuple[Endpointer, list[tuple[int, Turn]]]:
    """What each level changed, by its hop, after two seconds of a quiet room."""
    ends = Endpointer(longest)
    assert not any(ends.hop(ROOM) for _ in range(172))
    changes = ((at, ends.hop(level)) for at, level in enumerate(levels))
    return ends, [(at, turn) for at, turn in changes if turn]


def test_an_utterance_begins_pauses_and_ends_where_it_does() -> None:
    ends, seen = turns([VOICE] * 60 + [ROOM] * 80)
    assert seen == [(ONSET - 1, Turn.BEGAN), (59 + PAUSE, Turn.PAUSED), (59 + END, Turn.ENDED)]
    assert (ends.start, ends.stop) == (172, 172 + 60)


def test_a_pause_between_words_ends_nothing() -> None:
    _, seen = turns([VOICE] * 60 + [ROOM] * (END - 1) + [VOICE] * 30 + [ROOM] * END)
    assert [turn for _, turn in seen] == [Turn.BEGAN, Turn.PAUSED, Turn.RESUMED, Turn.PAUSED, Turn.ENDED]


def test_a_level_between_the_thresholds_changes_nothing() -> None:
    between = ROOM + (ABOVE + BELOW) / 2
    assert turns([between] * 200)[1] == []
    loud_room = Endpointer(1000)
    for _ in range(172):
        loud_room.hop(-50.0)
    assert not any(loud_room.hop(-50 + (ABOVE + BELOW) / 2) for _ in range(200))
    for _ in range(ONSET):
        loud_room.hop(VOICE)
    assert loud_room.speaking
    assert not any(loud_room.hop(-50 + (ABOVE + BELOW) / 2) for _ in range(200)), "speech goes on above the lower one"


def test_clicks_and_coughs_are_no_utterance() -> None:
    assert turns(([VOICE] * (ONSET - 1) + [ROOM] * 20) * 5)[1] == []
    assert turns([VOICE] * (LEAST - 1) + [ROOM] * 100)[1] == [(ONSET - 1, Turn.BEGAN), (LEAST - 2 + END, Turn.DROPPED)]


def test_who_never_stops_is_cut() -> None:
    ends, seen = turns([VOICE] * 400, longest=150)
    assert [turn for _, turn in seen] == [Turn.BEGAN, Turn.ENDED, Turn.BEGAN, Turn.ENDED, Turn.BEGAN]
    assert ends.stop - ends.start <= 150


@pytest.mark.parametrize("noise", [-80.0, -60.0, -45.0])
def test_noise_of_the_room_is_followed(noise: float) -> None:
    rng, ends = random.Random(0), Endpointer(1000)
    room = [noise + rng.gauss(0, 2) for _ in range(2000)]
    began = sum(ends.hop(level) is Turn.BEGAN for level in room[600:] + room[:600])
    assert began == 0
    assert ends.noise == pytest.approx(noise, abs=8)
    assert sum(ends.hop(max(noise, -70) + 25) is Turn.BEGAN for _ in range(40)) == 1


@given(st.lists(st.floats(-200, 20), max_size=600), st.integers(30, 200))
def test_turns_alternate_whatever_comes(levels: list[float], longest: int) -> None:
    ends, open_, paused = Endpointer(longest), False, False
    for at, level in enumerate(levels, 1):
        turn = ends.hop(level)
        if turn is Turn.BEGAN:
            assert not open_
            open_, paused = True, False
        elif turn is Turn.PAUSED:
            assert open_
            assert not paused
            paused = True
        elif turn is Turn.RESUMED:
            assert paused
            paused = False
        elif turn in (Turn.ENDED, Turn.DROPPED):
            assert open_
            open_ = False
            assert 0 <= ends.start < ends.stop <= at
            assert (turn is Turn.ENDED) == (ends.stop - ends.start >= LEAST)
        assert ends.speaking == open_
        assert at - ends.start <= longest or not open_
