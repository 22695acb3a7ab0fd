"""The last look before work is done: is it still wanted?"""

from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.steps.base import Claim

_ENDED = "SELECT finished_at IS NOT NULL FROM workflows_run WHERE tenant_id = %s AND id = %s"


def run_has_ended(claim: Claim) -> bool:
    """Whether the run of a claim ended after it was claimed. Resends and compensations are wanted all the same."""
    if claim.is_resend or claim.undo or claim.run_id is None:
        return False
    with tenant_scope(claim.tenant_id):
        return any(ended for (ended,) in fetch(_ENDED, [claim.tenant_id, claim.run_id]))
