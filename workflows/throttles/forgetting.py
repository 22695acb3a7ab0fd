"""Forgetting passes that do not count any more, in every tenant that has some."""

from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.throttles.counting import forget_passes


def forget_old_passes() -> int:
    """Delete what has left its window; how many there were."""
    total = 0
    for (tenant_id,) in fetch("SELECT tenant_id FROM tenants_with_old_passes()", []):
        with tenant_scope(tenant_id) as scope:
            total += forget_passes(tenant_id, scope.now)
    return total
