"""One wallet for all hostile callers of a module."""

from __future__ import annotations

import pytest

from tests.hostile.door import Door


@pytest.fixture(scope="module")
def door():
    """Open, with a rich player behind it."""
    opened = Door()
    yield opened
    opened.close()
