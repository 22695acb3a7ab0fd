"""Legal holds: what must not be pruned, whatever the policies say."""

import uuid

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from tenants.scope import Scope, tenant_scope
from tenants.services.operators import check_reason
from tenants.sql import execute
from workflows.errors import RunNotFound
from workflows.models import Run
from workflows.models.retention import LONGEST_WHY, HoldOn, LegalHold
from workflows.retention.errors import HoldNotFound

# One tenant's prunes, its erasures and the placing of its holds come one after the other: what is held when the answer
# leaves is never taken away after it. The database function `bury_runs` takes the same lock.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('retention', %s))"

#: Whether a run `r` is held, in SQL.
RUN_IS_HELD = """
EXISTS (SELECT 1 FROM workflows_legalhold h WHERE h.tenant_id = r.tenant_id AND h.released_at IS NULL
    AND (h."on", h.value) IN (('run', r.public_id::text), ('subject', r.subject), ('definition', r.definition_key)))
"""


def take_turns(tenant_id: int) -> None:
    """Until the transaction ends no hold is placed, nothing is pruned and no subject is erased by anybody else."""
    execute(_LOCK, [tenant_id])


def place_hold(*, tenant_id: int, on: str, value: str, reason: str, placed_by: str) -> LegalHold:
    """The hold on a run (by its public id), a subject or a definition (by its key); the one that is there already.

    From the answer on nothing that it is about is pruned. Raises `RunNotFound`, and `Invalid`.
    """
    why = check_reason(reason, LONGEST_WHY)
    with tenant_scope(tenant_id) as scope:
        take_turns(tenant_id)
        value = _checked(tenant_id, on, value)
        hold, _ = LegalHold.objects.get_or_create(
            tenant_id=tenant_id,
            on=on,
            value=value,
            released_at=None,
            defaults={"reason": why, "placed_by": placed_by, "placed_at": scope.now},
        )
        return hold


def release_hold(*, tenant_id: int, public_id: uuid.UUID, released_by: str) -> LegalHold:
    """The hold, released; releasing it again changes nothing. Raises `HoldNotFound`."""
    with tenant_scope(tenant_id) as scope:
        hold = LegalHold.objects.select_for_update().filter(tenant_id=tenant_id, public_id=public_id).first()
        if hold is None:
            raise HoldNotFound
        return hold if hold.released_at is not None else _release(scope, hold, released_by)


def holds(*, tenant_id: int) -> list[LegalHold]:
    """The holds that are not released, oldest first."""
    with tenant_scope(tenant_id):
        return list(LegalHold.objects.filter(tenant_id=tenant_id, released_at=None).order_by("id"))


def _release(scope: Scope, hold: LegalHold, released_by: str) -> LegalHold:
    hold.released_at, hold.released_by = scope.now, released_by
    hold.save(update_fields=["released_at", "released_by"])
    return hold


def _checked(tenant_id: int, on: str, value: str) -> str:
    if on not in HoldOn.values or not value or not is_storable(value, 200):
        message = f"On one of {', '.join(HoldOn.values)}, and 1 to 200 characters of which."
        raise Invalid("The hold is not valid.", [fault("/on", "bad_hold", message)])
    if on != HoldOn.RUN:
        return value
    try:
        public_id = uuid.UUID(value)
    except ValueError:
        raise RunNotFound("No such run.") from None
    if not Run.objects.for_tenant(tenant_id).filter(public_id=public_id).exists():
        raise RunNotFound("No such run.")
    return str(public_id)
