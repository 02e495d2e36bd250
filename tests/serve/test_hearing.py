"""From samples to utterances and columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.clips import Clip
from ravdess.corpora.voice import SAMPLE_RATE as VOICE_RATE
from ravdess.corpora.voice import speak
from ravdess.errors import BadClip
from ravdess.serve.endpoint import Turn
from ravdess.serve.hearing import COLUMN, DRAWN, LEAD, RANGE, Hearing, Utterance, drawn
from ravdess.sound import timbre
from ravdess.sound.frames import SAMPLE_RATE
from ravdess.sound.read import resample

CLIP = Clip.parse("03-01-05-01-01-01-03")


def pcm(y: np.ndarray) -> bytes:
    samples: bytes = (np.clip(y, -1, 1) * 32_767).astype("<i2").tobytes()
    return samples


def heard(rate: int, sound: bytes, piece: int, **options: float) -> tuple[Hearing, list[tuple[Turn, Utterance]], bytes]:
    """Everything that a microphone brings, `piece` samples at a time."""
    hearing, turns, columns = Hearing(rate, **options), [], b""
    for at in range(0, len(sound), 2 * piece):
        brought = hearing.feed(sound[at : at + 2 * piece])
        turns += [(turn, utterance) for turn, utterance in brought.turns if utterance]
        columns += brought.columns
    return hearing, turns, columns


def spoken_once(rate: int) -> np.ndarray:
    voice = speak(CLIP, 0).astype(np.float32) / 32_768
    y = np.concatenate([np.zeros(VOICE_RATE, np.float32), voice, np.zeros(VOICE_RATE, np.float32)])
    return resample(y, VOICE_RATE, rate) if rate != VOICE_RATE else y


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_an_utterance_is_what_was_said_at_any_rate(rate: int) -> None:
    whole = spoken_once(rate)
    _, turns, _ = heard(rate, pcm(whole), 1024)
    ended = [utterance for turn, utterance in turns if turn is Turn.ENDED]
    assert len(ended) == 1
    y = resample(whole, rate, SAMPLE_RATE)
    start = round((ended[0].start - LEAD) * SAMPLE_RATE)
    expected = y[start : start + len(ended[0].y)]
    assert start > 0
    assert np.corrcoef(expected[: len(ended[0].y)], ended[0].y)[0, 1] > 0.999
    energy = float((ended[0].y ** 2).sum() / (y**2).sum())
    assert energy > 0.99, "hardly anything of the voice is cut off"


def test_how_sound_is_cut_into_pieces_changes_nothing() -> None:
    sound = pcm(spoken_once(48_000))
    _, few, columns = heard(48_000, sound, 4096)
    for piece in (311, 1024):
        _, more, same = heard(48_000, sound, piece)
        assert [(turn, one[2:]) for turn, one in few] == [(turn, one[2:]) for turn, one in more]
        np.testing.assert_allclose(more[-1][1].y, few[-1][1].y, atol=1e-4)
        size = min(len(columns), len(same))
        drawn_apart = np.abs(np.frombuffer(columns[:size], np.uint8).astype(int) - np.frombuffer(same[:size], np.uint8))
        assert np.mean(drawn_apart) < 0.5


def test_at_a_pause_silence_from_before_stands_in_for_what_is_to_come() -> None:
    _, turns, _ = heard(48_000, pcm(spoken_once(48_000)), 1024)
    (first, paused), (last, ended) = turns[-2:]
    assert (first, last) == (Turn.PAUSED, Turn.ENDED)
    assert paused.start == ended.start
    assert ended.stop - paused.stop == pytest.approx(0.5, abs=0.05)
    assert len(paused.y) == pytest.approx(len(ended.y), abs=300)
    said = round((paused.stop - paused.start + LEAD) * SAMPLE_RATE)
    assert np.array_equal(paused.y[:said], ended.y[:said])
    assert np.array_equal(paused.y[said:], paused.y[: len(paused.y) - said][::-1])


def test_memory_is_bounded_and_the_longest_utterance_is_whole() -> None:
    rng = np.random.default_rng(0)
    noise = np.concatenate([np.zeros(22_050), rng.normal(0, 0.1, 60 * 22_050)]).astype(np.float32)
    hearing, turns, _ = heard(22_050, pcm(noise), 1024, longest=5.0)
    ended = [utterance for turn, utterance in turns if turn is Turn.ENDED]
    assert len(ended) >= 10
    assert all(5.0 <= len(one.y) / SAMPLE_RATE <= 5.7 + LEAD for one in ended)
    assert hearing._kept.nbytes < 4 * 22_050 * (5 + LEAD + 8)


def test_the_microphone_may_go_off_while_someone_speaks() -> None:
    voice = spoken_once(22_050)
    hearing, _, _ = heard(22_050, pcm(voice[: 22_050 * 3]), 1024)
    assert hearing.speaking
    last = hearing.finish()
    assert last is not None
    assert last.number == 1
    assert hearing.finish() is None


@pytest.mark.parametrize(
    ("pcm", "said"), [(b"\0", "half a sample"), (bytes(2 * 48_001), "at once"), (bytes(10_000_000), "at once")]
)
def test_pieces_that_no_microphone_sends_are_refused(pcm: bytes, said: str) -> None:
    with pytest.raises(BadClip, match=said):
        Hearing(48_000).feed(pcm)


@pytest.mark.parametrize("rate", [-1, 0, 7_999, 192_001, 10**12])
def test_rates_that_no_microphone_has_are_refused(rate: int) -> None:
    with pytest.raises(BadClip, match="expected 8000 to 192000 Hz"):
        Hearing(rate)


@pytest.mark.parametrize("band", [5, 17, 31])
def test_a_sine_lights_its_own_band_at_its_own_level(band: int) -> None:
    t = np.arange(60 * DRAWN) / SAMPLE_RATE
    y = (0.1 * np.sin(2 * np.pi * timbre.CENTRES[band] * t)).astype(np.float32)
    columns = np.frombuffer(drawn(y), np.uint8).reshape(-1, COLUMN)
    assert len(columns) == 59
    assert set(columns[2:-2, 2:].argmax(axis=1).tolist()) == {band}
    assert columns[2:-2, 0].max() == pytest.approx(128 + 12.7, abs=1.5)
    assert columns[2:-2, 1].min() == pytest.approx(128 - 12.7, abs=1.5)
    low, high = RANGE
    assert low < columns[5, 2 + band] / 255 * (high - low) + low <= -20


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=4000).filter(lambda piece: len(piece) % 2 == 0), max_size=30))
def test_any_samples_are_survived(pieces: list[bytes]) -> None:
    hearing, drawn_ = Hearing(22_050, longest=2.0), 0
    for piece in pieces:
        drawn_ += len(hearing.feed(piece).columns)
    assert hearing.seconds == sum(map(len, pieces)) / 2 / 22_050
    assert drawn_ % COLUMN == 0
