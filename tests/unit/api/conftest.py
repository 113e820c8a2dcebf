from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.actions import api
from tests.unit.api.served import Served
from tests.unit.oauth.loopback import Server


@pytest.fixture(scope="module")
def served(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with django_db_blocker.unblock():
        running = Served(tmp_path_factory.mktemp("served"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def server() -> Iterator[Server]:
    with api.running() as running:
        yield running
