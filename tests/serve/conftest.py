"""A page with a model of made voices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ravdess.bundle import Bundle
from ravdess.predict import Predictor
from tests.predict.conftest import bundle, table

__all__ = ["bundle", "table"]


@pytest.fixture(scope="session")
def predictor(bundle: Bundle) -> Iterator[Predictor]:  # the fixture above
    """One for all tests."""
    with Predictor(bundle) as one:
        yield one
