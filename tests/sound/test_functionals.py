from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ravdess.sound.functionals import change, describe, describe_groups, names, parts
from tests.sound.waves import Floats

TRACKS = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 40)),
    elements=st.floats(-1000, 1000, width=32),
)


@given(TRACKS)
def test_statistics_are_numpys(tracks: Floats) -> None:
    said = describe(tracks, ("mean", "std", "p00", "p10", "p50", "p95", "p100"))
    centiles = np.percentile(tracks.astype(float), [0, 10, 50, 95, 100], axis=1)
    expected = np.stack([tracks.mean(axis=1), tracks.std(axis=1), *centiles], axis=1)
    np.testing.assert_allclose(said, expected.ravel(), rtol=1e-4, atol=1e-2)
    assert said.dtype == np.float32


@given(TRACKS)
def test_groups_are_told_as_if_alone(tracks: Floats) -> None:
    groups = [(tracks, ("p50", "mean")), (tracks[:1] * 2, ("std", "p50", "p90", "trend"))]
    for said, group in zip(describe_groups(groups), groups, strict=True):
        np.testing.assert_allclose(said, describe(*group), rtol=1e-5, atol=1e-3)


@given(st.integers(2, 300), st.floats(-50, 50), st.floats(-50, 50))
def test_the_trend_of_a_line_is_its_rise(size: int, start: float, stop: float) -> None:
    line = np.linspace(start, stop, size, dtype=np.float32)[np.newaxis]
    assert describe(line, ("trend",))[0] == pytest.approx(stop - start, abs=1e-2)


def test_a_single_frame_has_no_trend() -> None:
    np.testing.assert_array_equal(describe(np.ones((2, 1), np.float32), ("trend", "std")), 0)


@given(st.integers(5, 60), st.floats(-20, 20), st.floats(1, 100))
def test_the_change_of_a_line_is_its_slope(size: int, slope: float, rate: float) -> None:
    line = (slope * np.arange(size) / rate).astype(np.float32)[np.newaxis]
    changes = change(line, rate)
    assert changes.shape == (1, size - 4)
    np.testing.assert_allclose(changes, slope, rtol=1e-2, atol=1e-2)


@given(TRACKS, st.integers(1, 5))
def test_parts_are_means_that_add_up_to_the_whole(tracks: Floats, count: int) -> None:
    if tracks.shape[1] < count:
        tracks = np.repeat(tracks, count, axis=1)
    edges = [part * tracks.shape[1] // count for part in range(count + 1)]
    means = parts(tracks, count)
    for part in range(count):
        expected = tracks[:, edges[part] : edges[part + 1]].mean(axis=1)
        np.testing.assert_allclose(means[:, part], expected, rtol=1e-4, atol=1e-2)


def test_names_go_with_numbers() -> None:
    tracks = np.array([[1, 3], [10, 30]], np.float32)
    named = dict(zip(names(("a", "b"), ("mean", "p100")), describe(tracks, ("mean", "p100")), strict=True))
    assert named == {"a_mean": 2, "a_p100": 3, "b_mean": 20, "b_p100": 30}
