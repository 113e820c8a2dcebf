"""A simulator for each test, without sockets."""

import pytest

from .walks import Amazon, Clock


@pytest.fixture
def amazon() -> Amazon:
    return Amazon(Clock())
