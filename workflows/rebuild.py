"""Rebuilding: where a run stands, worked out from nothing but its trace."""

import uuid

from tenants.scope import tenant_scope
from workflows.errors import RunNotFound
from workflows.models import Run
from workflows.trace import FoldedState, fold


def rebuild_run(*, tenant_id: int, public_id: uuid.UUID) -> FoldedState:
    """The state that folding the whole trace gives; it equals the stored run, column by column. Writes nothing.

    Lines are read in parts, so the length of the trace does not matter. Raises `RunNotFound`.
    """
    with tenant_scope(tenant_id):
        run = Run.objects.for_tenant(tenant_id).filter(public_id=public_id).first()
        if run is None:
            raise RunNotFound("No such run.")
        return fold(run.transitions.filter(tenant_id=tenant_id).in_order().iterator(chunk_size=1000))
