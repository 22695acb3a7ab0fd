"""Fixtures of these tests: after each of them every trace of the tenant still proves its run."""

from collections.abc import Iterator

import pytest

from tenants.models import Tenant
from tests.workflows.conftest import probe
from workflows.verify import verify_trace

__all__ = ["probe"]


@pytest.fixture(autouse=True)
def _traces_hold(tenant: Tenant) -> Iterator[None]:
    yield
    assert list(verify_trace(tenant_id=tenant.pk)) == []
