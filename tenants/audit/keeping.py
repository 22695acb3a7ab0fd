"""How long the record of operators is kept: for ever, unless somebody with a shell says otherwise."""

from datetime import datetime

from tenants.scope import tenant_scope
from tenants.sql import fetch

LEAST_DAYS = 90


def forget_actions(*, tenant_id: int, before: datetime) -> int:
    """Forget what a tenant's operators did before; how many rows. The database keeps the last 90 days whoever asks.

    The app role may not delete a row of this record. A function of the owner does it, so that nothing else can.
    """
    with tenant_scope(tenant_id):
        return int(fetch("SELECT forget_operator_actions(%s, %s)", [tenant_id, before])[0][0])
