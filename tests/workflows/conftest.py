"""Fixtures of the engine's tests."""

from collections.abc import Iterator

import pytest

from tests.workflows.probe import Probe
from workflows.steps import registry
from workflows.steps.registry import register


@pytest.fixture
def probe() -> Iterator[Probe]:
    """The `probe` kind of work, its ledger empty. Other tests do not know it."""
    found = Probe()
    register(found)
    yield found
    del registry._kinds[found.name]
