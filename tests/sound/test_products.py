from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.sound import products
from ravdess.sound.products import banded, product


@pytest.mark.parametrize("alone", [True, False])
@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1, 2, 63, 64, 65, 200]), st.sampled_from([1, 30, 700]), st.sampled_from([1, 2, 330, 1100]))
def test_pieces_are_the_product(alone: bool, m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(k, n)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_ALONE", alone)
        said, transposed = product(left, right), product(np.asfortranarray(left), right)
    expected = left.astype(np.float64) @ right
    np.testing.assert_allclose(said, expected, atol=2e-4)
    np.testing.assert_allclose(transposed, expected, atol=2e-4)


@given(st.integers(1, 20), st.integers(1, 9))
def test_bands_are_the_product(rows: int, together: int) -> None:
    weights = np.zeros((rows, 30))
    for row in range(rows):
        weights[row, row : row + 4] = np.arange(1, 5)
    spectra = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)
    np.testing.assert_allclose(banded(weights, together).of(spectra), weights @ spectra, atol=1e-4)
