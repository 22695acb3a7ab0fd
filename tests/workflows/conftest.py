"""Fixtures of the engine's tests."""

from collections.abc import Iterator

import pytest

from tests.workflows.probe import Probe
from workflows.steps.registry import kinds, register, step_kind


@pytest.fixture
def probe() -> Iterator[Probe]:
    """The `probe` kind of work, its ledger empty."""
    if "probe" not in kinds():
        register(Probe())
    found = step_kind("probe")
    assert isinstance(found, Probe)
    found.forget()
    yield found
    found.forget()
