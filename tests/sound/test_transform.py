from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from ravdess.sound import transform


def rows(count: int, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(size).normal(size=(count, size)).astype(np.float32)


@pytest.mark.parametrize(("count", "size"), [(1, 6), (3, 512), (64, 1024), (158, 1024), (70, 2048), (0, 1024)])
def test_power_is_the_squared_spectrum(count: int, size: int) -> None:
    x = rows(count, size)
    expected = np.abs(np.fft.rfft(x.astype(np.float64), axis=1)) ** 2
    np.testing.assert_allclose(transform.power(x), expected, rtol=1e-3, atol=1e-5 * size)
    np.testing.assert_array_equal(transform.power(x, 3), transform.power(x)[:, :3])


@pytest.mark.parametrize(("count", "size"), [(1, 5), (40, 513), (0, 513)])
def test_cosines_are_those_of_scipy(count: int, size: int) -> None:
    x = rows(count, size)
    low, high = 1, size - 2
    expected = np.zeros((0, size)) if not count else fft.dct(x.astype(np.float64), type=1, axis=1)
    np.testing.assert_allclose(transform.cosines(x, low, high), expected[:, low : high + 1], rtol=1e-3, atol=1e-3)


def test_dct_rows_are_orthonormal_and_those_of_scipy() -> None:
    every = transform.dct_rows(40, 40)
    np.testing.assert_allclose(every @ every.T, np.eye(40), atol=1e-5)
    np.testing.assert_allclose(transform.dct_rows(13, 40), fft.dct(np.eye(40), axis=0, norm="ortho")[:13], atol=1e-6)


def test_decibels() -> None:
    np.testing.assert_allclose(transform.decibels(np.array([1e-10, 1, 100], np.float32)), [-100, 0, 20], atol=1e-4)
